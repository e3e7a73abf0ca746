use directory::Delete;
use directory::Put;
use resource::Kind;
use state::Change;
use state::Expect;
use state::StateKey;
use state::Write;

use crate::support::World;
use crate::support::actor;
use crate::support::code;
use crate::support::lock;
use crate::support::name;
use crate::support::role;
use crate::support::user;

const FORCE: Delete = Delete {
    revision: None,
    force: true,
};

async fn store(world: &World, paths: impl IntoIterator<Item = String>) {
    for path in paths {
        let write = Write {
            key: StateKey::parse(&path).unwrap(),
            expect: Expect::Anything,
            change: Change::Put {
                value: b"{}".to_vec(),
                expires: None,
            },
        };
        world.state.commit(vec![write]).await.unwrap();
    }
}

async fn is_there(world: &World, path: &str) -> bool {
    let key = StateKey::parse(path).unwrap();
    world.state.get(&key).await.unwrap().is_some()
}

#[tokio::test]
async fn a_users_credentials_go_with_the_user() {
    let world = World::new().await;
    for count in [3, 250] {
        world.create(user("alice", &["access"])).await;
        world.put(user("alice2", &["access"]), Put::Upsert).await.unwrap();
        store(
            &world,
            ["identity/user/alice".into(), "identity/user/alice2".into()],
        )
        .await;
        store(
            &world,
            (0..count).map(|n| format!("identity/user/alice/factor/{n}")),
        )
        .await;
        store(&world, ["identity/user/alice2/password".into()]).await;
        let delete = Delete::default();
        world
            .directory
            .delete(&actor(), Kind::User, &name("alice"), delete)
            .await
            .unwrap();
        assert!(!is_there(&world, "identity/user/alice").await);
        for number in 0..count {
            assert!(!is_there(&world, &format!("identity/user/alice/factor/{number}")).await);
        }
        assert!(is_there(&world, "identity/user/alice2").await);
        assert!(is_there(&world, "identity/user/alice2/password").await);
        assert_eq!(world.last_events(1).await, ["user.delete alice true"]);
        assert_eq!(
            code(world.directory.get(Kind::User, &name("alice")).await),
            "not_found"
        );
    }
}

#[tokio::test]
async fn a_role_that_is_held_stays_or_is_taken_from_its_holders() {
    let world = World::new().await;
    world.create(role("web", &["root"])).await;
    for holder in ["alice", "bob"] {
        world.create(user(holder, &["access", "web"])).await;
    }
    let held = world
        .directory
        .delete(&actor(), Kind::Role, &name("web"), Delete::default())
        .await
        .unwrap_err();
    assert!(held.to_string().contains("alice, bob"), "{held}");
    world
        .directory
        .delete(&actor(), Kind::Role, &name("web"), FORCE)
        .await
        .unwrap();
    assert_eq!(
        world.last_events(3).await,
        [
            "role.deleted web true",
            "user.update alice true",
            "user.update bob true"
        ]
    );
    let set = world.directory.access_set(&name("alice")).await.unwrap();
    assert_eq!(
        set.roles().map(|role| role.as_str()).collect::<Vec<_>>(),
        ["access"]
    );
}

#[tokio::test]
async fn the_last_editor_stays() {
    let world = World::new().await;
    world.create(user("alice", &["editor"])).await;
    let mut guest = user("guest", &["editor"]);
    guest["metadata"]["expires"] = "2030-01-01T00:00:00Z".into();
    world.create(guest).await;
    let delete = |who: &'static str, how| {
        let directory = world.directory.clone();
        async move { directory.delete(&actor(), Kind::User, &name(who), how).await }
    };
    assert_eq!(code(delete("alice", Delete::default()).await), "last_editor");
    assert_eq!(
        code(world.put(user("alice", &["access"]), Put::Update).await),
        "last_editor"
    );
    let mut ending = user("alice", &["editor"]);
    ending["metadata"]["expires"] = "2030-01-01T00:00:00Z".into();
    assert_eq!(code(world.put(ending, Put::Update).await), "last_editor");
    world.create(user("bob", &["editor"])).await;
    delete("alice", Delete::default()).await.unwrap();
    assert_eq!(code(delete("bob", Delete::default()).await), "last_editor");
    delete("bob", FORCE).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_not_removed() {
    let world = World::new().await;
    let gone = world
        .directory
        .delete(&actor(), Kind::Lock, &name("fishing"), Delete::default())
        .await;
    assert_eq!(code(gone), "not_found");
    world.create(lock("fishing", "alice")).await;
    world
        .directory
        .delete(&actor(), Kind::Lock, &name("fishing"), Delete::default())
        .await
        .unwrap();
    let event = world.events().await.pop().unwrap();
    assert_eq!(
        (&event["event"], &event["target"]),
        (&"lock.deleted".into(), &"user=alice".into())
    );
}
