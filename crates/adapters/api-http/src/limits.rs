//! Limits on connections: what strangers can make us hold, and for how long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Limits on the connections of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take, and how long a connection may idle before it.
    pub head: Duration,
    /// The most lines in the head of a request.
    pub head_lines_max: usize,
    /// Requests at once on a connection of HTTP/2.
    pub streams_max: u32,
    /// After this long a connection takes no more requests; clients open another.
    pub age: Duration,
    /// How long requests under way may take when a connection ends.
    pub drain: Duration,
    /// What one address may do; `None` for listeners whose callers are known.
    pub address: Option<AddressLimits>,
}

/// Limits on what one address does. An IPv6 address counts with its whole /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimits {
    /// Connections at once.
    pub connections_max: u32,
    /// Requests and connections in a burst.
    pub burst: u32,
    /// Requests and connections per second, on average.
    pub per_second: u32,
}

impl ConnectionLimits {
    /// Limits of the API. Its callers have certificates, but whoever connects has shown none yet: an address gets its share and no more.
    pub const API: Self = Self {
        connections_max: 1_024,
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(30),
        head_lines_max: 64,
        streams_max: 64,
        age: Duration::from_secs(600),
        drain: Duration::from_secs(300),
        address: Some(AddressLimits {
            connections_max: 64,
            burst: 2_000,
            per_second: 500,
        }),
    };

    /// Limits of what everybody may read.
    pub const WEB: Self = Self {
        connections_max: 512,
        head: Duration::from_secs(10),
        age: Duration::from_secs(120),
        drain: Duration::from_secs(30),
        address: Some(AddressLimits {
            connections_max: 32,
            burst: 120,
            per_second: 40,
        }),
        ..Self::API
    };

    /// Limits of the local socket.
    pub const LOCAL: Self = Self {
        connections_max: 128,
        address: None,
        ..Self::API
    };
}

/// Everybody who came lately, by address.
#[derive(Debug, Clone)]
pub(crate) struct Visitors {
    limits: AddressLimits,
    known: Arc<Mutex<HashMap<IpAddr, Visitor>>>,
}

#[derive(Debug)]
struct Visitor {
    connections: u32,
    tokens: f64,
    filled: Instant,
}

/// A connection of a visitor; it counts until dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    visitors: Visitors,
    address: IpAddr,
}

/// A visitor asks too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    /// Seconds until there is room again, at least 1.
    pub(crate) retry_after: u64,
}

/// Addresses remembered. Beyond that those who ask for nothing now are forgotten, and if all do, newcomers wait.
const KNOWN_MAX: usize = 16_384;

impl Visitors {
    pub(crate) fn new(limits: AddressLimits) -> Self {
        Self {
            limits,
            known: Arc::default(),
        }
    }

    /// Lets a connection in.
    pub(crate) fn enter(&self, address: IpAddr, now: Instant) -> Result<Visit, TooMuch> {
        let address = counted(address);
        let limits = self.limits;
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX && !known.contains_key(&address) {
            known.retain(|_, visitor| visitor.connections > 0 || !visitor.is_rested(limits, now));
            if known.len() >= KNOWN_MAX {
                return Err(TooMuch { retry_after: 1 });
            }
        }
        let fresh = || Visitor {
            connections: 0,
            tokens: f64::from(limits.burst),
            filled: now,
        };
        let visitor = known.entry(address).or_insert_with(fresh);
        if visitor.connections >= limits.connections_max {
            return Err(TooMuch { retry_after: 1 });
        }
        visitor.take(limits, now)?;
        visitor.connections = visitor.connections.saturating_add(1);
        drop(known);
        Ok(Visit {
            visitors: self.clone(),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Visitor>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    fn fill(&mut self, limits: AddressLimits, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * f64::from(limits.per_second)).min(f64::from(limits.burst));
        self.filled = self.filled.max(now);
    }

    fn take(&mut self, limits: AddressLimits, now: Instant) -> Result<(), TooMuch> {
        self.fill(limits, now);
        if self.tokens < 1.0 {
            return Err(TooMuch { retry_after: 1 });
        }
        self.tokens -= 1.0;
        Ok(())
    }

    fn is_rested(&self, limits: AddressLimits, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens + passed * f64::from(limits.per_second) >= f64::from(limits.burst)
    }
}

impl Visit {
    /// Counts a request.
    pub(crate) fn ask(&self, now: Instant) -> Result<(), TooMuch> {
        let limits = self.visitors.limits;
        match self.visitors.lock().get_mut(&self.address) {
            Some(visitor) => visitor.take(limits, now),
            // An address is remembered while it has a connection.
            None => Err(TooMuch { retry_after: 1 }),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(visitor) = self.visitors.lock().get_mut(&self.address) {
            visitor.connections = visitor.connections.saturating_sub(1);
        }
    }
}

/// The address that counts: whoever has an IPv6 address has 2^64 of them.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AddressLimits = AddressLimits {
        connections_max: 2,
        burst: 4,
        per_second: 2,
    };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_a_burst_and_then_a_rate() {
        let visitors = Visitors::new(LIMITS);
        let start = Instant::now();
        let visit = visitors.enter(address("192.0.2.1"), start).unwrap();
        for _ in 0..3 {
            visit.ask(start).unwrap();
        }
        assert_eq!(visit.ask(start), Err(TooMuch { retry_after: 1 }));
        let later = start + Duration::from_millis(500);
        visit.ask(later).unwrap();
        assert!(visit.ask(later).is_err());
        let rested = later + Duration::from_secs(60);
        for _ in 0..4 {
            visit.ask(rested).unwrap();
        }
        assert!(
            visit.ask(rested).is_err(),
            "a long rest gives no more than a burst"
        );
        assert!(
            visitors.enter(address("192.0.2.2"), start).is_ok(),
            "others are not held back"
        );
    }

    #[test]
    fn connections_count_while_they_are_open() {
        let visitors = Visitors::new(LIMITS);
        let now = Instant::now();
        let first = visitors.enter(address("2001:db8::1"), now).unwrap();
        let _second = visitors.enter(address("2001:db8::2"), now).unwrap();
        assert!(
            visitors.enter(address("2001:db8::3"), now).is_err(),
            "the same /64"
        );
        assert!(visitors.enter(address("2001:db8:0:1::3"), now).is_ok());
        drop(first);
        assert!(visitors.enter(address("2001:db8::3"), now).is_ok());
    }

    #[test]
    fn those_who_rest_are_forgotten_when_many_come() {
        let visitors = Visitors::new(LIMITS);
        let now = Instant::now();
        for number in 0..KNOWN_MAX {
            let number = u32::try_from(number).unwrap();
            drop(
                visitors
                    .enter(IpAddr::from(std::net::Ipv4Addr::from(number)), now)
                    .unwrap(),
            );
        }
        assert!(
            visitors.enter(address("203.0.113.1"), now).is_err(),
            "nobody rested yet"
        );
        let later = now + Duration::from_secs(10);
        assert!(visitors.enter(address("203.0.113.1"), later).is_ok());
        assert_eq!(visitors.lock().len(), 1);
    }
}
