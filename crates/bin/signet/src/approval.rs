//! What somebody approves in a browser, where every kind of second factor works: showing the page, and waiting for the answer.

use std::path::Path;

use api_client::ClientError;
use api_types::BrowserRequestBegun;
use terminal::ApprovalPage;

use crate::failure::Failure;
use crate::login;
use crate::path;

/// Says where to approve what was asked for, and opens the page where there is something to open it with.
pub(crate) fn show(
    begun: &BrowserRequestBegun,
    somebody: &str,
    opener: Option<&Path>,
    say: impl Fn(&str),
) -> Result<(), Failure> {
    let page = ApprovalPage::new(&begun.url, &begun.code).ok_or_else(|| {
        Failure::failed("the server names no page that could be opened to approve this")
            .with_hint("ask an operator which address the cluster's proxy has")
    })?;
    say(&page.invitation(somebody));
    if let Some(Err(error)) = opener.map(|opener| page.open(opener)) {
        say(&format!(
            "No browser could be opened here ({error}): open the page yourself."
        ));
    }
    Ok(())
}

/// Waits for whoever was asked.
pub(crate) async fn collected<A>(
    ask: impl AsyncFn() -> Result<Option<A>, ClientError>,
) -> Result<A, Failure> {
    match api_client::until_decided(path::share, ask).await {
        Ok(Some(granted)) => Ok(granted),
        Ok(None) => Err(Failure::failed("nobody approved it in time")),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: ClientError) -> Failure {
    let hint = match error.code() {
        Some("challenge_gone") => Some("nobody approved it within five minutes; start it again"),
        Some("invalid_credentials") => {
            Some("what it was approved with was changed meanwhile; start it again")
        }
        Some(_) | None => None,
    };
    match hint {
        Some(hint) => Failure::from(error).with_hint(hint),
        None => login::refused(error),
    }
}
