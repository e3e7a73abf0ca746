use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// A stable id, such as `pkcs11.module`.
    pub id: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// What was examined, in a few words.
    pub what: String,
    /// What was found.
    pub detail: String,
    /// What to do about it; nothing when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How bad a finding is. Grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// All is well.
    Ok,
    /// It will bite.
    Warning,
    /// It bites.
    Error,
}

impl FindingSeverity {
    /// The word in documents and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
