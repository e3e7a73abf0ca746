//! Every combination of permissions and refusals over a small world, against the rule in its plainest words.

use access::{AccessSet, Verb, WhereContext};
use serde_json::{Value, json};

use crate::{labels, names, role, user, web};

const LOGINS: [&str; 2] = ["root", "alice"];
const ENVS: [&str; 2] = ["dev", "prod"];

/// One side of a role: a set of logins and a set of environments, as bits.
#[derive(Clone, Copy, Debug)]
struct Side {
    logins: usize,
    envs: usize,
}

impl Side {
    fn all() -> impl Iterator<Item = Self> + Clone {
        (0..16).map(|bits| Self {
            logins: bits & 3,
            envs: bits >> 2,
        })
    }

    fn has_login(self, login: usize) -> bool {
        self.logins >> login & 1 == 1
    }

    fn has_env(self, env: usize) -> bool {
        self.envs >> env & 1 == 1
    }

    fn spec(self) -> Value {
        let chosen = |words: [&'static str; 2], has: &dyn Fn(usize) -> bool| -> Vec<&str> {
            let words = words.into_iter().enumerate();
            words
                .filter(|(place, _)| has(*place))
                .map(|(_, word)| word)
                .collect()
        };
        let logins = chosen(LOGINS, &|login| self.has_login(login));
        let envs = chosen(ENVS, &|env| self.has_env(env));
        if envs.is_empty() {
            json!({"logins": logins})
        } else {
            json!({"logins": logins, "node_labels": {"env": envs}})
        }
    }
}

#[test]
fn refusals_win_in_every_combination_of_two_roles() {
    let roles: Vec<_> = Side::all()
        .flat_map(|allow| Side::all().map(move |deny| (allow, deny)))
        .map(|(allow, deny)| {
            let name = format!("r{}-{}-{}-{}", allow.logins, allow.envs, deny.logins, deny.envs);
            (
                allow,
                deny,
                role(&name, json!({"allow": allow.spec(), "deny": deny.spec()})),
            )
        })
        .collect();
    let alice = user(json!({}));
    let nodes = ENVS.map(|env| labels(json!({ "env": env })));
    for (allow_1, deny_1, role_1) in &roles {
        for (allow_2, deny_2, role_2) in &roles {
            let set = AccessSet::new(vec![role_1.clone(), role_2.clone()], &alice);
            for (env, node) in nodes.iter().enumerate() {
                let mut permitted = Vec::new();
                for (login, name) in LOGINS.iter().enumerate() {
                    let denied = [deny_1, deny_2]
                        .iter()
                        .any(|deny| deny.has_login(login) || deny.has_env(env));
                    let allowed = [allow_1, allow_2]
                        .iter()
                        .any(|allow| allow.has_login(login) && allow.has_env(env));
                    let decision = set.login_to_node(&web(node), name);
                    assert_eq!(
                        decision.is_allowed(),
                        allowed && !denied,
                        "{role_1:?} {role_2:?} {name} {env}"
                    );
                    let (_, by, rule) = crate::decided_by(&decision);
                    assert_eq!(by.is_some(), allowed || denied);
                    assert_eq!(denied, rule.is_some_and(|rule| rule.starts_with("spec.deny.")));
                    if allowed && !denied {
                        permitted.push(*name);
                    }
                }
                permitted.sort_unstable();
                assert_eq!(names(&set.logins_on(&web(node))), permitted);
            }
        }
    }
}

/// Nothing, one resource or another or both, by one verb or another or both: 16 sides of a role.
fn rule_side(bits: usize) -> (Value, impl Fn(&str, Verb) -> bool) {
    let verbs: Vec<Verb> = [Verb::Read, Verb::Update]
        .into_iter()
        .enumerate()
        .filter(|(i, _)| bits >> i & 1 == 1)
        .map(|(_, v)| v)
        .collect();
    let resources: Vec<&str> = ["user", "node"]
        .into_iter()
        .enumerate()
        .filter(|(i, _)| bits >> (i + 2) & 1 == 1)
        .map(|(_, r)| r)
        .collect();
    let spec = if verbs.is_empty() || resources.is_empty() {
        json!({})
    } else {
        json!({"rules": [{"resources": resources, "verbs": verbs}]})
    };
    let covers = move |resource: &str, verb: Verb| resources.contains(&resource) && verbs.contains(&verb);
    (spec, covers)
}

#[test]
fn refusals_of_the_api_win_in_every_combination_of_two_roles() {
    let mut roles = Vec::new();
    for allow in 0..16 {
        for deny in 0..16 {
            let (allow_spec, allows) = rule_side(allow);
            let (deny_spec, denies) = rule_side(deny);
            let name = format!("r{allow}-{deny}");
            roles.push((
                allows,
                denies,
                role(&name, json!({"allow": allow_spec, "deny": deny_spec})),
            ));
        }
    }
    let alice = user(json!({}));
    let context = WhereContext::default();
    for (allows_1, denies_1, role_1) in &roles {
        for (allows_2, denies_2, role_2) in &roles {
            let set = AccessSet::new(vec![role_2.clone(), role_1.clone()], &alice);
            for resource in ["user", "node", "role"] {
                for verb in [Verb::Read, Verb::Update, Verb::Delete] {
                    let denied = denies_1(resource, verb) || denies_2(resource, verb);
                    let allowed = allows_1(resource, verb) || allows_2(resource, verb);
                    let decision = set.may(resource, verb, &context);
                    assert_eq!(
                        decision.is_allowed(),
                        allowed && !denied,
                        "{role_1:?} {role_2:?} {verb} {resource}"
                    );
                    assert_eq!(set.may_some(resource, verb).is_allowed(), allowed && !denied);
                    let (_, _, rule) = crate::decided_by(&decision);
                    assert_eq!(denied, rule.is_some_and(|rule| rule.starts_with("spec.deny.")));
                }
            }
        }
    }
}

#[test]
fn one_role_must_permit_both_the_login_and_the_node() {
    let set = AccessSet::new(
        vec![
            role(
                "dev-root",
                json!({"allow": {"logins": ["root"], "node_labels": {"env": "dev"}}}),
            ),
            role(
                "prod-alice",
                json!({"allow": {"logins": ["alice"], "node_labels": {"env": "prod"}}}),
            ),
            role("no-nodes", json!({"allow": {"logins": ["deploy"]}})),
        ],
        &user(json!({})),
    );
    let prod = labels(json!({"env": "prod"}));
    let decision = set.login_to_node(&web(&prod), "root");
    assert_eq!(
        decision.to_string(),
        "denied: no single role both permits login \"root\" and selects node \"web-1\""
    );
    assert_eq!(names(&set.logins()), ["alice", "root"]);
    assert_eq!(names(&set.logins_on(&web(&prod))), ["alice"]);
    assert!(!set.login_to_node(&web(&prod), "deploy").is_allowed());
    for bad in ["", "a,b", "*", "a b", "root\n"] {
        assert!(!set.login_to_node(&web(&prod), bad).is_allowed());
    }
}
