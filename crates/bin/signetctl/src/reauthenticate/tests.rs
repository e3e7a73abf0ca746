use std::cell::RefCell;
use std::sync::Arc;
use std::sync::Mutex;

use api_client::Endpoint;
use api_types::PRIVILEGE_HEADER;
use axum::Json;
use axum::Router;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use serde_json::json;

use super::*;

/// Somebody with answers ready, or nobody.
struct Script {
    answers: Option<RefCell<Vec<&'static str>>>,
}

impl Script {
    fn answers(answers: &[&'static str]) -> Self {
        let mut answers = answers.to_vec();
        answers.reverse();
        Self {
            answers: Some(RefCell::new(answers)),
        }
    }
}

impl Questions for Script {
    fn is_attended(&self) -> bool {
        self.answers.is_some()
    }

    fn ask(&self, _question: &str) -> std::io::Result<String> {
        let answer = self
            .answers
            .as_ref()
            .and_then(|answers| answers.borrow_mut().pop());
        answer
            .map(str::to_owned)
            .ok_or_else(|| std::io::Error::other("asked too often"))
    }
}

type Shown = Arc<Mutex<Vec<Value>>>;

/// A server that lets somebody unlock users who shows the token `t1`, which it gives for what it remembers.
async fn server(place: &std::path::Path, kinds: &'static [&'static str]) -> (Client, Shown) {
    let shown = Shown::default();
    let remembered = Arc::clone(&shown);
    let app = Router::new()
        .route(
            "/v1/users/{name}/unlock",
            post(|headers: HeaderMap| async move {
                if headers.get(PRIVILEGE_HEADER).is_some_and(|token| token == "t1") {
                    return Ok(Json(json!(null)));
                }
                let error =
                    json!({"error": {"code": NEEDED, "message": "prove again who you are", "request_id": "r"}});
                Err((StatusCode::FORBIDDEN, Json(error)))
            }),
        )
        .route(
            "/v1/me/reauthenticate/begin",
            post(
                move || async move { Json(json!({"challenge_id": "c1", "second_factors": kinds, "webauthn": {}})) },
            ),
        )
        .route(
            "/v1/me/reauthenticate/finish",
            post(move |Json(body): Json<Value>| async move {
                remembered.lock().unwrap().push(body);
                Json(json!({"token": "t1", "expires": "2026-03-01T12:05:00Z"}))
            }),
        );
    let path = place.join("signet.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Client::new(Endpoint::socket(path)), shown)
}

async fn unlock(client: &Client, questions: &Script) -> Result<(), Failure> {
    with_questions(client, Purpose::Rotate, questions, async |client| {
        client.unlock_user("bob").await
    })
    .await
}

#[tokio::test]
async fn whoever_is_there_is_asked_once_and_the_act_is_done() {
    let place = tempfile::tempdir().unwrap();
    let (client, shown) = server(place.path(), &["totp", "recovery_code"]).await;
    unlock(&client, &Script::answers(&["correct horse", " 123456 "]))
        .await
        .unwrap();
    unlock(&client, &Script::answers(&["correct horse", "abcd-efgh"]))
        .await
        .unwrap();
    let shown = shown.lock().unwrap().clone();
    assert_eq!(
        shown[0],
        json!({
            "challenge_id": "c1", "password": "correct horse",
            "second_factor": {"totp": "123456"}, "purpose": "rotate",
        })
    );
    assert_eq!(shown[1]["second_factor"], json!({"recovery_code": "abcd-efgh"}));
}

#[tokio::test]
async fn a_script_is_told_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let (client, shown) = server(place.path(), &["totp"]).await;
    let failure = unlock(&client, &Script { answers: None }).await.unwrap_err();
    assert_eq!(failure.code(), Some(NEEDED));
    assert!(
        format!("{failure:?}").contains("run it in a terminal"),
        "{failure:?}"
    );
    assert!(shown.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_security_key_cannot_be_typed() {
    let place = tempfile::tempdir().unwrap();
    let (client, _) = server(place.path(), &["webauthn"]).await;
    let failure = unlock(&client, &Script::answers(&[])).await.unwrap_err();
    assert!(
        format!("{failure:?}").contains("authenticator app"),
        "{failure:?}"
    );
}
