//! Documents, people and machines as an operator handles them, against a small server on a socket that keeps documents and their
//! revisions.

#[cfg(test)]
mod resources {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::Write;
    use std::process::Command;
    use std::process::Stdio;
    use std::sync::Arc;
    use std::sync::Mutex;

    use axum::Json;
    use axum::Router;
    use axum::extract::Path as Segments;
    use axum::extract::RawQuery;
    use axum::extract::Request;
    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::middleware::Next;
    use axum::middleware::from_fn_with_state;
    use axum::response::IntoResponse;
    use axum::response::Response;
    use axum::routing::get;
    use axum::routing::post;
    use serde_json::Value;
    use serde_json::json;

    #[derive(Default)]
    struct Kept {
        revision: u64,
        documents: BTreeMap<(String, String), Value>,
        asked: Vec<Value>,
        /// Whether changes ask for a proof.
        is_guarded: bool,
        /// What proofs were asked for.
        proofs: Vec<Value>,
    }

    type Store = Arc<Mutex<Kept>>;
    type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

    fn refusal(status: StatusCode, code: &str) -> (StatusCode, Json<Value>) {
        (
            status,
            Json(json!({"error": {"code": code, "message": format!("refused: {code}"), "request_id": "r"}})),
        )
    }

    fn app(store: Store) -> Router {
        Router::new()
            .route("/v1/resources/{kind}", get(list).post(create))
            .route("/v1/resources/{kind}/{name}", get(read).put(put).delete(delete))
            .route("/v1/users/{name}/invite", post(invite))
            .route("/v1/users/{name}/unlock", post(|| async { Json(Value::Null) }))
            .route("/v1/tokens", post(token))
            .route("/v1/access/explain", post(explain))
            .layer(from_fn_with_state(Arc::clone(&store), guard))
            .route(
                "/v1/me",
                get(|| async {
                    Json(json!({
                        "user": "eve", "roles": [], "traits": {}, "logins": [], "second_factors": [],
                        "recovery_codes_left": 9,
                    }))
                }),
            )
            .route(
                "/v1/me/reauthenticate/begin",
                post(|| async { Json(json!({"challenge_id": "c", "second_factors": ["totp"]})) }),
            )
            .route("/v1/me/reauthenticate/browser", post(proof_begin))
            .route(
                "/v1/me/reauthenticate/browser/{id}",
                post(|| async {
                    Json(json!({"granted": {"token": "t1", "expires": "2026-03-01T12:05:00Z"}}))
                }),
            )
            .with_state(store)
    }

    /// Refuses changes without the proof that it gives, when it is to.
    async fn guard(State(store): State<Store>, request: Request, next: Next) -> Response {
        let is_guarded = store.lock().unwrap().is_guarded && request.method() != "GET";
        let shown = request.headers().get(api_types::PRIVILEGE_HEADER);
        if is_guarded && shown.is_none_or(|shown| shown != "t1") {
            return refusal(StatusCode::FORBIDDEN, "reauthentication_needed").into_response();
        }
        next.run(request).await
    }

    async fn proof_begin(State(store): State<Store>, Json(body): Json<Value>) -> Json<Value> {
        store.lock().unwrap().proofs.push(body);
        Json(json!({
            "id": "i1", "secret": "s1", "code": "BCDF-GHJK",
            "url": "https://proxy.example.com/web/cli/i1", "expires": "2026-03-01T12:05:00Z",
        }))
    }

    /// One document a page.
    async fn list(
        State(store): State<Store>,
        Segments(kind): Segments<String>,
        RawQuery(query): RawQuery,
    ) -> Json<Value> {
        let query = query.unwrap_or_default();
        let after = query.split('&').find_map(|part| part.strip_prefix("after="));
        let store = store.lock().unwrap();
        let mut left = store
            .documents
            .iter()
            .filter(|((of, name), _)| *of == kind && after.is_none_or(|after| name.as_str() > after));
        let documents: Vec<&Value> = left.next().map(|(_, document)| document).into_iter().collect();
        let mut page = json!({"documents": documents});
        if let (Some(last), Some(_)) = (documents.first(), left.next()) {
            page["next"] = last["metadata"]["name"].clone();
        }
        Json(page)
    }

    fn keep(store: &mut Kept, kind: &str, mut document: Value) -> Value {
        store.revision += 1;
        document["metadata"]["revision"] = store.revision.into();
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        store.documents.insert((kind.to_owned(), name), document.clone());
        document
    }

