use std::sync::Arc;

use access::{AccessSet, RESOURCES, Role, SessionView, Verb, WhereContext, presets};
use names::Ttl;
use resource::{Document, RoleSpec};
use serde_json::json;

use crate::{labels, names, user, web};

fn bearer_of(name: &str) -> AccessSet {
    let document = presets()
        .into_iter()
        .find(|preset| preset.metadata.name.as_str() == name)
        .unwrap();
    AccessSet::new(
        vec![Arc::new(Role::parse(&document).unwrap())],
        &user(json!({"logins": ["root", "alice"]})),
    )
}

#[test]
fn presets_are_documents_like_any_other() {
    let presets = presets();
    assert_eq!(
        presets.clone().map(|preset| preset.metadata.name.to_string()),
        ["access", "editor", "auditor"]
    );
    for preset in presets {
        let read = Document::<RoleSpec>::from_value(serde_json::to_value(&preset).unwrap()).unwrap();
        assert_eq!(read, preset);
        assert!(Role::parse(&preset).is_ok());
    }
}

#[test]
fn access_logs_in_everywhere_by_its_own_logins_and_sees_its_own_sessions() {
    let set = bearer_of("access");
    assert_eq!(names(&set.logins()), ["alice", "root"]);
    for node in [labels(json!({})), labels(json!({"env": "prod"}))] {
        assert!(set.login_to_node(&web(&node), "root").is_allowed());
        assert!(!set.login_to_node(&web(&node), "postgres").is_allowed());
    }
    let options = set.options();
    assert!(
        options.forward_agent
            && options.port_forwarding.local
            && options.port_forwarding.remote
            && options.ssh_file_copy
    );
    assert_eq!(options.max_session_ttl, Ttl::from_hours(30));
    let mut seen = Vec::new();
    for participants in [["alice".to_owned()], ["bob".to_owned()]] {
        let session = Some(SessionView {
            participants: &participants,
        });
        seen.push(
            set.may(
                "session",
                Verb::Read,
                &WhereContext {
                    resource: None,
                    session,
                },
            )
            .is_allowed(),
        );
    }
    assert_eq!(seen, [true, false]);
    for resource in ["user", "role", "token", "lock", "cert_authority", "event", "key"] {
        assert!(
            Verb::ALL
                .iter()
                .all(|verb| !set.may_some(resource, *verb).is_allowed()),
            "{resource}"
        );
    }
}

#[test]
fn editor_changes_everything_and_neither_reads_the_log_nor_logs_in() {
    let set = bearer_of("editor");
    let nothing = WhereContext::default();
    for resource in ["user", "role", "token", "node", "lock", "cluster_auth_preference"] {
        for verb in [Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete] {
            assert!(
                set.may(resource, verb, &nothing).is_allowed(),
                "{verb} {resource}"
            );
        }
    }
    for verb in [Verb::Rotate, Verb::Sign, Verb::ReadNoSecrets] {
        assert!(set.may("cert_authority", verb, &nothing).is_allowed());
    }
    assert!(!set.may("cert_authority", Verb::Read, &nothing).is_allowed());
    for resource in ["event", "session", "recording"] {
        assert!(
            Verb::ALL
                .iter()
                .all(|verb| !set.may_some(resource, *verb).is_allowed()),
            "{resource}"
        );
    }
    assert!(set.logins().is_empty());
}

#[test]
fn auditor_reads_what_happened_and_changes_nothing() {
    let set = bearer_of("auditor");
    let nothing = WhereContext::default();
    for resource in ["event", "session", "recording"] {
        for verb in [Verb::List, Verb::Read] {
            assert!(set.may(resource, verb, &nothing).is_allowed());
        }
    }
    for resource in RESOURCES {
        for verb in [
            Verb::Create,
            Verb::Update,
            Verb::Delete,
            Verb::Rotate,
            Verb::Sign,
            Verb::Use,
        ] {
            assert!(
                !set.may(resource, verb, &nothing).is_allowed(),
                "{verb} {resource}"
            );
        }
    }
    assert!(set.logins().is_empty());
}
