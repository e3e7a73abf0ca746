use std::fmt;

use crate::{Generation, Phase};

/// Why a request about a rotation is refused: the caller's doing, never a fault of ours.
///
/// Every refusal of a move names the present phase and what is allowed from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A rotation was to begin while one is under way.
    #[error("a rotation is already in progress in phase \"{phase}\": {}", Allowed(*phase))]
    AlreadyInProgress {
        /// The phase of the rotation under way.
        phase: Phase,
    },
    /// The generation to begin with is not newer than every generation before it.
    #[error(
        "cannot begin a rotation from \"{}\" with generation {next}: it has to be newer than \
         generation {newest}, the newest this authority ever had; {}",
        Phase::Standby,
        Allowed(Phase::Standby)
    )]
    GenerationNotNew {
        /// The generation asked for.
        next: Generation,
        /// The newest generation the authority ever had, abandoned ones included.
        newest: Generation,
    },
    /// The grace period reaches past the end of representable time.
    #[error("a grace period of {grace_seconds} s is too long: it ends past the end of the calendar")]
    GraceTooLong {
        /// The grace period asked for, in whole seconds.
        grace_seconds: u64,
    },
    /// The grace period cannot be divided over the three phases.
    #[error(
        "a grace period of {grace_seconds} s is too short: it is divided over three phases and needs at \
         least 3 s; to end trust in the old keys at once, use the emergency distrust"
    )]
    GraceTooShort {
        /// The grace period asked for, in whole seconds.
        grace_seconds: u64,
    },
    /// The phase asked for does not follow from the present one.
    #[error("cannot go to \"{to}\" from \"{from}\": {}", Allowed(*from))]
    NotAllowed {
        /// The present phase.
        from: Phase,
        /// The phase asked for.
        to: Phase,
    },
    /// There is no rotation to advance.
    #[error(
        "cannot advance from \"{}\": no rotation is in progress; {}",
        Phase::Standby,
        Allowed(Phase::Standby)
    )]
    NotInProgress,
    /// Emergency distrust was asked for where no outgoing generation exists.
    #[error(
        "cannot distrust at once from \"{from}\": only \"{}\" and \"{}\" have an outgoing generation and \
         a successor that signs; {}",
        Phase::UpdateClients,
        Phase::UpdateServers,
        Allowed(*from)
    )]
    NothingToDistrust {
        /// The present phase.
        from: Phase,
    },
    /// An override does not say who overrides or why.
    #[error("an override has to say who overrides and why: {missing} is empty")]
    OverrideUnnamed {
        /// The part that is empty: `who` or `why`.
        missing: &'static str,
    },
}

impl Refusal {
    /// The stable code of this refusal, for APIs and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyInProgress { .. } => "rotation_in_progress",
            Self::GenerationNotNew { .. } => "rotation_generation_not_new",
            Self::GraceTooLong { .. } => "rotation_grace_too_long",
            Self::GraceTooShort { .. } => "rotation_grace_too_short",
            Self::NotAllowed { .. } => "rotation_phase_not_allowed",
            Self::NotInProgress => "rotation_not_in_progress",
            Self::NothingToDistrust { .. } => "rotation_nothing_to_distrust",
            Self::OverrideUnnamed { .. } => "rotation_override_unnamed",
        }
    }
}

/// The targets from a phase, as the tail of a sentence.
pub(crate) struct Allowed(pub(crate) Phase);

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<&str> = self.0.targets().iter().map(|phase| phase.as_str()).collect();
        let verb = if targets.len() == 1 { "is" } else { "are" };
        write!(f, "allowed from here {verb} {}", targets.join(", "))
    }
}
