//! Proofs that people make in a browser for what they do in a terminal.

use api_http::Peer;
use authn::Password;
use identity::Approval;
use identity::Factor;
use names::UserName;
use serde_json::Value;
use serde_json::json;

use crate::world::Answer;
use crate::world::Ask;
use crate::world::PASSWORD;
use crate::world::Person;
use crate::world::World;
use crate::world::lock;
use crate::world::operator;
use crate::world::ssh_line;
use crate::world::text;

const PLACE: &str = "/v1/me/reauthenticate/browser";

fn act(word: &str) -> Value {
    json!({"purpose": {"act": word}})
}

fn session(login: &str, node: &str) -> Value {
    json!({"purpose": {"session": {"login": login, "node": node}}})
}

fn collect(begun: &Value) -> Ask {
    let path = format!("{PLACE}/{}", text(&begun["id"]));
    Ask::post(path, &json!({ "secret": begun["secret"] }))
}

fn sweep() -> Ask {
    Ask::post("/v1/keys/sweep", &json!({"dry_run": true}))
}

impl World {
    async fn begins(&self, peer: &Peer, purpose: &Value) -> Answer {
        self.ask(peer, Ask::post(PLACE, purpose)).await
    }

    async fn approves(&self, name: &str, person: &Person, begun: &Value) {
        let challenge = self.identity.login_begin(name).await.unwrap();
        let approval = Approval {
            id: begun["id"].as_str().unwrap(),
            code: begun["code"].as_str().unwrap(),
            is_elsewhere_known: false,
            challenge: &challenge.id,
            user: &UserName::parse(name).unwrap(),
            password: Password::new(PASSWORD.to_owned()),
            factor: Factor::Totp(self.next_code(&person.seed).into()),
            remote: "192.0.2.1:40000".parse().unwrap(),
        };
        self.identity.approve(approval).await.unwrap();
    }

    /// A proof of alice's that she made in a browser.
    async fn proof_of_alice(&self, alice: &Person, purpose: &Value) -> String {
        let begun = self.begins(&alice.peer, purpose).await.ok();
        self.approves("alice", alice, &begun).await;
        text(&self.ask(&alice.peer, collect(&begun)).await.ok()["granted"]["token"])
    }

    /// A server without an agent, on which everybody may log in by their own name.
    async fn old_server(&self) {
        let server = json!({
            "kind": "node", "version": "v1", "metadata": {"name": "old-1"},
            "spec": {"hostname": "old-1", "addr": "192.0.2.9:22", "sub_kind": "openssh"},
        });
        self.ask(&operator(), Ask::post("/v1/resources/node", &server))
            .await
            .ok();
    }
}

#[tokio::test]
async fn an_act_is_approved_in_a_browser_for_the_certificate_that_asked() {
    let world = World::new().await;
    let alice = world.person("alice", &["editor"]).await;
    let needed = (403, "reauthentication_needed".to_owned());
    assert_eq!(world.ask(&alice.peer, sweep()).await.said(), needed);

    // 1. The page is the proxy's, and the secret is for the program.
    let begun = world.begins(&alice.peer, &act("rotate")).await.ok();
    assert_eq!(
        text(&begun["url"]),
        format!("https://proxy.example.com:3080/web/cli/{}", text(&begun["id"]))
    );
    world.approves("alice", &alice, &begun).await;

    // 2. Another certificate, somebody else and a log-in collect nothing, and leave it as it is.
    let code = world.next_code(&alice.seed);
    let again = world.log_in("alice", PASSWORD, &code).await.ok();
    let der = x509::pem::decode_one("certificate", "CERTIFICATE", &text(&again["tls_certificate"]));
    let other = world.proves(&der.unwrap());
    let bob = world.person("bob", &["editor"]).await;
    for peer in [&other, &bob.peer] {
        world.ask(peer, collect(&begun)).await.is(410, "challenge_gone");
    }
    let as_log_in = format!("/webapi/login/browser/{}", text(&begun["id"]));
    world
        .ask_publicly(Ask::post(as_log_in, &json!({ "secret": begun["secret"] })))
        .await
        .is(410, "challenge_gone");

    // 3. It is collected once, and good for that act and that certificate.
    let got = world.ask(&alice.peer, collect(&begun)).await.ok();
    let proof = text(&got["granted"]["token"]);
    world
        .ask(&alice.peer, collect(&begun))
        .await
        .is(410, "challenge_gone");
    world.ask(&alice.peer, sweep().proved_by(&proof)).await.ok();
    for peer in [&other, &bob.peer] {
        let stolen = world.ask(peer, sweep().proved_by(&proof)).await;
        assert_eq!(stolen.said(), needed);
    }
    let sign = Ask::post("/v1/sign", &json!({})).proved_by(&proof);
    assert_eq!(world.ask(&alice.peer, sign).await.said(), needed);
    let kind = json!({"kind": "totp"});
    let factors = Ask::post("/v1/me/second_factors/begin", &kind).proved_by(&proof);
    assert_eq!(world.ask(&alice.peer, factors).await.said(), needed);

    // 4. What is typed is bound in the same way.
    let typed = world.proof(&alice, "rotate").await;
    world.ask(&alice.peer, sweep().proved_by(&typed)).await.ok();
    let stolen = world.ask(&other, sweep().proved_by(&typed)).await;
    assert_eq!(stolen.said(), needed);
}

