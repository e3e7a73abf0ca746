//! Trying again where a door is closed before anything was said.
//!
//! A proxy and a host let in but so many from one address that have not shown who they are, and close the connections of everybody else without
//! a word. Many who come at once therefore wait their turn here, rather than fail.

use std::time::Duration;

use tokio::time::Instant;
use tokio::time::sleep;

use crate::console;
use crate::failure::Failure;

/// How long it is tried at most.
const LONGEST: Duration = Duration::from_secs(120);
/// The longest rest after the first failure, and after many.
const REST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// After this long whoever waits is told.
const SILENT: Duration = Duration::from_secs(5);

/// Who waits to be let in.
pub(crate) struct Patience {
    /// What does not let in, such as `the proxy at …`.
    what: String,
    began: Instant,
    tries: u32,
    is_told: bool,
}

impl Patience {
    /// Begins to wait for this to let in.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            began: Instant::now(),
            tries: 0,
            is_told: false,
        }
    }

    /// Rests before the next try after a failure.
    ///
    /// # Errors
    /// The failure, when it is not one that passes, or when it was tried long enough.
    pub(crate) async fn rest(&mut self, failure: Failure) -> Result<(), Failure> {
        let waited = self.began.elapsed();
        let time = self.bear(failure, waited, share())?;
        if waited >= SILENT && !self.is_told {
            self.is_told = true;
            console::say(&format!(
                "signet: {} closes connections before they begin; it may be busy, and is tried again for {} s",
                self.what,
                LONGEST.as_secs()
            ));
        }
        sleep(time).await;
        Ok(())
    }

    /// How long to rest after a failure, or that it is enough.
    fn bear(&mut self, failure: Failure, waited: Duration, share: u16) -> Result<Duration, Failure> {
        if !failure.is_passing() {
            return Err(failure);
        }
        self.tries = self.tries.saturating_add(1);
        if waited >= LONGEST {
            return Err(failure.after_many(&self.what, self.tries, waited).with_hint(
                "others come from your address at the same time, or it is overloaded: try again in a while, or ask its operator",
            ));
        }
        Ok(api_client::rest_after(self.tries, REST, share))
    }
}

/// What keeps many from all coming back at once. Without randomness everybody rests the longest.
pub(crate) fn share() -> u16 {
    let mut bytes = [0xff; 2];
    let _all_ones = aws_lc_rs::rand::fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_for_a_while_and_what_does_not_is_told_at_once() {
        let closed = || Failure::unreachable_in_words("closed").passing();
        let mut patience = Patience::new("the proxy at p:1");
        let refused = patience.bear(Failure::refused("no"), Duration::ZERO, 0);
        assert_eq!(refused.unwrap_err().lines(), "error: no\n");
        for _ in 0..30 {
            assert!(patience.bear(closed(), LONGEST - SILENT, 0).is_ok());
        }
        let given_up = patience.bear(closed(), LONGEST, 0).unwrap_err();
        assert!(!given_up.is_passing());
        let lines = given_up.lines();
        assert!(
            lines.starts_with(
                "error: the proxy at p:1 closed 31 connections before they began, within 120 s: closed\nhint: "
            ),
            "{lines}"
        );
    }
}
