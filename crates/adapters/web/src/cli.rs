//! `/web/cli/{id}`: approving what a program on the command line asks for: to be logged in, or a proof for something that wants one.
//!
//! Whoever opens the page may have been sent there by somebody else, so it says what is asked, from where, and what it gives, warns when
//! that is another place than the browser's, and wants the code that the program shows and a proof of who decides: being logged in is
//! not enough.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use identity::Approval;
use identity::ApprovalGives;
use identity::ApprovalView;
use identity::IdentityError;
use identity::PrivilegedAct;
use identity::ProofPurpose;
use identity::Refusal;
use identity::is_approval_id;

use crate::forms::Fields;
use crate::forms::SignedInForm;
use crate::pages;
use crate::pages::CliAsks;
use crate::pages::CliBecame;
use crate::pages::CliDonePage;
use crate::pages::CliPage;
use crate::pages::Frame;
use crate::problem::Ended;
use crate::problem::Problem;
use crate::problem::Turned;
use crate::proof;
use crate::proof::ProofView;
use crate::signed_in::SignedIn;
use crate::signed_in::see_other;
use crate::signed_in::see_other_than;
use crate::site::Site;

/// The id of a request as it stands in addresses.
pub(crate) fn id(text: &str) -> Option<&str> {
    is_approval_id(text).then_some(text)
}

/// The page of a request, for somebody who logs in first.
pub(crate) fn address(id: &str) -> String {
    format!("/web/cli/{id}")
}

/// `GET /web/cli/{id}`. Whoever is not logged in comes back after that.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path(asked): Path<String>,
    mut parts: Parts,
) -> Result<Response, Problem> {
    let id = id(&asked).ok_or(Problem::RequestEnded(Ended::Somehow))?;
    let signed_in = match SignedIn::from_request_parts(&mut parts, &site).await {
        Ok(signed_in) => signed_in,
        Err(Problem::SignedOut { .. }) => return see_other_than(&format!("/web/login?cli={id}")),
        Err(problem) => return Err(problem),
    };
    let view = look(&site, &signed_in, id).await?;
    pages::page(StatusCode::OK, &form(&site, &signed_in, id, view, None))
}

async fn look(site: &Site, signed_in: &SignedIn, id: &str) -> Result<ApprovalView, Problem> {
    let person = &signed_in.session.person;
    let view = site.identity.approval_look(person, id, signed_in.remote.0);
    view.await.map_err(of_request)
}

/// What is said of a request that cannot be decided: when it has ended, that it has, and what to run.
fn of_request(error: IdentityError) -> Problem {
    let ended = if matches!(error, IdentityError::Refused(Refusal::ChallengeGone)) {
        Ended::Somehow
    } else if matches!(error, IdentityError::Refused(Refusal::ApprovalVoid)) {
        Ended::Mistyped
    } else {
        return error.into();
    };
    Problem::RequestEnded(ended)
}

fn form(site: &Site, signed_in: &SignedIn, id: &str, view: ApprovalView, error: Option<String>) -> CliPage {
    let proof = ProofView::anew(site);
    let (asks, proof) = match view.gives {
        ApprovalGives::LogIn { ttl } => {
            let person = &signed_in.session.person;
            let words = |all: &[names::Principal]| all.iter().map(ToString::to_string).collect();
            let asks = CliAsks::LogIn {
                ttl: ttl.to_string(),
                roles: words(&person.roles),
                logins: words(&person.logins),
            };
            (asks, proof)
        }
        ApprovalGives::Proof(ProofPurpose::Act(act)) => (CliAsks::Act(in_words(act)), proof),
        ApprovalGives::Proof(ProofPurpose::Session(place)) => {
            let asks = CliAsks::Session {
                login: place.login.to_string(),
                hostname: place.hostname,
                host_id: place.host_id,
            };
            (asks, proof.without_recovery_codes())
        }
    };
    CliPage {
        frame: Frame::of(site, signed_in, ""),
        csrf: signed_in.csrf(),
        error,
        proof,
        id: id.to_owned(),
        from: view.from.to_string(),
        looked_from: view.looked_from.to_string(),
        is_elsewhere: view.is_elsewhere,
        asked: view.asked,
        expires: view.expires,
        asks,
    }
}

