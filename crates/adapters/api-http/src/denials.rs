//! Refusals, counted: whoever is refused must not fill the log by asking again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use audit::Actor;
use names::UnixSeconds;

/// Refusals alike within this many seconds are one entry of the log.
const WINDOW_SECONDS: i64 = 60;
/// Kinds of refusal that are remembered. Beyond that those of one reason are counted together, whoever was refused.
const KINDS_MAX: usize = 4_096;

/// Somebody was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// Who.
    pub(crate) actor: Actor,
    /// What was asked for.
    pub(crate) action: String,
    /// The reason in a word: without the times and numbers that make every reason another.
    pub(crate) kind: &'static str,
    /// The reason in words.
    pub(crate) reason: String,
}

/// What makes two refusals alike. The address is no part of it: whoever comes from many addresses is still one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Alike {
    user: Option<String>,
    actor_kind: &'static str,
    action: Option<String>,
    kind: &'static str,
}

/// Refusals of a kind since one was recorded.
#[derive(Debug)]
struct Counted {
    recorded: UnixSeconds,
    count: u64,
    last: Denial,
}

/// Every refusal of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<HashMap<Alike, Counted>>);

impl Denials {
    /// Notes a refusal; answers what to record now, if anything.
    pub(crate) fn note(&self, denial: Denial, now: UnixSeconds) -> Option<Denial> {
        let mut known = self.lock();
        let mut alike = Alike {
            user: denial.actor.user().map(str::to_owned),
            actor_kind: denial.actor.kind(),
            action: Some(denial.action.clone()),
            kind: denial.kind,
        };
        if known.len() >= KINDS_MAX && !known.contains_key(&alike) {
            known.retain(|_, counted| counted.count > 0 || !is_over(counted.recorded, now));
            if known.len() >= KINDS_MAX {
                (alike.user, alike.action) = (None, None);
            }
        }
        let Some(counted) = known.get_mut(&alike) else {
            let last = denial.clone();
            known.insert(
                alike,
                Counted {
                    recorded: now,
                    count: 0,
                    last,
                },
            );
            return Some(denial);
        };
        counted.count = counted.count.saturating_add(1);
        counted.last = denial;
        is_over(counted.recorded, now).then(|| counted.take(now))
    }

    /// What was counted and is to be recorded: what was counted for a minute, or everything.
    pub(crate) fn due(&self, now: UnixSeconds, all: bool) -> Vec<Denial> {
        let mut known = self.lock();
        let due = known
            .values_mut()
            .filter(|counted| counted.count > 0 && (all || is_over(counted.recorded, now)))
            .map(|counted| counted.take(now))
            .collect();
        known.retain(|_, counted| !is_over(counted.recorded, now));
        due
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Alike, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn take(&mut self, now: UnixSeconds) -> Denial {
        let mut denial = self.last.clone();
        if self.count > 1 {
            denial.reason.push_str(&format!(
                " ({} such requests since {})",
                self.count, self.recorded
            ));
        }
        self.count = 0;
        self.recorded = now;
        denial
    }
}

/// Whether the minute after a moment is over; a clock that was set back ends it, too.
const fn is_over(recorded: UnixSeconds, now: UnixSeconds) -> bool {
    let passed = now.0.saturating_sub(recorded.0);
    passed < 0 || passed >= WINDOW_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(user: &str, action: &str, port: u16) -> Denial {
        Denial {
            actor: Actor::Identity {
                user: user.into(),
                remote: format!("192.0.2.1:{port}"),
            },
            action: action.into(),
            kind: "revoked",
            reason: "the certificate was revoked".into(),
        }
    }

    #[test]
    fn refusals_alike_are_one_entry_a_minute_with_their_count() {
        let denials = Denials::default();
        let start = UnixSeconds(0);
        assert_eq!(
            denials.note(denial("ana", "connect", 1), start),
            Some(denial("ana", "connect", 1))
        );
        for port in 2..2_000 {
            assert_eq!(
                denials.note(denial("ana", "connect", port), UnixSeconds(59)),
                None
            );
        }
        assert!(
            denials.note(denial("bob", "connect", 1), start).is_some(),
            "somebody else"
        );
        assert!(
            denials.note(denial("ana", "status:read", 1), start).is_some(),
            "something else"
        );
        assert_eq!(denials.due(UnixSeconds(59), false), []);
        let due = denials.due(UnixSeconds(60), false);
        assert_eq!(due.len(), 1);
        assert!(
            due[0]
                .reason
                .contains("1998 such requests since 1970-01-01T00:00:00Z"),
            "{due:?}"
        );
        assert_eq!(
            denials.due(UnixSeconds(200), true),
            [],
            "nothing is recorded twice"
        );
        assert!(
            denials
                .note(denial("ana", "connect", 1), UnixSeconds(200))
                .is_some()
        );
    }

    #[test]
    fn nothing_counted_is_lost_at_the_end() {
        let denials = Denials::default();
        denials.note(denial("ana", "connect", 1), UnixSeconds(0));
        denials.note(denial("ana", "connect", 2), UnixSeconds(1));
        assert_eq!(denials.due(UnixSeconds(1), true), [denial("ana", "connect", 2)]);
    }

    #[test]
    fn a_crowd_is_counted_together() {
        let denials = Denials::default();
        let now = UnixSeconds(0);
        for number in 0..KINDS_MAX {
            assert!(
                denials
                    .note(denial(&number.to_string(), "connect", 1), now)
                    .is_some()
            );
        }
        assert!(denials.note(denial("one more", "connect", 1), now).is_some());
        assert_eq!(denials.note(denial("and another", "connect", 1), now), None);
        assert_eq!(denials.due(now, true).len(), 1);
    }
}
