//! Rotation of an authority: which generation of keys signs, which generations are trusted, and
//! which way on is allowed from here.
//!
//! This is the pure core. It knows neither clock nor keys nor storage: a generation is only its
//! number. The shell around it loads the state with its revision, gathers evidence, calls
//! [`readiness()`] and [`step`], saves by compare-and-swap together with the audit event, and then
//! makes the world equal [`desired`], again and again. New key material exists before
//! [`Event::Begin`] is recorded; private keys are destroyed last, and only if [`may_destroy`].
//!
//! Where to start: [`Rotation`] is the state, [`step`] the only way from one state to the next,
//! [`desired`] what a state means. One machine serves every authority type and every key form.
//! The transition table in `docs/reference/rotation.md` is printed by this crate's tests.

mod desired;
mod generation;
mod phase;
mod plan;
mod readiness;
mod refusal;
mod schedule;
mod state;
mod step;

pub use desired::{Desired, db_server_signer, desired, may_destroy};
pub use generation::{Generation, ZeroGeneration};
pub use phase::{Phase, UnknownPhase};
pub use plan::{Goal, Plan, PlanStep, plan};
pub use readiness::{
    Blocked, Blocker, Evidence, NotReady, Override, Owner, Party, PartyKind, Warning, affected, readiness,
};
pub use refusal::Refusal;
pub use schedule::{Mode, Schedule, UnorderedSchedule, due};
pub use state::{InconsistentRotation, Rotation};
pub use step::{Event, Fact, Facts, event_for, step};
