use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// Implements the text forms of an enum of words: `ALL`, `as_str`, display and parsing.
macro_rules! words {
    ($name:ident, $what:literal, $($variant:ident => $word:literal),+ $(,)?) => {
        impl $name {
            /// Every value, in the order they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in documents, queries and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    let echo: String = text.chars().take(40).collect();
                    format!("{echo:?} is no {}: use {}", $what, known.join(", "))
                })
            }
        }
    };
}
pub(crate) use words;

/// A phase of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No rotation is in progress.
    Standby,
    /// The next keys are published and trusted, but do not sign yet.
    Init,
    /// The new keys sign; client sides move to them.
    UpdateClients,
    /// Server sides move to the new keys.
    UpdateServers,
    /// Everybody returns to the keys from before the rotation.
    Rollback,
}

words!(Phase, "phase",
    Standby => "standby",
    Init => "init",
    UpdateClients => "update_clients",
    UpdateServers => "update_servers",
    Rollback => "rollback",
);

/// Whether a rotation is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationState {
    /// It is not.
    Standby,
    /// It is.
    InProgress,
}

words!(RotationState, "rotation state", Standby => "standby", InProgress => "in_progress");

/// Who moves a rotation on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The operator asks for every phase.
    Manual,
    /// The phases follow a schedule, as far as the evidence allows.
    Automatic,
}

words!(Mode, "rotation mode", Manual => "manual", Automatic => "automatic");

/// What a key of an authority is used for at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// It signs, and is trusted.
    Active,
    /// It is trusted and does not sign.
    Trusted,
}

words!(KeyUse, "key status", Active => "active", Trusted => "trusted");
