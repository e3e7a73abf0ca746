use std::collections::BTreeMap;

use access::{AccessSet, Verb, WhereContext};
use resource::ResourceName;
use serde_json::json;

use crate::{labels, role, user, web};

fn set() -> AccessSet {
    let known: BTreeMap<ResourceName, _> = [
        role("access", json!({"allow": {"logins": ["{{internal.logins}}"], "node_labels": {"env": "dev"}}})),
        role("no-prod", json!({"deny": {"node_labels": {"env": "prod"}}})),
        role("tokens", json!({
            "allow": {"rules": [{"resources": ["token"], "verbs": ["read"], "where": "equals(resource.metadata.name, user.metadata.name)"}, {"resources": ["user"], "verbs": ["list"]}]},
            "deny": {"rules": [{"resources": ["lock"], "verbs": ["delete"]}]},
        })),
    ]
    .into_iter()
    .map(|role| (role.name().clone(), role))
    .collect();
    let names =
        ["tokens", "gone", "no-prod", "access", "access"].map(|name| ResourceName::parse(name).unwrap());
    AccessSet::resolve(&names, &known, &user(json!({"logins": ["root", "a,b"]})))
}

#[test]
fn a_login_is_explained_role_by_role() {
    let set = set();
    assert_eq!(
        set.roles().map(ResourceName::as_str).collect::<Vec<_>>(),
        ["access", "no-prod", "tokens"]
    );
    assert_eq!(set.unknown_roles(), [ResourceName::parse("gone").unwrap()]);
    let prod = labels(json!({"env": "prod"}));
    assert_eq!(
        set.explain_login(&web(&prod), "root"),
        [
            "user alice",
            "role access: permits logins root",
            "role no-prod: permits no logins",
            "role tokens: permits no logins",
            "role gone: does not exist and grants nothing",
            "role access, spec.allow.logins[0]: \"a,b\" is left out: principal has ',' at position 1; allowed are visible characters except comma, asterisk, question mark, exclamation mark and quotes",
            "request: login \"root\" on node \"web-1\" (0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11)",
            "role access: spec.allow.logins[0] permits the login; spec.allow.node_labels.env does not match \"prod\"",
            "role no-prod: spec.deny.node_labels refuses the node; spec.allow.logins does not have the login; it has no node_labels and selects no node",
            "role tokens: spec.allow.logins does not have the login; it has no node_labels and selects no node",
        ]
    );
    assert_eq!(
        set.login_to_node(&web(&prod), "root").to_string(),
        "denied by role no-prod, spec.deny.node_labels: it refuses node \"web-1\" for every login"
    );
    let dev = labels(json!({"env": "dev"}));
    assert_eq!(
        set.login_to_node(&web(&dev), "root").to_string(),
        "allowed by role access, spec.allow.logins[0]: it permits login \"root\", and its node_labels match node \"web-1\""
    );
    assert!(
        set.login_to_node(&web(&dev), "a,b")
            .to_string()
            .starts_with("denied: \"a,b\" is no login")
    );
}

#[test]
fn an_explanation_leaves_the_decision_to_whoever_shows_it() {
    let set = set();
    let node = labels(json!({}));
    for login in ["root", "alice", "", "*"] {
        let decision = set.login_to_node(&web(&node), login).to_string();
        assert!(!set.explain_login(&web(&node), login).contains(&decision));
    }
    let nothing = WhereContext::default();
    for resource in access::RESOURCES.iter().chain(&["bogus"]) {
        for verb in Verb::ALL {
            let decision = set.may(resource, verb, &nothing).to_string();
            assert!(!set.explain_may(resource, verb, &nothing).contains(&decision));
        }
    }
}

#[test]
fn a_request_of_the_api_is_explained_role_by_role() {
    let set = set();
    let nothing = WhereContext::default();
    let lines = set.explain_may("token", Verb::Read, &nothing);
    assert_eq!(
        lines[6..],
        [
            "request: read token",
            "role access: says nothing to it",
            "role no-prod: says nothing to it",
            "role tokens: spec.allow.rules[0] would permit it, but its condition is not true while no document is named",
        ]
    );
    let decided = |resource: &str, verb| set.may(resource, verb, &nothing).to_string();
    assert_eq!(
        decided("token", Verb::Read),
        "denied: no role permits to read token"
    );
    assert_eq!(
        decided("lock", Verb::Delete),
        "denied by role tokens, spec.deny.rules[0]: it refuses to delete lock"
    );
    assert_eq!(
        decided("user", Verb::List),
        "allowed by role tokens, spec.allow.rules[1]: it permits to list user"
    );
}

#[test]
fn nobody_without_roles_may_do_anything() {
    let set = AccessSet::new(Vec::new(), &user(json!({"logins": ["root"]})));
    let node = labels(json!({}));
    assert_eq!(
        set.login_to_node(&web(&node), "root").to_string(),
        "denied: the user has no roles"
    );
    assert!(set.logins().is_empty());
    assert!(
        set.explain()
            .contains(&"no roles: nothing is permitted".to_owned())
    );
}

#[test]
fn decisions_are_written_with_their_proof() {
    let set = set();
    let dev = labels(json!({"env": "dev"}));
    let decision = set.login_to_node(&web(&dev), "root");
    assert_eq!(
        serde_json::to_value(&decision).unwrap(),
        json!({"allow": {"role": "access", "rule": "spec.allow.logins[0]", "why": "it permits login \"root\", and its node_labels match node \"web-1\""}})
    );
    let proof = decision.allowed().unwrap();
    assert_eq!(proof.role().as_str(), "access");
    // As it stands in `allowed_by` of the audit log, which says the rest.
    assert!(
        proof
            .to_string()
            .starts_with("role access, spec.allow.logins[0]: ")
    );
    let reason = set.login_to_node(&web(&dev), "nobody").allowed().unwrap_err();
    assert_eq!(
        serde_json::to_value(&reason).unwrap(),
        json!({"why": "no role permits login \"nobody\""})
    );
}
