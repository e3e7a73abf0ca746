use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a rotation stands, in the words operators type and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No rotation is in progress.
    Standby,
    /// The next generation is published and trusted, but does not sign yet.
    Init,
    /// The new generation signs; client sides move to it.
    UpdateClients,
    /// Server sides move to the new generation.
    UpdateServers,
    /// Everybody returns to the generation from before the rotation.
    Rollback,
}

impl Phase {
    /// Every phase, in the order a rotation passes them; rollback last.
    pub const ALL: [Self; 5] = [
        Self::Standby,
        Self::Init,
        Self::UpdateClients,
        Self::UpdateServers,
        Self::Rollback,
    ];

    /// The word for this phase on the command line, in the API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Init => "init",
            Self::UpdateClients => "update_clients",
            Self::UpdateServers => "update_servers",
            Self::Rollback => "rollback",
        }
    }

    /// The phases an operator may ask for from this one, forward first.
    ///
    /// Emergency distrust is no phase and is therefore not among them.
    pub const fn targets(self) -> &'static [Self] {
        match self {
            Self::Standby => &[Self::Init],
            Self::Init => &[Self::UpdateClients, Self::Rollback],
            Self::UpdateClients => &[Self::UpdateServers, Self::Rollback],
            Self::UpdateServers => &[Self::Standby, Self::Rollback],
            Self::Rollback => &[Self::Standby],
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == word)
            .ok_or_else(|| UnknownPhase {
                word: word.chars().take(ECHO_CHARS_MAX).collect(),
            })
    }
}

/// A word that names no phase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no phase: use standby, init, update_clients, update_servers or rollback")]
pub struct UnknownPhase {
    word: String,
}

/// How much of an unknown word an error repeats.
const ECHO_CHARS_MAX: usize = 40;
