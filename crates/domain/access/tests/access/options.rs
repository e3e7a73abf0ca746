use std::collections::BTreeMap;

use access::{AccessSet, MAX_SESSION_TTL, SESSION_TTL, SessionOptions, session_ttl};
use names::Ttl;
use resource::{AuthPreferenceSpec, LockMode, NetworkingSpec, PortForwarding, RecordMode};
use serde_json::{Value, json};

use crate::{role, user};

/// The options of one role per value.
fn merged(options: &[Value], traits: Value) -> SessionOptions {
    let roles = options.iter().enumerate();
    let roles = roles
        .map(|(n, options)| role(&format!("r{n}"), json!({ "options": options })))
        .collect();
    AccessSet::new(roles, &user(traits)).options().clone()
}

#[test]
fn what_no_role_says_has_its_default() {
    let defaults = SessionOptions {
        max_session_ttl: Ttl::from_hours(30),
        forward_agent: false,
        port_forwarding: PortForwarding::both(true),
        permit_x11_forwarding: false,
        ssh_file_copy: true,
        client_idle_timeout: None,
        disconnect_expired_cert: false,
        max_sessions: None,
        max_connections: None,
        record: RecordMode::BestEffort,
        require_session_mfa: false,
        pin_source_ip: false,
        lock: None,
        cert_extensions: BTreeMap::new(),
    };
    assert_eq!(merged(&[], json!({})), defaults);
    assert_eq!(merged(&[json!({}), json!({})], json!({})), defaults);
}

/// One value of one option.
type Reads = fn(&SessionOptions) -> Value;

#[test]
fn booleans_merge_to_the_least_permissive_in_every_combination() {
    let grants: [(&str, bool, Reads); 4] = [
        ("forward_agent", false, |o| json!(o.forward_agent)),
        ("permit_x11_forwarding", false, |o| json!(o.permit_x11_forwarding)),
        ("ssh_file_copy", true, |o| json!(o.ssh_file_copy)),
        ("port_forwarding", true, |o| json!(o.port_forwarding)),
    ];
    let restrictions: [(&str, bool, Reads); 3] = [
        ("disconnect_expired_cert", false, |o| {
            json!(o.disconnect_expired_cert)
        }),
        ("require_session_mfa", false, |o| json!(o.require_session_mfa)),
        ("pin_source_ip", false, |o| json!(o.pin_source_ip)),
    ];
    let said = [None, Some(true), Some(false)];
    for one in said {
        for other in said {
            let both: Vec<bool> = [one, other].into_iter().flatten().collect();
            for (name, default, read) in grants {
                let expected = if both.is_empty() {
                    default
                } else {
                    both.iter().all(|b| *b)
                };
                let options =
                    [one, other].map(|value| value.map_or(json!({}), |value| json!({ name: value })));
                assert_eq!(
                    read(&merged(&options, json!({}))),
                    json!(expected),
                    "{name} {one:?} {other:?}"
                );
            }
            for (name, default, read) in restrictions {
                let expected = if both.is_empty() {
                    default
                } else {
                    both.iter().any(|b| *b)
                };
                let options =
                    [one, other].map(|value| value.map_or(json!({}), |value| json!({ name: value })));
                assert_eq!(
                    read(&merged(&options, json!({}))),
                    json!(expected),
                    "{name} {one:?} {other:?}"
                );
            }
        }
    }
}

#[test]
fn limits_merge_to_the_least() {
    let options = merged(
        &[
            json!({"max_session_ttl": "8h", "client_idle_timeout": "1h", "max_sessions": 10, "lock": "best_effort", "record_session": {"default": "strict", "ssh": "best_effort"}}),
            json!({"max_session_ttl": "20h", "client_idle_timeout": "15m", "max_sessions": 3, "max_connections": 7, "lock": "strict", "port_forwarding": {"local": {"enabled": true}}}),
            json!({"port_forwarding": true, "record_session": {"default": "best_effort"}}),
        ],
        json!({}),
    );
    assert_eq!(options.max_session_ttl, Ttl::from_hours(8));
    assert_eq!(options.client_idle_timeout, Some(Ttl::from_seconds(900)));
    assert_eq!(
        (options.max_sessions, options.max_connections),
        (Some(3), Some(7))
    );
    assert_eq!(options.lock, Some(LockMode::Strict));
    assert_eq!(options.record, RecordMode::BestEffort);
    assert_eq!(
        options.port_forwarding,
        PortForwarding {
            local: true,
            remote: false
        }
    );
    let strict = merged(
        &[
            json!({"record_session": {"default": "strict"}}),
            json!({"record_session": {"default": "best_effort"}}),
        ],
        json!({}),
    );
    assert_eq!(strict.record, RecordMode::Strict);
}

