use access::{ResourceView, SessionView, Verb, WhereContext};
use serde_json::json;

use crate::{alice, labels, parse};

/// What a condition does as a permission, and what it does as a refusal of everything else permitted.
fn outcome(condition: &str, context: &WhereContext<'_>) -> (bool, bool) {
    let traits = json!({"teams": ["infra", "web"], "email": ["alice@example.com"]});
    let rule = json!([{"resources": ["token"], "verbs": ["read"], "where": condition}]);
    let all = json!([{"resources": ["*"], "verbs": ["*"]}]);
    let permits = alice(json!({"allow": {"rules": rule}}), traits.clone());
    let refuses = alice(json!({"allow": {"rules": all}, "deny": {"rules": rule}}), traits);
    (
        permits.may("token", Verb::Read, context).is_allowed(),
        !refuses.may("token", Verb::Read, context).is_allowed(),
    )
}

const TRUE: (bool, bool) = (true, true);
const FALSE: (bool, bool) = (false, false);
/// Not known: does not permit, and refuses.
const UNKNOWN: (bool, bool) = (false, true);

#[test]
fn conditions_over_a_known_resource_and_session() {
    let labels = labels(json!({"team": "infra", "a b": "x"}));
    let participants = ["alice".to_owned(), "bob".to_owned()];
    let context = WhereContext {
        resource: Some(ResourceView {
            name: "alice",
            labels: &labels,
        }),
        session: Some(SessionView {
            participants: &participants,
        }),
    };
    for (condition, expected) in [
        (r#"equals("a", "a")"#, TRUE),
        (r#"equals("a", "b")"#, FALSE),
        (r#"equals("a\"\\", "a\"\\")"#, TRUE),
        ("equals(user.metadata.name, resource.metadata.name)", TRUE),
        (r#"equals(user.metadata.name, "bob")"#, FALSE),
        (r#"equals(resource.kind, "token")"#, TRUE),
        (r#"equals(resource.metadata.labels["team"], "infra")"#, TRUE),
        (r#"equals(resource.metadata.labels.team, "infra")"#, TRUE),
        (r#"equals(resource["metadata"]["labels"]["a b"], "x")"#, TRUE),
        (r#"equals(resource.metadata.labels["missing"], "")"#, FALSE),
        (r#"!equals(resource.metadata.labels["missing"], "")"#, TRUE),
        (
            r#"equals(resource.metadata.labels["m"], resource.metadata.labels["m"])"#,
            FALSE,
        ),
        (r#"contains(user.spec.roles, "ops")"#, TRUE),
        (r#"contains(user.spec.roles, "op")"#, FALSE),
        (
            r#"contains(user.spec.traits["teams"], resource.metadata.labels["team"])"#,
            TRUE,
        ),
        (r#"contains(user.spec.traits.teams, "db")"#, FALSE),
        (r#"contains(user.spec.traits["none"], "db")"#, FALSE),
        (
            r#"contains(user.spec.traits["teams"], resource.metadata.labels["missing"])"#,
            FALSE,
        ),
        ("contains(session.participants, user.metadata.name)", TRUE),
        (r#"contains(session.participants, "mallory")"#, FALSE),
        // || binds less than &&, ! binds most.
        (r#"equals("a","a") || equals("a","b") && equals("a","b")"#, TRUE),
        (
            r#"(equals("a","a") || equals("a","b")) && equals("a","b")"#,
            FALSE,
        ),
        (r#"equals("a","b") && equals("a","b") || equals("a","a")"#, TRUE),
        (r#"!equals("a","b") && equals("a","a")"#, TRUE),
        (r#"!(equals("a","b") || equals("a","a"))"#, FALSE),
        (r#"!!equals("a","a")"#, TRUE),
        (r#"  equals ( "a" , "a" )  &&  ! equals("b" ,"a")  "#, TRUE),
        (r#"((((equals("a","a")))))"#, TRUE),
    ] {
        assert_eq!(outcome(condition, &context), expected, "{condition}");
    }
}

#[test]
fn what_is_not_known_neither_permits_nor_lets_a_refusal_pass() {
    let unknown = r#"equals(resource.metadata.name, "x")"#;
    let yes = r#"equals("a", "a")"#;
    let no = r#"equals("a", "b")"#;
    let context = WhereContext::default();
    for (condition, expected) in [
        (unknown.to_owned(), UNKNOWN),
        (format!("!{unknown}"), UNKNOWN),
        (r#"contains(session.participants, "alice")"#.to_owned(), UNKNOWN),
        (
            r#"contains(user.spec.roles, resource.metadata.labels["x"])"#.to_owned(),
            UNKNOWN,
        ),
        (r#"equals(resource.kind, "token")"#.to_owned(), TRUE),
        (format!("{unknown} && {no}"), FALSE),
        (format!("{no} && {unknown}"), FALSE),
        (format!("{unknown} && {yes}"), UNKNOWN),
        (format!("{yes} && {unknown}"), UNKNOWN),
        (format!("{unknown} || {yes}"), TRUE),
        (format!("{yes} || {unknown}"), TRUE),
        (format!("{unknown} || {no}"), UNKNOWN),
        (format!("{no} || {unknown}"), UNKNOWN),
        (format!("!({unknown} && {yes})"), UNKNOWN),
        (format!("!({unknown} || {yes})"), FALSE),
        (format!("{unknown} || !{unknown}"), UNKNOWN),
    ] {
        assert_eq!(outcome(&condition, &context), expected, "{condition}");
    }
}

#[test]
fn malformed_conditions_are_problems() {
    let long = format!("equals(\"{}\", \"\")", "a".repeat(5_000));
    let deep_brackets = format!("{}equals(\"a\",\"a\"){}", "(".repeat(33), ")".repeat(33));
    let deep_not = format!("{}equals(\"a\",\"a\")", "!".repeat(33));
    for (condition, what) in [
        ("", "ends where equals(…), contains(…), ! or ( is expected"),
        ("true", "has \"true\" where equals(…)"),
        ("equals", "ends where \"(\" is expected"),
        ("equals(\"a\")", "has \")\" where \",\" is expected"),
        ("equals(\"a\", \"b\"", "ends where \")\" is expected"),
        ("equals(\"a\", \"b)", "has a string without a closing quote"),
        ("equals(\"a\", b)", "has \")\" where \".\" is expected"),
        ("equals('a', 'b')", "has \"'a', 'b')\" where \"\\\"\" is expected"),
        (
            "equals(user.password, \"x\")",
            "has \", \\\"x\\\")\" where \".\" is expected",
        ),
        (
            "equals(user.spec.password, \"x\")",
            "has the unknown name \"user.spec.passwo\"",
        ),
        (
            "equals(user.spec.roles, \"x\")",
            "has a list at \"user.spec.roles,\" where a text is expected",
        ),
        (
            "contains(user.metadata.name, \"x\")",
            "has a text at \"user.metadata.na\" where a list is expected",
        ),
        ("contains(\"x\", \"x\")", "has a text at"),
        ("equals(\"a\", \"a\") &&", "ends where equals(…)"),
        (
            "equals(\"a\", \"a\") & equals(\"a\", \"a\")",
            "has \"& equals(\\\"a\\\", \\\"a\" where its end, && or || is expected",
        ),
        (
            "equals(\"a\", \"a\") equals(\"a\", \"a\")",
            "has \"equals(\\\"a\\\", \\\"a\\\")\" where its end",
        ),
        ("(equals(\"a\", \"a\")", "ends where \")\" is expected"),
        ("equals(\"a\", \"a\"))", "has \")\" where its end"),
        (
            "equalsx(\"a\", \"a\")",
            "has \"equalsx(\\\"a\\\", \\\"a\\\"\" where equals(…)",
        ),
        (deep_brackets.as_str(), "is nested deeper than 32"),
        (deep_not.as_str(), "is nested deeper than 32"),
    ] {
        let spec =
            json!({"deny": {"rules": [{"resources": ["user"], "verbs": ["read"], "where": condition}]}});
        let problems = parse("ops", spec).unwrap_err();
        assert_eq!(problems[0].path, "spec.deny.rules[0].where", "{condition}");
        assert!(
            problems[0].what.starts_with(what),
            "{condition}: {}",
            problems[0].what
        );
    }
    let spec = json!({"allow": {"rules": [{"resources": ["user"], "verbs": ["read"], "where": long}]}});
    assert!(
        parse("ops", spec).unwrap_err()[0]
            .what
            .ends_with("at most 4096 are allowed")
    );
    let chain = vec!["equals(\"a\",\"a\")"; 200].join("&&");
    let spec = json!({"allow": {"rules": [{"resources": ["user"], "verbs": ["read"], "where": chain}]}});
    assert!(parse("ops", spec).is_ok());
}
