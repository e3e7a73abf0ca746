//! Who asks: from where, and in which session.

use std::net::SocketAddr;
use std::sync::Arc;

use audit::Actor;
use authn::Bearer;
use axum::extract::ConnectInfo;
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use identity::IdentityError;
use identity::Refusal;
use identity::Session;
use names::UserName;

use crate::cookies;
use crate::problem::Problem;
use crate::site::Site;

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct Remote(pub(crate) SocketAddr);

impl FromRequestParts<Arc<Site>> for Remote {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, Problem> {
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        from.map(|ConnectInfo(remote)| Self(*remote))
            .ok_or_else(|| Problem::internal("a request came from no address"))
    }
}

/// Somebody who is logged in.
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    pub(crate) bearer: Bearer,
    pub(crate) remote: Remote,
}

impl SignedIn {
    pub(crate) fn user(&self) -> &UserName {
        &self.session.person.user
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::Identity {
            user: self.user().to_string(),
            remote: self.remote.0.to_string(),
        }
    }

    pub(crate) fn csrf(&self) -> String {
        self.bearer.csrf_token().as_str().to_owned()
    }

    pub(crate) fn accepts_csrf(&self, offered: &str) -> bool {
        self.bearer.accepts_csrf(offered)
    }
}

impl FromRequestParts<Arc<Site>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Problem> {
        let remote = Remote::from_request_parts(parts, site).await?;
        let had_session = cookies::has_session(&parts.headers);
        let Some(bearer) = cookies::session(&parts.headers) else {
            return Err(match (&parts.method, had_session) {
                (&Method::GET, false) if comes_from_elsewhere(parts) => Problem::ComeAgain,
                _ => Problem::SignedOut { had_session },
            });
        };
        match site.identity.session_from(&bearer.expose(), remote.0).await {
            Ok(session) => Ok(Self {
                session,
                bearer,
                remote,
            }),
            Err(IdentityError::Refused(Refusal::SessionGone)) => Err(Problem::SignedOut { had_session }),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a link of another site led here: then the browser keeps the session's cookie back.
fn comes_from_elsewhere(parts: &Parts) -> bool {
    let site = parts.headers.get("sec-fetch-site");
    site.is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// Sends the browser to a page of ours whose address is made of what it asked for.
pub(crate) fn see_other_than(path: &str) -> Result<Response, Problem> {
    let to = HeaderValue::from_str(path).map_err(Problem::internal)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}

/// Sends the browser to a page of ours.
pub(crate) fn see_other(path: &'static str) -> Response {
    let to = [(header::LOCATION, HeaderValue::from_static(path))];
    (StatusCode::SEE_OTHER, to).into_response()
}