#[test]
fn certificates_live_twelve_hours_unless_asked_and_never_longer_than_permitted() {
    let free = merged(&[], json!({})).max_session_ttl;
    assert_eq!(session_ttl(None, free), SESSION_TTL);
    assert_eq!(session_ttl(Some(Ttl::from_hours(1)), free), Ttl::from_hours(1));
    assert_eq!(session_ttl(Some(Ttl::from_hours(25)), free), Ttl::from_hours(25));
    assert_eq!(session_ttl(Some(Ttl::from_days(365)), free), MAX_SESSION_TTL);
    let bound = merged(&[json!({"max_session_ttl": "8h"})], json!({})).max_session_ttl;
    assert_eq!(session_ttl(None, bound), Ttl::from_hours(8));
    assert_eq!(session_ttl(Some(Ttl::from_hours(9)), bound), Ttl::from_hours(8));
    assert_eq!(session_ttl(Some(Ttl::MAX), Ttl::MAX), MAX_SESSION_TTL);
}

#[test]
fn the_cluster_can_only_restrict_further() {
    let role = merged(
        &[json!({"client_idle_timeout": "10m", "lock": "strict"})],
        json!({}),
    );
    let lax = role
        .clone()
        .tightened_by(&AuthPreferenceSpec::default(), &NetworkingSpec::default());
    assert_eq!(lax, role);
    let preference = AuthPreferenceSpec {
        require_session_mfa: true,
        disconnect_expired_cert: true,
        locking_mode: LockMode::Strict,
        ..AuthPreferenceSpec::default()
    };
    let networking = NetworkingSpec {
        client_idle_timeout: Some(Ttl::from_seconds(60)),
        ..NetworkingSpec::default()
    };
    let tight =
        merged(&[json!({"client_idle_timeout": "10m"})], json!({})).tightened_by(&preference, &networking);
    assert!(tight.require_session_mfa && tight.disconnect_expired_cert);
    assert_eq!(tight.lock, Some(LockMode::Strict));
    assert_eq!(tight.client_idle_timeout, Some(Ttl::from_seconds(60)));
    let default =
        merged(&[], json!({})).tightened_by(&AuthPreferenceSpec::default(), &NetworkingSpec::default());
    assert_eq!(default.lock, Some(LockMode::BestEffort));
}

#[test]
fn extensions_with_one_value_go_into_certificates() {
    let extension = |name: &str, value: &str| json!({"cert_extensions": [{"name": name, "value": value, "type": "ssh", "mode": "extension"}]});
    let roles = [
        extension("a@x.example", "{{external.forge}}"),
        extension("b@x.example", "{{external.many}}"),
        extension("c@x.example", "{{external.none}}"),
        extension("d@x.example", "one"),
        extension("d@x.example", "two"),
        extension("e@x.example", "same"),
        extension("e@x.example", "same"),
        extension("f@x.example", ""),
        extension("g@x.example", "{{external.hostile}}"),
    ];
    let traits = json!({"forge": ["alice-x"], "many": ["1", "2"], "hostile": ["a\u{0}b"]});
    let options = merged(&roles, traits.clone());
    let expected = [
        ("a@x.example", "alice-x"),
        ("e@x.example", "same"),
        ("f@x.example", ""),
    ];
    assert_eq!(
        options.cert_extensions,
        expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    );
    let set = AccessSet::new(
        roles
            .iter()
            .enumerate()
            .map(|(n, options)| role(&format!("r{n}"), json!({ "options": options })))
            .collect(),
        &user(traits),
    );
    let lines = set.explain();
    for name in ["b", "c", "d", "g"] {
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(&format!("certificate extension {name}@x.example is left out"))),
            "{lines:#?}"
        );
    }
}
