//! How often one address may try to get in: log-ins, links, joins.
//!
//! Each of these costs a hash of a password, a look into the store or a signature, and guesses at a secret. They are bounded beside the
//! requests that a listener lets in. Whoever has a whole site of IPv6 has a share for all of it beside those of its addresses. What is
//! remembered is bounded as well: whoever has more addresses than are remembered shares with its neighbours, and nobody else does.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use api_types::Attempt;
use audit::Actor;
use crowd::Bucket;
use crowd::Rate;
use names::network_of;
use names::site_of;

use crate::denials::Denial;
use crate::limits::SITE_SHARES;
use crate::problem::Problem;
use crate::service::Service;
use crate::visitors::TooMuch;

/// How often one address may try something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptRate {
    /// Attempts a minute, on average.
    pub per_minute: u32,
    /// Attempts in a burst.
    pub burst: u32,
}

/// How often one address may try to get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Beginning a log-in, ending one, and using a link: of each so many.
    pub log_ins: AttemptRate,
    /// Joins: a fleet may come from behind one address.
    pub joins: AttemptRate,
}

impl AttemptLimits {
    /// The limits where nothing is said: 20 log-ins a minute and 40 in a burst; 300 joins a minute and 1,000 in a burst.
    pub const DEFAULT: Self = Self {
        log_ins: AttemptRate {
            per_minute: 20,
            burst: 40,
        },
        joins: AttemptRate {
            per_minute: 300,
            burst: 1_000,
        },
    };

    const fn of(&self, attempt: Attempt) -> AttemptRate {
        match attempt {
            Attempt::LogInBegin | Attempt::LogInFinish | Attempt::Approval | Attempt::Link => self.log_ins,
            Attempt::Join => self.joins,
        }
    }
}

impl AttemptRate {
    /// The rate of so many shares.
    fn rate(self, shares: u32) -> Rate {
        Rate {
            per_second: f64::from(self.per_minute) / 60.0 * f64::from(shares),
            burst: f64::from(self.burst) * f64::from(shares),
        }
    }
}

/// Attempts of addresses that are remembered one by one.
const KNOWN_MAX: usize = 16_384;
/// Shares of those beyond: each is of all networks that fall on it.
const SHARED: usize = 1_024;
/// How often it is looked who can be forgotten, at most.
const SWEEP: Duration = Duration::from_secs(1);

/// Who tried what lately.
pub(crate) struct Attempts {
    limits: AttemptLimits,
    known: Mutex<Known>,
}

struct Known {
    addresses: Shares,
    sites: Shares,
}

/// What addresses, or sites, have left.
struct Shares {
    /// How many shares of an address one has.
    each: u32,
    buckets: HashMap<(Attempt, IpAddr), Bucket>,
    /// By the hash of attempt and network; empty until there are too many addresses.
    shared: Vec<Option<Bucket>>,
    hasher: RandomState,
    swept: Option<Instant>,
}

