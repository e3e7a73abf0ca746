//! The one way in which this crate gives up.

use std::fmt::Display;

/// Fails the running test, at the place of the caller.
///
/// # Panics
/// Always.
#[track_caller]
#[expect(
    clippy::panic,
    reason = "a harness reports to the running test, and a test fails by a panic"
)]
pub fn fail(why: impl Display) -> ! {
    panic!("{why}")
}

/// Takes the value, or fails the running test saying what was attempted.
pub(crate) trait OrFail<T> {
    /// `attempt` is a verb phrase, such as `start signetd`.
    #[track_caller]
    fn or_fail(self, attempt: &str) -> T;
}

impl<T, E: std::fmt::Debug> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_fail(self, attempt: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => fail(format!("cannot {attempt}: {error:?}")),
        }
    }
}

impl<T> OrFail<T> for Option<T> {
    #[track_caller]
    fn or_fail(self, attempt: &str) -> T {
        match self {
            Some(value) => value,
            None => fail(format!("cannot {attempt}")),
        }
    }
}
