use std::time::Duration;

use api_types::ErrorBody;
use api_types::Method;
use api_types::PRIVILEGE_HEADER;
use api_types::SecretText;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::Endpoint;
use crate::kept::Kept;
use crate::query;

/// One call: a connection of its own or the one that is kept, a request, the whole answer.
pub(crate) struct Call<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) method: Method,
    /// The path, with what stands for its parameters.
    pub(crate) path: String,
    /// A proof of having said anew who one is.
    pub(crate) privilege: Option<&'a SecretText>,
    /// Where the connection is kept, for who keeps one.
    pub(crate) kept: Option<&'a Kept>,
    pub(crate) deadline: Duration,
}

/// A path with its parameters, in their order, instead of `{name}`.
pub(crate) fn path(template: &str, parameters: &[&str]) -> String {
    let mut parameters = parameters.iter();
    let segments = template.split('/').map(|segment| {
        if segment.starts_with('{') {
            parameters
                .next()
                .map(|value| query::escape(value))
                .unwrap_or_default()
        } else {
            segment.to_owned()
        }
    });
    segments.collect::<Vec<String>>().join("/")
}

impl Call<'_> {
    /// Sends a request without a body.
    pub(crate) async fn get<A: DeserializeOwned>(
        &self,
        parameters: &impl Serialize,
    ) -> Result<A, ClientError> {
        let query = query::encode(parameters)?;
        self.within_deadline(self.send(&query, Bytes::new())).await
    }

    /// Sends a request without a body, and takes the answer as text.
    pub(crate) async fn text(&self, parameters: &impl Serialize) -> Result<String, ClientError> {
        let query = query::encode(parameters)?;
        let body = self.within_deadline(self.exchange(&query, Bytes::new())).await?;
        String::from_utf8(body.to_vec()).map_err(|_| ClientError::NotUnderstood("it is no text".to_owned()))
    }

    /// Sends a request with a JSON body.
    pub(crate) async fn send_document<A: DeserializeOwned>(
        &self,
        body: &impl Serialize,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Unusable(error.to_string()))?;
        self.within_deadline(self.send("", Bytes::from(body))).await
    }

    async fn within_deadline<A>(
        &self,
        answer: impl Future<Output = Result<A, ClientError>>,
    ) -> Result<A, ClientError> {
        let seconds = self.deadline.as_secs();
        tokio::time::timeout(self.deadline, answer)
            .await
            .unwrap_or(Err(ClientError::TooSlow { seconds }))
    }

    async fn send<A: DeserializeOwned>(&self, query: &str, body: Bytes) -> Result<A, ClientError> {
        let answer = self.exchange(query, body).await?;
        // An empty answer to a request that has nothing to say is `null`.
        let answer: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        serde_json::from_slice(answer).map_err(|error| ClientError::NotUnderstood(error.to_string()))
    }

    async fn exchange(&self, query: &str, body: Bytes) -> Result<Bytes, ClientError> {
        if let Some(kept) = self.kept
            && let Some(mut sender) = kept.take().await
        {
            match sender.try_send_request(self.request(query, body.clone())?).await {
                Ok(response) => {
                    let answer = read(response).await?;
                    kept.put(sender);
                    return Ok(answer);
                }
                // The server had hung up. What it did not get it did not do, and who only reads may ask twice.
                Err(error) if error.message().is_some() || matches!(self.method, Method::Get) => {}
                Err(error) => return Err(self.failed(error.into_error())),
            }
        }
        let request = self.request(query, body)?;
        let stream = self.endpoint.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let driver = tokio::spawn(connection);
        let answer = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| self.failed(error))?;
            read(response).await
        }
        .await;
        match self.kept.filter(|_| answer.is_ok()) {
            // It ends when nobody can send on it any more.
            Some(kept) => kept.put(sender),
            None => {
                drop(sender);
                driver.abort();
            }
        }
        answer
    }

    /// With TLS 1.3 a server refuses a client's certificate only after the client believes to be connected.
    fn failed(&self, error: hyper::Error) -> ClientError {
        match refused_certificate(&error) {
            Some(alert) => ClientError::Untrusted {
                address: self.endpoint.authority().to_owned(),
                source: std::io::Error::other(alert),
            },
            None => broken(error),
        }
    }

    fn request(&self, query: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ClientError> {
        let path = &self.path;
        let method = match self.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
            Method::Put => hyper::Method::PUT,
            Method::Delete => hyper::Method::DELETE,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{query}"))
            .header(header::HOST, self.endpoint.authority())
            .header(header::ACCEPT, "application/json")
            .header(
                header::USER_AGENT,
                concat!("signet-api-client/", env!("CARGO_PKG_VERSION")),
            );
        if matches!(self.method, Method::Post | Method::Put) {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(privilege) = self.privilege {
            request = request.header(PRIVILEGE_HEADER, privilege.expose());
        }
        request
            .body(Full::new(body))
            .map_err(|error| ClientError::Unusable(error.to_string()))
    }
}

/// The TLS alert by which the server ended the connection, if it did.
fn refused_certificate(error: &hyper::Error) -> Option<rustls::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if let Some(alert @ rustls::Error::AlertReceived(_)) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(alert.clone());
        }
        cause = error.source();
    }
    None
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(Box::new(error))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let status = response.status();
    let retry_after = seconds(response.headers().get(header::RETRY_AFTER));
    let body = match Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
    {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(ClientError::NotUnderstood(format!(
                "it is larger than {ANSWER_BYTES_MAX} bytes"
            )));
        }
        Err(error) => return Err(ClientError::Broken(error)),
    };
    if status.is_success() {
        return Ok(body);
    }
    Err(refusal(status, retry_after, &body))
}

/// A number of seconds. A date is passed over: the client has no clock to compare it with.
fn seconds(value: Option<&HeaderValue>) -> Option<Duration> {
    let seconds: u32 = value?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

fn refusal(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> ClientError {
    let Ok(ErrorBody { error }) = serde_json::from_slice::<ErrorBody>(body) else {
        return ClientError::NotUnderstood(format!("status {status} without an error of ours"));
    };
    let api_types::ErrorDetail {
        code,
        message,
        hint,
        request_id,
    } = error;
    let status = status.as_u16();
    if (400..500).contains(&status) {
        ClientError::Refused {
            status,
            code,
            message,
            hint,
            request_id,
            retry_after,
        }
    } else {
        ClientError::Fault {
            status,
            code,
            message,
            hint,
            request_id,
            retry_after,
        }
    }
}

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
