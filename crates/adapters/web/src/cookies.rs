//! Cookies. The prefix `__Host-` binds them to this very host, HTTPS, and the whole path (RFC 6265bis, section 4.1.3.2).

use authn::Bearer;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use runtime::Entropy;
use zeroize::Zeroizing;

use crate::problem::Problem;

/// The session's bearer.
const SESSION: &str = "__Host-signet";
/// What forms of somebody who is not logged in are proved with: random, and good for nothing else.
const FORMS: &str = "__Host-signet-forms";

const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Strict";

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// Whether the browser sent a cookie of a session, whatever is in it.
pub(crate) fn has_session(headers: &HeaderMap) -> bool {
    value(headers, SESSION).is_some()
}

pub(crate) fn session(headers: &HeaderMap) -> Option<Bearer> {
    value(headers, SESSION).and_then(Bearer::parse)
}

/// What forms are proved with, when the browser has it.
pub(crate) fn forms(headers: &HeaderMap) -> Option<Bearer> {
    value(headers, FORMS).and_then(Bearer::parse)
}

pub(crate) fn set_session(response: &mut Response, bearer: &Bearer) -> Result<(), Problem> {
    set(response, SESSION, bearer)
}

pub(crate) fn forget_session(response: &mut Response) {
    let line =
        HeaderValue::from_static("__Host-signet=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    response.headers_mut().append(header::SET_COOKIE, line);
}

fn set(response: &mut Response, name: &str, bearer: &Bearer) -> Result<(), Problem> {
    let bearer = bearer.expose();
    let line = Zeroizing::new(format!("{name}={}{ATTRIBUTES}", bearer.as_str()));
    let mut line = HeaderValue::from_str(&line).map_err(Problem::internal)?;
    line.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, line);
    Ok(())
}

/// What the forms of a page are proved with: what the browser has, otherwise something new that goes along with the page.
pub(crate) struct FormCookie {
    bearer: Bearer,
    is_new: bool,
}

impl FormCookie {
    pub(crate) fn of(headers: &HeaderMap, entropy: &dyn Entropy) -> Result<Self, Problem> {
        if let Some(bearer) = forms(headers) {
            let is_new = false;
            return Ok(Self { bearer, is_new });
        }
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes).map_err(Problem::internal)?;
        Ok(Self {
            bearer: Bearer::from_random(*bytes),
            is_new: true,
        })
    }

    pub(crate) fn csrf(&self) -> String {
        self.bearer.csrf_token().as_str().to_owned()
    }

    /// Sends the cookie along with a page that has such a form.
    pub(crate) fn sent_with(&self, mut response: Response) -> Result<Response, Problem> {
        if self.is_new {
            set(&mut response, FORMS, &self.bearer)?;
        }
        Ok(response)
    }
}
