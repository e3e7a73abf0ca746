use access::{LockSubject, lock_hits};
use names::UnixSeconds;
use resource::{Document, LockSpec};
use serde_json::{Value, json};

const NOW: UnixSeconds = UnixSeconds(1_772_366_400);
const FIELDS: [&str; 5] = ["user", "role", "login", "node", "mfa_device"];

fn lock(name: &str, target: Value, expires: Option<UnixSeconds>) -> Document<LockSpec> {
    let metadata = match expires {
        Some(end) => json!({"name": name, "expires": end}),
        None => json!({ "name": name }),
    };
    serde_json::from_value(
        json!({"kind": "lock", "version": "v1", "metadata": metadata, "spec": {"target": target}}),
    )
    .unwrap()
}

const ROLES: [&str; 2] = ["access", "editor"];

/// A subject with those of the five fields whose bit is set.
fn subject(bits: usize) -> LockSubject<'static> {
    let has = |field: usize| bits >> field & 1 == 1;
    LockSubject {
        user: has(0).then_some("alice"),
        roles: if has(1) { &ROLES } else { &[] },
        login: has(2).then_some("root"),
        node: has(3).then_some(("id-1", "web-1")),
        mfa_device: has(4).then_some("key-1"),
    }
}

#[test]
fn a_lock_hits_when_everything_it_names_is_there_and_matches_in_every_combination() {
    let right = ["alice", "editor", "root", "web-1", "key-1"];
    // Each field of the target: not named, the right value, a wrong value.
    for target_code in 0..3usize.pow(5) {
        let mut target = serde_json::Map::new();
        let mut named = 0;
        let mut wrong = false;
        for (field, name) in FIELDS.iter().enumerate() {
            match target_code / 3usize.pow(u32::try_from(field).unwrap()) % 3 {
                0 => {}
                1 => {
                    target.insert((*name).to_owned(), json!(right[field]));
                    named |= 1 << field;
                }
                _ => {
                    target.insert((*name).to_owned(), json!("somebody"));
                    wrong = true;
                }
            }
        }
        let lock = lock("l", Value::Object(target), None);
        for bits in 0..32 {
            let expected = named != 0 && !wrong && named & bits == named;
            assert_eq!(
                lock_hits([&lock], &subject(bits), NOW).is_some(),
                expected,
                "{lock:?} {bits:05b}"
            );
        }
    }
}

#[test]
fn a_node_is_named_by_its_id_or_its_hostname() {
    for (name, hit) in [("id-1", true), ("web-1", true), ("web", false), ("", false)] {
        let lock = lock("l", json!({"node": name}), None);
        assert_eq!(
            lock_hits([&lock], &subject(0b01000), NOW).is_some(),
            hit,
            "{name}"
        );
    }
}

#[test]
fn a_lock_ends_at_its_expiry() {
    let target = json!({"user": "alice"});
    let ended = lock("ended", target.clone(), Some(NOW));
    let running = lock("running", target.clone(), Some(UnixSeconds(NOW.0 + 1)));
    let endless = lock("endless", target, None);
    let hit = |locks: &[&Document<LockSpec>]| {
        lock_hits(locks.iter().copied(), &subject(31), NOW).map(|lock| lock.metadata.name.as_str().to_owned())
    };
    assert_eq!(hit(&[&ended]), None);
    assert_eq!(hit(&[&ended, &running, &endless]).as_deref(), Some("running"));
    assert_eq!(hit(&[&endless, &running]).as_deref(), Some("endless"));
    assert_eq!(hit(&[]), None);
}
