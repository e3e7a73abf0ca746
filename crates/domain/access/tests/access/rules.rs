use access::{RESOURCES, Verb, WhereContext};
use serde_json::{Value, json};

use crate::{alice, decided_by};

const NOTHING: WhereContext<'static> = WhereContext {
    resource: None,
    session: None,
};

fn rules(allow: Value, deny: Value) -> access::AccessSet {
    alice(
        json!({"allow": {"rules": allow}, "deny": {"rules": deny}}),
        json!({}),
    )
}

#[test]
fn the_star_stands_for_every_resource_and_every_verb() {
    let set = rules(json!([{"resources": ["*"], "verbs": ["*"]}]), json!([]));
    for resource in RESOURCES {
        for verb in Verb::ALL {
            assert_eq!(
                decided_by(&set.may(resource, verb, &NOTHING)),
                (true, Some("ops"), Some("spec.allow.rules[0]"))
            );
        }
    }
    for unknown in ["", "*", "users", "User", "database", "user "] {
        let decision = set.may(unknown, Verb::Read, &NOTHING);
        assert_eq!(decided_by(&decision), (false, None, None), "{unknown:?}");
        assert!(!set.may_some(unknown, Verb::Read).is_allowed());
    }
    let set = rules(
        json!([{"resources": ["*"], "verbs": ["*"]}]),
        json!([{"resources": ["*"], "verbs": ["*"]}]),
    );
    for resource in RESOURCES {
        for verb in Verb::ALL {
            assert_eq!(
                decided_by(&set.may(resource, verb, &NOTHING)),
                (false, Some("ops"), Some("spec.deny.rules[0]"))
            );
            assert!(!set.may_some(resource, verb).is_allowed());
        }
    }
}

#[test]
fn each_verb_covers_itself_and_read_covers_reading_without_secrets() {
    for granted in Verb::ALL {
        let set = rules(
            json!([{"resources": ["cert_authority"], "verbs": [granted]}]),
            json!([]),
        );
        for asked in Verb::ALL {
            let expected = asked == granted || (granted == Verb::Read && asked == Verb::ReadNoSecrets);
            assert_eq!(
                set.may("cert_authority", asked, &NOTHING).is_allowed(),
                expected,
                "{granted} {asked}"
            );
            assert!(!set.may("user", asked, &NOTHING).is_allowed());
        }
        let all = json!([{"resources": ["*"], "verbs": ["*"]}]);
        let set = rules(
            all,
            json!([{"resources": ["cert_authority"], "verbs": [granted]}]),
        );
        for asked in Verb::ALL {
            let refused = asked == granted || (granted == Verb::ReadNoSecrets && asked == Verb::Read);
            assert_eq!(
                set.may("cert_authority", asked, &NOTHING).is_allowed(),
                !refused,
                "{granted} {asked}"
            );
            assert!(set.may("user", asked, &NOTHING).is_allowed());
        }
    }
}

#[test]
fn verbs_have_words() {
    for verb in Verb::ALL {
        assert_eq!(verb.as_str().parse(), Ok(verb));
        assert_eq!(serde_json::to_value(verb).unwrap(), verb.as_str());
    }
    assert!("*".parse::<Verb>().is_err());
    assert!(
        "READ"
            .parse::<Verb>()
            .unwrap_err()
            .to_string()
            .contains("readnosecrets")
    );
}

#[test]
fn a_list_that_may_be_partly_seen_is_not_refused() {
    let own = json!([{"resources": ["session"], "verbs": ["list"], "where": "contains(session.participants, user.metadata.name)"}]);
    let set = rules(own.clone(), json!([]));
    assert!(!set.may("session", Verb::List, &NOTHING).is_allowed());
    assert!(set.may_some("session", Verb::List).is_allowed());
    assert!(!set.may_some("session", Verb::Read).is_allowed());
    // A refusal under a condition refuses some, one without refuses all.
    let set = rules(
        own.clone(),
        json!([{"resources": ["session"], "verbs": ["list"], "where": "equals(resource.metadata.name, \"x\")"}]),
    );
    assert!(set.may_some("session", Verb::List).is_allowed());
    let set = rules(own, json!([{"resources": ["session"], "verbs": ["*"]}]));
    assert!(!set.may_some("session", Verb::List).is_allowed());
}
