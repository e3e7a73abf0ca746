use std::time::Duration;

use runtime::Entropy;

/// How long to wait before trying again: twice as long after each failure, up to a maximum, and never the same as others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub maximum: Duration,
    /// A connection that held this long counts as a success: the next failure is the first again.
    pub success_after: Duration,
}

impl Backoff {
    /// From a second to half a minute.
    pub const DEFAULT: Self = Self {
        first: Duration::from_secs(1),
        maximum: Duration::from_secs(30),
        success_after: Duration::from_secs(30),
    };

    /// The wait after so many failures in a row: between half and all of what is due.
    pub fn delay(&self, failures: u32, entropy: &dyn Entropy) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let due = self.first.saturating_mul(doubled).min(self.maximum);
        let mut bytes = [0; 2];
        // Without randomness everybody waits the longest, which is safe.
        let share = match entropy.fill(&mut bytes) {
            Ok(()) => u32::from(u16::from_le_bytes(bytes)),
            Err(_) => u32::from(u16::MAX),
        };
        let half = due / 2;
        half.saturating_add(half.saturating_mul(share) / u32::from(u16::MAX))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use runtime::EntropyFault;

    use super::*;

    struct Always(Option<u8>);

    impl Entropy for Always {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
            buffer.fill(self.0.ok_or(EntropyFault)?);
            Ok(())
        }
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_jitter_by_half() {
        let seconds =
            |failures, entropy: Option<u8>| Backoff::DEFAULT.delay(failures, &Always(entropy)).as_secs_f64();
        let expected = [
            (0, 1.0),
            (1, 1.0),
            (2, 2.0),
            (5, 16.0),
            (6, 30.0),
            (33, 30.0),
            (u32::MAX, 30.0),
        ];
        for (failures, longest) in expected {
            assert!((seconds(failures, Some(0)) - longest / 2.0).abs() < 1e-6);
            assert!((seconds(failures, Some(0xff)) - longest).abs() < 1e-6);
            assert!((seconds(failures, None) - longest).abs() < 1e-6);
        }
    }
}
