//! Whether the files of the proxy's public certificate can be presented.

use api_types::Finding;
use api_types::FindingSeverity;
use config::ProxyConfig;
use names::UnixSeconds;

use super::checks::bad;
use super::checks::good;
use crate::failure::chain;
use crate::services::web_files;

/// How long before its end a certificate is to be replaced, in days.
const RENEW_DAYS: i64 = 7;

/// Everything about them; nothing where none are configured.
pub(super) async fn examine(proxy: &ProxyConfig, now: UnixSeconds) -> Vec<Finding> {
    let Some(files) = proxy.https.as_ref().filter(|_| proxy.is_enabled) else {
        return Vec::new();
    };
    let (id, what) = (
        "proxy.certificate",
        "the files of the public certificate can be presented",
    );
    let read = match web_files::read(files).await {
        Ok(read) => read,
        Err(error) => return vec![bad(id, what, chain(&error), web_files::FIX)],
    };
    let mut findings = Vec::new();
    if let Some(trouble) = read.trouble(now) {
        findings.push(bad(id, what, trouble, web_files::FIX));
    } else if read.not_after.0.saturating_sub(now.0) < RENEW_DAYS * 86_400 {
        findings.push(warning(
            id,
            what,
            format!("it ends at {}", read.not_after),
            "see that it is renewed",
        ));
    } else {
        findings.push(good(id, what, format!("good until {}", read.not_after)));
    }
    if let Some(trouble) = web_files::open_to_others(files) {
        let fix = format!("chmod 0600 {}", files.key_file.display());
        findings.push(warning(
            "proxy.certificate.key",
            "the key of the public certificate is private",
            trouble,
            &fix,
        ));
    }
    findings
}

fn warning(id: &str, what: &str, detail: String, fix: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        severity: FindingSeverity::Warning,
        what: what.to_owned(),
        detail,
        fix: Some(fix.to_owned()),
    }
}

#[cfg(test)]
mod tests;
