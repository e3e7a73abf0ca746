//! Saying anew in a browser who one is: for operators whose second factor works in browsers alone.
//!
//! The server is asked for a proof for one kind of act, and answers with a page to open, a code to type there, and a secret by which this
//! program, with the certificate that it asked with, collects the proof once somebody approved.

use std::path::PathBuf;

use api_client::Client;
use api_client::ClientError;
use api_types::BrowserCollectRequest;
use api_types::BrowserProofPurpose;
use api_types::BrowserProofRequest;
use api_types::SecretText;
use clap::Args;
use terminal::ApprovalPage;

use crate::console;
use crate::failure::Failure;
use crate::reauthenticate::Purpose;

/// Whether somebody says in a browser who they are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct BrowserArgs {
    /// When an act asks who you are, say it in a browser, where security keys work; so it is by itself for whoever has nothing else
    #[arg(long, global = true)]
    pub(crate) browser: bool,
    /// Do not open a browser, only print the address of the page
    #[arg(long, global = true)]
    no_open: bool,
}

impl BrowserArgs {
    /// Opens nothing.
    #[cfg(test)]
    pub(crate) const fn quiet(browser: bool) -> Self {
        Self {
            browser,
            no_open: true,
        }
    }

    /// What opens the page, where that is wanted and there is a screen.
    fn opener(&self) -> Option<PathBuf> {
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_screen = has("DISPLAY") || has("WAYLAND_DISPLAY");
        terminal::page_opener(has_screen).filter(|_| !self.no_open)
    }
}

/// Has whoever the client's certificate names make a proof in a browser.
pub(crate) async fn prove(
    client: &Client,
    user: &str,
    purpose: Purpose,
    arguments: &BrowserArgs,
) -> Result<SecretText, Failure> {
    let request = BrowserProofRequest {
        purpose: BrowserProofPurpose::Act(purpose.as_str().to_owned()),
    };
    let begun = client.browser_proof_begin(&request).await.map_err(not_begun)?;
    let page = ApprovalPage::new(&begun.url, &begun.code).ok_or_else(|| {
        Failure::failed("the server names no page that could be opened to approve this")
            .with_hint("set `proxy_service.public_addr` in the server's configuration")
    })?;
    let say = |text: &str| console::Person.show(&format!("{text}\n"));
    say(&page.invitation(user))?;
    if let Some(Err(error)) = arguments.opener().map(|opener| page.open(&opener)) {
        say(&format!(
            "No browser could be opened here ({error}): open the page yourself."
        ))?;
    }
    let request = BrowserCollectRequest { secret: begun.secret };
    let collected = api_client::until_decided(share, async || {
        let answer = client.browser_proof_collect(&begun.id, &request).await?;
        Ok(answer.granted)
    });
    match collected.await {
        Ok(Some(proof)) => Ok(proof.token),
        Ok(None) => Err(Failure::failed("nobody approved it in time").with_hint(AGAIN)),
        Err(error) => Err(not_collected(error)),
    }
}

/// What keeps many from all coming back at once. Without randomness everybody rests the longest.
fn share() -> u16 {
    let mut bytes = [0xff; 2];
    let _all_ones = aws_lc_rs::rand::fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

/// What is left when nobody approved it.
const AGAIN: &str = "run it again, and approve it within five minutes";

fn not_collected(error: ClientError) -> Failure {
    let hint = match error.code() {
        Some("challenge_gone") => Some(AGAIN),
        Some("invalid_credentials") => Some("what it was approved with was changed meanwhile; run it again"),
        Some(_) | None => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// Why the browser is no way here, with one that is.
fn not_begun(error: ClientError) -> Failure {
    let is_no_way = matches!(error.code(), Some("browser_login_off" | "no_such_path"));
    let failure = Failure::from(error);
    if is_no_way {
        failure.with_hint(
            "add codes of an application to your second factors, by `signet mfa add --name=phone --mfa-mode=recovery-code`, and give one \
             of these without --browser; or act on the auth server's own host",
        )
    } else {
        failure
    }
}