    async fn create(
        State(store): State<Store>,
        Segments(kind): Segments<String>,
        Json(document): Json<Value>,
    ) -> Answer {
        let mut store = store.lock().unwrap();
        assert_eq!(
            document["metadata"].get("revision"),
            None,
            "a new document has none"
        );
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        if store.documents.contains_key(&(kind.clone(), name)) {
            return Err(refusal(StatusCode::CONFLICT, "already_exists"));
        }
        Ok(Json(keep(&mut store, &kind, document)))
    }

    async fn read(State(store): State<Store>, Segments(place): Segments<(String, String)>) -> Answer {
        let store = store.lock().unwrap();
        let found = store.documents.get(&place).cloned();
        found
            .map(Json)
            .ok_or_else(|| refusal(StatusCode::NOT_FOUND, "not_found"))
    }

    async fn put(
        State(store): State<Store>,
        Segments(place): Segments<(String, String)>,
        Json(document): Json<Value>,
    ) -> Answer {
        let mut store = store.lock().unwrap();
        let is = store
            .documents
            .get(&place)
            .map(|document| document["metadata"]["revision"].clone());
        let asked = document["metadata"].get("revision").cloned();
        if asked.is_some() && asked != is {
            return Err(refusal(StatusCode::CONFLICT, "conflict"));
        }
        Ok(Json(keep(&mut store, &place.0, document)))
    }

    async fn delete(
        State(store): State<Store>,
        Segments(place): Segments<(String, String)>,
        RawQuery(query): RawQuery,
    ) -> Answer {
        let mut store = store.lock().unwrap();
        store.asked.push(json!(query));
        match store.documents.remove(&place) {
            Some(_) => Ok(Json(Value::Null)),
            None => Err(refusal(StatusCode::NOT_FOUND, "not_found")),
        }
    }

    async fn invite(
        State(store): State<Store>,
        Segments(user): Segments<String>,
        Json(body): Json<Value>,
    ) -> Answer {
        let mut store = store.lock().unwrap();
        store.asked.push(body);
        if user == "carol" {
            return Err(refusal(StatusCode::CONFLICT, "conflict"));
        }
        Ok(Json(json!({
            "user": user, "purpose": "signup", "token": "4f", "url": "https://p:3080/web/invite/4f",
            "expires": "2026-03-01T13:00:00Z",
        })))
    }

    async fn token(State(store): State<Store>, Json(body): Json<Value>) -> Json<Value> {
        store.lock().unwrap().asked.push(body);
        Json(json!({
            "token": "5e5e", "name": "3b5f9c21", "expires": "2026-03-01T12:30:00Z",
            "ca_pins": ["sha256:aa"], "proxy": "example.com:3080",
        }))
    }

    async fn explain(Json(body): Json<Value>) -> Json<Value> {
        let allowed = body["login"] == "root";
        Json(json!({
            "allowed": allowed, "role": allowed.then_some("access"), "rule": allowed.then_some("allow.logins[0]"),
            "why": "because", "explanation": ["role access"],
        }))
    }

    /// The server, which ends with this, and a directory to work in.
    struct Server {
        place: tempfile::TempDir,
        store: Store,
        stop: Option<tokio::sync::oneshot::Sender<()>>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Server {
        fn start() -> Self {
            let place = tempfile::tempdir().unwrap();
            let store = Store::default();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let listener = std::os::unix::net::UnixListener::bind(place.path().join("signet.sock")).unwrap();
            listener.set_nonblocking(true).unwrap();
            let router = app(Arc::clone(&store));
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
                store,
                stop: Some(stop),
                thread: Some(thread),
            }
        }

        fn run(&self, arguments: &[&str]) -> Outcome {
            self.run_with(arguments, "", None)
        }

        fn run_with(&self, arguments: &[&str], input: &str, editor: Option<&str>) -> Outcome {
            let directory = self.place.path();
            let mut command = Command::new(assert_cmd::cargo::cargo_bin!("signetctl"));
            command
                .args(["--data-dir", directory.to_str().unwrap()])
                .args(arguments)
                .current_dir(directory)
                .env_clear()
                .env("HOME", directory)
                .env("TMPDIR", directory)
                .env("PATH", "/usr/bin:/bin")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            if let Some(editor) = editor {
                command.env("EDITOR", editor);
            }
            let mut child = command.spawn().unwrap();
            // A command that reads nothing may be gone already.
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
            let output = child.wait_with_output().unwrap();
            Outcome {
                code: output.status.code().unwrap(),
                out: String::from_utf8(output.stdout).unwrap(),
                err: String::from_utf8(output.stderr).unwrap(),
            }
        }

