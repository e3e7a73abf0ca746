//! Machines: joining, and what each may ask and tell.

use audit::Actor;
use cluster::IssueSsh;
use profile::SshProfile;
use profile::SshRequest;
use runtime::Clock;
use serde_json::Value;
use serde_json::json;
use ssh_cert::Certificate;
use ssh_cert::CriticalOptions;
use ssh_cert::OwnFact;
use ssh_cert::Permit;

use crate::world::Ask;
use crate::world::World;
use crate::world::join_request;
use crate::world::operator;
use crate::world::ssh_key;
use crate::world::ssh_line;
use crate::world::text;

#[tokio::test]
async fn a_machine_joins_is_heard_of_and_gets_what_it_decides_by() {
    let world = World::new().await;
    let node = world.machine("web-1", &["node"]).await;
    let view = world.ask(&node.peer, Ask::get("/v1/agent/view")).await.ok();
    assert_eq!(view["cluster"], "test.example.com");
    assert!(view["roles"].as_array().unwrap().len() >= 3, "{view}");
    let beat = json!({"addr": "192.0.2.7:3022", "use_tunnel": false, "version": "1.0.0"});
    let answer = world
        .ask(&node.peer, Ask::post("/v1/agent/heartbeat", &beat))
        .await
        .ok();
    assert_eq!(answer["clients_use"], 1);
    let nodes = world.ask(&operator(), Ask::get("/v1/nodes")).await.ok();
    assert_eq!(nodes[0]["hostname"], "web-1");
    assert_eq!(nodes[0]["online"], true);
    for bad in [
        json!({"trusts": ["zz"], "addr": "", "use_tunnel": false, "version": "1"}),
        json!({"addr": 7, "use_tunnel": false, "version": "1"}),
        json!({"addr": "", "use_tunnel": false, "version": "1", "extra": 1}),
    ] {
        world
            .ask(&node.peer, Ask::post("/v1/agent/heartbeat", &bad))
            .await
            .is(400, "malformed");
    }
}

#[tokio::test]
async fn the_document_of_a_machine_can_be_given_back_and_a_name_that_is_taken_is_no_fault() {
    let world = World::new().await;
    let node = world.machine("web-1", &["node"]).await;
    let beat = json!({"addr": "", "use_tunnel": true, "version": "1.0.0", "labels": {"env": "lab"}});
    let beat = Ask::post("/v1/agent/heartbeat", &beat);
    world.ask(&node.peer, beat).await.ok();
    let nodes = world.ask(&operator(), Ask::get("/v1/resources/node")).await.ok();
    let mut document = nodes["documents"][0].clone();
    let name = text(&document["metadata"]["name"]);
    let path = format!("/v1/resources/node/{name}");
    let put = async |document: &Value| world.ask(&operator(), Ask::put(path.clone(), document)).await;
    put(&document).await.ok();
    document["metadata"].as_object_mut().unwrap().remove("revision");
    document["spec"]["dial_addr"] = json!("10.1.2.3:3022");
    assert_eq!(put(&document).await.ok()["spec"]["dial_addr"], "10.1.2.3:3022");
    let read = world.ask(&operator(), Ask::get(path.clone())).await.ok();
    assert_eq!(read["spec"]["dial_addr"], "10.1.2.3:3022");
    assert_eq!(read["metadata"]["labels"], document["metadata"]["labels"]);
    // What is not an operator's to say is named.
    document["metadata"]["labels"]["env"] = json!("prod");
    document["spec"]["use_tunnel"] = json!(false);
    let refused = put(&document).await;
    for word in [
        "metadata.labels",
        "spec.use_tunnel",
        "operators set spec.dial_addr",
    ] {
        assert!(refused.text().contains(word), "{word}: {}", refused.text());
    }
    refused.is(422, "invalid_document");

    // A second one of the same name is refused as any other document is.
    let create = async |document: &Value| {
        let asked = Ask::post("/v1/resources/node", document);
        world.ask(&operator(), asked).await
    };
    create(&read).await.is(409, "already_exists");
    let openssh = json!({
        "kind": "node", "version": "v1", "metadata": {"name": "db-1"},
        "spec": {"hostname": "db-1", "addr": "192.0.2.9:22", "sub_kind": "openssh"},
    });
    create(&openssh).await.ok();
    let again = create(&openssh).await;
    assert!(again.text().contains("there is a node"), "{}", again.text());
    again.is(409, "already_exists");
    let mut unknown = read.clone();
    unknown["metadata"]["name"] = json!("5e5e5e5e-0000-4000-8000-000000000001");
    let refused = create(&unknown).await;
    assert!(
        refused.text().contains("signetctl nodes add"),
        "{}",
        refused.text()
    );
    refused.is(422, "invalid_document");
}

