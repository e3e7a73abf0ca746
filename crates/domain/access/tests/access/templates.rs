use serde_json::{Value, json};

use crate::{alice, labels, names, parse, web};

/// The logins of a role that permits this one text everywhere.
fn logins(text: &str, traits: Value) -> Vec<String> {
    let set = alice(
        json!({"allow": {"logins": [text], "node_labels": {"*": "*"}}}),
        traits,
    );
    let node = labels(json!({}));
    let on_node = set.logins_on(&web(&node));
    assert_eq!(set.logins(), on_node);
    for login in &on_node {
        assert!(set.login_to_node(&web(&node), login.as_str()).is_allowed());
    }
    names(&on_node).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_template_has_as_many_values_as_its_trait() {
    let traits =
        json!({"logins": ["root", "alice"], "x-y": ["1"], "a b": ["2"], "email": ["alice@example.com"]});
    for (text, expected) in [
        ("root", vec!["root"]),
        ("{{internal.logins}}", vec!["alice", "root"]),
        ("{{ internal.logins }}", vec!["alice", "root"]),
        ("{{external.logins}}", vec!["alice", "root"]),
        ("{{internal[\"a b\"]}}", vec!["2"]),
        ("{{internal.x-y}}", vec!["1"]),
        ("dev-{{internal.logins}}", vec!["dev-alice", "dev-root"]),
        ("{{internal.logins}}@corp", vec!["alice@corp", "root@corp"]),
        ("a-{{internal.x-y}}-b", vec!["a-1-b"]),
        ("{{internal.missing}}", vec![]),
        ("root{{internal.missing}}", vec![]),
        ("{{email.local(external.email)}}", vec!["alice"]),
        ("{{email.local(internal.logins)}}", vec![]),
        ("{{ email . local ( external [ \"email\" ] ) }}", vec!["alice"]),
        (
            "{{regexp.replace(internal.logins, \"^al(.*)$\", \"$1\")}}",
            vec!["ice"],
        ),
        ("{{regexp.replace(internal.logins, \"o\", \"0\")}}", vec!["r00t"]),
        ("{{regexp.replace(internal.logins, \"^r.*$\", \"\")}}", vec![]),
        ("{{regexp.replace(internal.logins, \"nothing\", \"x\")}}", vec![]),
        (
            "{{regexp.replace(email.local(external.email), \"^(?P<first>.).*$\", \"${first}x\")}}",
            vec!["ax"],
        ),
        (
            "{{regexp.replace(internal.logins, \"\\\\w+\", \"w\")}}",
            vec!["w"],
        ),
        (
            "{{regexp.replace(internal.logins, \"\\w+\", \"}}\")}}",
            vec!["}}"],
        ),
    ] {
        assert_eq!(logins(text, traits.clone()), expected, "{text}");
    }
}

#[test]
fn values_that_are_no_principals_are_left_out_and_explained() {
    let traits = json!({"logins": ["ok", "", "a,b", "*", "a b", "r\u{200b}oot", "-x", "a\nb", "x".repeat(256), "y".repeat(5_000)]});
    assert_eq!(logins("{{internal.logins}}", traits.clone()), ["-x", "ok"]);
    let set = alice(
        json!({"allow": {"logins": ["{{internal.logins}}", "{{internal.none}}"], "node_labels": {"*": "*"}}}),
        traits,
    );
    let lines = set.explain().join("\n");
    for wanted in [
        "role ops, spec.allow.logins[0]: \"a,b\" is left out: principal has ','",
        "role ops, spec.allow.logins[0]: \"*\" is left out",
        "role ops, spec.allow.logins[1]: its template has no value",
    ] {
        assert!(lines.contains(wanted), "{lines}");
    }
}

#[test]
fn a_mail_address_has_a_local_part_or_nothing() {
    for (address, expected) in [
        ("alice@example.com", vec!["alice"]),
        ("a.b+c@example.com", vec!["a.b+c"]),
        ("alice", vec![]),
        ("@example.com", vec![]),
        ("alice@", vec![]),
        ("root@evil@example.com", vec![]),
        ("Root <alice@example.com>", vec![]),
        ("root alice@example.com", vec![]),
        ("\"root\"@example.com", vec![]),
    ] {
        assert_eq!(
            logins("{{email.local(external.email)}}", json!({"email": [address]})),
            expected,
            "{address}"
        );
    }
}

#[test]
fn results_do_not_outgrow_their_limit() {
    let many: Vec<String> = (0..3_000).map(|n| format!("u{n}")).collect();
    assert_eq!(
        logins("{{internal.logins}}", json!({"logins": many})).len(),
        1_000
    );
    let text = format!(
        "{{{{regexp.replace(internal.logins, \"\", \"{}\")}}}}",
        "$0x".repeat(1_000)
    );
    assert_eq!(
        logins(&text, json!({"logins": ["a".repeat(4_000)]})),
        Vec::<String>::new()
    );
}

#[test]
fn malformed_templates_are_problems() {
    let deep = format!(
        "{{{{{}internal.x{}}}}}",
        "email.local(".repeat(40),
        ")".repeat(40)
    );
    for (text, what) in [
        ("{{internal.logins", "has {{ without }} after its expression"),
        ("internal.logins}}", "has }} without {{ before it"),
        ("{{}}", "has no internal, external or function after {{"),
        ("{{internal}}", "has \"}}\" where \".\" is expected"),
        ("{{internal.}}", "has \"}}\" where a name is expected"),
        ("{{internal.a}}{{internal.b}}", "has more than one {{ }}"),
        ("}}{{internal.a}}", "has more than one {{ }}"),
        ("{{internal.a b}}", "has {{ without }} after its expression"),
        ("{{user.name}}", "has the unknown word \"user\" in {{ }}"),
        (
            "{{email.domain(internal.a)}}",
            "has \"domain(internal.\" where \"local\" is expected",
        ),
        ("{{email.local(internal.a}}", "has \"}}\" where \")\" is expected"),
        (
            "{{regexp.replace(internal.a, \"(\", \"\")}}",
            "is no regular expression: unclosed group",
        ),
        (
            "{{regexp.replace(internal.a, \"x)}}",
            "has a string without a closing quote",
        ),
        (
            "{{regexp.replace(internal.a, \"x\")}}",
            "has \")}}\" where \",\" is expected",
        ),
        ("{{internal[\"a\"}}", "has \"}}\" where \"]\" is expected"),
        (deep.as_str(), "has functions nested deeper than 32"),
        ("a,{{internal.logins}}", "principal has ','"),
        ("*", "principal has '*'"),
        ("^ro.*$", "is a pattern, which cannot be permitted"),
        ("ro*", "principal has '*'"),
    ] {
        let problems = parse("ops", json!({"allow": {"logins": [text]}})).unwrap_err();
        assert_eq!(problems[0].path, "spec.allow.logins[0]", "{text}");
        assert!(
            problems[0].what.starts_with(what),
            "{text}: {:?}",
            problems[0].what
        );
    }
}

#[test]
fn refused_logins_may_be_patterns_and_templates() {
    for (denied, refused, kept) in [
        ("*", "root alice svc-1", ""),
        ("root", "root", "alice svc-1"),
        ("svc-*", "svc-1", "alice root"),
        ("^(root|alice)$", "alice root", "svc-1"),
        ("{{internal.banned}}", "alice", "root svc-1"),
        ("{{internal.missing}}", "", "alice root svc-1"),
    ] {
        let set = alice(
            json!({
                "allow": {"logins": ["root", "alice", "svc-1"], "node_labels": {"*": "*"}},
                "deny": {"logins": [denied]},
            }),
            json!({"banned": ["alice", "*"]}),
        );
        let node = labels(json!({}));
        assert_eq!(names(&set.logins()).join(" "), kept, "{denied}");
        for login in refused.split_whitespace() {
            let decision = set.login_to_node(&web(&node), login);
            assert_eq!(
                crate::decided_by(&decision),
                (false, Some("ops"), Some("spec.deny.logins[0]")),
                "{denied} {login}"
            );
        }
    }
}
