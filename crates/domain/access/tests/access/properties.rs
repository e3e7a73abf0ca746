use std::collections::BTreeMap;
use std::sync::Arc;

use access::{AccessSet, ResourceView, Role, SessionView, UserTraits, Verb, WhereContext};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use resource::{Conditions, Document, Metadata, ResourceName, RoleOptions, RoleSpec, Rule};

use crate::web;

const LOGINS: [&str; 6] = [
    "root",
    "alice",
    "svc-1",
    "{{internal.logins}}",
    "{{email.local(external.email)}}",
    "x-{{external.teams}}",
];
const DENIED_LOGINS: [&str; 5] = ["root", "svc-*", "^(a.*|r.*)$", "{{internal.banned}}", "*"];
const PATTERNS: [&str; 7] = [
    "dev",
    "prod",
    "p*",
    "*",
    "^(dev|stage)$",
    "{{external.teams}}",
    "{{external.missing}}",
];
const KEYS: [&str; 3] = ["env", "team", "region"];
const WORDS: [&str; 4] = ["user", "token", "session", "*"];
const VERBS: [&str; 4] = ["read", "readnosecrets", "delete", "*"];
const CONDITIONS: [&str; 5] = [
    "equals(resource.metadata.name, user.metadata.name)",
    "!equals(resource.metadata.labels[\"env\"], \"prod\")",
    "contains(session.participants, user.metadata.name)",
    "contains(user.spec.traits[\"teams\"], resource.metadata.labels[\"team\"]) || equals(resource.kind, \"user\")",
    "equals(user.metadata.name, \"alice\") && !contains(session.participants, \"bob\")",
];

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(words.to_vec(), 0..=words.len())
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(words.to_vec(), 1..=words.len())
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn conditions(logins: &'static [&'static str]) -> impl Strategy<Value = Conditions> {
    let rule = (
        one_of(&WORDS),
        one_of(&VERBS),
        prop::option::of(select(CONDITIONS.to_vec())),
    )
        .prop_map(|(resources, verbs, condition)| Rule {
            resources,
            verbs,
            condition: condition.map(str::to_owned),
        });
    let labels = prop::collection::btree_map(
        select(KEYS.to_vec()).prop_map(str::to_owned),
        one_of(&PATTERNS),
        0..3,
    );
    let everything = Just(BTreeMap::from([("*".to_owned(), vec!["*".to_owned()])]));
    (
        some_of(logins),
        prop_oneof![4 => labels, 1 => everything],
        prop::collection::vec(rule, 0..3),
    )
        .prop_map(|(logins, node_labels, rules)| Conditions {
            logins,
            node_labels,
            rules,
        })
}

fn specs() -> impl Strategy<Value = RoleSpec> {
    let options =
        (prop::option::of(any::<bool>()), prop::option::of(1u32..9)).prop_map(|(agent, sessions)| {
            RoleOptions {
                forward_agent: agent,
                max_sessions: sessions,
                ..RoleOptions::default()
            }
        });
    (
        options,
        conditions(&LOGINS),
        prop_oneof![2 => Just(Conditions::default()), 1 => conditions(&DENIED_LOGINS)],
    )
        .prop_map(|(options, allow, deny)| RoleSpec { options, allow, deny })
}

fn role(name: &str, spec: RoleSpec) -> Arc<Role> {
    let document = Document::new(Metadata::named(ResourceName::parse(name).unwrap()), spec);
    Arc::new(Role::parse(&document).unwrap())
}

fn roles(specs: &[RoleSpec]) -> Vec<Arc<Role>> {
    specs
        .iter()
        .enumerate()
        .map(|(n, spec)| role(&format!("r{n}"), spec.clone()))
        .collect()
}

fn user() -> UserTraits {
    let traits = [
        ("logins", vec!["root", "bob", "b,ad"]),
        ("teams", vec!["dev", "*"]),
        ("banned", vec!["svc-1"]),
        ("email", vec!["alice@example.com"]),
    ];
    UserTraits {
        name: "alice".to_owned(),
        traits: traits
            .map(|(key, values)| (key.to_owned(), values.into_iter().map(str::to_owned).collect()))
            .into(),
    }
}

