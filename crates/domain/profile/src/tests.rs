//! Every rule of the linter has a planted violation here: the last test reads the sources for rules and misses none.

mod samples;
mod token_and_crl;
mod violations_ssh;
mod violations_x509;

use std::collections::BTreeSet;

use crate::Finding;

/// The rules that were found broken.
pub(crate) fn ids<T>(result: Result<T, Vec<Finding>>) -> BTreeSet<&'static str> {
    result
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|finding| finding.id)
        .collect()
}

/// A planted violation: the rule it breaks and what the linter said.
pub(crate) type Planted = (&'static str, BTreeSet<&'static str>);

/// Every file that states rules.
const SOURCES: [&str; 10] = [
    include_str!("lib.rs"),
    include_str!("lint_crl.rs"),
    include_str!("lint_ssh.rs"),
    include_str!("lint_token.rs"),
    include_str!("lint_x509.rs"),
    include_str!("spiffe.rs"),
    include_str!("ssh.rs"),
    include_str!("token.rs"),
    include_str!("x509_plan.rs"),
    include_str!("x509_rules.rs"),
];

/// Rules that no input can break: `ssh.extensions` passes on the error of an extension name that is a constant.
const UNBREAKABLE: [&str; 1] = ["ssh.extensions"];

/// The rules in the sources: texts such as `"x509.aki"`, and `"ttl"`.
fn stated() -> BTreeSet<&'static str> {
    let is_rule = |text: &str| {
        let families = ["crl.", "jwt.", "spiffe.", "ssh.", "x509."];
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte));
        text == "ttl"
            || (is_plain
                && families
                    .iter()
                    .any(|family| text.starts_with(family) && text.len() > family.len()))
    };
    SOURCES
        .iter()
        .flat_map(|source| source.split('"'))
        .filter(|text| is_rule(text))
        .collect()
}

#[test]
fn every_rule_finds_its_violation() {
    let planted: Vec<Planted> = [
        violations_x509::planted(),
        violations_ssh::planted(),
        token_and_crl::planted(),
    ]
    .concat();
    let mut seen = BTreeSet::new();
    let mut missed = Vec::new();
    for (rule, found) in planted {
        if !found.contains(rule) {
            missed.push(format!("{rule} was broken, found was {found:?}"));
        }
        seen.insert(rule);
    }
    assert!(missed.is_empty(), "{missed:#?}");
    seen.extend(UNBREAKABLE);
    assert_eq!(
        stated(),
        seen,
        "rules stated in the sources, and rules with a planted violation"
    );
}
