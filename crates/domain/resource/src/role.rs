use std::collections::BTreeMap;

use names::Ttl;
use serde::Deserialize;
use serde::Serialize;

use crate::Kind;
use crate::Metadata;
use crate::Spec;
use crate::limits;
use crate::problem::Problem;
use crate::scalars;

mod options;

pub use options::{
    CertExtension, CertExtensionKind, CertExtensionMode, LockMode, PortForwarding, RecordMode, RecordSession,
    RoleOptions,
};

/// The longest that certificates of people live, whatever a role says.
const SESSION_TTL_MAX: Ttl = Ttl::from_hours(30);

/// A selector of resources: to each label key the patterns its value may match. A node is selected when every key
/// matches; a selector without keys selects nothing.
pub type Labels = BTreeMap<String, Vec<String>>;

/// What its bearers may do. A refusal always wins over a permission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSpec {
    /// How its bearers' sessions behave.
    #[serde(skip_serializing_if = "RoleOptions::is_default")]
    pub options: RoleOptions,
    /// What is permitted.
    #[serde(skip_serializing_if = "Conditions::is_default")]
    pub allow: Conditions,
    /// What is refused, whatever any role permits.
    #[serde(skip_serializing_if = "Conditions::is_default")]
    pub deny: Conditions,
}

/// What a permission or a refusal covers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// Names to log in by; may be templates, such as `{{internal.logins}}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<String>,
    /// Which nodes.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "scalars::lists"
    )]
    pub node_labels: Labels,
    /// Which resources, and what may be done with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Conditions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        limits::check_texts(&format!("{path}.logins"), &self.logins, problems);
        let labels = format!("{path}.node_labels");
        limits::check_count(&labels, self.node_labels.len(), problems);
        for (key, patterns) in &self.node_labels {
            if key != "*" {
                limits::check_key(&labels, key, problems);
            }
            let place = format!("{labels}.{key}");
            if patterns.is_empty() {
                problems.push(Problem::new(
                    place.as_str(),
                    "has no values and would match nothing",
                ));
            }
            limits::check_texts(&place, patterns, problems);
        }
        limits::check_count(&format!("{path}.rules"), self.rules.len(), problems);
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(&format!("{path}.rules[{index}]"), problems);
        }
    }
}

/// A permission or refusal of the API: which resources, which verbs, and under which condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The words of the resources, or `*`.
    pub resources: Vec<String>,
    /// What may be done with them, or `*`.
    pub verbs: Vec<String>,
    /// An expression that must be true, such as `equals(resource.metadata.name, user.metadata.name)`.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Rule {
    fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        for (field, words) in [("resources", &self.resources), ("verbs", &self.verbs)] {
            let place = format!("{path}.{field}");
            if words.is_empty() {
                problems.push(Problem::new(place.as_str(), "is empty and would match nothing"));
            }
            limits::check_texts(&place, words, problems);
        }
    }
}

impl Spec for RoleSpec {
    const KIND: Kind = Kind::Role;

    fn check(&self, _metadata: &Metadata, problems: &mut Vec<Problem>) {
        self.options.check("spec.options", problems);
        self.allow.check("spec.allow", problems);
        self.deny.check("spec.deny", problems);
    }

    fn clear_read_only(&mut self) {}
}
