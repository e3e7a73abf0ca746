use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

use crate::Kind;
use crate::Metadata;
use crate::Spec;
use crate::limits;
use crate::problem::Problem;

/// An order to refuse, and to cut, whatever matches its target. The end of its life is `metadata.expires`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockSpec {
    /// Whom or what it locks.
    pub target: LockTarget,
    /// What whoever it hits is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<UnixSeconds>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// Whom or what a lock is for. At least one is given, and all that are given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LockTarget {
    /// A user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Everybody who bears a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// A name to log in by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// A node, by its host id or hostname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// A second factor, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_device: Option<String>,
}

impl LockTarget {
    /// Each field with its word.
    pub fn fields(&self) -> [(&'static str, Option<&str>); 5] {
        let Self {
            user,
            role,
            login,
            node,
            mfa_device,
        } = self;
        [
            ("user", user.as_deref()),
            ("role", role.as_deref()),
            ("login", login.as_deref()),
            ("node", node.as_deref()),
            ("mfa_device", mfa_device.as_deref()),
        ]
    }

    /// Whether it names nothing. Such a target matches nothing.
    pub fn is_empty(&self) -> bool {
        self.fields().iter().all(|(_, value)| value.is_none())
    }
}

impl Spec for LockSpec {
    const KIND: Kind = Kind::Lock;

    fn check(&self, _metadata: &Metadata, problems: &mut Vec<Problem>) {
        if self.target.is_empty() {
            problems.push(
                Problem::new("spec.target", "names nothing")
                    .allowed("at least one of user, role, login, node, mfa_device"),
            );
        }
        for (field, value) in self.target.fields() {
            if let Some(value) = value {
                limits::check_text(&format!("spec.target.{field}"), value, problems);
            }
        }
        if let Some(message) = &self.message {
            limits::check_optional_text("spec.message", message, problems);
        }
        if let Some(creator) = &self.created_by {
            limits::check_text("spec.created_by", creator, problems);
        }
    }

    fn clear_read_only(&mut self) {}
}
