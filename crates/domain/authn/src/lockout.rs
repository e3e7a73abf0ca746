//! When attempts to log in are no longer listened to.
//!
//! Attempts are counted per user and source. A source from which the user has logged in before ("known") is judged by its own
//! counter alone, so that nobody elsewhere can lock a known operator out; all other sources together have a ceiling besides,
//! so that guessing from many addresses ends as well. An attempt is entered before it is looked at, and settled afterwards: a
//! thousand guesses at once count as a thousand. One that nobody could look at (the store was away) is taken back, or lapses,
//! and never counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use names::Ttl;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

/// How long an attempt may stay unsettled before it lapses: longer than any log-in takes.
const PENDING_MAX: Ttl = Ttl::from_seconds(60);

/// How many failures lock, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// The failures of one source that lock it.
    pub attempts: usize,
    /// The failures of all sources that are not known, together, that lock these.
    pub ceiling: usize,
    /// How long a failure counts.
    pub period: Ttl,
    /// How long a lock lasts.
    pub lock: Ttl,
}

impl Default for LockoutPolicy {
    /// 5 failures of one source, or 25 of strangers together, within 30 minutes lock for 30 minutes.
    fn default() -> Self {
        Self {
            attempts: 5,
            ceiling: 25,
            period: Ttl::from_seconds(1_800),
            lock: Ttl::from_seconds(1_800),
        }
    }
}

/// Where attempts come from: an IPv4 address, or the /64 network of an IPv6 address, which one subscriber has for himself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(String);

impl Source {
    /// The source an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        match names::network_of(address) {
            IpAddr::V4(address) => Self(address.to_string()),
            IpAddr::V6(network) => Self(format!("{network}/64")),
        }
    }

    /// The source in words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The random id of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(String);

impl AttemptId {
    /// An id of random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(hex::encode(bytes))
    }
}

/// Whether an attempt is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Admitted,
    /// As many as may fail are under way; it may be made again when they are settled.
    Busy,
    /// Too many failed.
    Locked {
        /// Until then.
        until: UnixSeconds,
    },
}

/// Whose attempts a lock refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One source's.
    Source(Source),
    /// Those of every source that is not known.
    Strangers,
}

/// A lock that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedOut {
    /// Whose attempts it refuses.
    pub scope: Scope,
    /// Until when.
    pub until: UnixSeconds,
}

/// The attempts to log in as one user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    sources: BTreeMap<Source, Counter>,
    /// Until when sources that are not known are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strangers_until: Option<UnixSeconds>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counter {
    is_known: bool,
    failures: Vec<UnixSeconds>,
    pending: Vec<Pending>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<UnixSeconds>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    id: AttemptId,
    since: UnixSeconds,
}

impl Counter {
    const fn weight(&self) -> usize {
        self.failures.len().saturating_add(self.pending.len())
    }

    fn is_spent(&self) -> bool {
        self.weight() == 0 && self.until.is_none()
    }
}

impl Attempts {
    /// Whether an attempt is listened to. `is_known`: the user has logged in from this source before.
    pub fn admission(
        &self,
        policy: &LockoutPolicy,
        source: &Source,
        is_known: bool,
        now: UnixSeconds,
    ) -> Admission {
        let current = self.clone().forgetting(policy, now);
        let own = current.sources.get(source);
        let strangers_until = current.strangers_until.filter(|_| !is_known);
        let until = own.and_then(|counter| counter.until).max(strangers_until);
        if let Some(until) = until {
            return Admission::Locked { until };
        }
        let own_weight = own.map_or(0, Counter::weight);
        if own_weight >= policy.attempts || (!is_known && current.strangers_weight() >= policy.ceiling) {
            return Admission::Busy;
        }
        Admission::Admitted
    }

