use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// Something an operator should know of and act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// A stable id, such as `custody/host`: the same condition has the same id.
    pub id: String,
    /// How soon to act.
    pub severity: Severity,
    /// What is the matter.
    pub message: String,
    /// What to do about it, with the command to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Since when, RFC 3339.
    pub created: String,
}

/// How soon to act. Grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// When convenient.
    Low,
    /// Soon.
    Medium,
    /// Now.
    High,
}

impl Severity {
    /// The word in documents and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
