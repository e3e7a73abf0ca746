//! Around every request: how much is read and for how long, and what every answer carries.

use std::sync::Arc;
use std::time::Duration;

use api_http::RequestId;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use tokio::time::timeout;

use crate::pages;
use crate::problem::Failed;
use crate::problem::Problem;
use crate::site::Site;

/// The largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long an answer may take. What was begun goes on.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Nothing from anywhere else, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What every answer carries, whatever it is.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

pub(crate) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = answer(request, next).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = Problem::MethodNotAllowed.into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Some(failed) = response.extensions_mut().remove::<Failed>() {
        let headers = std::mem::take(response.headers_mut());
        response = told(&site, &failed);
        response.headers_mut().extend(headers);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn answer(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = match timeout(BODY_TIME, api_http::read_body(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return Problem::Api(error).into_response(),
        Err(_) => return Problem::too_slow(BODY_TIME, false).into_response(),
    };
    // A change goes on when whoever asked for it hangs up or loses patience.
    let done = tokio::spawn(next.run(Request::from_parts(parts, Body::from(body))));
    match timeout(ANSWER_TIME, done).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            Problem::Internal(format!("the request ended unexpectedly: {error}")).into_response()
        }
        Err(_) => Problem::too_slow(ANSWER_TIME, true).into_response(),
    }
}

/// The page of a problem, and a line in the log when it is a fault.
fn told(site: &Site, failed: &Failed) -> Response {
    let request_id = RequestId::random(site.entropy.as_ref());
    if failed.told.is_fault {
        tracing::error!(request_id = %request_id, error = %failed.detail, "a page failed");
    }
    let id = failed.told.is_fault.then(|| request_id.to_string());
    pages::problem(site, failed, id)
}
