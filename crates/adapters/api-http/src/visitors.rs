//! What one address may do before it showed who it is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crowd::Bucket;
use crowd::Rate;
use names::network_of;
use names::site_of;

use crate::limits::AddressLimits;
use crate::places::Kind;

/// Everybody who came lately, by address. An IPv6 address counts with its whole /64, and before it showed who it is with its /48 as well.
#[derive(Debug, Clone)]
pub(crate) struct Visitors {
    limits: AddressLimits,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<IpAddr, Visitor>,
    sites: HashMap<IpAddr, Visitor>,
}

/// What an address, or a site, does.
#[derive(Debug, Clone, Copy)]
struct Visitor {
    /// Of those who have not shown who they are.
    connections: u32,
    /// Of people who have. Of a site these are not counted.
    people: u32,
    /// Of machines that have. Of a site these are not counted.
    machines: u32,
    bucket: Bucket,
}

/// A connection of a visitor. It counts until dropped, which is when it ends or has shown who it is.
#[derive(Debug)]
pub(crate) struct Visit {
    visitors: Visitors,
    address: IpAddr,
    site: Option<IpAddr>,
    proven: Option<Kind>,
}

/// A visitor asks too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    /// Seconds until there is room again, at least 1.
    pub(crate) retry_after: u64,
}

impl From<crowd::Empty> for TooMuch {
    fn from(empty: crowd::Empty) -> Self {
        Self {
            retry_after: empty.retry_after,
        }
    }
}

/// Addresses remembered. Beyond that those who ask for nothing now are forgotten, and if all do, newcomers wait.
const KNOWN_MAX: usize = 16_384;
/// Connections at once that one address may have of machines that have shown who they are: a whole fleet may come from behind it.
const MACHINES_MAX: u32 = 4_096;
/// Connections at once that one address may have of people who have shown who they are.
const PEOPLE_MAX: u32 = 1_024;

impl AddressLimits {
    fn rate(self) -> Rate {
        Rate {
            per_second: f64::from(self.per_second),
            burst: f64::from(self.burst),
        }
    }
}

