//! Resting after a failure: an attempt that costs something is not made again and again while nothing changed.

use std::collections::BTreeSet;

use names::UnixSeconds;
use rotation::Generation;

/// The first rest, in seconds; each further failure doubles it.
const FIRST_SECONDS: i64 = 10;
/// The longest rest, in seconds.
const LONGEST_SECONDS: i64 = 600;

/// What an attempt depends on. When any of it changes, the next attempt is made at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    wanted: Generation,
    lost: BTreeSet<String>,
}

impl Cause {
    /// The generation that is to sign, and the backends that do not answer.
    pub(crate) fn new(wanted: Generation, lost: impl Iterator<Item = String>) -> Self {
        Self {
            wanted,
            lost: lost.collect(),
        }
    }
}

/// A rest, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Rest(Option<Resting>);

#[derive(Debug)]
struct Resting {
    cause: Cause,
    error: String,
    until: UnixSeconds,
    seconds: i64,
}

impl Rest {
    /// Why the last attempt failed and when the next may be made, while it may not.
    pub(crate) fn holds(&self, cause: &Cause, now: UnixSeconds) -> Option<(String, UnixSeconds)> {
        let resting = self.0.as_ref()?;
        // A clock that was set back must not make the rest longer than it was.
        let began = resting.until.0.saturating_sub(resting.seconds);
        let holds = resting.cause == *cause && (began..resting.until.0).contains(&now.0);
        holds.then(|| (resting.error.clone(), resting.until))
    }

    /// An attempt failed.
    pub(crate) fn begin(&mut self, cause: Cause, error: String, now: UnixSeconds) {
        let seconds = match &self.0 {
            Some(last) if last.cause == cause => last.seconds.saturating_mul(2).min(LONGEST_SECONDS),
            Some(_) | None => FIRST_SECONDS,
        };
        let until = UnixSeconds(now.0.saturating_add(seconds));
        self.0 = Some(Resting {
            cause,
            error,
            until,
            seconds,
        });
    }

    /// An attempt succeeded, or is no longer needed.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(lost: &[&str]) -> Cause {
        Cause::new(Generation::FIRST, lost.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn each_failure_doubles_the_rest_up_to_the_longest() {
        let mut rest = Rest::default();
        let mut now = UnixSeconds(1_000);
        let mut rests = Vec::new();
        for _ in 0..8 {
            assert_eq!(rest.holds(&cause(&[]), now), None);
            rest.begin(cause(&[]), "away".into(), now);
            let (error, until) = rest.holds(&cause(&[]), now).unwrap();
            assert_eq!(error, "away");
            rests.push(until.0 - now.0);
            assert!(rest.holds(&cause(&[]), UnixSeconds(until.0 - 1)).is_some());
            now = until;
        }
        assert_eq!(rests, [10, 20, 40, 80, 160, 320, 600, 600]);
    }

    #[test]
    fn a_change_of_what_it_depends_on_ends_the_rest() {
        let mut rest = Rest::default();
        let now = UnixSeconds(1_000);
        rest.begin(cause(&["token"]), "away".into(), now);
        assert!(rest.holds(&cause(&["token"]), now).is_some());
        assert_eq!(rest.holds(&cause(&[]), now), None, "the token is back");
        assert_eq!(
            rest.holds(&cause(&["token"]), UnixSeconds(0)),
            None,
            "the clock went back"
        );
        rest.end();
        assert_eq!(rest.holds(&cause(&["token"]), now), None);
    }
}
