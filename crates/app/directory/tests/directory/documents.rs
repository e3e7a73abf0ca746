use std::sync::Arc;

use directory::Directory;
use directory::DirectoryError;
use directory::Put;
use directory::Refusal;
use names::Ttl;
use resource::AnyDocument;
use resource::Kind;
use serde_json::json;

use crate::support::World;
use crate::support::actor;
use crate::support::code;
use crate::support::lock;
use crate::support::name;
use crate::support::role;
use crate::support::user;

#[tokio::test]
async fn presets_are_made_once_and_stay_as_they_were_edited_or_removed() {
    let world = World::new().await;
    for preset in ["access", "editor", "auditor"] {
        world.get(Kind::Role, preset).await;
    }
    let mut access = world.get(Kind::Role, "access").await;
    access.metadata_mut().description = Some("ours".into());
    world.directory.put(&actor(), access, Put::Update).await.unwrap();
    let delete = directory::Delete::default();
    world
        .directory
        .delete(&actor(), Kind::Role, &name("auditor"), delete)
        .await
        .unwrap();

    let again = Directory::open(world.cluster.clone(), world.state.clone())
        .await
        .unwrap();
    let access = again.get(Kind::Role, &name("access")).await.unwrap();
    assert_eq!(access.metadata().description.as_deref(), Some("ours"));
    assert_eq!(code(again.get(Kind::Role, &name("auditor")).await), "not_found");
}

#[tokio::test]
async fn a_written_document_reads_back_with_its_revision_and_its_event_before_it() {
    let world = World::new().await;
    let written = world.create(user("alice", &["access"])).await;
    assert_eq!(written, world.get(Kind::User, "alice").await);
    assert!(written.metadata().revision.is_some());
    let AnyDocument::User(alice) = &written else {
        panic!()
    };
    assert_eq!(alice.spec.created_by.as_deref(), Some("root"));
    let event = world.events().await.pop().unwrap();
    assert_eq!(event["event"], "user.create");
    assert_eq!(event["success"], true);
    assert_eq!(event["name"], "alice");
    assert_eq!(event["roles"], json!(["access"]));
}

#[tokio::test]
async fn what_changes_nothing_is_not_recorded() {
    let world = World::new().await;
    let written = world.create(user("alice", &["access"])).await;
    let before = world.events().await.len();
    let again = world.put(user("alice", &["access"]), Put::Upsert).await.unwrap();
    assert_eq!(again, written);
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test]
async fn i8_a_change_decided_on_an_old_revision_is_refused() {
    let world = World::new().await;
    let first = world.create(role("web", &["root"])).await;
    let mut mine = first.clone();
    let mut theirs = first;
    theirs.metadata_mut().description = Some("theirs".into());
    mine.metadata_mut().description = Some("mine".into());
    world.directory.put(&actor(), theirs, Put::Update).await.unwrap();
    assert_eq!(
        code(world.directory.put(&actor(), mine.clone(), Put::Update).await),
        "conflict"
    );
    assert_eq!(
        code(world.directory.put(&actor(), mine.clone(), Put::Upsert).await),
        "conflict"
    );
    let stale = directory::Delete {
        revision: mine.metadata().revision,
        force: true,
    };
    let deleted = world
        .directory
        .delete(&actor(), Kind::Role, &name("web"), stale)
        .await;
    assert_eq!(code(deleted), "conflict");
    let stands = world.get(Kind::Role, "web").await;
    assert_eq!(stands.metadata().description.as_deref(), Some("theirs"));

    // Of many who change the same revision at once, one succeeds.
    let mut tasks = Vec::new();
    for number in 0..32 {
        let mut change = stands.clone();
        change.metadata_mut().description = Some(number.to_string());
        let directory = Arc::clone(&world.directory);
        tasks.push(tokio::spawn(async move {
            directory.put(&actor(), change, Put::Update).await.is_ok()
        }));
    }
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn what_is_there_is_not_created_and_what_is_not_there_is_not_updated() {
    let world = World::new().await;
    world.create(lock("fishing", "alice")).await;
    assert_eq!(
        code(world.put(lock("fishing", "bob"), Put::Create).await),
        "already_exists"
    );
    assert_eq!(
        code(world.put(lock("hunting", "bob"), Put::Update).await),
        "not_found"
    );
    world.put(lock("hunting", "bob"), Put::Upsert).await.unwrap();
    world.put(lock("hunting", "carol"), Put::Upsert).await.unwrap();
    assert_eq!(
        world.last_events(3).await,
        [
            "lock.created fishing true",
            "lock.created hunting true",
            "lock.updated hunting true"
        ]
    );
}

#[tokio::test]
async fn a_user_has_only_roles_that_exist() {
    let world = World::new().await;
    let refused = world
        .put(user("alice", &["acess"]), Put::Create)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("did you mean \"access\"?"),
        "{refused}"
    );
    let twice = world.put(user("alice", &["access", "access"]), Put::Create).await;
    assert_eq!(code(twice), "invalid_document");
}

