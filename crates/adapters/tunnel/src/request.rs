//! What is said when a connection is opened through a tunnel: two short fields, and a reason when it is refused.

use std::net::SocketAddr;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;

/// Where the client of a connection really comes from.
const SOURCE: &str = "signet-source";
/// Why a connection is refused.
const REASON: &str = "signet-reason";
/// The longest reason that is passed on, in bytes.
const REASON_MAX: usize = 512;

/// A connection that the proxy wants from an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRequest {
    /// The address of the client, as the proxy saw it.
    pub source: SocketAddr,
    /// The port of the agent's host that the client asked for.
    pub port: u16,
}

/// The agent does not take a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node refuses the connection: {reason}")]
pub struct Refused {
    /// Why, for people; at most 512 bytes of visible ASCII are passed on.
    pub reason: String,
}

impl Refused {
    /// A refusal with a reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }

    /// The answer that says so.
    pub(crate) fn to_response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::FORBIDDEN;
        let visible: String = self
            .reason
            .chars()
            .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
            .take(REASON_MAX)
            .collect();
        if let Ok(value) = HeaderValue::from_str(&visible) {
            response.headers_mut().insert(REASON, value);
        }
        response
    }

    /// The refusal an answer has.
    pub(crate) fn from_response<T>(response: &Response<T>) -> Self {
        let reason = response
            .headers()
            .get(REASON)
            .and_then(|value| value.to_str().ok());
        Self::new(
            reason
                .unwrap_or("it gives no reason")
                .chars()
                .take(REASON_MAX)
                .collect::<String>(),
        )
    }
}

impl OpenRequest {
    /// `CONNECT node:<port>`.
    pub(crate) fn to_request(self) -> Result<Request<()>, http::Error> {
        let authority = format!("node:{}", self.port);
        let uri = Uri::builder().authority(authority.as_str()).build();
        // A URI of nothing but an authority is what `CONNECT` has (RFC 9113 section 8.5).
        let uri = match uri {
            Ok(uri) => uri,
            Err(_) => authority.parse()?,
        };
        Request::builder()
            .method(Method::CONNECT)
            .uri(uri)
            .header(SOURCE, self.source.to_string())
            .body(())
    }

    /// Reads a request; `None` when it is not of this form.
    pub(crate) fn from_request<T>(request: &Request<T>) -> Option<Self> {
        if request.method() != Method::CONNECT {
            return None;
        }
        let authority = request.uri().authority()?;
        let port = authority.port_u16().filter(|port| *port != 0)?;
        if authority.host() != "node" {
            return None;
        }
        let source = request.headers().get(SOURCE)?.to_str().ok()?.parse().ok()?;
        Some(Self { source, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for source in ["192.0.2.7:40000", "[2001:db8::1]:1"] {
            let request = OpenRequest {
                source: source.parse().unwrap(),
                port: 3_022,
            };
            assert_eq!(
                OpenRequest::from_request(&request.to_request().unwrap()),
                Some(request)
            );
        }
    }

    #[test]
    fn nothing_else_is_a_request() {
        let build = |method: &str, uri: &str, source: Option<&str>| {
            let mut request = Request::builder().method(method).uri(uri);
            if let Some(source) = source {
                request = request.header(SOURCE, source);
            }
            request.body(()).unwrap()
        };
        let good = build("CONNECT", "node:22", Some("192.0.2.7:1"));
        assert!(OpenRequest::from_request(&good).is_some());
        for bad in [
            build("GET", "https://node:22/", Some("192.0.2.7:1")),
            build("CONNECT", "other:22", Some("192.0.2.7:1")),
            build("CONNECT", "node:0", Some("192.0.2.7:1")),
            build("CONNECT", "node:22", None),
            build("CONNECT", "node:22", Some("not an address")),
        ] {
            assert_eq!(OpenRequest::from_request(&bad), None);
        }
    }

    #[test]
    fn a_reason_is_passed_on_in_visible_characters() {
        let refused = Refused::new("no such port\r\nx-evil: 1\u{7f}é");
        let read = Refused::from_response(&refused.to_response());
        assert_eq!(read.reason, "no such port??x-evil: 1??");
        let long = Refused::new("x".repeat(10_000));
        assert_eq!(
            Refused::from_response(&long.to_response()).reason.len(),
            REASON_MAX
        );
    }
}
