use resource::{AnyDocument, Document, RoleSpec, UserSpec};
use serde_json::json;

use crate::{only_problem, yaml};

fn role(spec: &str) -> String {
    format!("kind: role\nversion: v1\nmetadata: {{name: ops}}\nspec: {spec}\n")
}

#[test]
fn unknown_fields_are_refused_where_they_stand_with_the_nearest_name() {
    let problem = only_problem(&role("{allow: {login: [root]}}"));
    assert_eq!(
        problem.to_string(),
        "spec.allow.login: unknown field \"login\", did you mean \"logins\"?; allowed: logins, node_labels, rules"
    );
    let problem = only_problem(&role(
        "{allow: {rules: [{resources: [user], verbs: [list], were: 'x'}]}}",
    ));
    assert_eq!(problem.path, "spec.allow.rules[0].were");
    assert_eq!(problem.did_you_mean.as_deref(), Some("where"));
    let problem = only_problem("kind: role\nversion: v1\nmetadata: {name: a}\nspec: {}\nspecs: {}\n");
    assert_eq!(problem.path, "specs");
    assert_eq!(problem.did_you_mean.as_deref(), Some("spec"));
}

#[test]
fn unknown_words_are_refused_with_the_nearest_word() {
    let problem = only_problem(&role("{options: {lock: stricct}}"));
    assert_eq!(
        problem.to_string(),
        "spec.options.lock: unknown word \"stricct\", did you mean \"strict\"?; allowed: best_effort, strict"
    );
    let problem = only_problem("kind: rol\nversion: v1\nmetadata: {name: a}\nspec: {}\n");
    assert_eq!(
        (problem.path.as_str(), problem.did_you_mean.as_deref()),
        ("kind", Some("role"))
    );
    let problem = only_problem("kind: role\nversion: v7\nmetadata: {name: a}\nspec: {}\n");
    assert_eq!(
        (problem.path.as_str(), problem.allowed.as_deref()),
        ("version", Some("v1"))
    );
}

#[test]
fn values_of_the_wrong_type_are_refused_where_they_stand() {
    for (spec, path) in [
        ("{allow: {logins: [root, {a: b}]}}", "spec.allow.logins[1]"),
        ("{allow: {logins: root}}", "spec.allow.logins"),
        (
            "{allow: {node_labels: {env: [dev, [x]]}}}",
            "spec.allow.node_labels.env[1]",
        ),
        ("{allow: {node_labels: {env: 1.5}}}", "spec.allow.node_labels.env"),
        ("{options: {max_session_ttl: 12}}", "spec.options.max_session_ttl"),
        (
            "{options: {max_session_ttl: 12 hours}}",
            "spec.options.max_session_ttl",
        ),
        ("{options: {max_sessions: -1}}", "spec.options.max_sessions"),
        ("{options: {forward_agent: 'yes'}}", "spec.options.forward_agent"),
        (
            "{options: {port_forwarding: {local: {enable: true}}}}",
            "spec.options.port_forwarding.local.enable",
        ),
        ("{allow: {rules: [{resources: [user]}]}}", "spec.allow.rules[0]"),
    ] {
        assert_eq!(only_problem(&role(spec)).path, path, "{spec}");
    }
    for (value, path) in [
        (json!(null), "."),
        (json!([]), "."),
        (json!({}), "kind"),
        (json!({"kind": 1}), "kind"),
        (json!({"kind": "role"}), "."),
        (
            json!({"kind": "role", "version": "v1", "metadata": {"name": "a/b"}, "spec": {}}),
            "metadata.name",
        ),
        (
            json!({"kind": "role", "version": "v1", "metadata": {"name": "a"}}),
            ".",
        ),
    ] {
        let problems = AnyDocument::from_value(value.clone()).unwrap_err();
        assert_eq!(problems[0].path, path, "{value}: {problems:?}");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let text = r#"{"kind":"node","version":"v1","metadata":{"name":"n","labels":{"env":"dev","env":"prod"}},"spec":{"hostname":"n"}}"#;
    let error = serde_json::from_str::<Document<resource::NodeSpec>>(text).unwrap_err();
    assert!(
        error.to_string().starts_with("the key \"env\" stands twice"),
        "{error}"
    );
}

#[test]
fn every_problem_of_a_document_is_reported() {
    let problems = yaml(&role(
        "{options: {max_session_ttl: 31h, max_sessions: 0, client_idle_timeout: 0s, cert_extensions: [{name: permit-pty, value: '', type: ssh, mode: extension}]}, \
         allow: {logins: ['', ok], node_labels: {env: [], 'a b': x}, rules: [{resources: [], verbs: [list]}]}, deny: {logins: [\"a\\u0000\"]}}",
    ))
    .unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.options.max_session_ttl",
            "spec.options.client_idle_timeout",
            "spec.options.max_sessions",
            "spec.options.cert_extensions[0].name",
            "spec.allow.logins[0]",
            "spec.allow.node_labels",
            "spec.allow.node_labels.env",
            "spec.allow.rules[0].resources",
            "spec.deny.logins[0]",
        ]
    );
}

