//! Documents: made, read, listed, changed, removed; and what each refuses.

use serde_json::Value;
use serde_json::json;

use crate::world::Ask;
use crate::world::World;
use crate::world::operator;
use crate::world::text;
use crate::world::user;

fn names(page: &Value) -> Vec<String> {
    let documents = page["documents"].as_array().unwrap().iter();
    documents
        .map(|document| text(&document["metadata"]["name"]))
        .collect()
}

#[tokio::test]
async fn a_document_is_made_read_changed_and_removed() {
    let world = World::new().await;
    let eve = world.certified("eve", &["editor"]).await;
    let made = world
        .ask(&eve, Ask::post("/v1/resources/user", &user("alice", &["access"])))
        .await
        .ok();
    let revision = made["metadata"]["revision"].as_u64().unwrap();
    let read = world.ask(&eve, Ask::get("/v1/resources/user/alice")).await.ok();
    assert_eq!(read["spec"]["roles"], json!(["access"]));
    assert_eq!(read["metadata"]["revision"], revision);
    // What was read can be given back, changed.
    let mut other = read.clone();
    other["spec"]["roles"] = json!(["auditor"]);
    let same = world
        .ask(&eve, Ask::put("/v1/resources/user/alice", &other))
        .await;
    let same = same.ok();
    let listed = world.ask(&eve, Ask::get("/v1/resources/user?limit=1")).await.ok();
    assert_eq!(names(&listed), ["alice"]);
    assert_eq!(listed["next"], "alice");
    let rest = world
        .ask(&eve, Ask::get("/v1/resources/user?after=alice"))
        .await
        .ok();
    assert_eq!(names(&rest), ["eve"]);
    assert!(rest["next"].is_null());
    let revision = same["metadata"]["revision"].as_u64().unwrap();
    world
        .ask(
            &eve,
            Ask::delete(format!("/v1/resources/user/alice?revision={revision}")),
        )
        .await
        .ok();
    world
        .ask(&eve, Ask::get("/v1/resources/user/alice"))
        .await
        .is(404, "not_found");
    for event in ["user.create", "user.update", "user.delete"] {
        let all = world.events(event);
        let of_eve = all.iter().filter(|event| event["user"] == "eve").count();
        assert!(of_eve > 0, "{event}: {all:#?}");
    }
}

#[tokio::test]
async fn changes_decided_on_another_revision_do_not_happen() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let first = world
        .ask(&operator(), Ask::get("/v1/resources/user/alice"))
        .await
        .ok();
    let mut second = first.clone();
    second["spec"]["roles"] = json!(["access", "auditor"]);
    let path = "/v1/resources/user/alice";
    world.ask(&operator(), Ask::put(path, &second)).await.ok();
    let mut late = first.clone();
    late["spec"]["roles"] = json!(["editor"]);
    world
        .ask(&operator(), Ask::put(path, &late))
        .await
        .is(409, "conflict");
    let stale = first["metadata"]["revision"].as_u64().unwrap();
    world
        .ask(&operator(), Ask::delete(format!("{path}?revision={stale}")))
        .await
        .is(409, "conflict");
    world
        .ask(
            &operator(),
            Ask::post("/v1/resources/user", &user("alice", &["access"])),
        )
        .await
        .is(409, "already_exists");
    let now = world.ask(&operator(), Ask::get(path)).await.ok();
    assert_eq!(now["spec"]["roles"], json!(["access", "auditor"]));
    // The removal that did not happen left no lock behind, and never made one: it would have cut her off for a moment.
    let locks = world.ask(&operator(), Ask::get("/v1/resources/lock")).await.ok();
    assert_eq!(names(&locks), Vec::<String>::new());
    assert!(world.events("lock.created").is_empty());

    // Nor a machine's, whose id would be burnt for good.
    let machine = world.machine("web-1", &["node"]).await;
    let path = format!("/v1/resources/node/{}", machine.host_id);
    let node = world.ask(&operator(), Ask::get(&path)).await.ok();
    let revision = node["metadata"]["revision"].as_u64().unwrap();
    let delete = |revision: u64| Ask::delete(format!("{path}?revision={revision}"));
    world
        .ask(&operator(), delete(revision + 1))
        .await
        .is(409, "conflict");
    assert!(world.events("lock.created").is_empty());
    assert_eq!(world.ask(&operator(), Ask::get(&path)).await.ok(), node);
    world.ask(&operator(), delete(revision)).await.ok();
    world.ask(&operator(), Ask::get(&path)).await.is(404, "not_found");
}

