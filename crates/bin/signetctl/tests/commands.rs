//! The program as an operator runs it, against a small server on a socket that speaks the API's shapes.

#[cfg(test)]
mod commands {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::path::PathBuf;
    use std::process::Command;
    use std::process::Output;
    use std::sync::Arc;
    use std::sync::Mutex;

    use api_types::ErrorBody;
    use api_types::ErrorDetail;
    use axum::Json;
    use axum::Router;
    use axum::extract::RawQuery;
    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::routing::get;
    use axum::routing::post;
    use serde_json::Value;
    use serde_json::json;

    /// What the server was asked.
    type Asked = Arc<Mutex<Vec<Value>>>;

    fn app(asked: Asked) -> Router {
        Router::new()
            .route(
                "/v1/version",
                get(|| async { Json(json!({"version": "9.9.9", "api": 1})) }),
            )
            .route("/v1/rotations", post(rotate))
            .route("/v1/sign", post(sign))
            .route("/v1/resources/user/{name}", get(user))
            .route("/v1/export", get(export))
            .route("/v1/keys/sweep", post(sweep))
            .route(
                "/v1/audit/verify",
                get(|| async { Json(json!({"ok": false, "entries": 3, "head": "00"})) }),
            )
            .route("/v1/audit/events", get(events))
            .with_state(asked)
    }

    async fn rotate(
        State(asked): State<Asked>,
        Json(body): Json<Value>,
    ) -> Result<Json<Value>, (StatusCode, Json<ErrorBody>)> {
        asked.lock().unwrap().push(body.clone());
        if body["target_phase"] == "standby" && body["override_blockers"] == false {
            let error = ErrorDetail {
                code: "rotation.not_allowed".to_owned(),
                message: "cannot go to \"standby\" from \"init\": from \"init\" you can go to update_clients or rollback".to_owned(),
                hint: Some("signetctl auth rotate --manual --type=host --phase=update_clients".to_owned()),
                request_id: "r1".to_owned(),
            };
            return Err((StatusCode::CONFLICT, Json(ErrorBody { error })));
        }
        Ok(Json(json!({
            "authority": "host", "from": "standby", "to": "init", "message": "Updated rotation phase to \"init\".",
        })))
    }

    async fn user(
        axum::extract::Path(name): axum::extract::Path<String>,
    ) -> Result<Json<Value>, (axum::http::StatusCode, Json<Value>)> {
        if name == "alice" {
            return Ok(Json(json!({"kind": "user"})));
        }
        let error = json!({"error": {"code": "not_found", "message": "no such user", "request_id": "r"}});
        Err((axum::http::StatusCode::NOT_FOUND, Json(error)))
    }

    async fn sign(State(asked): State<Asked>, Json(body): Json<Value>) -> Json<Value> {
        let certificates = match body["format"].as_str() {
            Some("jwt") => json!([{"name": "jwt", "content": "eyJ.e30.x", "serial": "j"}]),
            Some("openssh_user") => {
                json!([{"name": "ssh", "content": "ssh-ed25519-cert-v01@openssh.com AAAA", "serial": "1"}])
            }
            _ => json!([{"name": "tls", "content": "-----BEGIN CERTIFICATE-----\n", "serial": "4f"}]),
        };
        asked.lock().unwrap().push(body);
        Json(json!({
            "certificates": certificates,
            "trusted": [{
                "name": "db_client.pem", "media_type": "application/x-pem-file", "content_base64": "Q0EK",
                "status": "all", "fingerprints": [], "authority": "db_client",
            }],
            "not_after": "2026-03-01T12:00:00Z",
            "hints": ["ssl_cert_file = '<out>.crt'"],
        }))
    }

    async fn export(State(asked): State<Asked>, RawQuery(query): RawQuery) -> Json<Value> {
        asked.lock().unwrap().push(json!(query));
        let file = |name: &str| {
            json!({
                "name": name, "media_type": "application/pkix-cert", "content_base64": "/w==",
                "status": "active", "fingerprints": ["ab"], "authority": "windows",
            })
        };
        Json(json!({"files": [file("windows-1.cer"), file("windows-2.cer")]}))
    }

    async fn sweep(State(asked): State<Asked>, Json(body): Json<Value>) -> Json<Value> {
        asked.lock().unwrap().push(body.clone());
        Json(json!({"dry_run": body["dry_run"], "keys": [{
            "id": "k1", "backend": "software", "handle": "k1", "destroyed": true, "reason": "its quarantine has passed",
        }]}))
    }

    /// Three events, two a page.
    async fn events(RawQuery(query): RawQuery) -> Json<Value> {
        let is_second = query.unwrap_or_default().contains("after=2");
        let event = |number: u64| json!({"ei": number, "event": "auth", "code": "SA001W"});
        if is_second {
            Json(json!({"events": [event(3)]}))
        } else {
            Json(json!({"events": [event(1), event(2)], "next": 2}))
        }
    }

