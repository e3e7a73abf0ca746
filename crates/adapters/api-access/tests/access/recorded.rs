//! Recorded before done (I7): while the log cannot be written nothing happens.

use serde_json::Value;
use serde_json::json;

use crate::world::Ask;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::join_request;
use crate::world::lock;
use crate::world::operator;
use crate::world::user;

#[tokio::test]
async fn i7_nothing_is_done_while_the_log_cannot_be_written() {
    let world = World::new().await;
    let alice = world.person("alice", &["access"]).await;
    let eve = world.certified("eve", &["editor"]).await;
    let node = world.machine("web-1", &["node"]).await;
    world.put(lock("on-nobody", json!({"user": "nobody"}))).await;
    let join = world.join_request("web-2", &["node"]).await;
    let proof = world.proof(&alice, "change_password").await;
    let code = world.next_code(&alice.seed);
    let log_in = crate::world::log_in("alice", PASSWORD, &code);
    let renewal = join_request(&"5e".repeat(16), "web-1", &["node"]);
    let renewal =
        json!({"csr": renewal["csr"], "ssh_public_key": renewal["ssh_public_key"], "roles": ["node"]});
    let before = everything(&world).await;
    let lines = world.ledger.lines().len();

    world.ledger.fail_writes(true);
    let acts = [
        Ask::post("/v1/resources/user", &user("mallory", &["access"])),
        Ask::put("/v1/resources/user/alice", &user("alice", &["editor"])),
        Ask::delete("/v1/resources/user/alice"),
        Ask::delete("/v1/resources/lock/on-nobody"),
        Ask::post("/v1/tokens", &json!({"roles": ["node"]})),
        Ask::post_nothing("/v1/users/alice/invite"),
    ];
    for asked in acts {
        let what = format!("{} {}", asked.method, asked.path);
        let answer = world.ask(&eve, asked).await;
        assert!(
            answer.status >= 500,
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(!answer.text().contains("token\":"), "{what}: {}", answer.text());
    }
    let password = json!({"password": "eight green doors"});
    let changed = Ask::post("/v1/me/password", &password).proved_by(&proof);
    assert!(world.ask(&alice.peer, changed).await.status >= 500);
    let logged_in = world
        .ask_publicly(Ask::post("/webapi/login/finish", &log_in))
        .await;
    assert!(logged_in.status >= 500, "{}", logged_in.text());
    let joined = world.ask_publicly(Ask::post("/webapi/join", &join)).await;
    assert!(joined.status >= 500, "{}", joined.text());
    let renewed = world
        .ask(&node.peer, Ask::post("/v1/agent/renew", &renewal))
        .await;
    assert!(renewed.status >= 500, "{}", renewed.text());
    // A refusal that cannot be recorded is none that says why; nothing is let in by it.
    let denied = world
        .ask(&alice.peer, Ask::delete("/v1/resources/user/eve"))
        .await;
    assert!(denied.status >= 400, "{}", denied.text());

    world.ledger.fail_writes(false);
    assert_eq!(world.ledger.lines().len(), lines, "nothing was recorded");
    assert_eq!(everything(&world).await, before, "and nothing was done");
    // What was not done can be done: token, code and proof were not used up.
    let logged_in = Ask::post("/webapi/login/finish", &log_in);
    world.ask_publicly(logged_in).await.ok();
    world.ask_publicly(Ask::post("/webapi/join", &join)).await.ok();
    let changed = Ask::post("/v1/me/password", &password).proved_by(&proof);
    world.ask(&alice.peer, changed).await.ok();
}

/// Every document, and who is known.
async fn everything(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for kind in ["user", "role", "token", "node", "lock"] {
        let path = format!("/v1/resources/{kind}");
        all.push(world.ask(&operator(), Ask::get(path)).await.ok());
    }
    all
}

#[tokio::test]
async fn the_event_stands_before_the_effect() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let acts: [(&str, Ask); 4] = [
        (
            "user.create",
            Ask::post("/v1/resources/user", &user("bob", &["access"])),
        ),
        (
            "lock.created",
            Ask::post("/v1/resources/lock", &lock("l", json!({"user": "nobody"}))),
        ),
        ("user.delete", Ask::delete("/v1/resources/user/alice")),
        (
            "join_token.create",
            Ask::post("/v1/tokens", &json!({"roles": ["node"]})),
        ),
    ];
    for (event, asked) in acts {
        world.ask(&operator(), asked).await.ok();
        let events = world.events(event);
        assert!(!events.is_empty(), "{event}: {:#?}", world.ledger.lines());
        assert!(
            events
                .iter()
                .all(|event| event["user"] == "root" || event["os_uid"] == 0),
            "{events:#?}"
        );
    }
}
