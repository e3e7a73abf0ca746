//! Serving the web face: HTTP/1.1 and HTTP/2 over TLS, with the router that it is given.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use api_http::ConnectionLimits;
use api_http::Stop;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::Request;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use crate::visitors::Visit;

/// How long requests under way may take when everything stops.
const STOP_DRAIN: Duration = Duration::from_secs(5);
/// The largest head of a request of HTTP/2, in bytes.
const HEAD_BYTES_MAX: u32 = 16_384;

/// Serves a connection until it ends, its time is over, or everything stops. Requests carry a `ConnectInfo<SocketAddr>` with where they
/// really come from.
pub(crate) async fn serve(
    stream: TlsStream<TcpStream>,
    remote: SocketAddr,
    router: Router,
    visit: Option<Visit>,
    limits: ConnectionLimits,
    mut stop: Stop,
) {
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let is_too_much = visit
            .as_ref()
            .is_some_and(|visit| visit.ask(Instant::now()).is_err());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(remote));
        let router = router.clone();
        async move {
            if is_too_much {
                return Ok::<_, Infallible>(too_much());
            }
            router.oneshot(request).await
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.head_lines_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.head);
    let builder = if is_http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let drain = tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = stop.requested() => STOP_DRAIN.min(limits.drain),
        () = sleep(limits.age) => limits.drain,
    };
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(drain, connection).await {
        note(ended);
    }
}

fn too_much() -> Response {
    let mut response = Response::new(Body::from(
        "too many requests from this address; try again in a second\n",
    ));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        // The other end's doing: it hung up, or spoke no HTTP.
        tracing::debug!(error = %error, "connection ended early");
    }
}