impl Visitors {
    /// Nobody yet.
    pub(crate) fn new(limits: AddressLimits) -> Self {
        Self {
            limits,
            known: Arc::default(),
        }
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// When its address, or its site, has its share of connections, or comes too often.
    pub(crate) fn enter(&self, address: IpAddr, now: Instant) -> Result<Visit, TooMuch> {
        let (site, address) = (site_of(address), network_of(address));
        let mut known = self.lock();
        // Both are asked before either is written down: what one refuses is not taken of the other, and nobody refused is remembered.
        let of_address = entered(&mut known.addresses, address, self.limits, now)?;
        if let Some(site) = site {
            let of_site = entered(&mut known.sites, site, self.limits.of_site(), now)?;
            known.sites.insert(site, of_site);
        }
        known.addresses.insert(address, of_address);
        drop(known);
        Ok(Visit {
            visitors: self.clone(),
            address,
            site,
            proven: None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be remembered of an address, or of a site, once a connection more is let in.
fn entered(
    known: &mut HashMap<IpAddr, Visitor>,
    address: IpAddr,
    limits: AddressLimits,
    now: Instant,
) -> Result<Visitor, TooMuch> {
    if known.len() >= KNOWN_MAX && !known.contains_key(&address) {
        known.retain(|_, visitor| visitor.is_here() || !visitor.bucket.is_full(limits.rate(), now));
        if known.len() >= KNOWN_MAX {
            return Err(TooMuch { retry_after: 1 });
        }
    }
    let mut visitor = known.get(&address).copied().unwrap_or(Visitor {
        connections: 0,
        people: 0,
        machines: 0,
        bucket: Bucket::full(limits.rate(), now),
    });
    if visitor.connections >= limits.connections_max {
        return Err(TooMuch { retry_after: 1 });
    }
    visitor.bucket.take(limits.rate(), now)?;
    visitor.connections = visitor.connections.saturating_add(1);
    Ok(visitor)
}

impl Visitor {
    const fn is_here(&self) -> bool {
        self.connections > 0 || self.people > 0 || self.machines > 0
    }

    /// Whether a connection of a stranger became one of somebody known; there are only so many of them.
    const fn prove(&mut self, kind: Kind) -> bool {
        let (proven, most) = match kind {
            Kind::Person => (&mut self.people, PEOPLE_MAX),
            Kind::Machine => (&mut self.machines, MACHINES_MAX),
        };
        if *proven >= most {
            return false;
        }
        *proven = proven.saturating_add(1);
        self.leave(None);
        true
    }

    const fn leave(&mut self, proven: Option<Kind>) {
        let counted = match proven {
            None => &mut self.connections,
            Some(Kind::Person) => &mut self.people,
            Some(Kind::Machine) => &mut self.machines,
        };
        *counted = counted.saturating_sub(1);
    }
}

impl Visit {
    /// Notes that whoever connected has shown who it is: its connection is no longer one of the few that strangers may have. Where one address
    /// has very many such connections, it stays one. Answers whether it is one no longer.
    pub(crate) fn prove(&mut self, kind: Kind) -> bool {
        if self.proven.is_some() {
            return true;
        }
        let mut known = self.visitors.lock();
        let visitor = known.addresses.get_mut(&self.address);
        if !visitor.is_some_and(|visitor| visitor.prove(kind)) {
            return false;
        }
        if let Some(site) = self.site.and_then(|site| known.sites.get_mut(&site)) {
            site.leave(None);
        }
        drop(known);
        self.proven = Some(kind);
        true
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When its address, or the strangers of its site, ask too often.
    pub(crate) fn ask(&self, now: Instant) -> Result<(), TooMuch> {
        // Both are remembered while they have a connection.
        const GONE: TooMuch = TooMuch { retry_after: 1 };
        let limits = self.visitors.limits;
        let mut known = self.visitors.lock();
        let Known { addresses, sites } = &mut *known;
        let of_address = addresses.get_mut(&self.address).ok_or(GONE)?;
        let mut left = of_address.bucket;
        left.take(limits.rate(), now)?;
        // A fleet that has shown who it is may have one site.
        if let Some(site) = self.site.filter(|_| self.proven.is_none()) {
            let of_site = sites.get_mut(&site).ok_or(GONE)?;
            of_site.bucket.take(limits.of_site().rate(), now)?;
        }
        of_address.bucket = left;
        Ok(())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut known = self.visitors.lock();
        if let Some(visitor) = known.addresses.get_mut(&self.address) {
            visitor.leave(self.proven);
        }
        let site = self.site.filter(|_| self.proven.is_none());
        if let Some(site) = site.and_then(|site| known.sites.get_mut(&site)) {
            site.leave(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn who_has_shown_who_it_is_takes_no_strangers_place() {
        let visitors = Visitors::new(AddressLimits { burst: 100, ..LIMITS });
        let now = Instant::now();
        let enter = || visitors.enter(address("192.0.2.1"), now);
        let mut proven: Vec<_> = (0..10)
            .map(|_| {
                let mut visit = enter().unwrap();
                assert!(visit.prove(Kind::Machine));
                assert!(visit.prove(Kind::Machine));
                visit
            })
            .collect();
        let strangers = [enter().unwrap(), enter().unwrap()];
        assert!(enter().is_err());
        proven.truncate(1);
        assert!(enter().is_err(), "those who left were no strangers");
        drop(strangers);
        for visit in &proven {
            visit.ask(now).unwrap();
        }
        drop(proven);
        assert!(!visitors.lock().addresses[&address("192.0.2.1")].is_here());
    }

    #[test]
    fn people_behind_one_address_take_no_place_of_its_machines() {
        let limits = AddressLimits {
            connections_max: 1,
            burst: 10_000,
            per_second: 1,
        };
        let visitors = Visitors::new(limits);
        let now = Instant::now();
        let prove = |kind| {
            let mut visit = visitors.enter(address("2001:db8::1"), now).unwrap();
            visit.prove(kind).then_some(visit)
        };
        let people: Vec<_> = (0..2_000).filter_map(|_| prove(Kind::Person)).collect();
        let machines: Vec<_> = (0..5_000).filter_map(|_| prove(Kind::Machine)).collect();
        assert_eq!((people.len(), machines.len()), (1_024, 4_096));
        let site = visitors.lock().sites[&address("2001:db8::")];
        assert!(!site.is_here(), "a site counts its strangers only");
    }

    #[test]
    fn strangers_of_one_site_share_what_eight_addresses_have() {
        let visitors = Visitors::new(LIMITS);
        let now = Instant::now();
        let of_site = |subnet: u16| IpAddr::from([0x2001, 0xdb8, 7, subnet, 0, 0, 0, 1]);
        let enter = |subnet| visitors.enter(of_site(subnet), now);
        let mut held: Vec<_> = (0..1_000).filter_map(|subnet| enter(subnet).ok()).collect();
        assert_eq!(held.len(), 16);
        assert_eq!(
            visitors.lock().addresses.len(),
            16,
            "who is refused is not remembered"
        );
        assert!(visitors.enter(address("2001:db8:8::1"), now).is_ok());
        assert!(visitors.enter(address("192.0.2.1"), now).is_ok());
        // Sixteen of the site's thirty-two are used up; the rest are requests, wherever they come from.
        let asked = held.iter().filter(|visit| visit.ask(now).is_ok()).count();
        assert_eq!(asked, 16);
        assert!(held.iter().all(|visit| visit.ask(now).is_err()));
        // Who has shown who it is asks on with its own share, and leaves room for a stranger.
        let machine = &mut held[0];
        assert!(machine.prove(Kind::Machine));
        machine.ask(now).unwrap();
        let later = now + Duration::from_secs(1);
        assert!(visitors.enter(of_site(0), later).is_ok());
        drop(held);
        let known = visitors.lock();
        assert!(known.addresses.values().all(|visitor| !visitor.is_here()));
        assert!(known.sites.values().all(|visitor| !visitor.is_here()));
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
        assert_eq!(visitors.lock().addresses.len(), 1);
    }
}
