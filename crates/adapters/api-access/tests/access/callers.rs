//! Who is let in: the table of routes against what the routers do, for every route and every kind of caller.

use api_http::Peer;
use api_types::AccessRoute;
use api_types::Callers;
use api_types::Method;
use serde_json::Value;
use serde_json::json;

use crate::world::Answer;
use crate::world::Ask;
use crate::world::HERE;
use crate::world::World;
use crate::world::join_request;
use crate::world::lock;
use crate::world::operator;
use crate::world::text;

/// A request to a route that changes nothing of consequence when it is let in.
pub(crate) fn ask(route: AccessRoute, turn: usize) -> Ask {
    let path = route
        .path()
        .replace("{kind}", "lock")
        .replace("{name}", &format!("absent-{turn}"))
        .replace("{id}", "absent")
        .replace("{token}", "absent");
    let nobody = lock(&format!("absent-{turn}"), json!({"user": "absent"}));
    let body = if [AccessRoute::ResourceCreate, AccessRoute::ResourcePut].contains(&route) {
        nobody
    } else if route == AccessRoute::TokenCreate {
        json!({"roles": ["node"]})
    } else if route == AccessRoute::AccessExplain {
        json!({"user": "absent", "resource": "user", "verb": "read"})
    } else {
        json!({})
    };
    match route.method() {
        Method::Get => Ask::get(path),
        Method::Delete => Ask::delete(path),
        Method::Post => Ask::post(path, &body),
        Method::Put => Ask::put(path, &body),
    }
}

/// Whether the caller was let in: what it asked for may be refused for other reasons then.
fn is_let_in(answer: &Answer) -> bool {
    let codes = [
        "access_denied",
        "unauthenticated",
        "not_a_member",
        "locked",
        "no_such_path",
    ];
    !codes.contains(&answer.code().as_str())
}

/// Somebody, and what the table says of them.
struct Somebody {
    name: &'static str,
    peer: Option<Peer>,
    may: fn(Callers) -> bool,
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let world = World::new().await;
    let bystander = json!({"kind": "role", "version": "v1", "metadata": {"name": "bystander"}, "spec": {"allow": {"logins": ["x"]}}});
    world.put(bystander).await;
    let everybody = [
        Somebody {
            name: "nobody",
            peer: None,
            may: |_| false,
        },
        Somebody {
            name: "operator",
            peer: Some(operator()),
            may: |callers| matches!(callers, Callers::PeopleAndOperator | Callers::Rules(_)),
        },
        Somebody {
            name: "bystander",
            peer: Some(world.certified("bob", &["bystander"]).await),
            may: |callers| matches!(callers, Callers::People | Callers::PeopleAndOperator),
        },
        Somebody {
            name: "editor",
            peer: Some(world.certified("eve", &["editor"]).await),
            may: |callers| {
                matches!(
                    callers,
                    Callers::People | Callers::PeopleAndOperator | Callers::Rules(_)
                )
            },
        },
        Somebody {
            name: "node",
            peer: Some(world.machine("web-1", &["node"]).await.peer),
            may: |callers| may_machine(callers, "node"),
        },
        Somebody {
            name: "proxy",
            peer: Some(world.machine("proxy-1", &["proxy"]).await.peer),
            may: |callers| may_machine(callers, "proxy"),
        },
        Somebody {
            name: "db",
            peer: Some(world.machine("db-1", &["db"]).await.peer),
            may: |callers| may_machine(callers, "db"),
        },
        Somebody {
            name: "app",
            peer: Some(world.machine("app-1", &["app"]).await.peer),
            may: |callers| may_machine(callers, "app"),
        },
    ];
    for (turn, somebody) in everybody.iter().enumerate() {
        for route in AccessRoute::ALL {
            let asked = ask(route, turn);
            let answer = match &somebody.peer {
                Some(peer) => world.ask(peer, asked).await,
                None => world.ask_unproved(asked).await,
            };
            let may = (somebody.may)(route.callers());
            assert_eq!(
                is_let_in(&answer),
                may,
                "{} asks {route:?}: {} {}",
                somebody.name,
                answer.status,
                answer.text()
            );
            if !may && !route.is_public() {
                let expected = if somebody.peer.is_some() { 403 } else { 401 };
                assert_eq!(answer.status, expected, "{} asks {route:?}", somebody.name);
            }
        }
    }
    // A refusal is recorded, with who and what.
    world.service.record_counted_denials(true).await.unwrap();
    let denied = world.events("auth");
    let has = |who: (&str, &str), action: &str| {
        let is_theirs = |event: &&Value| event[who.0] == who.1 && event["action"] == action;
        denied.iter().filter(is_theirs).count() > 0
    };
    assert!(has(("user", "bob"), "lock:delete"), "{denied:#?}");
    assert!(has(("user", "bob"), "user:update"), "{denied:#?}");
    assert!(has(("user", "bob"), "POST /v1/agent/renew"), "{denied:#?}");
}

