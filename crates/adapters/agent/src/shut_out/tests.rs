use serde_json::json;

use super::*;
use crate::Known;

fn refused(code: &str, message: &str) -> AgentError {
    AgentError::Client(ClientError::Refused {
        status: 403,
        code: code.to_owned(),
        message: message.to_owned(),
        hint: None,
        request_id: "1".to_owned(),
        retry_after: None,
    })
}

#[test]
fn a_machine_that_is_removed_or_locked_lets_nobody_in_and_knows_why() {
    for (code, message, words) in [
        (
            "not_a_member",
            "host h is not a member",
            Some("the host was removed"),
        ),
        (
            "locked",
            "host h is locked: the host was removed",
            Some("the host was removed"),
        ),
        (
            "locked",
            "host h is locked: stolen: call us",
            Some("stolen: call us"),
        ),
        ("locked", "host h is locked", Some("the host is locked")),
        ("access_denied", "no: never", None),
    ] {
        assert_eq!(
            out_of_the_cluster(&refused(code, message)),
            words,
            "{code}: {message}"
        );
    }
}

const HOST: &str = "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11";

fn view() -> AgentView {
    serde_json::from_value(json!({
        "revision": 7, "cluster": "prod.example.com", "roles": [], "locks": [],
        "auth_preference": {}, "networking": {}, "recording": {},
        "trust": {"cluster": "prod.example.com", "keys": [], "clients_use": 1, "servers_use": 1},
    }))
    .unwrap()
}

/// Whether sessions on the machine are refused by what is known, and by which words.
fn locked_by(view: &AgentView) -> Option<String> {
    let known = Known::compile(view).unwrap();
    let subject = access::LockSubject {
        user: Some("alice"),
        node: Some((HOST, "web-1")),
        ..access::LockSubject::default()
    };
    let lock = access::lock_hits(&known.locks, &subject, names::UnixSeconds(0))?;
    Some(lock.spec.message.clone().unwrap_or_default())
}

#[test]
fn what_refuses_the_machine_is_a_lock_on_it_and_nothing_else_is() {
    let refused = |code, message| crate::agent::last_seen(view(), HOST, &refused(code, message)).unwrap();
    let locked = refused("locked", "host h is locked: stolen");
    assert_eq!(locked_by(&locked).as_deref(), Some("stolen"));
    let other = refused("access_denied", "no: never");
    assert_eq!((locked_by(&other), other.revision), (None, 7));
    let away = AgentError::NotUnderstood("nobody answers".to_owned());
    let last = crate::agent::last_seen(view(), HOST, &away).unwrap();
    assert_eq!((locked_by(&last), last.revision), (None, 7));
}

#[test]
fn a_machine_locks_itself_out_once_and_looks_anew_afterwards() {
    let mut seen = view();
    assert!(shut_out(&mut seen, HOST, "stolen").unwrap());
    assert!(!shut_out(&mut seen, HOST, "again").unwrap());
    assert_eq!((seen.locks.len(), seen.revision), (1, 0));
    // What is shown next takes its place, in the same file.
    assert_eq!(locked_by(&view()), None);
}
