//! A share that fills by itself: so much in a burst, so much on average.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;
use std::time::Instant;

/// How a share fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// What comes back per second.
    pub per_second: f64,
    /// The most there is.
    pub burst: f64,
}

/// What is left of a share.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: f64,
    filled: Instant,
}

/// Nothing is left of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty {
    /// After how many whole seconds, at least one, there is something again.
    pub retry_after: u64,
}

impl Bucket {
    /// A whole share.
    pub const fn full(rate: Rate, now: Instant) -> Self {
        Self {
            left: rate.burst,
            filled: now,
        }
    }

    /// Takes one of the share.
    ///
    /// # Errors
    /// When there is none left.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Empty> {
        self.left = self.at(rate, now);
        self.filled = self.filled.max(now);
        if self.left < 1.0 {
            return Err(Empty {
                retry_after: seconds((1.0 - self.left) / rate.per_second),
            });
        }
        self.left -= 1.0;
        Ok(())
    }

    /// Whether nothing of the share is in use.
    pub fn is_full(&self, rate: Rate, now: Instant) -> bool {
        self.at(rate, now) >= rate.burst
    }

    fn at(&self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.left + passed * rate.per_second).min(rate.burst)
    }
}

/// The shares of many, each of whom has one alike. Whose share is whole is not remembered.
#[derive(Debug)]
pub struct Shares<K> {
    rate: Rate,
    used: HashMap<K, Bucket>,
    /// When so many are remembered, those are forgotten who need not be.
    sweep_at: usize,
}

/// So many are remembered without looking whether they have to be.
const SWEEP_MIN: usize = 1_024;

impl<K: Eq + Hash + Clone> Shares<K> {
    /// Everybody's share is whole.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            used: HashMap::new(),
            sweep_at: SWEEP_MIN,
        }
    }

    /// Takes one of somebody's share.
    ///
    /// # Errors
    /// When there is none left of it.
    pub fn take(&mut self, whose: &K, now: Instant) -> Result<(), Empty> {
        let rate = self.rate;
        if let Some(bucket) = self.used.get_mut(whose) {
            return bucket.take(rate, now);
        }
        if self.used.len() >= self.sweep_at {
            self.used.retain(|_, bucket| !bucket.is_full(rate, now));
            self.sweep_at = self.used.len().saturating_mul(2).max(SWEEP_MIN);
        }
        let mut bucket = Bucket::full(rate, now);
        let taken = bucket.take(rate, now);
        self.used.insert(whose.clone(), bucket);
        taken
    }
}

/// Whole seconds, at least one.
fn seconds(wanted: f64) -> u64 {
    Duration::try_from_secs_f64(wanted.ceil())
        .map_or(u64::MAX, |wanted| wanted.as_secs())
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 2.0,
        burst: 3.0,
    };

    #[test]
    fn a_share_is_used_up_by_whose_it_is_and_comes_back() {
        let (mut shares, start) = (Shares::new(RATE), Instant::now());
        for _ in 0..3 {
            assert_eq!(shares.take(&"a", start), Ok(()));
        }
        assert_eq!(shares.take(&"a", start), Err(Empty { retry_after: 1 }));
        assert_eq!(shares.take(&"b", start), Ok(()), "it is another's");
        let later = start + Duration::from_secs(1);
        let taken: Vec<_> = (0..3).map(|_| shares.take(&"a", later).is_ok()).collect();
        assert_eq!(taken, [true, true, false]);
    }

    #[test]
    fn whose_share_is_whole_again_is_forgotten_and_nobody_else() {
        let (mut shares, start) = (Shares::new(RATE), Instant::now());
        let later = start + Duration::from_secs(10);
        for number in 0..SWEEP_MIN {
            assert_eq!(shares.take(&number, start), Ok(()));
        }
        for _ in 0..3 {
            assert_eq!(shares.take(&7, later), Ok(()));
        }
        assert_eq!(shares.take(&SWEEP_MIN, later), Ok(()));
        assert_eq!(shares.used.len(), 2);
        assert!(shares.take(&7, later).is_err());
    }
}
