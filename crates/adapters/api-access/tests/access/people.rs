//! Signing up, logging in, and what people do with their own credentials.

use serde_json::Value;
use serde_json::json;

use crate::world::Answer;
use crate::world::Ask;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::operator;
use crate::world::text;

/// A refusal without what differs from request to request.
fn words(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["error"]["request_id"] = Value::Null;
    json!([answer.status, body])
}

#[tokio::test]
async fn somebody_signs_up_logs_in_and_sees_who_they_are() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    let me = world.ask(&alice.peer, Ask::get("/v1/me")).await.ok();
    assert_eq!(me["user"], "alice");
    assert_eq!(me["roles"], json!(["access"]));
    assert_eq!(me["logins"], json!(["alice"]));
    assert_eq!(me["second_factors"][0]["kind"], "totp");
    assert_eq!(me["recovery_codes_left"], 10);
    assert_eq!(alice.recovery_codes.len(), 10);
    let user = world
        .ask(&operator(), Ask::get("/v1/resources/user/alice"))
        .await
        .ok();
    assert_eq!(user["spec"]["status"]["has_password"], true, "{user}");
    for event in ["user.login", "cert.create"] {
        assert!(!world.events(event).is_empty(), "{event}");
    }
    let secret = [PASSWORD, &alice.seed, &alice.recovery_codes[0]];
    for line in world.ledger.lines() {
        assert!(!secret.iter().any(|secret| line.contains(*secret)), "{line}");
    }
}

#[tokio::test]
async fn every_log_in_that_fails_is_answered_alike() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    let wrong = world
        .log_in("alice", "not the password at all", &world.next_code(&alice.seed))
        .await;
    wrong.is(401, "invalid_credentials");
    let code = world.next_code(&alice.seed);
    let others = [
        world.log_in("alice", PASSWORD, "000000").await,
        world.log_in("nobody", PASSWORD, &code).await,
    ];
    for other in others {
        assert_eq!(words(&other), words(&wrong));
    }
    // A code is good once, and so is a challenge.
    let code = world.next_code(&alice.seed);
    assert_eq!(world.log_in("alice", PASSWORD, &code).await.status, 200);
    assert_eq!(
        words(&world.log_in("alice", PASSWORD, &code).await),
        words(&wrong)
    );
    let begun = world
        .ask_publicly(Ask::post("/webapi/login/begin", &json!({"user": "alice"})))
        .await
        .ok();
    let challenge = text(&begun["challenge_id"]);
    let finish = |code: &str| {
        let mut body = crate::world::log_in("alice", PASSWORD, code);
        body["challenge_id"] = json!(challenge);
        Ask::post("/webapi/login/finish", &body)
    };
    assert_eq!(
        world
            .ask_publicly(finish(&world.next_code(&alice.seed)))
            .await
            .status,
        200
    );
    let again = world.ask_publicly(finish(&world.next_code(&alice.seed))).await;
    assert!([401, 410].contains(&again.status), "{}", again.text());
    // What begins a log-in says the same of everybody.
    let kinds = |answer: Value| answer["second_factors"].clone();
    let known = Ask::post("/webapi/login/begin", &json!({"user": "alice"}));
    let unknown = Ask::post("/webapi/login/begin", &json!({"user": "nobody"}));
    assert_eq!(
        kinds(world.ask_publicly(known).await.ok()),
        kinds(world.ask_publicly(unknown).await.ok())
    );
}

#[tokio::test]
async fn a_link_is_good_once_and_for_an_hour() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let invite = async || {
        let asked = Ask::post_nothing("/v1/users/alice/invite");
        let made = world.ask(&operator(), asked).await.ok();
        assert_eq!(made["purpose"], "signup");
        assert!(text(&made["url"]).starts_with("https://proxy.example.com:3080/web/invite/"));
        text(&made["token"])
    };
    let look = async |token: &str| {
        world
            .ask_publicly(Ask::get(format!("/webapi/invite/{token}")))
            .await
    };
    let first = invite().await;
    assert_eq!(look(&first).await.ok()["user"], "alice");
    // Another link is in its place.
    let second = invite().await;
    look(&first).await.is(404, "link_gone");
    assert_eq!(look(&second).await.status, 200);
    world.pass(3_601);
    look(&second).await.is(404, "link_gone");
    for nonsense in ["x", "%00", "..%2F..%2Fme", &"a".repeat(5_000)] {
        look(nonsense).await.is(404, "link_gone");
        let begin = Ask::post(
            format!("/webapi/invite/{nonsense}/begin"),
            &json!({"kind": "totp"}),
        );
        world.ask_publicly(begin).await.is(404, "link_gone");
    }
    let long = json!({"ttl_seconds": 49 * 3_600});
    let refused = world
        .ask(&operator(), Ask::post("/v1/users/alice/invite", &long))
        .await;
    assert_eq!(refused.status, 400, "{}", refused.text());
}

