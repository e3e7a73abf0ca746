use std::fmt;

use serde::{Deserialize, Serialize};

/// One complete key set of an authority: its SSH, TLS and JWT keys together.
///
/// Numbers start at 1 and only grow; a number that was retired or abandoned never comes back.
/// Serialised as a plain integer; zero is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Generation(u64);

impl Generation {
    /// The generation every authority is born with.
    pub const FIRST: Self = Self(1);

    /// The generation of that number; `None` for zero.
    pub const fn new(number: u64) -> Option<Self> {
        match number {
            0 => None,
            1.. => Some(Self(number)),
        }
    }

    /// The number, at least 1.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The generation after this one. The last representable number is its own successor, so a
    /// rotation beyond it is refused instead of starting over.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Generation> for u64 {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl TryFrom<u64> for Generation {
    type Error = ZeroGeneration;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        Self::new(number).ok_or(ZeroGeneration)
    }
}

/// Zero was given where a generation is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("0 is no generation: generations start at 1")]
pub struct ZeroGeneration;