#[tokio::test]
async fn a_role_that_does_not_compile_is_refused() {
    let world = World::new().await;
    let refused = world
        .put(role("web", &["{{nonsense"]), Put::Create)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("spec.allow.logins[0]"), "{refused}");
    let mut ending = role("web", &["root"]);
    ending["metadata"]["expires"] = json!("2030-01-01T00:00:00Z");
    assert_eq!(code(world.put(ending, Put::Create).await), "invalid_document");
}

#[tokio::test]
async fn a_setting_is_its_default_until_it_is_written_and_again_when_it_is_removed() {
    let world = World::new().await;
    let usual = world
        .get(Kind::ClusterAuthPreference, "cluster-auth-preference")
        .await;
    assert_eq!(usual.metadata().revision, None);
    let listed = world
        .directory
        .list(Kind::ClusterAuthPreference, None, 10)
        .await
        .unwrap();
    assert_eq!(listed.documents, std::slice::from_ref(&usual));

    let mut strict = usual.clone();
    let AnyDocument::ClusterAuthPreference(preference) = &mut strict else {
        panic!()
    };
    preference.spec.require_session_mfa = true;
    preference.spec.lockout.attempts = 3;
    let written = world.directory.put(&actor(), strict, Put::Upsert).await.unwrap();
    assert_eq!(
        written,
        world
            .get(Kind::ClusterAuthPreference, "cluster-auth-preference")
            .await
    );
    assert!(world.directory.view().auth_preference.require_session_mfa);
    let event = world.events().await.pop().unwrap();
    assert_eq!(event["event"], "auth_preference.update");
    assert_eq!(
        event["changes"],
        json!([
            "spec.lockout.attempts: 5 -> 3",
            "spec.require_session_mfa: false -> true"
        ])
    );

    let only = name("cluster-auth-preference");
    let delete = directory::Delete::default();
    for _ in 0..2 {
        world
            .directory
            .delete(&actor(), Kind::ClusterAuthPreference, &only, delete)
            .await
            .unwrap();
    }
    assert_eq!(
        world
            .get(Kind::ClusterAuthPreference, "cluster-auth-preference")
            .await,
        usual
    );
    assert!(!world.directory.view().auth_preference.require_session_mfa);
}

#[tokio::test]
async fn users_and_locks_end_by_themselves() {
    let world = World::new().await;
    let mut ending = lock("fishing", "alice");
    ending["metadata"]["expires"] = json!(world.now().plus(Ttl::from_hours(1)).to_string());
    world.create(ending.clone()).await;
    let mut guest = user("guest", &["access"]);
    guest["metadata"]["expires"] = json!(world.now().plus(Ttl::from_hours(1)).to_string());
    world.create(guest).await;
    assert!(world.directory.access_set(&name("guest")).await.is_ok());
    world.clock.advance(Ttl::from_hours(2));
    assert_eq!(
        code(world.directory.get(Kind::Lock, &name("fishing")).await),
        "not_found"
    );
    assert_eq!(
        code(world.directory.access_set(&name("guest")).await.map(|_| ())),
        "not_found"
    );
    assert_eq!(code(world.put(ending, Put::Create).await), "invalid_document");
}

