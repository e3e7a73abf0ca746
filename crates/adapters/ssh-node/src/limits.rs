//! Counts of connections, each given back when its guard is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crowd::Crowd;
use crowd::Room;
use crowd::Ticket;
use names::network_of;

use crate::config::NodeConfig;
use crate::severable::Knife;

/// Counts by key.
#[derive(Debug)]
pub(crate) struct Tally<K>(Arc<Mutex<Counts<K>>>);

#[derive(Debug)]
struct Counts<K> {
    by_key: HashMap<K, usize>,
    all: usize,
}

impl<K> Clone for Tally<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Counts {
            by_key: HashMap::new(),
            all: 0,
        })))
    }

    /// Takes a place, if there is one both for the key and among all.
    pub(crate) fn enter(&self, key: K, key_max: usize, all_max: usize) -> Option<Place<K>> {
        let mut counts = lock(&self.0);
        let of_key = counts.by_key.get(&key).copied().unwrap_or(0);
        if of_key >= key_max || counts.all >= all_max {
            return None;
        }
        counts.by_key.insert(key.clone(), of_key + 1);
        counts.all += 1;
        Some(Place {
            tally: self.clone(),
            key,
        })
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        let counts = lock(&self.0);
        counts.by_key.is_empty() && counts.all == 0
    }
}

/// A place taken; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash + Clone> {
    tally: Tally<K>,
    key: K,
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = lock(&self.tally.0);
        counts.all = counts.all.saturating_sub(1);
        if let Some(of_key) = counts.by_key.get_mut(&self.key) {
            *of_key = of_key.saturating_sub(1);
            if *of_key == 0 {
                counts.by_key.remove(&self.key);
            }
        }
    }
}

/// Connections that have not logged in. Whoever comes when there are too many cuts the one that came first, of its own address when that has its
/// share, or else of the address that has most: behind a proxy many users have one address, and none of them is kept out by another who only waits.
#[derive(Debug, Clone)]
pub(crate) struct Strangers(Arc<Mutex<Crowd<IpAddr, Knife>>>);

/// A place among those who have not logged in; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct StrangersPlace {
    strangers: Strangers,
    ticket: Ticket,
}

impl Strangers {
    pub(crate) fn new(config: &NodeConfig) -> Self {
        Self(Arc::new(Mutex::new(Crowd::new(Room {
            all: config.unauthenticated_max,
            of_group: config.unauthenticated_per_address_max,
            // Logging in is not told from waiting.
            served: 0,
        }))))
    }

    /// Takes a place, for a connection that can be cut.
    pub(crate) fn enter(&self, address: IpAddr, knife: Knife) -> Option<StrangersPlace> {
        let entered = lock(&self.0).enter(network_of(address), knife)?;
        if let Some(first) = entered.gives_way {
            tracing::debug!("a connection that has not logged in made room for another");
            first.cut();
        }
        Some(StrangersPlace {
            strangers: self.clone(),
            ticket: entered.ticket,
        })
    }
}

impl Drop for StrangersPlace {
    fn drop(&mut self) {
        lock(&self.strangers.0).leave(self.ticket);
    }
}

/// A lock whose holders do not panic half way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_key_and_together_and_given_back() {
        let tally = Tally::new();
        let first = tally.enter("a", 2, 3).unwrap();
        let second = tally.enter("a", 2, 3).unwrap();
        assert!(tally.enter("a", 2, 3).is_none());
        let third = tally.enter("b", 2, 3).unwrap();
        assert!(tally.enter("c", 2, 3).is_none());
        drop(first);
        assert!(tally.enter("a", 2, 3).is_some());
        drop((second, third));
        assert!(tally.is_empty());
    }
}
