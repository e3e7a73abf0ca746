//! Logging in through a browser, where every kind of second factor works.
//!
//! The keys are made here and never leave this machine. The server is told the public ones, and answers with a page to open, a code to
//! type there, and a secret by which this program, and no other, collects the certificates once somebody approved.

use std::path::Path;

use api_client::ClientError;
use api_types::BrowserCollectRequest;
use api_types::BrowserLoginRequest;
use names::Ttl;

use crate::approval;
use crate::cluster::Cluster;
use crate::console;
use crate::failure::Failure;
use crate::key_pair::KeyPair;
use crate::login;
use crate::session::Session;

/// Has somebody in a browser let this program in.
pub(crate) async fn log_in(
    cluster: &Cluster,
    user: Option<&str>,
    ttl: Option<Ttl>,
    opener: Option<&Path>,
) -> Result<Session, Failure> {
    let client = cluster.client()?;
    let (ssh, tls) = (KeyPair::ssh(user.unwrap_or("signet"))?, KeyPair::tls()?);
    let request = BrowserLoginRequest {
        user: user.map(str::to_owned),
        ssh_public_key: ssh.public.clone(),
        tls_public_key: tls.public.clone(),
        ttl_seconds: ttl.map(Ttl::seconds),
    };
    let begun = client.browser_login_begin(&request).await.map_err(not_begun)?;
    approval::show(&begun, user.unwrap_or("somebody"), opener, console::tell)?;
    let request = BrowserCollectRequest { secret: begun.secret };
    let answer = approval::collected(async || {
        let answer = client.browser_login_collect(&begun.id, &request).await?;
        Ok(answer.granted)
    })
    .await?;
    if user.is_some_and(|user| user != answer.user) {
        return Err(Failure::failed(format!(
            "the server logged {} in, who was not asked for; nothing was stored",
            terminal::visible(&answer.user)
        )));
    }
    let mut session = login::session(cluster, answer, ssh, tls)?;
    session.login.is_by_browser = true;
    Ok(session)
}

/// Why the browser is no way here, with one that is.
fn not_begun(error: ClientError) -> Failure {
    let hint = match error.code() {
        Some("no_such_path") => Some("the cluster is too old for this; log in without --browser"),
        Some("browser_login_off") => {
            Some("log in without --browser, with a code of an application or --mfa-mode=recovery-code")
        }
        Some(_) | None => None,
    };
    let failure = login::refused(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