fn may_machine(callers: Callers, role: &str) -> bool {
    match callers {
        Callers::Machines(roles) => roles.is_empty() || roles.contains(&role),
        Callers::Everybody(_) | Callers::People | Callers::PeopleAndOperator | Callers::Rules(_) => false,
    }
}

#[tokio::test]
async fn a_pinned_certificate_opens_nothing_from_another_address() {
    let world = World::new().await;
    world.add_user("eve", &["editor"]).await;
    let elsewhere = Some([192, 0, 2, 2].into());
    let elsewhere = world.carrying_pinned("eve", &["editor"], &[], elsewhere).await;
    for route in AccessRoute::ALL.into_iter().filter(|route| !route.is_public()) {
        let answer = world.ask(&elsewhere, ask(route, 0)).await;
        answer.is(401, "unauthenticated");
    }
    let answer = world.ask(&elsewhere, Ask::get("/v1/status")).await;
    assert!(
        answer.text().contains("good from 192.0.2.2 only"),
        "{}",
        answer.text()
    );
    answer.is(401, "unauthenticated");
    let denied = world.events("auth");
    assert_eq!(denied.len(), 1, "counted from then on: {denied:#?}");
    assert_eq!(denied[0]["user"], "eve");
    assert_eq!(denied[0]["addr.remote"], HERE);
    assert!(text(&denied[0]["reason"]).contains("192.0.2.2"), "{denied:#?}");
    let here = Some([192, 0, 2, 1].into());
    let here = world.carrying_pinned("eve", &["editor"], &[], here).await;
    world.ask(&here, Ask::get("/v1/resources/user/eve")).await.ok();
}

#[tokio::test]
async fn what_is_for_everybody_is_served_without_proof_and_nowhere_else() {
    let world = World::new().await;
    for route in AccessRoute::ALL {
        let publicly = world.ask_publicly(ask(route, 0)).await;
        assert_eq!(
            publicly.code() != "no_such_path",
            route.is_public(),
            "{route:?}: {}",
            publicly.text()
        );
        let privately = world.ask(&operator(), ask(route, 1)).await;
        assert_eq!(
            privately.code() != "no_such_path",
            !route.is_public(),
            "{route:?}: {}",
            privately.text()
        );
    }
}

#[tokio::test]
async fn a_machine_neither_adds_nor_removes_people_nor_reads_tokens() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let node = world.machine("web-1", &["node"]).await;
    let mallory = crate::world::user("mallory", &["editor"]);
    let tries = [
        Ask::post("/v1/resources/user", &mallory),
        Ask::put("/v1/resources/user/mallory", &mallory),
        Ask::delete("/v1/resources/user/alice"),
        Ask::get("/v1/resources/user/alice"),
        Ask::get("/v1/resources/user"),
        Ask::get("/v1/resources/token"),
        Ask::get("/v1/resources/role"),
        Ask::post("/v1/tokens", &json!({"roles": ["proxy"]})),
        Ask::post_nothing("/v1/users/alice/invite"),
        Ask::post_nothing("/v1/users/alice/unlock"),
        Ask::get("/v1/nodes"),
        Ask::get("/v1/me"),
    ];
    for asked in tries {
        let what = format!("{} {}", asked.method, asked.path);
        let answer = world.ask(&node.peer, asked).await;
        assert_eq!(answer.said(), (403, "access_denied".to_owned()), "{what}");
    }
    let users = world.ask(&operator(), Ask::get("/v1/resources/user")).await.ok();
    let names: Vec<String> = users["documents"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(names, ["alice"]);
    world.service.record_counted_denials(true).await.unwrap();
    let denied = world.events("auth");
    let of_node = |event: &&Value| event["agent_id"] == node.host_id.as_str();
    let told: Vec<&Value> = denied.iter().filter(of_node).collect();
    assert!(
        told.iter()
            .any(|event| event["action"] == "DELETE /v1/resources/{kind}/{name}"),
        "{denied:#?}"
    );
}