#[tokio::test]
async fn a_token_gives_what_it_says_once_and_nothing_else() {
    let world = World::new().await;
    let request = world.join_request("web-1", &["node"]).await;
    let token = text(&request["token"]);
    let join = async |body: &Value| world.ask_publicly(Ask::post("/webapi/join", body)).await;
    // 1. Other roles, another name than the request is bound to, another's key, no token of ours.
    let greedy = join_request(&token, "web-1", &["node", "proxy"]);
    join(&greedy).await.is(403, "role_not_given");
    let mut renamed = request.clone();
    renamed["node_name"] = json!("web-2");
    join(&renamed).await.is(400, "no_proof");
    let mut rekeyed = request.clone();
    rekeyed["ssh_public_key"] = json!(ssh_line());
    join(&rekeyed).await.is(400, "no_proof");
    let made_up = join_request(&"5e".repeat(16), "web-1", &["node"]);
    join(&made_up).await.is(401, "bad_token");
    for (field, value) in [
        ("csr", json!("nonsense")),
        ("ssh_public_key", json!("ssh-rsa AAAA")),
        ("roles", json!(["emperor"])),
        ("public_addresses", json!(["not a host"])),
        ("token", json!("")),
    ] {
        let mut bad = request.clone();
        bad[field] = value;
        let answer = join(&bad).await;
        assert!([400, 401].contains(&answer.status), "{field}: {}", answer.text());
    }
    // 2. Once.
    join(&request).await.ok();
    join(&join_request(&token, "web-2", &["node"]))
        .await
        .is(401, "bad_token");
    // 3. Not after its time.
    let late = world.join_request("web-3", &["node"]).await;
    world.pass(31 * 60);
    join(&late).await.is(401, "bad_token");
    for line in world.ledger.lines() {
        assert!(!line.contains(&token), "{line}");
    }
}

