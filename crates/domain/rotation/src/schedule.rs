use std::fmt;
use std::time::Duration;

use names::UnixSeconds;
use serde::{Deserialize, Serialize};

use crate::{Event, Phase, Refusal, Rotation};

/// Who moves a rotation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The operator asks for every phase.
    Manual,
    /// The phases follow a [`Schedule`], as far as the evidence allows.
    Automatic,
}

impl Mode {
    /// The word for this mode in the API and in `status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When an automatic rotation enters each phase, at the earliest. Times only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredSchedule")]
pub struct Schedule {
    /// When the rotation began and `init` was entered.
    pub started: UnixSeconds,
    /// When `update_clients` may be entered.
    pub update_clients: UnixSeconds,
    /// When `update_servers` may be entered.
    pub update_servers: UnixSeconds,
    /// When the rotation may complete.
    pub standby: UnixSeconds,
}

impl Schedule {
    /// The shortest grace period there is: one second a phase.
    pub const GRACE_MIN: Duration = Duration::from_secs(3);

    /// Divides the grace period evenly over `init`, `update_clients` and `update_servers`.
    ///
    /// Fractions of a second of the grace period are dropped.
    ///
    /// # Errors
    /// [`Refusal::GraceTooShort`] below [`Schedule::GRACE_MIN`], [`Refusal::GraceTooLong`] when the end
    /// has no representation.
    pub fn split(started: UnixSeconds, grace: Duration) -> Result<Self, Refusal> {
        let grace_seconds = grace.as_secs();
        if grace < Self::GRACE_MIN {
            return Err(Refusal::GraceTooShort { grace_seconds });
        }
        let too_long = Refusal::GraceTooLong { grace_seconds };
        let Ok(total) = i64::try_from(grace_seconds) else {
            return Err(too_long);
        };
        let third = total / 3;
        match started.0.checked_add(total) {
            None => Err(too_long),
            // The end is representable, so everything before it is too.
            Some(end) => Ok(Self {
                started,
                update_clients: UnixSeconds(started.0.saturating_add(third)),
                update_servers: UnixSeconds(end.saturating_sub(third)),
                standby: UnixSeconds(end),
            }),
        }
    }

    /// The next phase of a rotation and the earliest time for it.
    ///
    /// `None` in `standby`, where nothing is under way, and in `rollback`, which people complete.
    pub const fn upcoming(&self, rotation: &Rotation) -> Option<(Phase, UnixSeconds)> {
        match rotation {
            Rotation::Init { .. } => Some((Phase::UpdateClients, self.update_clients)),
            Rotation::UpdateClients { .. } => Some((Phase::UpdateServers, self.update_servers)),
            Rotation::UpdateServers { .. } => Some((Phase::Standby, self.standby)),
            Rotation::Standby { .. } | Rotation::RollingBack { .. } => None,
        }
    }

    /// The schedule after `entered` was reached at `at`: when that was later than planned, every later
    /// time moves by the delay, so that each phase keeps the length it was given.
    ///
    /// A rotation that was held, or whose server was down, would otherwise find all its times past and
    /// hurry through the rest. Early arrival moves nothing; neither do `standby`, `init` and `rollback`.
    #[must_use]
    pub fn rebased(self, entered: Phase, at: UnixSeconds) -> Self {
        let delay = |planned: UnixSeconds| at.0.saturating_sub(planned.0).max(0);
        let later = |time: UnixSeconds, by: i64| UnixSeconds(time.0.saturating_add(by));
        match entered {
            Phase::UpdateClients => {
                let by = delay(self.update_clients);
                Self {
                    started: self.started,
                    update_clients: later(self.update_clients, by),
                    update_servers: later(self.update_servers, by),
                    standby: later(self.standby, by),
                }
            }
            Phase::UpdateServers => {
                let by = delay(self.update_servers);
                Self {
                    update_servers: later(self.update_servers, by),
                    standby: later(self.standby, by),
                    ..self
                }
            }
            Phase::Standby | Phase::Init | Phase::Rollback => self,
        }
    }
}

/// What an automatic rotation does at `now`: advance, if the time of the next phase has come.
///
/// Never in `standby` or `rollback`. One phase at a time: a late caller is told to advance, and asks
/// again in the new state; store [`Schedule::rebased`] in between to keep the length of the phases.
/// The schedule says only "not before its time"; [`readiness`](crate::readiness()) decides whether the
/// advance may happen.
pub fn due(rotation: &Rotation, schedule: &Schedule, now: UnixSeconds) -> Option<Event> {
    let (_, earliest) = schedule.upcoming(rotation)?;
    (now >= earliest).then_some(Event::Advance)
}

/// A stored schedule whose times do not grow from phase to phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "inconsistent rotation schedule: started, update_clients, update_servers and standby have to follow each other"
)]
pub struct UnorderedSchedule;

/// The same shape as [`Schedule`], before its times are checked against each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSchedule {
    started: UnixSeconds,
    update_clients: UnixSeconds,
    update_servers: UnixSeconds,
    standby: UnixSeconds,
}

impl TryFrom<StoredSchedule> for Schedule {
    type Error = UnorderedSchedule;

    fn try_from(stored: StoredSchedule) -> Result<Self, Self::Error> {
        let StoredSchedule {
            started,
            update_clients,
            update_servers,
            standby,
        } = stored;
        if started < update_clients && update_clients < update_servers && update_servers < standby {
            Ok(Self {
                started,
                update_clients,
                update_servers,
                standby,
            })
        } else {
            Err(UnorderedSchedule)
        }
    }
}
