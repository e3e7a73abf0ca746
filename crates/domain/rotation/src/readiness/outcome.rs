//! What the gate answers.

use std::fmt;

use serde::Serialize;

use super::Override;
use crate::refusal::Allowed;
use crate::{Phase, Refusal, Rotation};

/// A live party or owner that holds an advance back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// Its name.
    pub name: String,
    /// What is missing, in words.
    pub missing: String,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.missing)
    }
}

/// A party that an event does not wait for, and what that means for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its name.
    pub name: String,
    /// Whether it is live now.
    pub live: bool,
    /// What is missing, in words.
    pub missing: String,
    /// Whether its credential is, or may be, trusted no longer afterwards: it has to join again. If
    /// not, it catches up in one step when it returns.
    pub cut_off: bool,
}

/// The proof that an advance from one state may happen. Only [`readiness`](crate::readiness()) makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub(super) from: Rotation,
    pub(super) to: Rotation,
    pub(super) parties_live: usize,
    pub(super) owners_live: usize,
    pub(super) warnings: Vec<Warning>,
    pub(super) overridden_by: Option<Override>,
    pub(super) overridden: Vec<Blocker>,
}

impl Evidence {
    /// The state the evidence was gathered in. It proves nothing about any other.
    pub const fn from(&self) -> &Rotation {
        &self.from
    }

    /// The state that the advance leads to.
    pub const fn to(&self) -> &Rotation {
        &self.to
    }

    /// How many live parties were looked at.
    pub const fn parties_live(&self) -> usize {
        self.parties_live
    }

    /// How many live owners were looked at.
    pub const fn owners_live(&self) -> usize {
        self.owners_live
    }

    /// Parties and owners that are not live and would be left behind, or cut off.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The override the advance was asked for with, needed or not.
    pub const fn overridden_by(&self) -> Option<&Override> {
        self.overridden_by.as_ref()
    }

    /// The live parties and owners that the override passed over; empty when it was not needed.
    pub fn overridden(&self) -> &[Blocker] {
        &self.overridden
    }
}

/// An advance that live parties or owners hold back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// The present phase.
    pub from: Phase,
    /// The phase the advance would lead to.
    pub to: Phase,
    /// Who holds it back, one entry for each thing missing. Never empty.
    pub by: Vec<Blocker>,
}

impl Blocked {
    /// How many blockers the message names; the rest is counted.
    pub const NAMED_MAX: usize = 5;
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, by } = self;
        let named: Vec<String> = by.iter().take(Self::NAMED_MAX).map(Blocker::to_string).collect();
        write!(
            f,
            "cannot go to \"{to}\" from \"{from}\" yet: {}",
            named.join("; ")
        )?;
        let unnamed = by.len().saturating_sub(named.len());
        if unnamed > 0 {
            write!(f, "; and {unnamed} more")?;
        }
        write!(
            f,
            "; wait for them, take them out of service, or override with a name and a reason; "
        )?;
        Allowed(*from).fmt(f)
    }
}

impl std::error::Error for Blocked {}

/// Why an advance may not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Live parties or owners hold it back.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// There is nothing to advance.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl NotReady {
    /// The stable code, for APIs and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Blocked(_) => "rotation_blocked",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}
