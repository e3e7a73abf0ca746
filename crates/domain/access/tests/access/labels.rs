use serde_json::{Value, json};

use crate::{alice, labels, web};

/// Whether a role with these `node_labels` lets root in to a node with those labels.
fn selects(selector: Value, node: Value) -> bool {
    let set = alice(
        json!({"allow": {"logins": ["root"], "node_labels": selector}}),
        json!({"teams": ["infra", "*", "we(b"], "none": []}),
    );
    let node = labels(node);
    let allowed = set.login_to_node(&web(&node), "root").is_allowed();
    assert_eq!(allowed, !set.logins_on(&web(&node)).is_empty());
    allowed
}

/// The same selector as a refusal; both must mean the same.
fn refuses(selector: Value, node: Value) -> bool {
    let set = alice(
        json!({"allow": {"logins": ["root"], "node_labels": {"*": "*"}}, "deny": {"node_labels": selector}}),
        json!({"teams": ["infra", "*", "we(b"], "none": []}),
    );
    let node = labels(node);
    !set.login_to_node(&web(&node), "root").is_allowed()
}

#[test]
fn a_selector_matches_as_it_says() {
    for (selector, value, expected) in [
        // Literals are whole, and case counts.
        (json!("prod"), "prod", true),
        (json!("prod"), "production", false),
        (json!("prod"), "Prod", false),
        (json!("prod"), "", false),
        (json!(["dev", "prod"]), "prod", true),
        (json!(["dev", "prod"]), "stage", false),
        (json!("a.c"), "abc", false),
        (json!("a?c"), "abc", false),
        // `*` stands for anything, nothing included.
        (json!("*"), "prod", true),
        (json!("*"), "", true),
        (json!("pr*"), "prod", true),
        (json!("pr*"), "pr", true),
        (json!("pr*"), "dev-prod", false),
        (json!("*od"), "prod", true),
        (json!("*od"), "odd", false),
        (json!("p*d"), "prod", true),
        (json!("p*d"), "p", false),
        (json!("ab*ba"), "aba", false),
        (json!("ab*ba"), "abba", true),
        (json!("a*b*c"), "a-b-c", true),
        (json!("a*b*c"), "a-c-b", false),
        (json!("a*b*c"), "abbc", true),
        (json!("a*bc*c"), "abc", false),
        (json!("a**c"), "ac", true),
        (json!("*x*"), "axb", true),
        (json!("*x*"), "ab", false),
        (json!("eu-*[0-9]"), "eu-1", false),
        // Regular expressions match whole values.
        (json!("^prod$"), "prod", true),
        (json!("^prod$"), "prod\n", false),
        (json!("^pr.*$"), "prod", true),
        (json!("^eu-[0-9]+$"), "eu-12", true),
        (json!("^eu-[0-9]+$"), "eu-12x", false),
        (json!("^dev|prod$"), "prod", true),
        (json!("^dev|prod$"), "dev", true),
        (json!("^dev|prod$"), "dev-anything", false),
        (json!("^dev|prod$"), "anything-prod", false),
        (json!("^(?i)prod$"), "PROD", true),
        // Traits are literal whatever they look like.
        (json!("{{external.teams}}"), "infra", true),
        (json!("{{external.teams}}"), "*", true),
        (json!("{{external.teams}}"), "other", false),
        (json!("{{external.teams}}"), "we(b", true),
        (json!("team-{{external.teams}}"), "team-infra", true),
        (json!("team-{{external.teams}}"), "team-other", false),
        (json!("{{external.none}}"), "", false),
        (json!("{{external.missing}}"), "", false),
        (json!("{{external.missing}}"), "{{external.missing}}", false),
        (json!("x{{external.missing}}"), "x", false),
    ] {
        let given = json!({"env": selector});
        assert_eq!(
            selects(given.clone(), json!({"env": value})),
            expected,
            "{given} {value:?}"
        );
        assert_eq!(
            refuses(given.clone(), json!({"env": value})),
            expected,
            "deny {given} {value:?}"
        );
        assert!(
            !selects(given.clone(), json!({})),
            "{given} matches a node without the label"
        );
        assert!(!refuses(given, json!({"other": value})));
    }
}

#[test]
fn every_key_must_match() {
    let selector = json!({"env": ["dev", "stage"], "team": "infra"});
    assert!(selects(
        selector.clone(),
        json!({"env": "dev", "team": "infra", "more": "x"})
    ));
    assert!(!selects(selector.clone(), json!({"env": "dev", "team": "web"})));
    assert!(!selects(
        selector.clone(),
        json!({"env": "prod", "team": "infra"})
    ));
    assert!(!selects(selector, json!({"env": "dev"})));
    assert!(selects(json!({"*": "*", "env": "dev"}), json!({"env": "dev"})));
    assert!(!selects(json!({"*": "*", "env": "dev"}), json!({"env": "prod"})));
}

#[test]
fn no_labels_select_no_node_and_the_star_selects_all() {
    for node in [json!({}), json!({"env": "prod"})] {
        assert!(!selects(json!({}), node.clone()));
        assert!(!refuses(json!({}), node.clone()));
        assert!(selects(json!({"*": "*"}), node.clone()));
        assert!(refuses(json!({"*": "*"}), node));
    }
}

#[test]
fn a_hostile_value_takes_no_longer_than_its_length() {
    let value = "a".repeat(4_000);
    for pattern in ["^(a+)+b$", "*a*a*a*a*a*a*a*a*b", "^(a|aa)*b$", "^(.*a){20}b$"] {
        assert!(!selects(json!({"env": pattern}), json!({"env": value})));
    }
}
