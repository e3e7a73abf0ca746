use serde::{Deserialize, Serialize};

use crate::{Generation, Phase};

/// The rotation of one authority: each phase carries only what it has.
///
/// Serialised as an object tagged by `phase`. What is read back is checked: unknown fields, unknown
/// phases and generations in the wrong order are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case", try_from = "StoredRotation")]
pub enum Rotation {
    /// No rotation is in progress.
    Standby {
        /// The generation that signs and is trusted.
        active: Generation,
        /// The newest generation this authority ever had. Greater than `active` after a rollback,
        /// so that the number of the abandoned generation never returns.
        newest: Generation,
    },
    /// Verifiers learn the next generation.
    Init {
        /// The generation that signs.
        active: Generation,
        /// The generation that will sign from the next phase on.
        next: Generation,
    },
    /// Client sides move to the new generation.
    UpdateClients {
        /// The generation on its way out, still trusted.
        retiring: Generation,
        /// The new generation, which signs.
        active: Generation,
    },
    /// Server sides move to the new generation.
    UpdateServers {
        /// The generation on its way out, still trusted.
        retiring: Generation,
        /// The new generation, which signs.
        active: Generation,
    },
    /// Everybody returns to the generation from before the rotation.
    #[serde(rename = "rollback")]
    RollingBack {
        /// The generation from before the rotation, which signs again.
        active: Generation,
        /// The generation given up, still trusted until the rollback is complete.
        abandoned: Generation,
    },
}

impl Rotation {
    /// The state of an authority that was just made, with its first keys in `generation`.
    pub const fn born(generation: Generation) -> Self {
        Self::Standby {
            active: generation,
            newest: generation,
        }
    }

    /// The phase this state is in.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Standby { .. } => Phase::Standby,
            Self::Init { .. } => Phase::Init,
            Self::UpdateClients { .. } => Phase::UpdateClients,
            Self::UpdateServers { .. } => Phase::UpdateServers,
            Self::RollingBack { .. } => Phase::Rollback,
        }
    }

    /// The newest generation this authority ever had, abandoned ones included.
    ///
    /// While a rotation is under way that is its new generation: `Begin` accepts nothing older.
    pub const fn newest(&self) -> Generation {
        match *self {
            Self::Standby { active: _, newest } => newest,
            Self::Init { active: _, next } => next,
            Self::UpdateClients { retiring: _, active } | Self::UpdateServers { retiring: _, active } => {
                active
            }
            Self::RollingBack { active: _, abandoned } => abandoned,
        }
    }

    /// Whether a rotation is under way, rolling back included.
    pub const fn is_in_progress(&self) -> bool {
        match self {
            Self::Standby { .. } => false,
            Self::Init { .. }
            | Self::UpdateClients { .. }
            | Self::UpdateServers { .. }
            | Self::RollingBack { .. } => true,
        }
    }
}

/// A stored rotation whose generations are in an order that no rotation can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "inconsistent rotation in phase {phase}: {newer_name} {newer} has to be newer than {older_name} {older}"
)]
pub struct InconsistentRotation {
    phase: Phase,
    newer_name: &'static str,
    newer: Generation,
    older_name: &'static str,
    older: Generation,
}

/// The same shape as [`Rotation`], before its generations are checked against each other.
#[derive(Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case", deny_unknown_fields)]
enum StoredRotation {
    Standby {
        active: Generation,
        newest: Generation,
    },
    Init {
        active: Generation,
        next: Generation,
    },
    UpdateClients {
        retiring: Generation,
        active: Generation,
    },
    UpdateServers {
        retiring: Generation,
        active: Generation,
    },
    #[serde(rename = "rollback")]
    RollingBack {
        active: Generation,
        abandoned: Generation,
    },
}

impl TryFrom<StoredRotation> for Rotation {
    type Error = InconsistentRotation;

    fn try_from(stored: StoredRotation) -> Result<Self, Self::Error> {
        let (rotation, newer, older, in_order) = match stored {
            StoredRotation::Standby { active, newest } => (
                Self::Standby { active, newest },
                ("newest", newest),
                ("active", active),
                newest >= active,
            ),
            StoredRotation::Init { active, next } => (
                Self::Init { active, next },
                ("next", next),
                ("active", active),
                next > active,
            ),
            StoredRotation::UpdateClients { retiring, active } => (
                Self::UpdateClients { retiring, active },
                ("active", active),
                ("retiring", retiring),
                active > retiring,
            ),
            StoredRotation::UpdateServers { retiring, active } => (
                Self::UpdateServers { retiring, active },
                ("active", active),
                ("retiring", retiring),
                active > retiring,
            ),
            StoredRotation::RollingBack { active, abandoned } => (
                Self::RollingBack { active, abandoned },
                ("abandoned", abandoned),
                ("active", active),
                abandoned > active,
            ),
        };
        if in_order {
            return Ok(rotation);
        }
        let ((newer_name, newer), (older_name, older)) = (newer, older);
        Err(InconsistentRotation {
            phase: rotation.phase(),
            newer_name,
            newer,
            older_name,
            older,
        })
    }
}