fn name(document: &Value) -> String {
    text(&document["metadata"]["name"])
}

#[tokio::test]
async fn who_may_change_nobody_does_not_learn_who_is_there() {
    let world = World::new().await;
    world.add_user("alice", &["access"]).await;
    let auditor = world.certified("aud", &["access"]).await;
    let mut answers = Vec::new();
    for user in ["alice", "nobody"] {
        for path in [
            format!("/v1/users/{user}/invite"),
            format!("/v1/users/{user}/unlock"),
        ] {
            answers.push(world.ask(&auditor, Ask::post_nothing(path)).await.said());
        }
        let document = format!("/v1/resources/user/{user}");
        answers.push(world.ask(&auditor, Ask::get(document.clone())).await.said());
        answers.push(world.ask(&auditor, Ask::delete(document)).await.said());
    }
    assert!(
        answers
            .iter()
            .all(|said| *said == (403, "access_denied".to_owned())),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_lock_and_a_removal_shut_out_whoever_has_a_certificate() {
    let world = World::new().await;
    let alice = world.certified("alice", &["editor"]).await;
    let node = world.machine("web-1", &["node"]).await;
    assert_eq!(world.ask(&alice, Ask::get("/v1/nodes")).await.status, 200);
    assert_eq!(
        world.ask(&node.peer, Ask::get("/v1/agent/view")).await.status,
        200
    );

    // 1. Locks.
    world.put(lock("no-alice", json!({"user": "alice"}))).await;
    world.put(lock("no-web", json!({"node": node.host_id}))).await;
    let shut = world.ask(&alice, Ask::get("/v1/nodes")).await;
    shut.is(403, "locked");
    assert!(shut.text().contains("not today"), "{}", shut.text());
    world
        .ask(&node.peer, Ask::get("/v1/agent/view"))
        .await
        .is(403, "locked");
    for name in ["no-alice", "no-web"] {
        let path = format!("/v1/resources/lock/{name}");
        world.ask(&operator(), Ask::delete(path)).await.ok();
    }
    assert_eq!(world.ask(&alice, Ask::get("/v1/nodes")).await.status, 200);
    assert_eq!(
        world.ask(&node.peer, Ask::get("/v1/agent/view")).await.status,
        200
    );

    // 2. Removals: the certificates are good as before, and open nothing.
    world
        .ask(&operator(), Ask::delete("/v1/resources/user/alice?force=true"))
        .await
        .ok();
    world
        .ask(
            &operator(),
            Ask::delete(format!("/v1/resources/node/{}", node.host_id)),
        )
        .await
        .ok();
    world.ask(&alice, Ask::get("/v1/nodes")).await.is(403, "locked");
    let gone = world.ask(&node.peer, Ask::get("/v1/agent/view")).await;
    assert_eq!(gone.status, 403, "{}", gone.text());
    // Proxies are told, who let its certificate in otherwise; nobody else is.
    let told = async |roles: &[&str]| {
        let machine = world.machine(roles[0], roles).await;
        world.ask(&machine.peer, Ask::get("/v1/agent/view")).await.ok()
    };
    assert_eq!(told(&["proxy"]).await["removed_hosts"], json!([node.host_id]));
    let other = told(&["node"]).await;
    assert_eq!(
        other.get("removed_hosts").or(other.get("removals")),
        None,
        "{other}"
    );

    // 3. Nobody takes their place while the certificates live.
    let again = Ask::post("/v1/resources/user", &crate::world::user("alice", &["access"]));
    world.ask(&operator(), again).await.is(409, "conflict");
    let token = world
        .ask(&operator(), Ask::post("/v1/tokens", &json!({"roles": ["node"]})))
        .await
        .ok();
    let mut request = join_request(&text(&token["token"]), "web-1", &["node"]);
    request["host_id"] = json!(node.host_id);
    let back = world.ask_publicly(Ask::post("/webapi/join", &request)).await;
    assert!([401, 403, 409].contains(&back.status), "{}", back.text());
    // 30 hours later the certificates have ended, and the name is free.
    world.pass(31 * 3_600);
    let again = Ask::post("/v1/resources/user", &crate::world::user("alice", &["access"]));
    world.ask(&operator(), again).await.ok();
    world
        .ask(&alice, Ask::get("/v1/nodes"))
        .await
        .is(401, "unauthenticated");
}

#[tokio::test]
async fn a_lock_on_a_role_is_on_whoever_has_it_now_and_on_whoever_carries_it() {
    let world = World::new().await;
    let alice = world.certified("alice", &["editor"]).await;
    world.add_user("bob", &["editor"]).await;
    // The one it was given since, and the one that was taken away since.
    world.add_user("alice", &["auditor"]).await;
    for role in ["auditor", "editor"] {
        world.put(lock("a-role", json!({"role": role}))).await;
        for path in ["/v1/me", "/v1/status"] {
            world.ask(&alice, Ask::get(path)).await.is(403, "locked");
        }
        let path = "/v1/resources/lock/a-role";
        world.ask(&operator(), Ask::delete(path)).await.ok();
        let free = world.ask(&alice, Ask::get("/v1/me")).await;
        assert_ne!(free.code(), "locked");
    }
    // Somebody else's is nothing to her.
    world.put(lock("a-role", json!({"role": "access"}))).await;
    assert_ne!(world.ask(&alice, Ask::get("/v1/me")).await.code(), "locked");
}

#[tokio::test]
async fn a_session_is_what_both_the_certificate_and_the_user_allow() {
    let world = World::new().await;
    let role = |name: &str, spec: Value| json!({"kind": "role", "version": "v1", "metadata": {"name": name}, "spec": spec});
    let logs_in = |login: &str| json!({"allow": {"logins": [login], "node_labels": {"*": "*"}}});
    for (name, spec) in [
        ("sees", logs_in("guest")),
        ("roots", logs_in("root")),
        ("denies", json!({"deny": {"logins": ["root"]}})),
        ("passing", logs_in("root")),
    ] {
        world.put(role(name, spec)).await;
    }
    let server = json!({
        "kind": "node", "version": "v1", "metadata": {"name": "old-1"},
        "spec": {"hostname": "old-1", "addr": "192.0.2.9:22", "sub_kind": "openssh"},
    });
    world
        .ask(&operator(), Ask::post("/v1/resources/node", &server))
        .await
        .ok();
    let both = &["guest", "root"][..];
    let begin = async |roles: &[&str], logins: &[&str], login: &str| {
        let peer = world.carrying("alice", roles, logins).await;
        let body = json!({"login": login, "node": "old-1"});
        world.ask(&peer, Ask::post("/v1/me/session/begin", &body)).await
    };
    world.add_user("alice", &["sees", "roots"]).await;
    begin(&["sees", "roots"], both, "root").await.ok();
    begin(&["sees"], both, "guest").await.ok();
    // A narrow certificate does not become everything that the user has.
    begin(&["sees"], both, "root").await.is(403, "access_denied");
    begin(&["sees", "roots"], &["guest"], "root")
        .await
        .is(403, "access_denied");
    // Nor does it give what was taken away, or lose what it forbids.
    begin(&["sees", "passing"], both, "root")
        .await
        .is(403, "access_denied");
    begin(&["roots", "denies"], both, "root")
        .await
        .is(403, "access_denied");
    world
        .ask(&operator(), Ask::delete("/v1/resources/role/denies"))
        .await
        .ok();
    begin(&["roots", "denies"], both, "root")
        .await
        .is(403, "access_denied");
}