#[tokio::test]
async fn a_machine_tells_of_itself_and_of_what_machines_see() {
    let world = World::new().await;
    let node = world.machine("web-1", &["node"]).await;
    let other = world.machine("web-2", &["node"]).await;
    let proxy = world.machine("proxy-1", &["proxy"]).await;
    let tell = async |peer: &api_http::Peer, events: Value| {
        world
            .ask(peer, Ask::post("/v1/agent/events", &json!({"events": events})))
            .await
    };
    let told = |kind: &str, server: &str, number: u32| {
        json!({
            "uid": format!("00000000-0000-4000-8000-{number:012}"), "unix_millis": 1_772_323_200_000_u64,
            "user": "alice", "remote": "192.0.2.1:1",
            "event": {
                "event": kind, "action": "x", "reason": "y", "server_id": server,
            },
        })
    };
    // A denial is told by nodes, too; it has no place for a server of its own, so that it stands for all events here.
    let denial = |number: u32| {
        let mut event = told("auth", "", number);
        event["event"].as_object_mut().unwrap().remove("server_id");
        event
    };
    let plain = tell(&node.peer, json!([denial(1)])).await;
    assert_eq!(plain.status, 200, "{}", plain.text());
    assert!(world.events("auth").iter().any(|event| event["user"] == "alice"));
    // Of another machine, of what the auth service does itself, of nothing, too much.
    tell(&node.peer, json!([told("session.end", &other.host_id, 2)]))
        .await
        .is(400, "malformed");
    tell(&proxy.peer, json!([told("user.create", &other.host_id, 3)]))
        .await
        .is(400, "malformed");
    tell(&node.peer, json!([told("user.login", &node.host_id, 4)]))
        .await
        .is(400, "malformed");
    let mut nameless = denial(5);
    nameless["uid"] = json!("nonsense");
    tell(&node.peer, json!([nameless])).await.is(400, "malformed");
    let crowd: Vec<Value> = (10..511).map(denial).collect();
    tell(&node.peer, json!(crowd)).await.is(400, "malformed");
    tell(&node.peer, json!([])).await.ok();
    // All or nothing: one that cannot be takes the others with it.
    let before = world.ledger.lines().len();
    tell(
        &node.peer,
        json!([denial(6), told("user.login", &node.host_id, 7)]),
    )
    .await
    .is(400, "malformed");
    assert_eq!(world.ledger.lines().len(), before);
    // A clock that is ahead is set back to five minutes from now, one that is behind comes to a month ago. What it said is told.
    let now = world.clock.now();
    for (number, said, told, limit) in [
        (8, 9_999_999_999_999_i64, "2286-11-20T17:46:39.999Z", now.0 + 300),
        (9, i64::MIN, "0000-01-01T00:00:00.000Z", now.0 - 30 * 86_400),
    ] {
        let mut odd = denial(number);
        odd["unix_millis"] = json!(said);
        tell(&node.peer, json!([odd])).await.ok();
        let line: Value = serde_json::from_str(world.ledger.lines().last().unwrap()).unwrap();
        assert_eq!(line["time"], audit::time_text(limit * 1_000));
        assert_eq!(line["told_time"], told);
        assert_eq!(line["received"], audit::time_text(now.0 * 1_000));
    }
}

#[tokio::test]
async fn each_event_names_the_machine_that_told_of_it_and_sessions_are_of_one_machine() {
    let world = World::new().await;
    let node = world.machine("web-1", &["node"]).await;
    let other = world.machine("web-2", &["node"]).await;
    let proxy = world.machine("proxy-1", &["proxy"]).await;
    let tell = async |peer: &api_http::Peer, event: Value| {
        let event = json!({
            "uid": "00000000-0000-4000-8000-000000000001", "unix_millis": 1_772_323_200_000_u64,
            "user": "alice", "remote": "192.0.2.1:1", "event": event,
        });
        world
            .ask(peer, Ask::post("/v1/agent/events", &json!({"events": [event]})))
            .await
    };
    let resized = |sid: &str| json!({"event": "resize", "sid": sid, "terminal_size": "80:25"});
    let denied = json!({"event": "auth", "action": "x", "reason": "y"});
    tell(&node.peer, denied).await.ok();
    tell(&node.peer, resized("session-1")).await.ok();
    for kind in ["auth", "resize"] {
        let told = world.events(kind).pop().unwrap();
        assert_eq!(told["told_by"], node.host_id.as_str(), "{told}");
        assert_eq!(told["actor_kind"], "told");
        assert_eq!(told["user"], "alice");
        assert_eq!(told["addr.remote"], "192.0.2.1:1");
        assert!(told["received"].is_string());
        assert!(told["told_time"].is_null(), "the machine's clock is not far off");
    }
    // A session belongs to the machine that told of it first.
    tell(&other.peer, resized("session-1")).await.is(400, "malformed");
    tell(&proxy.peer, resized("session-1")).await.is(400, "malformed");
    tell(&node.peer, resized("session-1")).await.ok();
    tell(&other.peer, resized(&"s".repeat(65)))
        .await
        .is(400, "malformed");
    // Tunnels are seen by proxies.
    let opened = json!({"event": "tunnel.open", "server_id": node.host_id});
    tell(&node.peer, opened.clone()).await.is(400, "malformed");
    tell(&proxy.peer, opened).await.ok();
    let opened = world.events("tunnel.open").pop().unwrap();
    assert_eq!(
        (&opened["server_id"], &opened["told_by"]),
        (&json!(node.host_id), &json!(proxy.host_id))
    );
}

