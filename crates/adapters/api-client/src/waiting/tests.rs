//! Against a server on a socket: what may pass takes the way that it takes outside tests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::*;
use crate::Client;
use crate::Endpoint;

/// What the server answers, and when it was asked.
#[derive(Default)]
struct Script {
    answers: VecDeque<(u16, &'static str, Option<&'static str>)>,
    asked: Vec<Instant>,
}

/// A server that answers at once: `version` is what is decided, and nothing is decided yet while it is empty.
struct Server {
    client: Client,
    script: Arc<Mutex<Script>>,
    task: tokio::task::JoinHandle<()>,
    _place: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// It goes through these answers, and has not decided after that.
    fn answering(answers: &[(u16, &'static str, Option<&'static str>)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("signet.sock");
        let script = Arc::new(Mutex::new(Script {
            answers: answers.iter().copied().collect(),
            asked: Vec::new(),
        }));
        let next = Arc::clone(&script);
        let app = Router::new().route(
            "/v1/version",
            get(async move || answer(&mut next.lock().unwrap())),
        );
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        Self {
            client: Client::new(Endpoint::socket(path)),
            script,
            task: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
            _place: place,
        }
    }

    async fn ask(&self) -> Result<Option<String>, ClientError> {
        let version = self.client.version().await?.version;
        Ok(Some(version).filter(|version| !version.is_empty()))
    }

    async fn decided(&self, pace: &Pace, share: u16) -> Result<Option<String>, ClientError> {
        // A loop that does not end is a failure here, and not a test that never ends.
        let decided = pace.until_decided(|| share, async || self.ask().await);
        tokio::time::timeout(Duration::from_secs(120), decided)
            .await
            .unwrap()
    }

    fn asked(&self) -> Vec<Instant> {
        self.script.lock().unwrap().asked.clone()
    }
}

fn answer(script: &mut Script) -> Response {
    script.asked.push(Instant::now());
    let (status, code, retry_after) = script.answers.pop_front().unwrap_or((200, "", None));
    let status = StatusCode::from_u16(status).unwrap();
    let mut response = if status.is_success() {
        Json(json!({"version": code, "api": 1})).into_response()
    } else {
        let error = json!({"code": code, "message": "no", "request_id": "r"});
        (status, Json(json!({"error": error}))).into_response()
    };
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, seconds.parse().unwrap());
    }
    response
}

const QUICK: Pace = Pace {
    patience: Duration::from_secs(60),
    apart: Duration::from_millis(2),
    rest: (Duration::from_millis(1), Duration::from_millis(4)),
};

#[tokio::test]
async fn what_may_pass_is_sat_out_and_what_is_decided_is_not() {
    let server = Server::answering(&[
        (200, "", None),
        (429, "busy", None),
        (429, "too_many_requests", None),
        (503, "storage_unavailable", None),
        (200, "", None),
        (200, "granted", None),
    ]);
    let granted = server.decided(&QUICK, 0).await.unwrap();
    assert_eq!(granted.as_deref(), Some("granted"));
    assert_eq!(server.asked().len(), 6);
    for (status, code) in [
        (403, "approval_refused"),
        (404, "challenge_gone"),
        (500, "internal"),
    ] {
        let server = Server::answering(&[(200, "", None), (status, code, None), (200, "granted", None)]);
        let refused = server.decided(&QUICK, 0).await.unwrap_err();
        assert_eq!(refused.code(), Some(code));
        assert_eq!(server.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_answers_at_once_is_not_asked_at_once() {
    let server = Server::answering(&[]);
    let pace = Pace {
        patience: Duration::from_secs(1),
        apart: Duration::from_millis(200),
        ..QUICK
    };
    // Nobody decides, and that has an end. Between two questions is at least half of what is due.
    assert_eq!(server.decided(&pace, 0).await.unwrap(), None);
    assert!(server.asked().len() <= 11, "{} questions", server.asked().len());
    let server = Server::answering(&[]);
    assert_eq!(server.decided(&pace, u16::MAX).await.unwrap(), None);
    assert!(server.asked().len() <= 6, "{} questions", server.asked().len());
}

#[tokio::test]
async fn a_server_is_left_alone_for_as_long_as_it_wishes() {
    for (status, code) in [(429, "too_many_requests"), (503, "too_slow")] {
        let server = Server::answering(&[(status, code, Some("1")), (200, "granted", None)]);
        assert!(server.decided(&QUICK, 0).await.unwrap().is_some());
        let asked = server.asked();
        assert!(asked[1] - asked[0] >= Duration::from_secs(1), "{asked:?}");
        // It is not waited for one that wishes for more than the time that is left, and what cannot be read is none.
        let server = Server::answering(&[(status, code, Some("4294967295")), (200, "granted", None)]);
        let refused = server.decided(&QUICK, 0).await.unwrap_err();
        assert_eq!(refused.code(), Some(code));
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(4_294_967_295)));
        let server = Server::answering(&[(status, code, Some("soon")), (200, "granted", None)]);
        assert!(server.decided(&QUICK, 0).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let over = Pace {
        patience: Duration::ZERO,
        ..QUICK
    };
    let silent = over.until_decided(
        || 0,
        async || std::future::pending::<Result<Option<()>, _>>().await,
    );
    assert!(silent.await.unwrap().is_none());
    let pace = Pace {
        patience: Duration::from_millis(300),
        ..QUICK
    };
    let busy = Server::answering(&[(429, "busy", None); 1_000]);
    assert_eq!(
        busy.decided(&pace, u16::MAX).await.unwrap_err().code(),
        Some("busy")
    );
    assert!(busy.asked().len() < 1_000);
}

#[test]
fn rests_grow_to_a_bound_and_are_not_all_the_same() {
    let bounds = (Duration::from_millis(250), Duration::from_secs(4));
    assert_eq!(rest_after(1, bounds, 0), Duration::from_millis(125));
    assert_eq!(rest_after(1, bounds, u16::MAX), Duration::from_millis(250));
    assert_eq!(rest_after(3, bounds, u16::MAX), Duration::from_secs(1));
    for failures in [5, 33, u32::MAX] {
        assert_eq!(rest_after(failures, bounds, u16::MAX), Duration::from_secs(4));
        assert_eq!(rest_after(failures, bounds, 0), Duration::from_secs(2));
    }
}
