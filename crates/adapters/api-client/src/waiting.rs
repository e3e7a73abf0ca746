//! Waiting until somebody has approved in a browser what a program asked for.
//!
//! A server that knows the question keeps it open for half a minute. One that does not, because it is overloaded, of another version or
//! not ours, answers at once, and is left alone for a while before it is asked again, for as long as it wishes.

use std::time::Duration;

use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout_at;

use crate::ClientError;

/// How a question is asked again and again.
struct Pace {
    /// How long it is waited at the most; the server ends it after five minutes.
    patience: Duration,
    /// How long after one question the next is asked at the earliest, when it was not decided.
    apart: Duration,
    /// The longest rest after the first failure that may pass, and after many in a row.
    rest: (Duration, Duration),
}

/// How approvals are waited for.
const APPROVAL: Pace = Pace {
    patience: Duration::from_secs(10 * 60),
    apart: Duration::from_secs(2),
    rest: (Duration::from_secs(3), Duration::from_secs(30)),
};

/// Asks again and again, with rests, until there is an answer; nothing when nobody has decided in time. Failures that may pass are sat out,
/// for as long as the server wishes to be left alone. `share` is random, so that many who wait do not all come back at once.
///
/// # Errors
/// What the last question failed with.
pub async fn until_decided<A>(
    share: impl Fn() -> u16,
    ask: impl AsyncFn() -> Result<Option<A>, ClientError>,
) -> Result<Option<A>, ClientError> {
    APPROVAL.until_decided(share, ask).await
}

/// How long to rest after so many failures in a row: between half and all of what is due, which doubles from `first` to `longest`.
pub fn rest_after(failures: u32, (first, longest): (Duration, Duration), share: u16) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    half_at_least(first.saturating_mul(doubled).min(longest), share)
}

/// Between half and all of a time.
fn half_at_least(time: Duration, share: u16) -> Duration {
    let half = time / 2;
    half.saturating_add(half.saturating_mul(u32::from(share)) / u32::from(u16::MAX))
}

impl Pace {
    async fn until_decided<A>(
        &self,
        share: impl Fn() -> u16,
        ask: impl AsyncFn() -> Result<Option<A>, ClientError>,
    ) -> Result<Option<A>, ClientError> {
        let until = Instant::now() + self.patience;
        let (mut failures, mut failed) = (0_u32, None);
        loop {
            let asked = Instant::now();
            let Ok(answer) = timeout_at(until, ask()).await else {
                return failed.map_or(Ok(None), Err);
            };
            let again = match &answer {
                Ok(Some(_)) => return answer,
                Ok(None) => {
                    failures = 0;
                    asked + half_at_least(self.apart, share())
                }
                Err(error) if is_passing(error) => {
                    failures = failures.saturating_add(1);
                    let rest = rest_after(failures, self.rest, share());
                    // What is more than a day away is as good as never, and cannot be too far away for a clock.
                    let wish = error.retry_after().unwrap_or_default().min(DAY);
                    Instant::now() + rest.max(wish)
                }
                Err(_) => return answer,
            };
            if again >= until {
                return answer;
            }
            failed = answer.err();
            sleep(again.saturating_duration_since(Instant::now())).await;
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether the same question may be answered a moment later.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::TooSlow { .. } | ClientError::Broken(_) => true,
        // Too many requests; a gateway, or the service, has trouble for now (RFC 6585 section 4; RFC 9110 section 15.6.3 on).
        ClientError::Refused { status, .. } | ClientError::Fault { status, .. } => {
            matches!(status, 429 | 502..=504)
        }
        ClientError::SocketUnreachable { .. }
        | ClientError::SocketForbidden { .. }
        | ClientError::Untrusted { .. }
        | ClientError::NotUnderstood(_)
        | ClientError::Unusable(_) => false,
    }
}

#[cfg(test)]
mod tests;