#[tokio::test]
async fn a_weak_password_and_a_wrong_first_code_set_nothing() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let made = world
        .ask(&operator(), Ask::post_nothing("/v1/users/alice/invite"))
        .await
        .ok();
    let link = format!("/webapi/invite/{}", text(&made["token"]));
    let begun = world
        .ask_publicly(Ask::post(format!("{link}/begin"), &json!({"kind": "totp"})))
        .await
        .ok();
    let finish = async |password: &str, code: &str| {
        let body = json!({
            "challenge_id": begun["challenge_id"], "password": password, "second_factor": {"totp": code},
        });
        world
            .ask_publicly(Ask::post(format!("{link}/finish"), &body))
            .await
    };
    let seed = text(&begun["totp"]["secret"]);
    for weak in ["short", "", "password1234", &"x".repeat(129)] {
        finish(weak, &world.next_code(&seed))
            .await
            .is(422, "weak_password");
    }
    finish(PASSWORD, "000000").await.is(422, "second_factor_refused");
    let kind = Ask::post(format!("{link}/begin"), &json!({"kind": "sms"}));
    world.ask_publicly(kind).await.is(400, "malformed");
    let user = world
        .ask(&operator(), Ask::get("/v1/resources/user/alice"))
        .await
        .ok();
    assert_ne!(user["spec"]["status"]["has_password"], true, "{user}");
    finish(PASSWORD, &world.next_code(&seed)).await.ok();
}

#[tokio::test]
async fn a_proof_is_for_one_person_one_purpose_one_act_and_five_minutes() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    let bob = world.person("bob", &["access"]).await;
    let change = |token: &str| {
        Ask::post("/v1/me/password", &json!({"password": "eight green doors"})).proved_by(token)
    };
    let needed = (403, "reauthentication_needed".to_owned());

    // 1. Missing, nonsense, somebody else's, for something else, too old.
    let bare = Ask::post("/v1/me/password", &json!({"password": "eight green doors"}));
    assert_eq!(world.ask(&alice.peer, bare).await.said(), needed);
    for nonsense in ["", "x", &"a".repeat(10_000)] {
        assert_eq!(world.ask(&alice.peer, change(nonsense)).await.said(), needed);
    }
    let of_bob = world.proof(&bob, "change_password").await;
    assert_eq!(world.ask(&alice.peer, change(&of_bob)).await.said(), needed);
    let for_factors = world.proof(&alice, "change_second_factors").await;
    assert_eq!(world.ask(&alice.peer, change(&for_factors)).await.said(), needed);
    let old = world.proof(&alice, "change_password").await;
    world.pass(301);
    assert_eq!(world.ask(&alice.peer, change(&old)).await.said(), needed);

    // 2. A wrong proof is refused when it is asked for: wrong code, replayed code, unknown purpose.
    world
        .reauthenticate(&alice, "change_password", "000000")
        .await
        .is(401, "invalid_credentials");
    let code = world.next_code(&alice.seed);
    assert_eq!(
        world
            .reauthenticate(&alice, "change_password", &code)
            .await
            .status,
        200
    );
    world
        .reauthenticate(&alice, "change_password", &code)
        .await
        .is(401, "invalid_credentials");
    let code = world.next_code(&alice.seed);
    world
        .reauthenticate(&alice, "everything", &code)
        .await
        .is(400, "malformed");

    // 3. The right one works, once; with the password every other proof has ended.
    let good = world.proof(&alice, "change_password").await;
    let spare = world.proof(&alice, "change_password").await;
    assert_eq!(world.ask(&alice.peer, change(&good)).await.status, 200);
    assert_eq!(world.ask(&alice.peer, change(&good)).await.said(), needed);
    assert_eq!(world.ask(&alice.peer, change(&spare)).await.said(), needed);
    let code = world.next_code(&alice.seed);
    world
        .log_in("alice", PASSWORD, &code)
        .await
        .is(401, "invalid_credentials");
    let code = world.next_code(&alice.seed);
    assert_eq!(
        world.log_in("alice", "eight green doors", &code).await.status,
        200
    );
}

