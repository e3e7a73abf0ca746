//! Time and randomness as arguments.

use names::UnixSeconds;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn unix_millis(&self) -> i64;

    /// The same in whole seconds, rounded down.
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.unix_millis().div_euclid(1_000))
    }
}

/// The source of random bytes gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct EntropyFault;

/// Gives random bytes fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `buffer`.
    ///
    /// # Errors
    /// When the source fails; nothing may be made of the buffer then.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault>;
}

/// Sixteen random bytes, the size of ids and serials.
///
/// # Errors
/// As [`Entropy::fill`].
pub fn sixteen(entropy: &dyn Entropy) -> Result<[u8; 16], EntropyFault> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