/// A line that is too long is a refusal that no repetition mends; what machines tell of never comes to that.
#[tokio::test]
async fn whatever_a_machine_tells_of_fits_into_the_log() {
    let world = World::new().await;
    let proxy = world.machine("proxy-1", &["node", "proxy"]).await;
    let long = "\u{1}".repeat(16_000);
    let mut kinds = 0;
    for kind in audit::CATALOGUE {
        let mut event = json!({"event": kind.name});
        for field in kind.fields {
            let (name, value) = match (field.name, field.kind) {
                ("sid", _) => ("sid", json!("session-1")),
                ("server_id", _) => ("server_id", json!(proxy.host_id)),
                ("success", _) => ("outcome", json!({"success": "false", "error": long})),
                (name, "text" | "text, or absent") => (name, json!(long)),
                (name, "time, RFC 3339") => (name, json!("2026-03-01T12:00:00Z")),
                (name, _) => (name, json!(7)),
            };
            event[name] = value;
        }
        let events = json!({"events": [{
            "uid": "00000000-0000-4000-8000-000000000001", "unix_millis": 1_772_323_200_000_u64,
            "user": long, "remote": long, "event": event,
        }]});
        let answer = world
            .ask(&proxy.peer, Ask::post("/v1/agent/events", &events))
            .await;
        if answer.status == 200 {
            kinds += 1;
            let line = world.ledger.lines().pop().unwrap();
            assert!(line.contains("… (16000 bytes, SHA-256 "), "{}", kind.name);
        } else {
            answer.is(400, "malformed");
        }
    }
    assert_eq!(kinds, 16, "as many kinds as machines tell of");
}

#[tokio::test]
async fn a_machine_whose_events_are_not_taken_raises_an_alert() {
    let world = World::new().await;
    let node = world.machine("web-1", &["node"]).await;
    let beat = async |wait: Value| {
        let mut body = json!({"addr": "", "use_tunnel": true, "version": "1"});
        if !wait.is_null() {
            body["events_wait_seconds"] = wait;
        }
        world
            .ask(&node.peer, Ask::post("/v1/agent/heartbeat", &body))
            .await
            .ok();
        let alerts = world.cluster.alerts();
        let id = format!("events-wait/{}", node.host_id);
        alerts.into_iter().find(|alert| alert.id == id)
    };
    assert!(beat(Value::Null).await.is_none());
    assert!(beat(json!(299)).await.is_none());
    let alert = beat(json!(720)).await.unwrap();
    assert!(alert.message.contains("12 minutes"), "{}", alert.message);
    assert!(beat(Value::Null).await.is_none());
}

#[tokio::test]
async fn a_machine_renews_for_itself_with_the_roles_it_has() {
    let world = World::new().await;
    let node = world.machine("web-1", &["node"]).await;
    let request = |roles: &[&str]| {
        let joined = join_request(&"5e".repeat(16), "web-1", roles);
        json!({"csr": joined["csr"], "ssh_public_key": joined["ssh_public_key"], "roles": roles})
    };
    let renew = async |body: &Value| world.ask(&node.peer, Ask::post("/v1/agent/renew", body)).await;
    let greedy = renew(&request(&["node", "proxy"])).await;
    greedy.is(409, "roles_differ");
    let renewed = renew(&request(&["node"])).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert_eq!(renewed.ok()["host_id"], node.host_id.as_str());
    for field in ["csr", "ssh_public_key"] {
        let mut bad = request(&["node"]);
        bad[field] = json!("nonsense");
        renew(&bad).await.is(400, "malformed");
    }
}