    /// The server, which ends with this, and a directory to work in.
    struct Server {
        place: tempfile::TempDir,
        asked: Asked,
        stop: Option<tokio::sync::oneshot::Sender<()>>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Server {
        fn start() -> Self {
            let place = tempfile::tempdir().unwrap();
            let asked = Asked::default();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let listener = std::os::unix::net::UnixListener::bind(place.path().join("signet.sock")).unwrap();
            listener.set_nonblocking(true).unwrap();
            let router = app(Arc::clone(&asked));
            let thread = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async move {
                    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                    tokio::select! {
                        served = async { axum::serve(listener, router).await } => served.unwrap(),
                        _ = stopped => {}
                    }
                });
            });
            Self {
                place,
                asked,
                stop: Some(stop),
                thread: Some(thread),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.place.path().join(name)
        }

        fn run(&self, arguments: &[&str]) -> Outcome {
            signetctl(
                &[&["--data-dir", self.place.path().to_str().unwrap()], arguments].concat(),
                self.place.path(),
            )
        }

        fn asked(&self) -> Vec<Value> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            drop(self.stop.take());
            if let Some(thread) = self.thread.take() {
                thread.join().unwrap();
            }
        }
    }

    #[derive(Debug)]
    struct Outcome {
        code: i32,
        out: String,
        err: String,
    }

    fn signetctl(arguments: &[&str], directory: &Path) -> Outcome {
        let output: Output = Command::new(assert_cmd::cargo::cargo_bin!("signetctl"))
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("HOME", directory)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[test]
    fn a_rotation_is_asked_for_and_told() {
        let server = Server::start();
        let outcome = server.run(&["auth", "rotate", "--manual", "--type=host", "--phase=init"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(
            outcome.out,
            "Updated rotation phase to \"init\". To check status use `signetctl status`.\n\
             Next: signetctl auth rotate --manual --type=host --phase=update_clients, or --phase=rollback\n"
        );
        assert_eq!(server.asked()[0]["mode"], "manual");
    }

    #[test]
    fn a_refusal_has_its_hint_and_its_exit_code() {
        let server = Server::start();
        let outcome = server.run(&["auth", "rotate", "--manual", "--type=host", "--phase=standby"]);
        assert_eq!(outcome.code, 3, "{outcome:?}");
        assert_eq!(
            outcome.err,
            "error: cannot go to \"standby\" from \"init\": from \"init\" you can go to update_clients or rollback\n\
             hint: signetctl auth rotate --manual --type=host --phase=update_clients\n"
        );
    }

    #[test]
    fn grave_acts_need_yes_in_scripts() {
        let server = Server::start();
        let forced = [
            "auth",
            "rotate",
            "--manual",
            "--type=host",
            "--phase=standby",
            "--force=replaced",
        ];
        let outcome = server.run(&forced);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(outcome.err.contains("hint: say --yes"), "{outcome:?}");
        assert!(server.asked().is_empty(), "nothing was asked of the server");
        let outcome = server.run(&[&forced[..], &["--yes"]].concat());
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(server.asked()[0]["reason"], "replaced");

        let outcome = server.run(&["keys", "sweep"]);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(
            server
                .asked()
                .iter()
                .all(|body| body["dry_run"] != json!(false) || body["authority"] == "host")
        );
        assert_eq!(server.run(&["keys", "sweep", "--yes"]).code, 0);
        assert_eq!(server.asked().last().unwrap()["dry_run"], false);
    }

    #[test]
    fn rotate_without_arguments_says_what_to_type() {
        let server = Server::start();
        let outcome = server.run(&["auth", "rotate"]);
        assert_eq!(outcome.code, 2);
        assert!(
            outcome
                .err
                .contains("signetctl auth rotate --manual --type=host --phase=init"),
            "{outcome:?}"
        );
    }

    #[test]
    fn no_server_is_exit_code_4() {
        let place = tempfile::tempdir().unwrap();
        let outcome = signetctl(&["--data-dir", ".", "status"], place.path());
        assert_eq!(outcome.code, 4, "{outcome:?}");
        assert!(
            outcome
                .err
                .starts_with("error: no auth service answers on ./signet.sock"),
            "{outcome:?}"
        );
        assert!(
            outcome.err.contains("hint: start it with `signetd start`"),
            "{outcome:?}"
        );
        assert_eq!(signetctl(&["version", "--data-dir", "."], place.path()).code, 0);
    }

    #[test]
    fn private_keys_are_written_private_and_never_sent() {
        let server = Server::start();
        let outcome = server.run(&[
            "auth",
            "sign",
            "--format=db",
            "--host=db.example.com",
            "--key-type=ecdsa-p256",
            "--out=server",
        ]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(
            outcome.out,
            "wrote server.key\nwrote server.crt\nwrote server.cas\ngood until 2026-03-01T12:00:00Z\n\nssl_cert_file = 'server.crt'\n"
        );
        let key = fs::read_to_string(server.path("server.key")).unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(
            fs::metadata(server.path("server.key"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        assert_eq!(fs::read_to_string(server.path("server.cas")).unwrap(), "CA\n");
        let sent = server.asked()[0].to_string();
        assert!(
            sent.contains("BEGIN PUBLIC KEY") && !sent.contains("PRIVATE"),
            "{sent}"
        );
    }

    #[test]
    fn an_identity_of_nobody_is_warned_of() {
        let server = Server::start();
        for (user, is_warned) in [("alice", false), ("nobody", true)] {
            let outcome = server.run(&[
                "auth",
                "sign",
                "--format=tls",
                &format!("--user={user}"),
                &format!("--out={user}"),
            ]);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            assert_eq!(
                outcome.err.starts_with("warning: there is no user nobody"),
                is_warned,
                "{outcome:?}"
            );
            assert_eq!(outcome.err.contains("signetctl users add nobody"), is_warned);
        }
    }

    #[test]
    fn existing_files_are_kept_before_anything_is_issued() {
        let server = Server::start();
        fs::write(server.path("alice-cert.pub"), "old").unwrap();
        let arguments = ["auth", "sign", "--format=openssh", "--user=alice", "--out=alice"];
        let outcome = server.run(&arguments);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.err.contains("alice-cert.pub exists"), "{outcome:?}");
        assert!(server.asked().is_empty(), "nothing was issued");
        assert!(!server.path("alice").exists());
        assert_eq!(server.run(&[&arguments[..], &["--overwrite"]].concat()).code, 0);
        assert!(
            fs::read_to_string(server.path("alice"))
                .unwrap()
                .starts_with("-----BEGIN OPENSSH PRIVATE KEY-----")
        );
    }

    #[test]
    fn a_given_public_key_is_certified_and_a_private_one_is_not_sent() {
        let server = Server::start();
        fs::write(server.path("key.pub"), "ssh-ed25519 AAAA alice\n").unwrap();
        let outcome = server.run(&[
            "auth",
            "sign",
            "--format=openssh",
            "--user=alice",
            "--public-key=key.pub",
            "--out=key",
        ]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(server.asked()[0]["public_key"], "ssh-ed25519 AAAA alice");
        assert!(!server.path("key").exists());
        assert!(server.path("key-cert.pub").exists());

        fs::write(server.path("private"), "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
        let outcome = server.run(&[
            "auth",
            "sign",
            "--format=openssh",
            "--user=bob",
            "--public-key=private",
            "--out=bob",
        ]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.err.contains("a private key is never sent"), "{outcome:?}");
        assert_eq!(server.asked().len(), 1);
    }

    #[test]
    fn a_token_goes_to_standard_output() {
        let server = Server::start();
        let outcome = server.run(&[
            "auth",
            "sign",
            "--format=jwt",
            "--subject=alice",
            "--audience=app",
        ]);
        assert_eq!(
            (outcome.code, outcome.out.as_str()),
            (0, "eyJ.e30.x\n"),
            "{outcome:?}"
        );
    }

    #[test]
    fn an_export_of_several_keys_is_several_files() {
        let server = Server::start();
        let outcome = server.run(&["auth", "export", "--type=windows-der", "--out=ca"]);
        assert_eq!(outcome.out, "wrote ca-1.cer\nwrote ca-2.cer\n", "{outcome:?}");
        assert_eq!(fs::read(server.path("ca-2.cer")).unwrap(), [0xff]);
        assert_eq!(server.asked()[0], "format=der&status=all&type=windows");
        let outcome = server.run(&["auth", "export", "--type=windows-der"]);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        let outcome = server.run(&["auth", "export", "--type=windows", "--fingerprint"]);
        assert_eq!(outcome.out, "ab windows active\nab windows active\n");
    }

    #[test]
    fn findings_that_are_not_good_are_exit_code_1() {
        let server = Server::start();
        let outcome = server.run(&["audit", "verify"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(
            outcome.out.starts_with("THE LOG IS NOT AS IT WAS WRITTEN"),
            "{outcome:?}"
        );
        assert_eq!(server.run(&["audit", "verify", "--format", "json"]).code, 1);
    }

    #[test]
    fn every_page_of_events_is_exported() {
        let server = Server::start();
        let outcome = server.run(&["audit", "export", "--out=events.jsonl"]);
        assert_eq!(outcome.out, "wrote 3 events to events.jsonl\n", "{outcome:?}");
        let lines: Vec<Value> = fs::read_to_string(server.path("events.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            lines
                .iter()
                .map(|line| line["ei"].as_u64().unwrap())
                .collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(
            server.run(&["audit", "export", "--out=events.jsonl"]).code,
            1,
            "an existing file is kept"
        );
    }

    #[test]
    fn completions_and_manual_pages_need_no_server() {
        let place = tempfile::tempdir().unwrap();
        for shell in ["bash", "zsh", "fish"] {
            let outcome = signetctl(&["completions", shell], place.path());
            assert!(outcome.code == 0 && outcome.out.contains("rotate"), "{shell}");
        }
        let outcome = signetctl(&["man", "--out", "."], place.path());
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(place.path().join("signetctl-auth-rotate.1").exists());
    }
}
