//! Saying anew in a browser who one is, for what asks for it in a terminal.
//!
//! The server is asked for a proof for one purpose, and answers with a page to open, a code to type there, and a secret by which this
//! program, with the certificate that it asked with, collects the proof once somebody approved.

use std::path::Path;

use api_client::Client;
use api_client::ClientError;
use api_types::BrowserCollectRequest;
use api_types::BrowserProofPurpose;
use api_types::BrowserProofRequest;
use clap::Args;

use crate::approval;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::login;
use crate::session::Session;

/// Whether somebody says in a browser who they are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct BrowserArgs {
    /// Give your second factor in a browser, where security keys work; so it is by itself for whoever has nothing else
    #[arg(long)]
    pub(crate) browser: bool,
    /// Do not open a browser, only print the address of the page
    #[arg(long)]
    no_open: bool,
}

impl BrowserArgs {
    /// What opens the page, where that is wanted and there is a screen.
    pub(crate) fn opener<'a>(&self, environment: &'a Environment) -> Option<&'a Path> {
        environment.opener.as_deref().filter(|_| !self.no_open)
    }
}

/// A client that shows with each call that the user said for this purpose who they are.
pub(crate) async fn proven(
    session: &Session,
    purpose: BrowserProofPurpose,
    opener: Option<&Path>,
    say: impl Fn(&str),
) -> Result<Client, Failure> {
    let client = session.api()?;
    let request = BrowserProofRequest { purpose };
    let begun = client
        .browser_proof_begin(&request)
        .await
        .map_err(|error| not_begun(error, &session.cluster.proxy))?;
    approval::show(&begun, &session.login.user, opener, say)?;
    let request = BrowserCollectRequest { secret: begun.secret };
    let proof = approval::collected(async || {
        let answer = client.browser_proof_collect(&begun.id, &request).await?;
        Ok(answer.granted)
    })
    .await?;
    Ok(session.api()?.with_privilege(proof.token))
}

/// Why the browser is no way here, with one that is.
fn not_begun(error: ClientError, proxy: &str) -> Failure {
    let is_no_way = matches!(error.code(), Some("browser_login_off" | "no_such_path"));
    let failure = login::refused(error);
    if is_no_way {
        failure.with_hint(format!(
            "add codes of an application to your second factors, on https://{proxy}/web/account or by \
             `signet mfa add --name=phone --mfa-mode=recovery-code`, and give one of these"
        ))
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_it_leaves_another_way() {
        let refused = |code: &str| ClientError::Refused {
            status: 403,
            code: code.to_owned(),
            message: "this cluster does not let the command line in through a browser".to_owned(),
            hint: None,
            request_id: "r".to_owned(),
            retry_after: None,
        };
        let lines = not_begun(refused("browser_login_off"), "proxy.example.com:3080").lines();
        for said in [
            "hint: ",
            "https://proxy.example.com:3080/web/account",
            "`signet mfa add --name=phone --mfa-mode=recovery-code`",
        ] {
            assert!(lines.contains(said), "{said} is not in {lines}");
        }
        assert!(!not_begun(refused("locked"), "p:1").lines().contains("mfa add"));
    }
}
