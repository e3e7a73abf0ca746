use serde_json::{Value, json};

use crate::parse;

#[test]
fn every_problem_of_a_role_is_reported_where_it_stands() {
    let problems = parse(
        "ops",
        json!({
            "options": {"max_session_ttl": "40h", "cert_extensions": [{"name": "login@x.example", "value": "{{nope}}", "type": "ssh", "mode": "extension"}]},
            "allow": {
                "logins": ["ok", "a b"],
                "node_labels": {"*": "prod", "env": ["dev", "^($"], "region": "^eu", "x": "{{a}}", "y": "a*{{internal.x}}", "z": "^{{internal.x}}$", "w": "^a)|(?:.*$"},
                "rules": [{"resources": ["user", "usr"], "verbs": ["list", "rad"]}],
            },
            "deny": {"logins": ["^(a$"], "rules": [{"resources": ["*"], "verbs": ["*"], "where": "maybe"}]},
        }),
    )
    .unwrap_err();
    let found: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        found,
        [
            "spec.options.max_session_ttl",
            "spec.options.cert_extensions[0].value",
            "spec.allow.logins[1]",
            "spec.allow.node_labels.*",
            "spec.allow.node_labels.env[1]",
            "spec.allow.node_labels.region[0]",
            "spec.allow.node_labels.w[0]",
            "spec.allow.node_labels.x[0]",
            "spec.allow.node_labels.y[0]",
            "spec.allow.node_labels.z[0]",
            "spec.allow.rules[0].resources[1]",
            "spec.allow.rules[0].verbs[1]",
            "spec.deny.logins[0]",
            "spec.deny.rules[0].where",
        ]
    );
    let words: Vec<Option<&str>> = problems
        .iter()
        .map(|problem| problem.did_you_mean.as_deref())
        .collect();
    assert_eq!(words[10..12], [Some("user"), Some("read")]);
    assert_eq!(
        problems[11].to_string(),
        "spec.allow.rules[0].verbs[1]: unknown verb \"rad\", did you mean \"read\"?; allowed: list, create, read, readnosecrets, update, delete, rotate, sign, use"
    );
}

#[test]
fn regular_expressions_are_limited_in_size_and_number() {
    let huge = json!({"allow": {"node_labels": {"env": "^(\\w{1000}){1000}$"}}});
    assert_eq!(
        parse("ops", huge).unwrap_err()[0].what,
        "is a regular expression that is too large"
    );
    let many: Vec<Value> = (0..201).map(|n| json!(format!("^a{n}$"))).collect();
    let problems = parse("ops", json!({"deny": {"logins": many}})).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "spec: has 201 regular expressions; allowed: at most 200"
    );
}