        fn document(&self, kind: &str, name: &str) -> Value {
            let store = self.store.lock().unwrap();
            store.documents[&(kind.to_owned(), name.to_owned())].clone()
        }

        fn count(&self) -> usize {
            self.store.lock().unwrap().documents.len()
        }

        fn last_asked(&self) -> Value {
            self.store.lock().unwrap().asked.last().unwrap().clone()
        }

        /// The files that an editor was given and that are still there.
        fn kept_files(&self) -> Vec<std::path::PathBuf> {
            let entries = fs::read_dir(self.place.path()).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            paths
                .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
                .collect()
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

    const ROLE: &str = "kind: role\nversion: v1\nmetadata: {name: web}\nspec: {allow: {logins: [root], node_labels: {env: n}}}\n";
    const USER: &str = "kind: user\nversion: v1\nmetadata: {name: alice}\nspec: {roles: [web]}\n";

    #[test]
    fn documents_round_trip() {
        let server = Server::start();
        let outcome = server.run_with(&["create", "-f", "-"], &format!("{USER}---\n{ROLE}"), None);
        assert_eq!(
            (outcome.code, outcome.out.as_str()),
            (0, "created role/web\ncreated user/alice\n"),
            "{outcome:?}"
        );
        let yaml = server.run(&["get", "users,roles"]).out;
        let before = (server.document("role", "web"), server.document("user", "alice"));
        let outcome = server.run_with(&["create", "-f", "-", "--force"], &yaml, None);
        assert_eq!(
            outcome.out, "wrote role/web\nwrote user/alice\n",
            "{outcome:?}\n{yaml}"
        );
        assert_eq!(server.document("role", "web")["spec"], before.0["spec"]);
        assert_eq!(server.document("user", "alice")["spec"], before.1["spec"]);
        let outcome = server.run_with(&["create", "-f", "-", "--force"], &yaml, None);
        assert_eq!(
            outcome.code, 3,
            "what was read before the last change is old: {outcome:?}"
        );
        assert!(outcome.err.contains("metadata.revision"), "{outcome:?}");
        let json = server.run(&["get", "role/web", "--format", "json"]).out;
        assert_eq!(server.run_with(&["create", "--force"], &json, None).code, 0);
        let outcome = server.run(&["get", "users,roles", "--format", "text"]);
        assert!(
            outcome.out.contains("alice") && outcome.out.contains("env=n"),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_command_asks_once_who_it_is_and_in_the_browser_where_that_is_said() {
        let server = Server::start();
        server.store.lock().unwrap().is_guarded = true;
        let many: Vec<String> = (0..30)
            .map(|number| ROLE.replace("web", &format!("web-{number}")))
            .collect();
        fs::write(server.place.path().join("many.yml"), many.join("---\n")).unwrap();
        for command in [
            &["create", "-f", "many.yml"][..],
            &["create", "-f", "many.yml", "--force"],
            &["rm", "role/web-1", "role/web-2", "--yes"],
            &["edit", "role/web-3", "--editor=sed -i s/root/admin/"],
            &["users", "add", "alice", "--roles=web-3"],
            &["users", "update", "alice", "--roles=web-4"],
            &["users", "reset", "alice"],
            &["users", "unlock", "alice"],
            &["users", "rm", "alice", "--yes"],
            &["tokens", "add", "--type=node"],
            &["nodes", "add"],
            &["lock", "--user=alice"],
        ] {
            // Where nobody can be asked, it is refused, and says what else to do.
            let refused = server.run(command);
            assert_eq!(refused.code, 3, "{command:?}: {refused:?}");
            assert!(refused.err.contains("--browser"), "{command:?}: {refused:?}");
            let done = server.run(&[command, &["--browser", "--no-open"]].concat());
            assert_eq!(done.code, 0, "{command:?}: {done:?}");
            let proofs = std::mem::take(&mut server.store.lock().unwrap().proofs);
            assert_eq!(proofs, [json!({"purpose": {"act": "admin"}})], "{command:?}");
        }
    }

    #[test]
    fn one_bad_document_keeps_all_of_them_back() {
        let server = Server::start();
        fs::write(
            server.place.path().join("all.yml"),
            format!("{ROLE}---\n{}", USER.replace("roles", "rolls")),
        )
        .unwrap();
        let outcome = server.run(&["create", "-f", "all.yml"]);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(
            outcome.err.contains("document 2 (user/alice)")
                && outcome.err.contains("did you mean \"roles\"?"),
            "{outcome:?}"
        );
        assert_eq!(server.count(), 0);
        let outcome = server.run_with(&["create", "-"], ROLE, None);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let outcome = server.run_with(&["create", "-"], ROLE, None);
        assert_eq!(outcome.code, 3);
        assert!(outcome.err.contains("hint: say --force"), "{outcome:?}");
    }

    #[test]
    fn an_edited_document_is_written_or_kept() {
        let server = Server::start();
        assert_eq!(server.run_with(&["create", "-"], ROLE, None).code, 0);
        let edit = |editor: &str| server.run_with(&["edit", "role/web"], "", Some(editor));
        assert_eq!(edit("true").out, "role/web is unchanged\n");
        assert_eq!(edit("sed -i s/root/deploy/").out, "wrote role/web\n");
        assert_eq!(
            server.document("role", "web")["spec"]["allow"]["logins"],
            json!(["deploy"])
        );
        assert_eq!(server.kept_files(), Vec::<std::path::PathBuf>::new());

        let outcome = edit("sed -i s/logins/login/");
        assert_eq!(outcome.code, 2, "{outcome:?}");
        let kept = server.kept_files();
        assert!(outcome.err.contains(kept[0].to_str().unwrap()), "{outcome:?}");
        assert!(fs::read_to_string(&kept[0]).unwrap().contains("login:"));
        fs::remove_file(&kept[0]).unwrap();

        // Somebody else changes it while the editor is open.
        let program = assert_cmd::cargo::cargo_bin!("signetctl").display().to_string();
        let script = server.place.path().join("editor.sh");
        let place = server.place.path().display();
        let text = format!(
            "#!/bin/sh\nset -e\n{program} --data-dir {place} get role/web | sed s/deploy/other/ | {program} --data-dir {place} create - --force\nsed -i s/deploy/mine/ \"$1\"\n"
        );
        fs::write(&script, text).unwrap();
        let outcome = edit(&format!("sh {}", script.display()));
        assert_eq!(outcome.code, 3, "{outcome:?}");
        let kept = server.kept_files();
        assert!(fs::read_to_string(&kept[0]).unwrap().contains("mine"));
        assert_eq!(
            server.document("role", "web")["spec"]["allow"]["logins"],
            json!(["other"])
        );
    }

    #[test]
    fn people_are_added_changed_and_removed() {
        let server = Server::start();
        let outcome = server.run(&[
            "users",
            "add",
            "alice",
            "--roles=access",
            "--logins=root,alice",
            "--ttl=2h",
        ]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(
            outcome.out.contains("https://p:3080/web/invite/4f") && outcome.out.contains("signet signup"),
            "{outcome:?}"
        );
        assert_eq!(server.last_asked(), json!({"ttl_seconds": 7_200}));
        let alice = server.document("user", "alice");
        assert_eq!(alice["spec"]["traits"]["logins"], json!(["root", "alice"]));
        let outcome = server.run(&["users", "update", "alice", "--roles=access,editor"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(
            server.document("user", "alice")["spec"]["roles"],
            json!(["access", "editor"])
        );
        let outcome = server.run(&["users", "add", "carol", "--roles=access"]);
        assert_eq!(outcome.code, 3);
        assert!(outcome.err.contains("signetctl users reset carol"), "{outcome:?}");
        assert_eq!(server.run(&["users", "unlock", "alice"]).code, 0);
        assert!(server.run(&["users", "ls"]).out.contains("access,editor"));
        let outcome = server.run(&["users", "rm", "alice", "nobody"]);
        assert_eq!(outcome.code, 3, "all are looked up first: {outcome:?}");
        assert_eq!(server.count(), 2);
        assert_eq!(
            server.run(&["users", "rm", "alice", "carol"]).out,
            "removed user/alice\nremoved user/carol\n"
        );
        assert!(server.last_asked().as_str().unwrap().contains("revision="));
    }

    #[test]
    fn a_lock_on_nobody_stands_and_is_said_to_be_one() {
        let server = Server::start();
        let node = json!({
            "kind": "node", "version": "v1", "metadata": {"name": "0d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d"},
            "spec": {"hostname": "web-1"},
        });
        let key = (
            "node".to_owned(),
            "0d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d".to_owned(),
        );
        server.store.lock().unwrap().documents.insert(key, node);
        // A lock on nobody stands, and is said to be one.
        for (target, is_known) in [
            ("--user=alcie", false),
            ("--node=web-9", false),
            ("--node=web-1", true),
            ("--login=root", true),
        ] {
            let outcome = server.run(&["lock", target]);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            assert_eq!(!outcome.err.contains("warning: no "), is_known, "{outcome:?}");
            assert!(outcome.out.contains("locked "), "{outcome:?}");
        }
    }

    #[test]
    fn tokens_and_nodes_are_named_as_people_do() {
        let server = Server::start();
        let put = |kind: &str, document: Value| keep(&mut server.store.lock().unwrap(), kind, document);
        for digits in ["3b5f9c21", "3b5f0000"] {
            let name = format!("{digits:0<64}");
            put(
                "token",
                json!({"kind": "token", "version": "v1", "metadata": {"name": name}, "spec": {"roles": ["node"]}}),
            );
        }
        for (id, hostname) in [
            ("0d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d", "web-1"),
            ("1d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d", "web-2"),
            ("2d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d", "web-2"),
        ] {
            put(
                "node",
                json!({"kind": "node", "version": "v1", "metadata": {"name": id}, "spec": {"hostname": hostname}}),
            );
        }
        assert_eq!(server.run(&["tokens", "rm", "3b5f"]).code, 2, "there are two");
        assert_eq!(server.run(&["tokens", "rm", "3b5f9"]).code, 0);
        assert_eq!(server.run(&["tokens", "rm", "3b5f9"]).code, 3, "it is gone");
        assert_eq!(server.run(&["nodes", "rm", "web-1"]).code, 0);
        let outcome = server.run(&["nodes", "rm", "web-2"]);
        assert_eq!(outcome.code, 2);
        assert!(outcome.err.contains("2d9f7a52"), "{outcome:?}");
        assert_eq!(
            server
                .run(&["rm", "node/2d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d"])
                .code,
            0
        );
        assert_eq!(server.count(), 2);

        let outcome = server.run(&["nodes", "add", "--ttl=5m", "--labels=env=prod", "--format=json"]);
        let answer: Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!(
            answer["command"],
            "SIGNET_TOKEN=5e5e signetd start --roles=node --ca-pin=sha256:aa --proxy=example.com:3080 --labels=env=prod"
        );
        assert_eq!(
            server.last_asked(),
            json!({"roles": ["node"], "ttl_seconds": 300, "labels": {"env": "prod"}})
        );
        assert_eq!(
            server
                .run(&["tokens", "add", "--type=node,proxy", "--uses=3"])
                .code,
            0
        );
        assert_eq!(server.last_asked()["uses"], 3);
        assert_eq!(server.run(&["tokens", "add", "--type=nod"]).code, 2);
    }

    #[test]
    fn locks_and_explanations() {
        let server = Server::start();
        let outcome = server.run(&["lock", "--user=alice", "--ttl=1h", "--message=stolen"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let removal = outcome.out.lines().last().unwrap().to_owned();
        let named = removal.split(' ').next_back().unwrap();
        assert!(server.run(&["locks", "ls"]).out.contains("user=alice"));
        assert_eq!(server.run(&["locks", "rm", named]).code, 0, "{removal}");
        assert_eq!(server.count(), 0);
        assert_eq!(server.run(&["lock", "--ttl=1h"]).code, 2);

        let outcome = server.run(&[
            "access",
            "explain",
            "--user=alice",
            "--login=root",
            "--node=web-1",
        ]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(
            outcome
                .out
                .starts_with("ALLOWED  alice as root on web-1\nby role access, allow.logins[0]: ")
        );
        let outcome = server.run(&[
            "access",
            "explain",
            "--user=alice",
            "--login=bob",
            "--node=web-1",
            "--format=json",
        ]);
        assert_eq!(outcome.code, 3);
        let answer: Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!(answer["allowed"], false);
    }

    #[test]
    fn an_empty_input_is_no_document() {
        let server = Server::start();
        let outcome = server.run_with(&["create"], "", None);
        assert_eq!(outcome.code, 2);
        assert!(outcome.err.contains("no document"), "{outcome:?}");
    }
}