#[tokio::test]
async fn only_proxies_get_certificates_for_servers_without_an_agent_and_only_for_those() {
    let world = World::new().await;
    let proxy = world.machine("proxy-1", &["proxy"]).await;
    let node = world.machine("web-1", &["node"]).await;
    let server = json!({
        "kind": "node", "version": "v1", "metadata": {"name": "old-1", "labels": {"env": "prod"}},
        "spec": {"hostname": "old-1", "addr": "192.0.2.9:22", "sub_kind": "openssh"},
    });
    world
        .ask(&operator(), Ask::post("/v1/resources/node", &server))
        .await
        .ok();
    let path = "/v1/agent/openssh_host_certificate";
    let wanted = |host: &str| json!({"host_id": host, "ssh_public_key": ssh_line()});
    let shown = world
        .ask(&proxy.peer, Ask::post(path, &wanted("old-1")))
        .await
        .ok();
    assert!(text(&shown["ssh_certificate"]).contains("-cert-v01@openssh.com "));
    for other in [node.host_id.as_str(), "web-1", "nowhere"] {
        let answer = world.ask(&proxy.peer, Ask::post(path, &wanted(other))).await;
        answer.is(404, "not_found");
    }
    world
        .ask(&node.peer, Ask::post(path, &wanted("old-1")))
        .await
        .is(403, "access_denied");
    // For a person it takes the person's own certificate.
    let path = "/v1/agent/openssh_certificate";
    let of_nobody = json!({
        "user_certificate": "nonsense", "login": "root", "host_id": "old-1", "ssh_public_key": ssh_line(),
        "source": "192.0.2.1",
    });
    world
        .ask(&proxy.peer, Ask::post(path, &of_nobody))
        .await
        .is(400, "malformed");
    // The host certificate that was just issued is no person's.
    let mut of_host = of_nobody;
    of_host["user_certificate"] = shown["ssh_certificate"].clone();
    let answer = world.ask(&proxy.peer, Ask::post(path, &of_host)).await;
    assert!([400, 403].contains(&answer.status), "{}", answer.text());
}

#[tokio::test]
async fn a_role_that_is_gone_or_does_not_read_forbids_whatever_it_may_have_forbidden() {
    let world = World::new().await;
    let proxy = world.machine("proxy-1", &["proxy"]).await;
    let logs_in = json!({"allow": {"logins": ["root"], "node_labels": {"*": "*"}}});
    world
        .put(json!({"kind": "role", "version": "v1", "metadata": {"name": "roots"}, "spec": logs_in}))
        .await;
    let server = json!({
        "kind": "node", "version": "v1", "metadata": {"name": "old-1"},
        "spec": {"hostname": "old-1", "addr": "192.0.2.9:22", "sub_kind": "openssh"},
    });
    world
        .ask(&operator(), Ask::post("/v1/resources/node", &server))
        .await
        .ok();
    let ask = async |roles: &[&str], traits: Option<&str>| {
        let facts = traits.map(|traits| (OwnFact::Traits.name(), traits.to_owned()));
        let issue = IssueSsh {
            request: SshRequest::User {
                profile: SshProfile::User,
                user: "alice".parse().unwrap(),
                logins: vec!["root".parse().unwrap()],
                roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
                critical_options: CriticalOptions::default(),
                permits: vec![Permit::Pty],
                facts: facts.into_iter().collect(),
            },
            subject_key: ssh_key(),
            ttl: None,
            allowed_by: "a test".into(),
        };
        let issued = world.cluster.issue_ssh(&Actor::System, &issue).await.unwrap();
        let line = Certificate::from_blob(&issued.document).unwrap().to_line("");
        let body = json!({
            "user_certificate": line, "login": "root", "host_id": "old-1", "ssh_public_key": ssh_line(),
            "source": "192.0.2.1",
        });
        world
            .ask(&proxy.peer, Ask::post("/v1/agent/openssh_certificate", &body))
            .await
    };
    ask(&["roots"], None).await.ok();
    ask(&["roots"], Some("{\"team\":[\"a\"]}")).await.ok();
    let gone = ask(&["roots", "denies"], None).await;
    gone.is(403, "access_denied");
    assert!(
        gone.text()
            .contains("the role denies in the certificate is not known here"),
        "{}",
        gone.text()
    );
    let unread = ask(&["roots"], Some("nonsense")).await;
    unread.is(403, "access_denied");
    assert!(
        unread
            .text()
            .contains("the traits in the certificate do not read"),
        "{}",
        unread.text()
    );
}
