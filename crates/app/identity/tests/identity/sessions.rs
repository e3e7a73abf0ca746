use identity::Granted;
use identity::Refusal;
use serde_json::json;

use crate::world::Home;
use crate::world::World;
use crate::world::name;
use crate::world::operator;
use crate::world::refusal;

async fn begin(world: &World, alice: &Home) -> String {
    world.pass(30);
    match world.login_alice(alice).await.unwrap().granted {
        Granted::WebSession(session) => session.bearer.expose().to_string(),
        Granted::Certificates(_) => panic!("certificates"),
    }
}

#[tokio::test]
async fn a_session_ends_by_rest() {
    let (world, alice) = World::with_alice().await;
    let bearer = begin(&world, &alice).await;
    for _ in 0..5 {
        world.pass(29 * 60);
        world.identity.session(&bearer).await.unwrap();
    }
    world.pass(30 * 60);
    assert_eq!(
        refusal(world.identity.session(&bearer).await),
        Refusal::SessionGone
    );
}

#[tokio::test]
async fn a_session_ends_for_good_after_twelve_hours() {
    let (world, alice) = World::with_alice().await;
    let bearer = begin(&world, &alice).await;
    for _ in 0..12 * 6 - 1 {
        world.pass(600);
        world.identity.session(&bearer).await.unwrap();
    }
    world.pass(600);
    assert_eq!(
        refusal(world.identity.session(&bearer).await),
        Refusal::SessionGone
    );
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let (world, alice) = World::with_alice().await;
    let first = begin(&world, &alice).await;
    let second = begin(&world, &alice).await;
    let user = name("alice");
    let listed = world.identity.sessions(&user).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].source, "192.0.2.1");
    assert_eq!(listed[0].id, world.identity.session(&first).await.unwrap().id);
    let end = async |id: &str| {
        world
            .identity
            .session_end_by_id(&operator(), &user, id, "asked")
            .await
    };
    end(&listed[0].id).await.unwrap();
    assert_eq!(refusal(end(&listed[0].id).await), Refusal::SessionGone);
    assert_eq!(
        refusal(world.identity.session(&first).await),
        Refusal::SessionGone
    );
    world.identity.session(&second).await.unwrap();
    world.identity.session_end(&operator(), &second).await.unwrap();
    world.identity.session_end(&operator(), &second).await.unwrap();
    assert_eq!(
        refusal(world.identity.session(&second).await),
        Refusal::SessionGone
    );
    assert_eq!(world.identity.sessions(&user).await.unwrap(), []);
    assert_eq!(world.events("web_session.delete").len(), 2);
}

#[tokio::test]
async fn a_lock_ends_sessions() {
    let (world, alice) = World::with_alice().await;
    let bearer = begin(&world, &alice).await;
    world.lock(json!({ "user": "alice" })).await;
    assert_eq!(
        refusal(world.identity.session(&bearer).await),
        Refusal::SessionGone
    );
}

#[tokio::test]
async fn a_session_knows_the_roles_of_now() {
    let (world, alice) = World::with_alice().await;
    let bearer = begin(&world, &alice).await;
    let before = world.identity.session(&bearer).await.unwrap().person;
    assert_eq!(before.roles[0].as_str(), "developer");
    world
        .put(json!({
            "kind": "user", "version": "v1", "metadata": { "name": "alice" },
            "spec": { "roles": ["auditor"], "traits": { "logins": ["alice"] } },
        }))
        .await;
    let after = world.identity.session(&bearer).await.unwrap().person;
    assert_eq!(after.roles[0].as_str(), "auditor");
}

#[tokio::test]
async fn the_thirty_third_session_ends_the_first() {
    let (world, alice) = World::with_alice().await;
    let mut bearers = Vec::new();
    // All within the rest a session may have.
    for _ in 0..33 {
        bearers.push(begin(&world, &alice).await);
    }
    assert_eq!(world.identity.sessions(&name("alice")).await.unwrap().len(), 32);
    assert_eq!(
        refusal(world.identity.session(&bearers[0]).await),
        Refusal::SessionGone
    );
    world.identity.session(&bearers[1]).await.unwrap();
    world.identity.session(&bearers[32]).await.unwrap();
}

#[tokio::test]
async fn what_is_no_bearer_is_no_session() {
    let (world, _alice) = World::with_alice().await;
    for bad in ["", "x", &"A".repeat(43), "../user/alice"] {
        assert_eq!(refusal(world.identity.session(bad).await), Refusal::SessionGone);
    }
}