#[tokio::test]
async fn who_has_access_is_decided_with_one() {
    let world = World::new().await;
    let alice = world.person("alice", &["editor"]).await;
    let reset = || Ask::post_nothing("/v1/users/alice/invite");
    let needed = "reauthentication_needed";
    world.ask(&alice.peer, reset()).await.is(403, needed);
    let for_other = world.proof_of_alice(&alice, &act("rotate")).await;
    let tried = world.ask(&alice.peer, reset().proved_by(&for_other)).await;
    tried.is(403, needed);
    let proof = world.proof_of_alice(&alice, &act("admin")).await;
    world.ask(&alice.peer, reset().proved_by(&proof)).await.ok();
    let collected = world.events("privilege_token.collect");
    let told: Vec<_> = collected.iter().map(|event| &event["purpose"]).collect();
    assert_eq!(told, [&json!("rotate"), &json!("admin")]);
}

#[tokio::test]
async fn second_factors_are_changed_with_one() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    let proof = world.proof_of_alice(&alice, &act("change_second_factors")).await;
    let kind = json!({"kind": "totp"});
    let begin = || Ask::post("/v1/me/second_factors/begin", &kind).proved_by(&proof);
    world.ask(&alice.peer, begin()).await.ok();
    world
        .ask(&alice.peer, begin())
        .await
        .is(403, "reauthentication_needed");
}

#[tokio::test]
async fn a_session_is_opened_with_one() {
    let world = World::new().await;
    world.old_server().await;
    let alice = world.person("alice", &["access"]).await;

    // 1. What the roles do not allow is not asked about.
    world
        .begins(&alice.peer, &session("root", "old-1"))
        .await
        .is(403, "access_denied");
    world
        .begins(&alice.peer, &session("alice", "nowhere"))
        .await
        .is(404, "not_found");

    // 2. A proof for it is in the place of challenge and second factor, once.
    let proof = world.proof_of_alice(&alice, &session("alice", "old-1")).await;
    let finish = |more: Value| {
        let mut body = json!({"login": "alice", "node": "old-1", "ssh_public_key": ssh_line()});
        let body_of = body.as_object_mut().unwrap();
        body_of.extend(more.as_object().unwrap().clone());
        Ask::post("/v1/me/session/finish", &body)
    };
    for half in [
        json!({"challenge_id": "c"}),
        json!({"second_factor": {"totp": "1"}}),
    ] {
        let halved = finish(half).proved_by(&proof);
        world.ask(&alice.peer, halved).await.is(400, "malformed");
    }
    let without = world.ask(&alice.peer, finish(json!({}))).await;
    without.is(403, "reauthentication_needed");
    let for_act = world.proof_of_alice(&alice, &act("rotate")).await;
    let with_other = world
        .ask(&alice.peer, finish(json!({})).proved_by(&for_act))
        .await;
    with_other.is(403, "reauthentication_needed");
    let got = world
        .ask(&alice.peer, finish(json!({})).proved_by(&proof))
        .await
        .ok();
    assert!(text(&got["ssh_certificate"]).starts_with("ssh-ed25519-cert-v01@openssh.com "));
    let again = world.ask(&alice.peer, finish(json!({})).proved_by(&proof)).await;
    again.is(403, "reauthentication_needed");
    let told = world.events("mfa.session");
    let ends: Vec<_> = told.iter().map(|event| event["code"].clone()).collect();
    assert_eq!(ends, ["SU015I", "SU015W", "SU015W", "SU015W"]);
}

#[tokio::test]
async fn nobody_waits_whom_it_is_not_for() {
    let world = World::new().await;
    let alice = world.person("alice", &["editor"]).await;
    for word in ["", "everything", "session"] {
        world.begins(&alice.peer, &act(word)).await.is(400, "malformed");
    }
    for odd in [json!(null), json!({}), json!({"purpose": "rotate"})] {
        world.begins(&alice.peer, &odd).await.is(400, "malformed");
    }
    world
        .begins(&operator(), &act("rotate"))
        .await
        .is(403, "access_denied");
    // Who has nothing to prove it with.
    let certified = world.certified("robot", &["editor"]).await;
    world
        .begins(&certified, &act("rotate"))
        .await
        .is(404, "not_signed_up");
    // A lock between the approval and its collection.
    let begun = world.begins(&alice.peer, &act("rotate")).await.ok();
    world.approves("alice", &alice, &begun).await;
    world.put(lock("a", json!({"user": "alice"}))).await;
    world.ask(&alice.peer, collect(&begun)).await.is(403, "locked");
}

#[tokio::test]
async fn a_cluster_that_has_it_off_says_so() {
    let world = World::new().await;
    let alice = world.person("alice", &["editor"]).await;
    let begun = world.begins(&alice.peer, &act("rotate")).await.ok();
    world
        .put(json!({
            "kind": "cluster_auth_preference", "version": "v1", "metadata": { "name": "cluster-auth-preference" },
            "spec": { "allow_browser_login": false },
        }))
        .await;
    world
        .begins(&alice.peer, &act("rotate"))
        .await
        .is(403, "browser_login_off");
    world
        .ask(&alice.peer, collect(&begun))
        .await
        .is(403, "browser_login_off");
}
