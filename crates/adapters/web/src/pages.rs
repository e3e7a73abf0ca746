//! The pages themselves. What they look like is in `templates/`.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use names::UnixSeconds;

use crate::enrol::OfferView;
use crate::problem::Failed;
use crate::problem::Problem;
use crate::proof::ProofView;
use crate::signed_in::SignedIn;
use crate::site::Site;

/// Around every page.
pub(crate) struct Frame {
    pub(crate) cluster: String,
    /// Who is logged in.
    pub(crate) signed_in: Option<Signed>,
    /// Which part of the navigation the page belongs to.
    pub(crate) part: &'static str,
}

/// Somebody who is logged in, and what forms of the session are proved with.
pub(crate) struct Signed {
    pub(crate) user: String,
    pub(crate) csrf: String,
}

impl Frame {
    /// For somebody who is not logged in.
    pub(crate) fn open(site: &Site) -> Self {
        Self {
            cluster: site.cluster.name().to_string(),
            signed_in: None,
            part: "",
        }
    }

    pub(crate) fn of(site: &Site, signed_in: &SignedIn, part: &'static str) -> Self {
        Self {
            cluster: site.cluster.name().to_string(),
            signed_in: Some(Signed {
                user: signed_in.user().to_string(),
                csrf: signed_in.csrf(),
            }),
            part,
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    heading: &'static str,
    message: String,
    hint: Option<String>,
    request_id: Option<String>,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) notice: Option<&'static str>,
    pub(crate) error: Option<String>,
    pub(crate) user: String,
    /// Which request of the command line waits for whoever logs in.
    pub(crate) cli: Option<String>,
    pub(crate) proof: ProofView,
}

#[derive(Template)]
#[template(path = "invite_choose.html")]
pub(crate) struct InviteChoosePage {
    pub(crate) frame: Frame,
    pub(crate) user: String,
    pub(crate) is_reset: bool,
    pub(crate) expires: UnixSeconds,
}

#[derive(Template)]
#[template(path = "invite.html")]
pub(crate) struct InvitePage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) error: Option<String>,
    pub(crate) user: String,
    pub(crate) is_reset: bool,
    pub(crate) has_choice: bool,
    pub(crate) name: String,
    pub(crate) offer: OfferView,
}

#[derive(Template)]
#[template(path = "codes.html")]
pub(crate) struct CodesPage {
    pub(crate) frame: Frame,
    pub(crate) is_sign_up: bool,
    pub(crate) codes: Vec<String>,
}

#[derive(Template)]
#[template(path = "nodes.html")]
pub(crate) struct NodesPage {
    pub(crate) frame: Frame,
    pub(crate) proxy: String,
    pub(crate) query: String,
    pub(crate) is_later: bool,
    pub(crate) nodes: Vec<NodeView>,
    /// After which node the next page begins.
    pub(crate) next: Option<String>,
}

/// A node, with how to reach it.
pub(crate) struct NodeView {
    pub(crate) name: String,
    /// `online`, `offline`, or `agentless`.
    pub(crate) standing: &'static str,
    pub(crate) seen: Option<UnixSeconds>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) logins: Vec<String>,
    pub(crate) signet_line: String,
    pub(crate) ssh_line: String,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) notice: Option<&'static str>,
    pub(crate) password_changed: UnixSeconds,
    pub(crate) devices: Vec<DeviceRow>,
    pub(crate) recovery_codes_left: usize,
    pub(crate) sessions: Vec<SessionRow>,
}

pub(crate) struct DeviceRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) added: UnixSeconds,
    pub(crate) used: Option<UnixSeconds>,
}

pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) is_this: bool,
    pub(crate) created: UnixSeconds,
    pub(crate) used: UnixSeconds,
    pub(crate) ends: UnixSeconds,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) error: Option<String>,
    pub(crate) proof: ProofView,
}

/// A question before something is done that needs a proof.
#[derive(Template)]
#[template(path = "prove.html")]
pub(crate) struct ProvePage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) error: Option<String>,
    pub(crate) proof: ProofView,
    pub(crate) title: String,
    pub(crate) what: String,
    pub(crate) action: String,
    pub(crate) is_dangerous: bool,
}

#[derive(Template)]
#[template(path = "factor_new.html")]
pub(crate) struct FactorNewPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) error: Option<String>,
    pub(crate) proof: ProofView,
    pub(crate) factor: &'static str,
}

#[derive(Template)]
#[template(path = "factor_add.html")]
pub(crate) struct FactorAddPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) error: Option<String>,
    pub(crate) name: String,
    pub(crate) offer: OfferView,
}

/// A question whether a program on the command line gets what it asks for.
#[derive(Template)]
#[template(path = "cli.html")]
pub(crate) struct CliPage {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) error: Option<String>,
    pub(crate) proof: ProofView,
    /// Names the request.
    pub(crate) id: String,
    /// Where it asked from.
    pub(crate) from: String,
    /// Where the browser is.
    pub(crate) looked_from: String,
    /// Whether these are two places.
    pub(crate) is_elsewhere: bool,
    pub(crate) asked: UnixSeconds,
    pub(crate) expires: UnixSeconds,
    pub(crate) asks: CliAsks,
}

/// What the program asks for.
pub(crate) enum CliAsks {
    /// To be logged in as whoever approves.
    LogIn {
        ttl: String,
        roles: Vec<String>,
        logins: Vec<String>,
    },
    /// To do this in the name of whoever approves.
    Act(&'static str),
    /// To open one session.
    Session {
        login: String,
        hostname: String,
        host_id: String,
    },
}

/// What became of it.
#[derive(Template)]
#[template(path = "cli_done.html")]
pub(crate) struct CliDonePage {
    pub(crate) frame: Frame,
    pub(crate) became: CliBecame,
}

pub(crate) enum CliBecame {
    LoggedIn,
    Proved,
    Refused,
}

/// A page as an answer.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(Problem::internal)?;
    Ok(html(status, text))
}

fn html(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

pub(crate) fn problem(site: &Site, failed: &Failed, request_id: Option<String>) -> Response {
    let told = &failed.told;
    // Hints of the API are for programs and operators, who read them there.
    let hint = told.hint.clone().filter(|_| told.is_fault);
    let (heading, hint) = match failed.words {
        Some((heading, next)) => (heading, Some(next.to_owned())),
        None => (heading(told.status), hint),
    };
    let template = ProblemPage {
        frame: Frame::open(site),
        heading,
        message: told.message.clone(),
        hint,
        request_id,
    };
    let text = template.render().unwrap_or_else(|_| told.message.clone());
    html(told.status, text)
}

/// What a problem is called, in a word that people use.
fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Not logged in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND | StatusCode::GONE => "Nothing here",
        StatusCode::TOO_MANY_REQUESTS => "Too many at once",
        status if status.is_server_error() => "Something went wrong",
        _ => "That did not work",
    }
}

/// A page that asks for itself again: what a page of ours asks for goes with the session's cookie, what a link of another site asks for
/// does not (SameSite=Strict).
pub(crate) fn come_again() -> Response {
    let text = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0\">\
         <title>Signet</title><p><a href=\"/web\">Continue</a></p></html>\n";
    html(StatusCode::OK, text.to_owned())
}

/// A moment as people read it.
fn shown(moment: &UnixSeconds) -> String {
    let text = moment.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_to_the_minute() {
        assert_eq!(shown(&UnixSeconds(1_772_323_259)), "2026-03-01 00:00 UTC");
    }
}