#[tokio::test]
async fn second_factors_are_added_and_removed_with_proof_and_one_stays() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    let needed = (403, "reauthentication_needed".to_owned());
    let kind = json!({"kind": "totp"});

    // 1. Beginning asks for the proof; finishing asks for what was begun.
    let bare = Ask::post("/v1/me/second_factors/begin", &kind);
    assert_eq!(world.ask(&alice.peer, bare).await.said(), needed);
    let proof = world.proof(&alice, "change_second_factors").await;
    let begin = Ask::post("/v1/me/second_factors/begin", &kind).proved_by(&proof);
    let begun = world.ask(&alice.peer, begin).await.ok();
    let seed = text(&begun["totp"]["secret"]);
    let finish = |challenge: &Value, code: &str| {
        let body = json!({"challenge_id": challenge, "second_factor": {"totp": code}, "name": "phone"});
        Ask::post("/v1/me/second_factors/finish", &body)
    };
    let wrong = world
        .ask(&alice.peer, finish(&begun["challenge_id"], "000000"))
        .await;
    assert!(wrong.status >= 400, "{}", wrong.text());
    let stolen = world.person("mallory", &["access"]).await;
    let code = world.next_code(&seed);
    let theirs = world
        .ask(&stolen.peer, finish(&begun["challenge_id"], &code))
        .await;
    assert!(theirs.status >= 400, "{}", theirs.text());
    let made_up = world.ask(&alice.peer, finish(&json!("nonsense"), &code)).await;
    assert!(made_up.status >= 400, "{}", made_up.text());
    let proof = world.proof(&alice, "change_second_factors").await;
    let begin = Ask::post("/v1/me/second_factors/begin", &kind).proved_by(&proof);
    let begun = world.ask(&alice.peer, begin).await.ok();
    let seed = text(&begun["totp"]["secret"]);
    let code = world.next_code(&seed);
    let me = world
        .ask(&alice.peer, finish(&begun["challenge_id"], &code))
        .await
        .ok();
    let factors = me["second_factors"].as_array().unwrap().clone();
    assert_eq!(factors.len(), 2, "{me}");

    // 2. Removing asks for it, too; the last one stays.
    let first = text(&factors[0]["id"]);
    let path = format!("/v1/me/second_factors/{first}");
    assert_eq!(
        world.ask(&alice.peer, Ask::delete(path.clone())).await.said(),
        needed
    );
    let proof = world.proof(&alice, "change_second_factors").await;
    let me = world
        .ask(&alice.peer, Ask::delete(path).proved_by(&proof))
        .await
        .ok();
    assert_eq!(me["second_factors"].as_array().unwrap().len(), 1, "{me}");
    let last = text(&me["second_factors"][0]["id"]);
    let seed = if last == text(&factors[1]["id"]) {
        seed
    } else {
        alice.seed.clone()
    };
    let alice = crate::world::Person { seed, ..alice };
    let proof = world.proof(&alice, "change_second_factors").await;
    let absent = Ask::delete("/v1/me/second_factors/absent").proved_by(&proof);
    world.ask(&alice.peer, absent).await.is(404, "no_such_device");
    let proof = world.proof(&alice, "change_second_factors").await;
    let path = format!("/v1/me/second_factors/{last}");
    world
        .ask(&alice.peer, Ask::delete(path).proved_by(&proof))
        .await
        .is(409, "last_factor");
}

#[tokio::test]
async fn privileged_acts_of_operators_over_the_network_ask_for_a_proof() {
    let world = World::new().await;
    let eve = world.person("eve", &["editor"]).await;
    let acts = [
        ("rotate", "/v1/rotations"),
        ("sign", "/v1/sign"),
        ("rotate", "/v1/certificates/revoke"),
        ("rotate", "/v1/keys/sweep"),
    ];
    for (purpose, path) in acts {
        world
            .ask(&eve.peer, Ask::post(path, &json!({"nonsense": 1})))
            .await
            .is(403, "reauthentication_needed");
        let other = if purpose == "sign" { "rotate" } else { "sign" };
        let wrong = world.proof(&eve, other).await;
        world
            .ask(
                &eve.peer,
                Ask::post(path, &json!({"nonsense": 1})).proved_by(&wrong),
            )
            .await
            .is(403, "reauthentication_needed");
        // With the proof the request is looked at.
        let proof = world.proof(&eve, purpose).await;
        world
            .ask(
                &eve.peer,
                Ask::post(path, &json!({"nonsense": 1})).proved_by(&proof),
            )
            .await
            .is(400, "malformed");
    }
    // Whoever cannot do it at all is not asked for a proof.
    let bob = world.person("bob", &["access"]).await;
    world
        .ask(&bob.peer, Ask::post("/v1/rotations", &json!({})))
        .await
        .is(403, "access_denied");
}

#[tokio::test]
async fn five_failures_lock_out_and_an_operator_unlocks() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    for _ in 0..5 {
        world
            .log_in("alice", "not the password at all", "000000")
            .await
            .is(401, "invalid_credentials");
    }
    let code = world.next_code(&alice.seed);
    world
        .log_in("alice", PASSWORD, &code)
        .await
        .is(401, "invalid_credentials");
    let user = world
        .ask(&operator(), Ask::get("/v1/resources/user/alice"))
        .await
        .ok();
    assert_eq!(user["spec"]["status"]["is_locked"], true, "{user}");
    world
        .ask(&operator(), Ask::post_nothing("/v1/users/alice/unlock"))
        .await
        .ok();
    let code = world.next_code(&alice.seed);
    assert_eq!(world.log_in("alice", PASSWORD, &code).await.status, 200);
    world
        .ask(&operator(), Ask::post_nothing("/v1/users/nobody/unlock"))
        .await
        .is(404, "not_found");
    world
        .ask(&operator(), Ask::post_nothing("/v1/users/nobody/invite"))
        .await
        .is(404, "not_found");
}
