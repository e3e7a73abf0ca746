use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::Kind;
use crate::Labels;
use crate::Metadata;
use crate::Spec;
use crate::limits;
use crate::problem::Problem;
use crate::problem::closest;
use crate::scalars;

/// The right to join. The name of the stored document is the SHA-256 of the secret in hexadecimal digits; the secret
/// itself is shown once and stored nowhere. The end of its life is `metadata.expires`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// What whoever joins by it becomes.
    pub roles: Vec<SystemRole>,
    /// How joining proves itself.
    #[serde(default)]
    pub join_method: JoinMethod,
    /// How many may still join by it: one when absent, without limit when null.
    #[serde(default = "one_use")]
    pub uses: Option<u32>,
    /// Labels for whoever joins by it.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "scalars::lists"
    )]
    pub suggested_labels: Labels,
}

const fn one_use() -> Option<u32> {
    Some(1)
}

/// How joining proves itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinMethod {
    /// By knowing the secret.
    #[default]
    Token,
}

/// What a member of the cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemRole {
    /// Serves SSH.
    Node,
    /// The public face.
    Proxy,
    /// Holds the authorities.
    Auth,
    /// Serves databases.
    Db,
    /// Serves web applications.
    App,
}

impl SystemRole {
    /// Every system role.
    pub const ALL: [Self; 5] = [Self::Node, Self::Proxy, Self::Auth, Self::Db, Self::App];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Proxy => "proxy",
            Self::Auth => "auth",
            Self::Db => "db",
            Self::App => "app",
        }
    }
}

impl fmt::Display for SystemRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SystemRole {
    type Err = UnknownSystemRole;
    fn from_str(word: &str) -> Result<Self, UnknownSystemRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| UnknownSystemRole {
                word: crate::problem::shortened(word),
                did_you_mean: closest(&word.to_ascii_lowercase(), Self::ALL.map(Self::as_str)),
            })
    }
}

/// No system role has that word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no system role{}; allowed are node, proxy, auth, db and app", .did_you_mean.map(|near| format!(", did you mean {near}?")).unwrap_or_default())]
pub struct UnknownSystemRole {
    /// The word, shortened.
    pub word: String,
    /// The nearest word, when one is near.
    pub did_you_mean: Option<&'static str>,
}

impl Spec for TokenSpec {
    const KIND: Kind = Kind::Token;

    fn check(&self, _metadata: &Metadata, problems: &mut Vec<Problem>) {
        if self.roles.is_empty() {
            problems.push(
                Problem::new("spec.roles", "is empty").allowed("at least one of node, proxy, auth, db, app"),
            );
        }
        for (index, role) in self.roles.iter().enumerate() {
            if self.roles.iter().take(index).any(|earlier| earlier == role) {
                problems.push(Problem::new(
                    format!("spec.roles[{index}]"),
                    format!("{role} stands twice"),
                ));
            }
        }
        if self.uses == Some(0) {
            problems.push(
                Problem::new("spec.uses", "is 0, with which nobody could join")
                    .allowed("at least 1, or null for no limit"),
            );
        }
        limits::check_count("spec.suggested_labels", self.suggested_labels.len(), problems);
        for (key, values) in &self.suggested_labels {
            limits::check_key("spec.suggested_labels", key, problems);
            limits::check_texts(&format!("spec.suggested_labels.{key}"), values, problems);
        }
    }

    fn clear_read_only(&mut self) {}
}
