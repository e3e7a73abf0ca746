//! Decisions over roles: every pattern, every combination of permission and refusal, and what may never happen.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

mod carried;
mod combinations;
mod conditions;
mod explanations;
mod labels;
mod locks;
mod options;
mod presets;
mod problems;
mod properties;
mod rules;
mod sessions;
mod templates;

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{AccessSet, Decision, NodeView, Role, UserTraits};
use resource::{Document, Problem, RoleSpec};
use serde_json::{Value, json};

/// Compiles a role of a name and a spec.
fn parse(name: &str, spec: Value) -> Result<Arc<Role>, Vec<Problem>> {
    let value = json!({"kind": "role", "version": "v1", "metadata": {"name": name}, "spec": spec});
    let document: Document<RoleSpec> = serde_json::from_value(value).expect("the test's own document");
    Role::parse(&document).map(Arc::new)
}

fn role(name: &str, spec: Value) -> Arc<Role> {
    parse(name, spec).expect("a role without problems")
}

fn user(traits: Value) -> UserTraits {
    UserTraits {
        name: "alice".to_owned(),
        traits: serde_json::from_value(traits).expect("the test's own traits"),
    }
}

/// Alice, who has these traits, with one role of this spec.
fn alice(spec: Value, traits: Value) -> AccessSet {
    AccessSet::new(vec![role("ops", spec)], &user(traits))
}

fn labels(labels: Value) -> BTreeMap<String, String> {
    serde_json::from_value(labels).expect("the test's own labels")
}

fn web(labels: &BTreeMap<String, String>) -> NodeView<'_> {
    NodeView {
        host_id: "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11",
        hostname: "web-1",
        labels,
    }
}

fn names<'a>(principals: impl IntoIterator<Item = &'a names::Principal>) -> Vec<&'a str> {
    principals.into_iter().map(names::Principal::as_str).collect()
}

/// The role and the rule that decided.
fn decided_by(decision: &Decision) -> (bool, Option<&str>, Option<&str>) {
    match decision {
        Decision::Allow(proof) => (true, Some(proof.role().as_str()), Some(proof.rule())),
        Decision::Deny(reason) => (false, reason.role().map(|role| role.as_str()), reason.rule()),
    }
}