/// Every answer a set gives over a small world.
fn answers(roles: Vec<Arc<Role>>) -> Vec<(String, access::Decision)> {
    let set = AccessSet::new(roles, &user());
    let mut answers = Vec::new();
    for env in [None, Some("dev"), Some("prod"), Some("stage"), Some("*")] {
        for team in [None, Some("dev"), Some("web")] {
            let labels: BTreeMap<String, String> = [("env", env), ("team", team)]
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
                .collect();
            for login in [
                "root", "alice", "bob", "svc-1", "x-dev", "x-*", "*", "b,ad", "nobody",
            ] {
                answers.push((
                    format!("{login} {labels:?}"),
                    set.login_to_node(&web(&labels), login),
                ));
            }
            let participants = ["alice".to_owned(), "bob".to_owned()];
            let whole = WhereContext {
                resource: Some(ResourceView {
                    name: "alice",
                    labels: &labels,
                }),
                session: Some(SessionView {
                    participants: &participants,
                }),
            };
            for context in [WhereContext::default(), whole] {
                for resource in ["user", "token", "session", "role"] {
                    for verb in [Verb::Read, Verb::ReadNoSecrets, Verb::Delete, Verb::Sign] {
                        answers.push((
                            format!("{verb} {resource} {context:?}"),
                            set.may(resource, verb, &context),
                        ));
                    }
                }
            }
        }
    }
    answers
}