    /// Enters an attempt that was admitted, before it is looked at.
    #[must_use]
    pub fn entered(
        self,
        policy: &LockoutPolicy,
        source: &Source,
        is_known: bool,
        id: AttemptId,
        now: UnixSeconds,
    ) -> Self {
        let mut attempts = self.forgetting(policy, now);
        let counter = attempts.sources.entry(source.clone()).or_default();
        counter.is_known = is_known;
        counter.pending.push(Pending { id, since: now });
        attempts
    }

    /// Settles an attempt that was wrong. An attempt that lapsed meanwhile counts all the same: it was looked at.
    #[must_use]
    pub fn failed(
        self,
        policy: &LockoutPolicy,
        source: &Source,
        is_known: bool,
        id: &AttemptId,
        now: UnixSeconds,
    ) -> (Self, Vec<LockedOut>) {
        let mut attempts = self.forgetting(policy, now);
        let mut begun = Vec::new();
        let until = now.plus(policy.lock);
        let counter = attempts.sources.entry(source.clone()).or_default();
        counter.pending.retain(|pending| pending.id != *id);
        counter.failures.push(now);
        counter.is_known = is_known;
        if counter.failures.len() >= policy.attempts && counter.until.is_none() {
            counter.until = Some(until);
            let scope = Scope::Source(source.clone());
            begun.push(LockedOut { scope, until });
        }
        let is_beyond = !is_known && attempts.strangers_failures() >= policy.ceiling;
        if is_beyond && attempts.strangers_until.is_none() {
            attempts.strangers_until = Some(until);
            let scope = Scope::Strangers;
            begun.push(LockedOut { scope, until });
        }
        (attempts, begun)
    }

    /// Settles an attempt that was right: its source starts anew.
    #[must_use]
    pub fn succeeded(
        self,
        policy: &LockoutPolicy,
        source: &Source,
        id: &AttemptId,
        now: UnixSeconds,
    ) -> Self {
        let mut attempts = self.withdrawn(policy, source, id, now);
        if let Some(counter) = attempts.sources.get_mut(source) {
            counter.failures.clear();
        }
        attempts.sources.retain(|_, counter| !counter.is_spent());
        attempts
    }

    /// Takes back an attempt that could not be looked at.
    #[must_use]
    pub fn withdrawn(
        self,
        policy: &LockoutPolicy,
        source: &Source,
        id: &AttemptId,
        now: UnixSeconds,
    ) -> Self {
        let mut attempts = self.forgetting(policy, now);
        if let Some(counter) = attempts.sources.get_mut(source) {
            counter.pending.retain(|pending| pending.id != *id);
        }
        attempts.sources.retain(|_, counter| !counter.is_spent());
        attempts
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.strangers_until.is_none()
    }

    /// The latest end of a lock in force, whomever it refuses.
    pub fn locked_until(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let own = self.sources.values().filter_map(|counter| counter.until);
        own.chain(self.strangers_until).filter(|until| *until > now).max()
    }

    /// Drops what time has settled: failures past their period, attempts that lapsed, locks that ended and what led to them.
    fn forgetting(mut self, policy: &LockoutPolicy, now: UnixSeconds) -> Self {
        let strangers_over = self.strangers_until.is_some_and(|until| until <= now);
        if strangers_over {
            self.strangers_until = None;
        }
        for counter in self.sources.values_mut() {
            let own_over = counter.until.is_some_and(|until| until <= now);
            if own_over {
                counter.until = None;
            }
            if own_over || (strangers_over && !counter.is_known) {
                counter.failures.clear();
            }
            counter.failures.retain(|at| at.plus(policy.period) > now);
            counter
                .pending
                .retain(|pending| pending.since.plus(PENDING_MAX) > now);
        }
        self.sources.retain(|_, counter| !counter.is_spent());
        self
    }

    fn strangers(&self) -> impl Iterator<Item = &Counter> {
        self.sources.values().filter(|counter| !counter.is_known)
    }

    fn strangers_weight(&self) -> usize {
        self.strangers().map(Counter::weight).sum()
    }

    fn strangers_failures(&self) -> usize {
        self.strangers().map(|counter| counter.failures.len()).sum()
    }
}

#[cfg(test)]
mod tests;
