use std::time::Duration;

use tokio::time::Instant;

use crate::trouble::Trouble;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// KMS promises that a change is seen everywhere "within a few minutes"; in practice it takes seconds.
const TOTAL: Duration = Duration::from_secs(120);
/// The tags of a new key take a while to count for permissions; a permission that is really missing should show soon.
const TOTAL_WHILE_FORBIDDEN: Duration = Duration::from_secs(30);

/// Waiting for what AWS has accepted and does not show everywhere yet.
#[derive(Debug)]
pub(crate) struct Patience {
    began: Instant,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Pauses, where the trouble may pass and there is time left; otherwise says no at once.
    pub(crate) async fn wait(&mut self, trouble: &Trouble) -> bool {
        let Some(pause) = self.next_pause(trouble, self.began.elapsed()) else {
            return false;
        };
        tokio::time::sleep(pause).await;
        true
    }

    fn next_pause(&mut self, trouble: &Trouble, elapsed: Duration) -> Option<Duration> {
        let total = match trouble {
            Trouble::NotFound | Trouble::NotReady(_) | Trouble::Busy(_) => TOTAL,
            Trouble::Forbidden(_) => TOTAL_WHILE_FORBIDDEN,
            Trouble::BadCredentials(_)
            | Trouble::NoCredentials(_)
            | Trouble::Clock(_)
            | Trouble::Exists
            | Trouble::Disabled
            | Trouble::PendingDeletion
            | Trouble::Unsupported(_)
            | Trouble::Unreachable(_)
            | Trouble::Late
            | Trouble::Other(_) => return None,
        };
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (elapsed + pause <= total).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(trouble: &Trouble) -> Vec<Duration> {
        let mut patience = Patience::new();
        let mut all: Vec<Duration> = Vec::new();
        while let Some(pause) = patience.next_pause(trouble, all.iter().sum()) {
            all.push(pause);
        }
        all
    }

    #[test]
    fn a_new_key_is_waited_for_with_growing_pauses_up_to_two_minutes() {
        let all = pauses(&Trouble::NotFound);
        assert_eq!(all[..4], [500, 1000, 2000, 4000].map(Duration::from_millis));
        let total: Duration = all.iter().sum();
        assert!(total <= TOTAL && total > TOTAL - LONGEST_PAUSE, "{total:?}");
    }

    #[test]
    fn a_missing_permission_shows_soon_and_a_wrong_state_at_once() {
        let total: Duration = pauses(&Trouble::Forbidden(String::new())).iter().sum();
        assert!(total <= TOTAL_WHILE_FORBIDDEN && !total.is_zero(), "{total:?}");
        assert!(pauses(&Trouble::Disabled).is_empty());
    }
}
