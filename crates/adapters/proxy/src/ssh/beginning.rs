//! Connections to nodes in which nobody has logged in yet: so many of one user to one node, and the next waits.
//!
//! A node has only so many places for those who have not logged in, and counts them by where they come from until they have. Whom it
//! reaches through a tunnel, or in the same process, it knows that of: what counts here is only who says little. Of those who are connected
//! to its address it sees the proxy's: whoever holds such places would hold those of all, and each counts here for as long as a log-in may
//! take at the node, whatever is said in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tunnel::HostId;

/// A log-in is longer, in both directions.
const LITTLE: u64 = 2_048;

/// The connections that are beginning, by user and node.
#[derive(Default)]
pub(super) struct Beginnings(Mutex<HashMap<(String, HostId), Weak<Semaphore>>>);

/// A connection that is beginning. It counts until dropped.
pub(super) type Beginning = OwnedSemaphorePermit;

impl Beginnings {
    /// Waits until one more connection of the user to the node may begin.
    pub(super) async fn enter(&self, user: &str, host: &HostId, most: usize) -> Option<Beginning> {
        let slots = self.slots(user, host, most);
        slots.acquire_owned().await.ok()
    }

    fn slots(&self, user: &str, host: &HostId, most: usize) -> Arc<Semaphore> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, slots| slots.strong_count() > 0);
        let key = (user.to_owned(), host.clone());
        if let Some(slots) = known.get(&key).and_then(Weak::upgrade) {
            return slots;
        }
        let slots = Arc::new(Semaphore::new(most));
        known.insert(key, Arc::downgrade(&slots));
        slots
    }
}

/// What went through a connection, in bytes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    has_begun: Notify,
}

impl Traffic {
    pub(super) fn note_sent(&self, bytes: usize) {
        self.note(&self.sent, bytes);
    }

    pub(super) fn note_received(&self, bytes: usize) {
        self.note(&self.received, bytes);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Returns when both ends have said more than little.
    pub(super) async fn begun(&self) {
        self.has_begun.notified().await;
    }

    fn note(&self, counter: &AtomicU64, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = counter.fetch_add(bytes, Ordering::Relaxed);
        // Looked at by whichever direction passes the mark last.
        if before < LITTLE.saturating_mul(2) && self.sent() >= LITTLE && self.received() >= LITTLE {
            self.has_begun.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_user_begins_so_many_connections_to_a_node_and_no_more() {
        let beginnings = Beginnings::default();
        let node = HostId::parse("host-1").unwrap();
        let other = HostId::parse("host-2").unwrap();
        let first = beginnings.enter("alice", &node, 2).await.unwrap();
        let second = beginnings.enter("alice", &node, 2).await.unwrap();
        let third = beginnings.enter("alice", &node, 2);
        tokio::pin!(third);
        assert!(tokio::time::timeout(Duration::ZERO, &mut third).await.is_err());
        let elsewhere = beginnings.enter("alice", &other, 2).await.unwrap();
        let of_another = beginnings.enter("bob", &node, 2).await.unwrap();
        drop(first);
        let third = third.await.unwrap();
        drop((second, third, elsewhere, of_another));
        assert!(beginnings.enter("bob", &other, 2).await.is_some());
        assert_eq!(beginnings.0.lock().unwrap().len(), 1, "who has gone is forgotten");
    }

    #[tokio::test]
    async fn a_connection_has_begun_when_both_ends_have_said_something() {
        for ((sent, received), has_begun) in [
            ((0, 100_000), false),
            ((100_000, 100), false),
            ((2_048, 2_048), true),
            ((50_000, 2_048), true),
        ] {
            let traffic = Traffic::default();
            traffic.note_sent(sent);
            traffic.note_received(received);
            let begun = tokio::time::timeout(Duration::ZERO, traffic.begun()).await;
            assert_eq!(begun.is_ok(), has_begun, "{sent} {received}");
        }
        // By either end last, and in whatever pieces.
        let traffic = Traffic::default();
        traffic.note_received(50_000);
        for _ in 0..3 {
            traffic.note_sent(1_000);
        }
        traffic.begun().await;
    }
}
