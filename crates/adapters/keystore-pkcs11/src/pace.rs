//! When a moment's waiting is cheaper than sleep.
//!
//! A thread that sleeps takes tens of microseconds to wake, which is what a fast token needs for a signature. So the two
//! sides of a quick call look for each other a little before they sleep, and let others run while they look: a worker that has
//! just finished, for more work; a caller that is one of few, for its answer. Neither does so for a token that takes its
//! time, and nobody does when there is no work.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A token whose calls take less is worth a moment's waiting.
const QUICK: Duration = Duration::from_micros(150);
/// How long a caller looks for its answer. It holds up a thread of its runtime meanwhile, no longer than a signature of a
/// software key would.
const FOR_ANSWER: Duration = Duration::from_micros(100);
/// How long a worker looks for work after a call.
const FOR_WORK: Duration = Duration::from_micros(50);
/// How much of the typical time the last call makes up: one part in so many.
const MEMORY: u64 = 8;

/// How fast the token is, and how busy.
pub(crate) struct Pace {
    /// Nanoseconds that calls took of late; the largest number before the first.
    typical: AtomicU64,
    /// Calls whose callers wait.
    waiting: AtomicUsize,
    /// Processors.
    width: usize,
}

impl Pace {
    /// For a machine with so many processors.
    pub(crate) fn new(width: usize) -> Self {
        Self {
            typical: AtomicU64::new(u64::MAX),
            waiting: AtomicUsize::new(0),
            width,
        }
    }

    /// A call took this long.
    pub(crate) fn note(&self, taken: Duration) {
        let last = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let typical = match self.typical.load(Ordering::Relaxed) {
            u64::MAX => last,
            typical => (typical - typical / MEMORY).saturating_add(last / MEMORY),
        };
        // Two at once lose one of their notes, which is as good.
        self.typical.store(typical, Ordering::Relaxed);
    }

    fn is_quick(&self) -> bool {
        u128::from(self.typical.load(Ordering::Relaxed)) < QUICK.as_nanos()
    }

    /// How many workers may look for work at the same time.
    pub(crate) fn lookouts_max(&self) -> usize {
        if self.is_quick() { self.width } else { 0 }
    }

    /// Counts a caller in as long as the guard lives.
    pub(crate) fn caller(&self) -> Caller<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Caller(self)
    }

    /// Looks for work, until there is some or the moment is over.
    pub(crate) fn look_for_work(&self, is_there: impl Fn() -> bool) {
        look(FOR_WORK, is_there);
    }
}

/// Somebody waiting for an answer.
pub(crate) struct Caller<'a>(&'a Pace);

impl Caller<'_> {
    /// Looks for the answer, where few wait and the token is quick, until it is there or the moment is over.
    pub(crate) fn look_for_answer(&self, is_there: impl Fn() -> bool) {
        let are_few = || self.0.waiting.load(Ordering::Relaxed) <= self.0.width;
        if self.0.is_quick() {
            look(FOR_ANSWER, || is_there() || !are_few());
        }
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn look(limit: Duration, is_over: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_over() && begun.elapsed() < limit {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often a caller looks for an answer that never comes.
    fn looks(pace: &Pace) -> u32 {
        let looks = Cell::new(0);
        let caller = pace.caller();
        caller.look_for_answer(|| {
            looks.set(looks.get() + 1);
            false
        });
        looks.get()
    }

    #[test]
    fn only_a_quick_token_is_waited_for() {
        let pace = Pace::new(2);
        assert_eq!(
            (looks(&pace), pace.lookouts_max()),
            (0, 0),
            "nothing is known yet"
        );
        pace.note(Duration::from_micros(40));
        assert!(looks(&pace) > 0);
        assert_eq!(pace.lookouts_max(), 2);
        for _ in 0..3 {
            pace.note(Duration::from_millis(5));
        }
        assert_eq!((looks(&pace), pace.lookouts_max()), (0, 0));
        for _ in 0..100 {
            pace.note(Duration::from_micros(40));
        }
        assert!(looks(&pace) > 0, "one slow call is forgotten");
    }

    #[test]
    fn a_crowd_goes_to_sleep() {
        let pace = Pace::new(2);
        pace.note(Duration::from_micros(40));
        let others = [pace.caller(), pace.caller()];
        assert_eq!(looks(&pace), 1, "the one look that tells that there is a crowd");
        drop(others);
        assert_eq!(pace.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_there_is_not_waited_for() {
        let pace = Pace::new(1);
        pace.note(Duration::from_micros(40));
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            true
        };
        pace.caller().look_for_answer(look);
        pace.look_for_work(look);
        assert_eq!(looks.get(), 2);
    }
}