impl Attempts {
    pub(crate) fn new(limits: AttemptLimits) -> Self {
        Self {
            limits,
            known: Mutex::new(Known {
                addresses: Shares::new(1),
                sites: Shares::new(SITE_SHARES),
            }),
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// When its address, or its site, tries too often.
    pub(crate) fn note(&self, attempt: Attempt, address: IpAddr, now: Instant) -> Result<(), TooMuch> {
        let mut known = self.lock();
        let Known { addresses, sites } = &mut *known;
        // Both are asked before either is written down: what one refuses is not taken of the other, and nobody refused is remembered.
        let of_address = addresses.taken(&self.limits, attempt, network_of(address), now)?;
        if let Some(site) = site_of(address) {
            let of_site = sites.taken(&self.limits, attempt, site, now)?;
            sites.put(of_site);
        }
        addresses.put(of_address);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where what is left of a share is remembered.
enum Slot {
    Known((Attempt, IpAddr)),
    Shared(usize),
}

/// A share of which one was taken, to be put back.
struct Taken {
    slot: Slot,
    bucket: Bucket,
}

impl Shares {
    fn new(each: u32) -> Self {
        Self {
            each,
            buckets: HashMap::new(),
            shared: Vec::new(),
            hasher: RandomState::new(),
            swept: None,
        }
    }

    /// What is left when one is taken.
    fn taken(
        &mut self,
        limits: &AttemptLimits,
        attempt: Attempt,
        whose: IpAddr,
        now: Instant,
    ) -> Result<Taken, TooMuch> {
        let rate = limits.of(attempt).rate(self.each);
        let slot = self.slot(limits, attempt, whose, now);
        let present = match &slot {
            Slot::Known(key) => self.buckets.get(key).copied(),
            Slot::Shared(index) => self.shared.get(*index).copied().flatten(),
        };
        let mut bucket = present.unwrap_or(Bucket::full(rate, now));
        bucket.take(rate, now)?;
        Ok(Taken { slot, bucket })
    }

    fn put(&mut self, taken: Taken) {
        let Taken { slot, bucket } = taken;
        match slot {
            Slot::Known(key) => {
                self.buckets.insert(key, bucket);
            }
            Slot::Shared(index) => {
                self.shared.resize(SHARED, None);
                if let Some(shared) = self.shared.get_mut(index) {
                    *shared = Some(bucket);
                }
            }
        }
    }

    /// A share of its own while there is room, and otherwise that of its network.
    fn slot(&mut self, limits: &AttemptLimits, attempt: Attempt, whose: IpAddr, now: Instant) -> Slot {
        let key = (attempt, whose);
        if self.buckets.len() >= KNOWN_MAX && !self.buckets.contains_key(&key) {
            self.sweep(limits, now);
            if self.buckets.len() >= KNOWN_MAX {
                let hash = self.hasher.hash_one((attempt, provider(whose)));
                return Slot::Shared(usize::try_from(hash % SHARED as u64).unwrap_or_default());
            }
        }
        Slot::Known(key)
    }

    /// Forgets whose share is whole again.
    fn sweep(&mut self, limits: &AttemptLimits, now: Instant) {
        let is_early = |swept: Instant| now.saturating_duration_since(swept) < SWEEP;
        if self.swept.is_some_and(is_early) {
            return;
        }
        self.swept = Some(now);
        let each = self.each;
        self.buckets
            .retain(|(attempt, _), bucket| !bucket.is_full(limits.of(*attempt).rate(each), now));
    }
}

/// What providers give to one customer at most: a /32 of IPv6 (RFC 6177 speaks of /48 and longer), a /16 of IPv4.
fn provider(address: IpAddr) -> [u8; 4] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            [0, 0, a, b]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.octets();
            [a, b, c, d]
        }
    }
}

impl Service {
    /// Lets somebody who has shown nothing try to get in, or refuses and records that: the first refusal of a kind at once, those of the
    /// minute after it as one with their number.
    ///
    /// # Errors
    /// [`Problem::TooMany`] when the address tries too often.
    pub async fn let_try(&self, attempt: Attempt, remote: SocketAddr) -> Result<(), Problem> {
        let Err(TooMuch { retry_after }) = self.attempts.note(attempt, remote.ip(), Instant::now()) else {
            return Ok(());
        };
        let AttemptRate { per_minute, burst } = self.limits.attempts.of(attempt);
        let denial = Denial {
            actor: Actor::Anonymous {
                remote: remote.to_string(),
            },
            action: attempt.as_str().to_owned(),
            kind: "too_many",
            reason: format!("more of them came than {per_minute} a minute and {burst} in a burst"),
        };
        if let Err(error) = self.record_denied(denial).await {
            // It is refused all the same, and nothing was to happen that is not recorded.
            tracing::debug!(error = %error, "a refusal could not be recorded");
        }
        Err(Problem::TooMany { retry_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of a crowd of attempts at one moment are let in.
    fn let_in(attempts: &Attempts, attempt: Attempt, from: &str, now: Instant) -> usize {
        let tries = (0..5_000).map(|_| attempts.note(attempt, address(from), now));
        tries.filter(Result::is_ok).count()
    }

    #[test]
    fn an_address_tries_in_a_burst_and_then_at_a_rate() {
        let attempts = Attempts::new(AttemptLimits::DEFAULT);
        let now = Instant::now();
        let here = "192.0.2.1";
        assert_eq!(let_in(&attempts, Attempt::LogInFinish, here, now), 40);
        let told = attempts.note(Attempt::LogInFinish, address(here), now);
        assert_eq!(told, Err(TooMuch { retry_after: 3 }));
        assert_eq!(
            let_in(
                &attempts,
                Attempt::LogInFinish,
                here,
                now + Duration::from_secs(60)
            ),
            20
        );
        // Other attempts and other addresses have shares of their own.
        assert_eq!(let_in(&attempts, Attempt::LogInBegin, here, now), 40);
        assert_eq!(let_in(&attempts, Attempt::Link, here, now), 40);
        assert_eq!(let_in(&attempts, Attempt::LogInFinish, "192.0.2.2", now), 40);
    }

    #[test]
    fn a_fleet_joins_from_one_address() {
        let attempts = Attempts::new(AttemptLimits::DEFAULT);
        let now = Instant::now();
        assert_eq!(let_in(&attempts, Attempt::Join, "192.0.2.1", now), 1_000);
        let later = now + Duration::from_secs(60);
        assert_eq!(let_in(&attempts, Attempt::Join, "192.0.2.1", later), 300);
    }

    #[test]
    fn an_ipv6_address_counts_with_its_subnet_and_a_mapped_one_as_what_it_is() {
        let attempts = Attempts::new(AttemptLimits::DEFAULT);
        let now = Instant::now();
        assert_eq!(let_in(&attempts, Attempt::Link, "2001:db8::1", now), 40);
        assert_eq!(let_in(&attempts, Attempt::Link, "2001:db8::ffff:2", now), 0);
        assert_eq!(let_in(&attempts, Attempt::Link, "2001:db8:0:1::1", now), 40);
        assert_eq!(let_in(&attempts, Attempt::Link, "192.0.2.1", now), 40);
        assert_eq!(let_in(&attempts, Attempt::Link, "::ffff:192.0.2.1", now), 0);
    }

    #[test]
    fn a_site_has_the_share_of_eight_addresses_however_many_it_makes() {
        let attempts = Attempts::new(AttemptLimits::DEFAULT);
        let now = Instant::now();
        let from = |site: u16, subnet: u16| IpAddr::from([0x2001, 0xdb8, site, subnet, 0, 0, 0, 1]);
        let passed = |site, now| {
            let tries =
                (0..u16::MAX).map(|subnet| attempts.note(Attempt::LogInBegin, from(site, subnet), now));
            tries.filter(Result::is_ok).count()
        };
        assert_eq!(passed(1, now), 8 * 40);
        assert_eq!(
            attempts.lock().addresses.buckets.len(),
            8 * 40,
            "who is refused is not remembered"
        );
        assert_eq!(passed(1, now + Duration::from_secs(60)), 8 * 20);
        assert_eq!(passed(2, now), 8 * 40, "another site");
        // An address that is refused by its own share takes nothing of its site's.
        assert_eq!(let_in(&attempts, Attempt::Link, "2001:db8:3::1", now), 40);
        assert_eq!(let_in(&attempts, Attempt::Link, "2001:db8:3:1::1", now), 40);
    }

    #[test]
    fn a_whole_network_of_strangers_takes_neither_memory_nor_the_place_of_others() {
        let attempts = Attempts::new(AttemptLimits::DEFAULT);
        let now = Instant::now();
        let mut passed = 0;
        for subnet in 0..100_000_u32 {
            let [_, a, b, c] = subnet.to_be_bytes();
            let from = [0x20, 0x01, 0x0d, 0xb8, a, b, c, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            if attempts.note(Attempt::LogInFinish, from.into(), now).is_ok() {
                passed += 1;
            }
        }
        let known = attempts.lock();
        let Known { addresses, sites } = &*known;
        assert_eq!(
            (addresses.buckets.len(), addresses.shared.len()),
            (KNOWN_MAX, SHARED)
        );
        assert_eq!(sites.buckets.len(), KNOWN_MAX / 256 + 1, "each has 256 of them");
        drop(known);
        assert_eq!(passed, KNOWN_MAX + 40, "beyond what is remembered they share");
        // Almost every other network has a share that the strangers are not on.
        let others = (0..100_u8).filter(|number| {
            let from = IpAddr::from([192, *number, 2, 1]);
            attempts.note(Attempt::LogInFinish, from, now).is_ok()
        });
        assert!(others.count() >= 90);
        // Once they rest they are forgotten.
        let later = now + Duration::from_secs(10);
        assert_eq!(let_in(&attempts, Attempt::LogInFinish, "203.0.113.1", later), 40);
        assert_eq!(attempts.lock().addresses.buckets.len(), 1);
    }

    #[test]
    fn more_than_an_address_can_ask_for_has_no_rate_to_divide_by() {
        let none = AttemptRate {
            per_minute: 0,
            burst: 0,
        };
        let attempts = Attempts::new(AttemptLimits {
            log_ins: none,
            joins: none,
        });
        let told = attempts.note(Attempt::Join, address("192.0.2.1"), Instant::now());
        assert_eq!(
            told,
            Err(TooMuch {
                retry_after: u64::MAX
            })
        );
    }
}