fn is_subset(
    fewer: &[(String, access::Decision)],
    more: &[(String, access::Decision)],
) -> Result<(), String> {
    for ((request, one), (_, other)) in fewer.iter().zip(more) {
        if one.is_allowed() && !other.is_allowed() {
            return Err(format!("{request}: {one} became {other}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn adding_a_refusal_never_grants(specs in prop::collection::vec(specs(), 1..4), deny in conditions(&DENIED_LOGINS)) {
        let before = answers(roles(&specs));
        let mut own = specs.clone();
        own[0].deny.logins.extend(deny.logins.clone());
        own[0].deny.rules.extend(deny.rules.clone());
        if own[0].deny.node_labels.is_empty() {
            own[0].deny.node_labels.clone_from(&deny.node_labels);
        }
        prop_assert_eq!(is_subset(&answers(roles(&own)), &before), Ok(()));
        let mut more = roles(&specs);
        more.push(role("refusing", RoleSpec { deny, ..RoleSpec::default() }));
        prop_assert_eq!(is_subset(&answers(more), &before), Ok(()));
    }

    #[test]
    fn adding_a_permission_never_revokes(specs in prop::collection::vec(specs(), 1..4), allow in conditions(&LOGINS)) {
        let before = answers(roles(&specs));
        let mut own = specs.clone();
        own[0].allow.logins.extend(allow.logins.clone());
        own[0].allow.rules.extend(allow.rules.clone());
        if own[0].allow.node_labels.is_empty() {
            own[0].allow.node_labels.clone_from(&allow.node_labels);
        }
        prop_assert_eq!(is_subset(&before, &answers(roles(&own))), Ok(()));
        let mut more = roles(&specs);
        more.push(role("permitting", RoleSpec { allow, ..RoleSpec::default() }));
        prop_assert_eq!(is_subset(&before, &answers(more)), Ok(()));
    }

    #[test]
    fn neither_order_nor_repetition_matters(specs in prop::collection::vec(specs(), 1..5), turn in 0usize..5) {
        let straight = roles(&specs);
        let mut turned = straight.clone();
        turned.rotate_left(turn % straight.len());
        turned.extend(straight.iter().rev().cloned());
        prop_assert_eq!(answers(straight.clone()), answers(turned.clone()));
        let one = AccessSet::new(straight, &user());
        let other = AccessSet::new(turned, &user());
        prop_assert_eq!(one.options(), other.options());
        prop_assert_eq!(one.logins(), other.logins());
        prop_assert_eq!(one.explain(), other.explain());
    }

    #[test]
    fn names_of_no_role_grant_nothing(specs in prop::collection::vec(specs(), 0..3), unknown in "[a-z]{1,8}") {
        let known: BTreeMap<ResourceName, Arc<Role>> = roles(&specs).into_iter().map(|role| (role.name().clone(), role)).collect();
        let names: Vec<ResourceName> = known.keys().cloned().collect();
        let mut more = names.clone();
        more.insert(0, ResourceName::parse(&unknown).unwrap());
        let one = AccessSet::resolve(&names, &known, &user());
        let other = AccessSet::resolve(&more, &known, &user());
        prop_assert_eq!(other.unknown_roles().len(), 1);
        prop_assert_eq!(one.logins(), other.logins());
        prop_assert_eq!(one.options(), other.options());
        prop_assert_eq!(one.roles().collect::<Vec<_>>(), other.roles().collect::<Vec<_>>());
        let nobody = AccessSet::resolve(&more, &BTreeMap::new(), &user());
        prop_assert!(nobody.logins().is_empty());
        prop_assert!(!nobody.may_some("user", Verb::List).is_allowed());
    }

    #[test]
    fn listed_logins_are_the_permitted_ones(specs in prop::collection::vec(specs(), 1..4), env in select(vec!["dev", "prod", "x"])) {
        let set = AccessSet::new(roles(&specs), &user());
        let labels = BTreeMap::from([("env".to_owned(), env.to_owned())]);
        let listed = set.logins_on(&web(&labels));
        for login in ["root", "alice", "bob", "svc-1", "x-dev", "x-*", "*", "b,ad"] {
            let is_listed = listed.iter().any(|one| one.as_str() == login);
            prop_assert_eq!(is_listed, set.login_to_node(&web(&labels), login).is_allowed(), "{}", login);
        }
        prop_assert!(listed.is_subset(&set.logins()));
    }

    #[test]
    fn no_text_is_a_panic(texts in prop::collection::vec(fragments(), 5), value in ".*") {
        let [login, pattern, denied, condition, extension] = <[String; 5]>::try_from(texts).unwrap();
        let allow = Conditions {
            logins: vec![login],
            node_labels: BTreeMap::from([("env".to_owned(), vec![pattern])]),
            rules: vec![Rule { resources: vec!["*".to_owned()], verbs: vec!["*".to_owned()], condition: Some(condition) }],
        };
        let deny = Conditions { logins: vec![denied], ..Conditions::default() };
        let options = RoleOptions {
            cert_extensions: vec![resource::CertExtension {
                name: "a@x.example".to_owned(),
                value: extension,
                kind: resource::CertExtensionKind::Ssh,
                mode: resource::CertExtensionMode::Extension,
            }],
            ..RoleOptions::default()
        };
        let document = Document::new(Metadata::named(ResourceName::parse("r").unwrap()), RoleSpec { options, allow, deny });
        if let Ok(role) = Role::parse(&document) {
            let mut user = user();
            user.traits.insert("logins".to_owned(), vec![value.clone()]);
            let set = AccessSet::new(vec![Arc::new(role)], &user);
            let labels = BTreeMap::from([("env".to_owned(), value.clone())]);
            set.explain_login(&web(&labels), &value);
            set.explain_may("user", Verb::Read, &WhereContext::default());
        }
    }
}

/// Texts made of the pieces that templates, patterns and conditions are made of.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "{{",
            "}}",
            "internal",
            "external",
            ".",
            "logins",
            "[\"",
            "\"]",
            "email.local(",
            "regexp.replace(",
            ")",
            "(",
            ",",
            "\"",
            "\\",
            "^",
            "$",
            "*",
            "equals(",
            "contains(",
            "user.metadata.name",
            "user.spec.roles",
            "resource.metadata.labels[\"x\"]",
            "&&",
            "||",
            "!",
            " ",
            "é",
            "{{internal.logins}}",
            "equals(\"a\", \"b\")",
        ])
        .prop_map(str::to_owned),
        "[^\\pC]{0,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}