#[tokio::test]
async fn documents_are_listed_in_pages() {
    let world = World::new().await;
    for number in 0..25 {
        world
            .create(user(&format!("user-{number:02}"), &["access"]))
            .await;
    }
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = world
            .directory
            .list(Kind::User, after.as_ref(), 10)
            .await
            .unwrap();
        names.extend(page.documents.iter().map(|user| user.metadata().name.to_string()));
        match page.next {
            None => break,
            next => after = next,
        }
    }
    assert_eq!(names, (0..25).map(|n| format!("user-{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn tokens_and_nodes_are_not_written_as_documents() {
    let world = World::new().await;
    let token = json!({ "kind": "token", "version": "v1", "metadata": { "name": "abc" }, "spec": { "roles": ["node"] } });
    assert_eq!(code(world.put(token, Put::Create).await), "not_a_document");
    let node = json!({ "kind": "node", "version": "v1", "metadata": { "name": "web" }, "spec": { "hostname": "web" } });
    assert_eq!(code(world.put(node, Put::Upsert).await), "not_a_document");
}

#[tokio::test]
async fn i6_a_stored_document_that_does_not_read_is_an_error_and_no_permission() {
    let world = World::new().await;
    world.create(role("web", &["root"])).await;
    world.create(user("alice", &["web"])).await;
    let key = directory::key_of(Kind::Role, &name("web")).unwrap();
    let change = state::Change::Put {
        value: br#"{"kind":"role","version":"v9"}"#.to_vec(),
        expires: None,
    };
    let write = state::Write {
        key,
        expect: state::Expect::Anything,
        change,
    };
    world.state.commit(vec![write]).await.unwrap();
    assert!(world.directory.get(Kind::Role, &name("web")).await.is_err());
    let opened = Directory::open(world.cluster.clone(), world.state.clone()).await;
    assert!(opened.is_err());
}

#[tokio::test]
async fn what_demands_a_recording_is_refused_and_what_only_wishes_for_one_is_not() {
    let world = World::new().await;
    let with = |record: serde_json::Value| {
        let mut role = role("web", &["root"]);
        role["spec"]["options"] = json!({ "record_session": record });
        role
    };
    let config = |mode: &str| {
        json!({
            "kind": "session_recording_config", "version": "v1",
            "metadata": { "name": "session-recording-config" }, "spec": { "mode": mode },
        })
    };
    let refused = [
        (
            with(json!({"default": "strict"})),
            "spec.options.record_session.default",
        ),
        (
            with(json!({"default": "best_effort", "ssh": "strict"})),
            "spec.options.record_session.ssh",
        ),
        (config("node-sync"), "spec.mode"),
        (config("proxy-sync"), "spec.mode"),
    ];
    for (document, place) in refused {
        let error = world.put(document, Put::Upsert).await.unwrap_err();
        let DirectoryError::Refused(Refusal::Invalid { problems, .. }) = error else {
            panic!("{error}");
        };
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), 1, "{words:?}");
        assert!(words[0].starts_with(place), "{words:?}");
        assert!(
            words[0].contains("recordings are not in this version"),
            "{words:?}"
        );
    }
    let accepted = [
        with(json!({"default": "best_effort", "ssh": "best_effort"})),
        config("off"),
        config("node"),
        config("proxy"),
    ];
    for document in accepted {
        world.put(document, Put::Upsert).await.unwrap();
    }
}

#[tokio::test]
async fn settings_that_nothing_reads_are_refused_and_their_defaults_are_not() {
    let world = World::new().await;
    let settings = |kind: &str, spec: serde_json::Value| {
        let name = kind.replace('_', "-");
        json!({ "kind": kind, "version": "v1", "metadata": { "name": name }, "spec": spec })
    };
    let preference = |spec| settings("cluster_auth_preference", spec);
    let networking = |spec| settings("cluster_networking_config", spec);
    for (document, place) in [
        (
            preference(json!({"webauthn": {"rp_id": "example.com"}})),
            "spec.webauthn.rp_id",
        ),
        (
            networking(json!({"session_control_timeout": "10m"})),
            "spec.session_control_timeout",
        ),
    ] {
        let error = world.put(document, Put::Upsert).await.unwrap_err();
        let DirectoryError::Refused(Refusal::Invalid { problems, .. }) = error else {
            panic!("{error}");
        };
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), 1, "{words:?}");
        assert!(
            words[0].starts_with(place) && words[0].contains("is not read in this version"),
            "{words:?}"
        );
    }
    // What `get` prints is taken back.
    for document in [
        preference(json!({"webauthn": {}})),
        networking(json!({"session_control_timeout": "2m", "keep_alive_interval": "1m"})),
    ] {
        world.put(document, Put::Upsert).await.unwrap();
    }
}