/// What a proof of a kind lets a program do.
const fn in_words(act: PrivilegedAct) -> &'static str {
    match act {
        PrivilegedAct::ChangePassword => "change your password",
        PrivilegedAct::ChangeSecondFactors => "add or remove one of your second factors",
        PrivilegedAct::Rotate => "rotate authorities, revoke certificates and manage keys",
        PrivilegedAct::Sign => "issue certificates and other credentials, for you and for others",
        PrivilegedAct::ReadSecrets => {
            "be given the private keys of the cluster's authorities, unencrypted: with these anybody can issue certificates for any user \
             and host. Of keys in hardware it is told only where they are"
        }
        PrivilegedAct::Admin => {
            "decide who has access: change users, roles, machines and settings, lift locks, and make links and tokens"
        }
    }
}

/// `POST /web/cli/{id}`.
pub(crate) async fn approve(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    form: SignedInForm,
) -> Result<Response, Problem> {
    let SignedInForm { fields, signed_in } = form;
    // One that is gone, or somebody else's, is nothing to prove anything for.
    let view = look(&site, &signed_in, &id).await?;
    match approved(&site, &signed_in, &fields, &id).await {
        Ok(()) => Ok(see_other(match view.gives {
            ApprovalGives::LogIn { .. } => "/web/cli?said=approved",
            ApprovalGives::Proof(_) => "/web/cli?said=proved",
        })),
        Err(turned) => {
            let said = turned.said()?;
            // It may have ended meanwhile: then there is nothing to show the form for.
            let view = look(&site, &signed_in, &id).await?;
            let page = self::form(&site, &signed_in, &id, view, Some(said.message));
            pages::page(said.status, &page)
        }
    }
}

async fn approved(site: &Site, signed_in: &SignedIn, fields: &Fields, id: &str) -> Result<(), Turned> {
    let user = signed_in.user();
    let (challenge, factor) = proof::answered(site, user.as_str(), fields).await?;
    let approval = Approval {
        id,
        code: fields.text("login_code"),
        is_elsewhere_known: fields.text("elsewhere") == "known",
        challenge: &challenge,
        user,
        password: fields.password("password"),
        factor,
        remote: signed_in.remote.0,
    };
    match site.identity.approve(approval).await {
        Err(error @ IdentityError::Refused(Refusal::ApprovalVoid)) => Err(of_request(error).into()),
        approved => Ok(approved?),
    }
}

/// `POST /web/cli/{id}/refuse`: needs no proof, for it gives nothing.
pub(crate) async fn refuse(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    form: SignedInForm,
) -> Result<Response, Problem> {
    let signed_in = form.signed_in;
    site.identity
        .approval_refuse(&id, signed_in.user(), signed_in.remote.0)
        .await
        .map_err(of_request)?;
    Ok(see_other("/web/cli?said=refused"))
}

/// `GET /web/cli`: what became of it.
pub(crate) async fn done(
    State(site): State<Arc<Site>>,
    RawQuery(query): RawQuery,
    signed_in: SignedIn,
) -> Result<Response, Problem> {
    let became = match query.as_deref() {
        Some("said=approved") => CliBecame::LoggedIn,
        Some("said=proved") => CliBecame::Proved,
        Some("said=refused") => CliBecame::Refused,
        _ => return Err(Problem::NoSuchPage),
    };
    let page = CliDonePage {
        frame: Frame::of(&site, &signed_in, ""),
        became,
    };
    pages::page(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_nowhere_else() {
        let good = "0123456789abcdef0123456789abcdef";
        assert_eq!(id(good), Some(good));
        for bad in [
            "",
            "..",
            "0123456789ABCDEF0123456789abcdef",
            "0123456789abcdef0123456789abcde/",
            "//evil.example.com/0123456789abc",
        ] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