#[tokio::test]
async fn path_and_document_name_the_same() {
    let world = World::new().await;
    let alice = user("alice", &["access"]);
    let tries = [
        Ask::put("/v1/resources/user/bob", &alice),
        Ask::post("/v1/resources/role", &alice),
        Ask::put("/v1/resources/role/alice", &alice),
        Ask::post("/v1/resources/nonsense", &alice),
        Ask::get("/v1/resources/nonsense"),
        Ask::get("/v1/resources/user/%2E%2E%2Fsecret"),
        Ask::get("/v1/resources/user/a%00b"),
        Ask::get(format!("/v1/resources/user/{}", "a".repeat(3_000))),
        Ask::get("/v1/resources/user?limit=0"),
        Ask::get("/v1/resources/user?limit=1001"),
        Ask::get("/v1/resources/user?limit=-1"),
        Ask::get("/v1/resources/user?nonsense=1"),
        Ask::delete("/v1/resources/user/alice?revision=x"),
    ];
    for asked in tries {
        let what = format!("{} {}", asked.method, asked.path);
        let answer = world.ask(&operator(), asked).await;
        assert_eq!(
            answer.said(),
            (400, "malformed".to_owned()),
            "{what}: {}",
            answer.text()
        );
    }
    world
        .ask(&operator(), Ask::get("/v1/resources/user/alice"))
        .await
        .is(404, "not_found");
}

#[tokio::test]
async fn a_role_that_is_borne_and_the_last_editor_are_not_removed_by_mistake() {
    let world = World::new().await;
    let eve = world.certified("eve", &["editor"]).await;
    let refused = world.ask(&eve, Ask::delete("/v1/resources/role/editor")).await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    world
        .ask(&eve, Ask::delete("/v1/resources/user/eve"))
        .await
        .is(409, "last_editor");
    assert_eq!(
        world.ask(&eve, Ask::get("/v1/resources/user/eve")).await.status,
        200
    );
    let locks = world.ask(&operator(), Ask::get("/v1/resources/lock")).await.ok();
    assert_eq!(names(&locks), Vec::<String>::new(), "nobody left");
}

#[tokio::test]
async fn a_rule_with_a_condition_opens_only_what_it_names() {
    let world = World::new().await;
    let role = json!({
        "kind": "role", "version": "v1", "metadata": {"name": "self"},
        "spec": {"allow": {"rules": [{
            "resources": ["user"], "verbs": ["list", "read", "update", "delete"],
            "where": "equals(resource.metadata.name, \"bob\")",
        }]}},
    });
    world.put(role).await;
    let bob = world.certified("bob", &["self"]).await;
    world.add_user("alice", &["access"]).await;
    let listed = world.ask(&bob, Ask::get("/v1/resources/user")).await.ok();
    assert_eq!(names(&listed), ["bob"]);
    assert_eq!(
        world.ask(&bob, Ask::get("/v1/resources/user/bob")).await.status,
        200
    );
    world
        .ask(&bob, Ask::get("/v1/resources/user/alice"))
        .await
        .is(403, "access_denied");
    world
        .ask(&bob, Ask::delete("/v1/resources/user/alice"))
        .await
        .is(403, "access_denied");
    // A document by the allowed name for somebody else, and one that is not there yet.
    world
        .ask(
            &bob,
            Ask::put("/v1/resources/user/alice", &user("alice", &["editor"])),
        )
        .await
        .is(403, "access_denied");
    world
        .ask(&bob, Ask::post("/v1/resources/user", &user("carol", &["access"])))
        .await
        .is(403, "access_denied");
    let denied = world.events("auth");
    for action in ["user:read", "user:delete", "user:update", "user:create"] {
        let is_there = denied
            .iter()
            .any(|event| event["user"] == "bob" && event["action"] == action);
        assert!(is_there, "{action}: {denied:#?}");
    }
}