#[test]
fn each_kind_checks_what_belongs_together() {
    let document = |kind: &str, name: &str, spec: &str| {
        format!("kind: {kind}\nversion: v1\nmetadata: {{name: '{name}'}}\nspec: {spec}\n")
    };
    let long = "a".repeat(65);
    for (kind, name, spec, path) in [
        ("user", long.as_str(), "{roles: []}", "metadata.name"),
        ("user", "a", "{traits: {logins: ['']}}", "spec.traits.logins[0]"),
        ("token", "t", "{roles: []}", "spec.roles"),
        ("token", "t", "{roles: [node, node]}", "spec.roles[1]"),
        ("token", "t", "{roles: [Node]}", "spec.roles[0]"),
        ("token", "t", "{roles: [node], uses: 0}", "spec.uses"),
        (
            "token",
            "t",
            "{roles: [node], join_method: ec2}",
            "spec.join_method",
        ),
        ("node", "n", "{hostname: 'a b'}", "spec.hostname"),
        ("node", "n", "{hostname: web, addr: 'n'}", "spec.addr"),
        ("node", "n", "{hostname: web, addr: 'n:0'}", "spec.addr"),
        ("node", "n", "{hostname: web, addr: '::1:22'}", "spec.addr"),
        ("node", "n", "{hostname: web, addr: 'n:+22'}", "spec.addr"),
        ("node", "n", "{hostname: web, sub_kind: openssh}", "spec.addr"),
        (
            "node",
            "n",
            "{hostname: web, addr: 'n:22', sub_kind: openssh, use_tunnel: true}",
            "spec.use_tunnel",
        ),
        (
            "node",
            "n",
            "{hostname: web, rotation: {host: {phase: init, trusts: [0]}}}",
            "spec.rotation.host.trusts[0]",
        ),
        ("lock", "l", "{target: {}}", "spec.target"),
        ("lock", "l", "{target: {user: ''}}", "spec.target.user"),
        ("cluster_auth_preference", "x", "{}", "metadata.name"),
        (
            "cluster_auth_preference",
            "cluster-auth-preference",
            "{second_factors: []}",
            "spec.second_factors",
        ),
        (
            "cluster_auth_preference",
            "cluster-auth-preference",
            "{second_factors: ['off']}",
            "spec.second_factors[0]",
        ),
        (
            "cluster_auth_preference",
            "cluster-auth-preference",
            "{lockout: {attempts: 0}}",
            "spec.lockout.attempts",
        ),
        (
            "cluster_auth_preference",
            "cluster-auth-preference",
            "{lockout: {period: 30d}}",
            "spec.lockout.period",
        ),
        (
            "cluster_auth_preference",
            "cluster-auth-preference",
            "{webauthn: {rp_id: 'https://x'}}",
            "spec.webauthn.rp_id",
        ),
        (
            "session_recording_config",
            "session-recording-config",
            "{mode: always}",
            "spec.mode",
        ),
        (
            "cluster_networking_config",
            "cluster-networking-config",
            "{keep_alive_interval: 0s}",
            "spec.keep_alive_interval",
        ),
        (
            "cluster_networking_config",
            "cluster-networking-config",
            "{keep_alive_count_max: 0}",
            "spec.keep_alive_count_max",
        ),
    ] {
        assert_eq!(
            only_problem(&document(kind, name, spec)).path,
            path,
            "{kind} {spec}"
        );
    }
}

#[test]
fn a_document_of_another_kind_is_refused() {
    let value = json!({"kind": "user", "version": "v1", "metadata": {"name": "a"}, "spec": {}});
    let problems = Document::<RoleSpec>::from_value(value.clone()).unwrap_err();
    assert_eq!(problems[0].to_string(), "kind: is user; allowed: role");
    assert!(Document::<UserSpec>::from_value(value).is_ok());
}

#[test]
fn sizes_are_limited() {
    let too_many: Vec<String> = (0..=resource::ENTRIES_MAX).map(|n| format!("u{n}")).collect();
    let too_long = "x".repeat(resource::TEXT_BYTES_MAX + 1);
    let problems = |spec| {
        let value = json!({"kind": "role", "version": "v1", "metadata": {"name": "a"}, "spec": spec});
        Document::<RoleSpec>::from_value(value).unwrap_err()
    };
    assert_eq!(
        problems(json!({"allow": {"logins": too_many}}))[0].to_string(),
        "spec.allow.logins: has 1001 entries; allowed: at most 1000"
    );
    assert_eq!(
        problems(json!({"deny": {"logins": [too_long.clone()]}}))[0].to_string(),
        "spec.deny.logins[0]: is 4097 bytes long; allowed: at most 4096 bytes"
    );
    let echoed = problems(json!({ too_long: 1 }))[0].to_string();
    assert!(echoed.len() < 6_000, "{} bytes", echoed.len());
}
