//! Who may do what, as the server decides it.

use std::collections::HashSet;
use std::net::SocketAddr;

use api_http::Caller;
use api_http::Permission;
use api_http::Role;
use api_http::permits;
use api_types::Route;
use hyper::Method;

use crate::client::api;
use crate::world::World;

#[tokio::test]
async fn every_route_follows_the_table_and_every_denial_is_recorded() {
    let world = World::start().await;
    let callers: [(&str, &[&str], &[Role]); 4] = [
        ("nobody", &[], &[]),
        ("stranger", &["access"], &[]),
        ("auditor", &["auditor"], &[Role::Auditor]),
        ("editor", &["editor"], &[Role::Editor]),
    ];
    for (name, roles, known) in callers {
        let identity = world.user(name, roles).await;
        let mut connection = api(&world, &identity).await;
        let caller = Caller::Identity {
            user: name.into(),
            roles: known.to_vec(),
            remote: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        let mut denied = HashSet::new();
        for route in Route::ALL {
            let method = match route.method() {
                api_types::Method::Get => Method::GET,
                api_types::Method::Post => Method::POST,
                api_types::Method::Put => Method::PUT,
                api_types::Method::Delete => Method::DELETE,
            };
            let before = world.events("auth").len();
            let path = route
                .path()
                .replace("{id}", "00000000-0000-4000-8000-000000000000");
            let answer = connection.send(method, &path, "").await.unwrap();
            let is_permitted = permits(&caller, Permission::of(route));
            assert_eq!(
                answer.status.as_u16() == 403,
                !is_permitted,
                "{name} {route:?}: {}",
                answer.text()
            );
            let recorded = &world.events("auth")[before..];
            if is_permitted {
                assert!(recorded.is_empty(), "{name} {route:?}");
            } else if !denied.insert(Permission::of(route)) {
                assert_eq!(answer.code(), "access_denied");
                assert!(recorded.is_empty(), "{name} {route:?}: the same within a minute");
            } else {
                assert_eq!(answer.code(), "access_denied");
                assert_eq!(recorded.len(), 1, "{name} {route:?}");
                assert_eq!(recorded[0]["user"], name);
                assert_eq!(recorded[0]["action"], Permission::of(route).as_str());
                assert!(
                    recorded[0]["addr.remote"]
                        .as_str()
                        .unwrap()
                        .starts_with("127.0.0.1:")
                );
            }
        }
    }
}

#[tokio::test]
async fn not_even_an_editor_reads_secrets_from_afar() {
    let world = World::start().await;
    let identity = world.user("ana", &["editor"]).await;
    let mut connection = api(&world, &identity).await;
    assert_eq!(connection.get("/v1/cert_authorities").await.status.as_u16(), 200);
    let denied = connection.get("/v1/cert_authorities?with_secrets=true").await;
    assert_eq!(
        (denied.status.as_u16(), denied.code().as_str()),
        (403, "access_denied")
    );
    assert!(world.events("authority.secrets.read").is_empty());
    assert_eq!(world.events("auth")[0]["action"], "cert_authority:read");
}

#[tokio::test]
async fn what_is_done_is_recorded_with_who_did_it_and_what_allowed_it() {
    let world = World::start().await;
    let identity = world.user("ana", &["editor", "auditor"]).await;
    let mut connection = api(&world, &identity).await;
    let asked = serde_json::json!({"format": "jwt", "subject": "app", "audience": ["x"]});
    assert_eq!(connection.post("/v1/sign", &asked).await.status.as_u16(), 200);
    let events = world.events("cert.create");
    let token = events.iter().find(|event| event["cert_type"] == "jwt").unwrap();
    assert_eq!(
        (token["user"].as_str(), token["allowed_by"].as_str()),
        (Some("ana"), Some("role editor"))
    );
    assert_eq!(token["actor_kind"], "identity");
}

#[tokio::test]
async fn a_fault_tells_a_remote_caller_nothing_of_the_inside() {
    let world = World::start().await;
    let identity = world.user("ana", &["editor"]).await;
    let mut connection = api(&world, &identity).await;
    world.state.fail_writes(true);
    let asked = serde_json::json!({"authority": "jwt", "mode": "manual"});
    let answer = connection.post("/v1/rotations", &asked).await;
    assert_eq!(answer.code(), "storage_unwritable");
    assert!(!answer.text().contains("no space left"), "{}", answer.text());
}
