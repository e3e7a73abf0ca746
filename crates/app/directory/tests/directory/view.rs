use std::sync::Arc;
use std::time::Duration;

use audit::Actor;
use authority::AuthorityType;
use cluster::RotateRequest;
use cluster::Step;
use directory::Delete;
use directory::Put;
use resource::Kind;
use rotation::Phase;

use crate::support::World;
use crate::support::actor;
use crate::support::lock;
use crate::support::name;
use crate::support::role;
use crate::support::user;

/// Far more than any of this takes on a machine that works.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_view_has_roles_and_locks_and_no_user() {
    let world = World::new().await;
    world.create(user("alice", &["access"])).await;
    world.create(lock("fishing", "alice")).await;
    world.create(role("web", &["root"])).await;
    let view = world.directory.view();
    let roles: Vec<&str> = view
        .roles
        .iter()
        .map(|role| role.metadata.name.as_str())
        .collect();
    assert_eq!(roles, ["access", "auditor", "editor", "web"]);
    assert_eq!(view.locks.len(), 1);
    let printed = serde_json::to_value(view.as_ref()).unwrap();
    let read: directory::AccessView = serde_json::from_value(printed).unwrap();
    assert_eq!(read, *view);
}

#[tokio::test]
async fn whoever_waits_sees_the_next_change_and_only_changes_that_concern_the_view() {
    let world = World::new().await;
    // Whoever has nothing, or what is no longer known here, is answered at once.
    let first = world.directory.wait_beyond(0).await.unwrap();
    assert_eq!(
        world.directory.wait_beyond(first.revision + 1_000).await.unwrap(),
        first
    );

    let waiting = |revision| {
        let directory = Arc::clone(&world.directory);
        tokio::spawn(async move { directory.wait_beyond(revision).await.unwrap() })
    };
    let mut waiters: Vec<_> = (0..100).map(|_| waiting(first.revision)).collect();
    tokio::task::yield_now().await;
    // The one that waits on the store may go away at any time.
    waiters.remove(0).abort();
    world.create(user("alice", &["access"])).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()));

    world.create(lock("fishing", "alice")).await;
    for waiter in waiters {
        let view = tokio::time::timeout(PATIENCE, waiter).await.unwrap().unwrap();
        assert_eq!(view.locks.len(), 1);
        assert!(view.revision > first.revision);
    }
}

#[tokio::test]
async fn whoever_waits_sees_what_another_handle_writes_and_what_is_removed() {
    let world = World::new().await;
    let other = directory::Directory::open(world.cluster.clone(), world.state.clone())
        .await
        .unwrap();
    world.create(lock("fishing", "alice")).await;
    let seen = tokio::time::timeout(PATIENCE, other.wait_beyond(other.view().revision))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.locks.len(), 1);
    world
        .directory
        .delete(&actor(), Kind::Lock, &name("fishing"), Delete::default())
        .await
        .unwrap();
    let seen = tokio::time::timeout(PATIENCE, other.wait_beyond(seen.revision))
        .await
        .unwrap()
        .unwrap();
    assert!(seen.locks.is_empty());
}

#[tokio::test]
async fn whoever_waits_is_told_of_rotations() {
    let world = World::new().await;
    let revision = world.directory.view().revision;
    let directory = Arc::clone(&world.directory);
    let waiter = tokio::spawn(async move { directory.wait_beyond(revision).await.unwrap() });
    let request = RotateRequest::new(AuthorityType::Host, Step::To(Phase::Init));
    world.cluster.rotate(&Actor::System, &request).await.unwrap();
    let view = tokio::time::timeout(PATIENCE, waiter).await.unwrap().unwrap();
    assert!(view.revision > revision);
}

#[tokio::test]
async fn a_changed_role_decides_at_once() {
    let world = World::new().await;
    world.create(role("web", &["root"])).await;
    world.create(user("alice", &["web"])).await;
    let logins = |set: access::AccessSet| set.logins().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        logins(world.directory.access_set(&name("alice")).await.unwrap()),
        ["root"]
    );
    world.put(role("web", &["deploy"]), Put::Update).await.unwrap();
    assert_eq!(
        logins(world.directory.access_set(&name("alice")).await.unwrap()),
        ["deploy"]
    );
}