#[tokio::test]
async fn secrets_of_tokens_are_shown_once() {
    let world = World::new().await;
    let made = world
        .ask(
            &operator(),
            Ask::post("/v1/tokens", &json!({"roles": ["node"], "ttl_seconds": 600})),
        )
        .await
        .ok();
    let secret = text(&made["token"]);
    assert_eq!(made["proxy"], "proxy.example.com:3080");
    assert!(text(&made["ca_pins"][0]).starts_with("sha256:"));
    let listed = world.ask(&operator(), Ask::get("/v1/resources/token")).await;
    assert!(!listed.text().contains(&secret), "{}", listed.text());
    assert_eq!(listed.ok()["documents"].as_array().unwrap().len(), 1);
    for line in world.ledger.lines() {
        assert!(!line.contains(&secret), "{line}");
    }
    for bad in [
        json!({"roles": ["nonsense"]}),
        json!({"roles": ["auth"]}),
        json!({"roles": []}),
    ] {
        let answer = world.ask(&operator(), Ask::post("/v1/tokens", &bad)).await;
        assert!((400..500).contains(&answer.status), "{bad}: {}", answer.text());
    }
    // Who may make tokens and not change them makes no long ones.
    let role = json!({
        "kind": "role", "version": "v1", "metadata": {"name": "inviter"},
        "spec": {"allow": {"rules": [{"resources": ["token"], "verbs": ["create"]}]}},
    });
    world.put(role).await;
    let ivy = world.certified("ivy", &["inviter"]).await;
    let long = json!({"roles": ["node"], "ttl_seconds": 7 * 86_400});
    world
        .ask(&ivy, Ask::post("/v1/tokens", &long))
        .await
        .is(403, "token_too_long");
    world
        .ask(&ivy, Ask::post("/v1/tokens", &json!({"roles": ["node"]})))
        .await
        .ok();
    // A token is not made as a document, and a server with an agent neither.
    let token =
        json!({"kind": "token", "version": "v1", "metadata": {"name": "x"}, "spec": {"roles": ["node"]}});
    let answer = world
        .ask(&operator(), Ask::post("/v1/resources/token", &token))
        .await;
    assert!((400..500).contains(&answer.status), "{}", answer.text());
}

#[tokio::test]
async fn decisions_are_explained_to_whoever_may_read_users_and_roles() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let asked = json!({"user": "alice", "resource": "user", "verb": "delete"});
    let answer = world
        .ask(&operator(), Ask::post("/v1/access/explain", &asked))
        .await
        .ok();
    assert_eq!(answer["allowed"], false, "{answer}");
    assert!(!answer["explanation"].as_array().unwrap().is_empty(), "{answer}");
    let bad = [
        json!({"user": "alice"}),
        json!({"user": "alice", "login": "root"}),
        json!({"user": "alice", "resource": "user", "verb": "devour"}),
        json!({"user": "alice", "login": "root", "node": "x", "resource": "user", "verb": "read"}),
    ];
    for asked in bad {
        world
            .ask(&operator(), Ask::post("/v1/access/explain", &asked))
            .await
            .is(400, "malformed");
    }
    // A condition is judged for the document that is named.
    let own = json!({
        "kind": "role", "version": "v1", "metadata": {"name": "own"},
        "spec": {"allow": {"rules": [{
            "resources": ["user"], "verbs": ["read"],
            "where": "equals(resource.metadata.name, user.metadata.name)",
        }]}},
    });
    world.put(own).await;
    world.add_user("olga", &["own"]).await;
    for (name, allowed, says) in [
        (Some("olga"), true, "request: read user/olga"),
        (Some("alice"), false, "its condition is not true"),
        (Some("nobody"), false, "its condition is not true"),
        (None, false, "while no document is named"),
    ] {
        let mut asked = json!({"user": "olga", "resource": "user", "verb": "read"});
        if let Some(name) = name {
            asked["name"] = json!(name);
        }
        let asked = Ask::post("/v1/access/explain", &asked);
        let answer = world.ask(&operator(), asked).await.ok();
        assert_eq!(answer["allowed"], allowed, "{name:?}: {answer}");
        assert!(
            answer["explanation"].to_string().contains(says),
            "{name:?}: {answer}"
        );
        if allowed {
            assert_eq!(answer["role"], "own", "{answer}");
            assert!(text(&answer["rule"]).contains("allow.rules[0]"), "{answer}");
        }
    }
    let mixed = json!({"user": "alice", "login": "root", "node": "x", "name": "y"});
    world
        .ask(&operator(), Ask::post("/v1/access/explain", &mixed))
        .await
        .is(400, "malformed");
    let nowhere = json!({"user": "alice", "login": "root", "node": "nowhere"});
    world
        .ask(&operator(), Ask::post("/v1/access/explain", &nowhere))
        .await
        .is(404, "not_found");
}
