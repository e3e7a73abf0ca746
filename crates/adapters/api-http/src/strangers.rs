//! What a listener lets those hold who have not shown who they are, and who of them gives way when all of it is held.

use std::future::Future;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crowd::Crowd;
use crowd::Room;
use crowd::Ticket;
use names::estate_of;
use tokio::sync::Notify;

use crate::limits::ConnectionLimits;
use crate::visitors::Visit;
use crate::visitors::Visitors;

/// Everybody at a listener who has not shown who they are. Clones are the same.
#[derive(Debug, Clone)]
pub struct Strangers {
    visitors: Option<Visitors>,
    here: Arc<Mutex<Here>>,
}

#[derive(Debug)]
struct Here {
    /// By what counts as one of them: an address, or a site of IPv6.
    crowd: Crowd<IpAddr, Notice>,
    crowded: Crowded,
}

/// How often the log has to say that places run out.
#[derive(Debug, Default)]
struct Crowded {
    told: Option<Instant>,
    closed: u64,
}

/// So many requests of one address are answered before its connections make room ahead of those that wait for nothing.
const SERVED: usize = 8;
/// How often it is said in the log that places ran out.
const TELL: Duration = Duration::from_secs(60);

/// A stranger's share of what strangers may hold. Dropped when the connection ends, or its client has shown who it is.
#[derive(Debug)]
pub struct Admission {
    visit: Option<Visit>,
    place: Option<Place>,
    notice: Notice,
}

/// A place among those of strangers.
#[derive(Debug)]
struct Place {
    here: Arc<Mutex<Here>>,
    ticket: Ticket,
}

/// Tells a connection that it has to make room for another.
#[derive(Debug, Clone, Default)]
pub struct Notice(Arc<Notify>);

/// A request that is being answered. While there is one its connection is not idle.
#[derive(Debug)]
pub(crate) struct UnderWay {
    here: Arc<Mutex<Here>>,
    ticket: Ticket,
}

impl Strangers {
    /// Nobody yet, at a listener with these limits.
    pub fn new(limits: &ConnectionLimits) -> Self {
        let room = Room {
            all: limits.connections_max,
            // What one address may have its visits say.
            of_group: usize::MAX,
            served: SERVED,
        };
        Self {
            visitors: limits.address.map(Visitors::new),
            here: Arc::new(Mutex::new(Here {
                crowd: Crowd::new(room),
                crowded: Crowded::default(),
            })),
        }
    }

    /// Lets a connection in, at once or not at all: `None` when its address has its share, or all places are taken by those who are being
    /// served and have no more than their share of that. When all places are taken, somebody else is told to leave.
    pub fn admit(&self, remote: SocketAddr, now: Instant) -> Option<Admission> {
        let address = remote.ip();
        // First, so that nobody leaves for those who are refused anyway.
        let visit = match &self.visitors {
            None => None,
            Some(visitors) => Some(visitors.enter(address, now).ok()?),
        };
        let notice = Notice::default();
        let group = estate_of(address);
        let mut here = lock(&self.here);
        let entered = here.crowd.enter(group, notice.clone());
        if !matches!(&entered, Some(entered) if entered.gives_way.is_none()) {
            here.crowded.one_more(now);
        }
        drop(here);
        let entered = entered?;
        if let Some(leaves) = entered.gives_way {
            leaves.give();
        }
        let place = Place {
            here: Arc::clone(&self.here),
            ticket: entered.ticket,
        };
        Some(Admission {
            visit,
            place: Some(place),
            notice,
        })
    }
}

impl Crowded {
    fn one_more(&mut self, now: Instant) {
        self.closed = self.closed.saturating_add(1);
        if self.told.is_none_or(|told| now.duration_since(told) >= TELL) {
            tracing::warn!(
                closed = self.closed,
                "connections were closed: every place of a stranger is taken"
            );
            self.told = Some(now);
            self.closed = 0;
        }
    }
}

impl Admission {
    /// For a connection that counts nowhere, such as one that another listener counted.
    pub fn unlimited() -> Self {
        Self {
            visit: None,
            place: None,
            notice: Notice::default(),
        }
    }

    /// What tells the connection that it has to leave. It never does once the place was given back.
    pub fn notice(&self) -> Notice {
        self.notice.clone()
    }

    /// What counts its requests, where they are counted.
    pub(crate) const fn visit(&self) -> Option<&Visit> {
        self.visit.as_ref()
    }

    /// The same, to be told that its client has shown who it is.
    pub(crate) const fn visit_mut(&mut self) -> Option<&mut Visit> {
        self.visit.as_mut()
    }

    /// Gives the place back to strangers. The visit goes on, and nobody is told to leave any more, whatever was told until now.
    pub(crate) fn give_back(&mut self) {
        self.place = None;
        self.notice = Notice::default();
    }

    /// A request begins to be answered.
    pub(crate) fn request(&self) -> Option<UnderWay> {
        let Place { here, ticket } = self.place.as_ref()?;
        lock(here).crowd.begin(*ticket);
        Some(UnderWay {
            here: Arc::clone(here),
            ticket: *ticket,
        })
    }
}

impl Notice {
    /// Returns when the connection has to leave.
    pub async fn given(&self) {
        self.0.notified().await;
    }

    /// Does something unless the connection has to leave.
    pub async fn unless_given<F: Future>(&self, deed: F) -> Option<F::Output> {
        tokio::select! {
            done = deed => Some(done),
            () = self.given() => None,
        }
    }

    fn give(&self) {
        self.0.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.here).crowd.leave(self.ticket);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.here).crowd.end(self.ticket);
    }
}

fn lock(here: &Mutex<Here>) -> MutexGuard<'_, Here> {
    here.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(strangers: &Strangers, address: &str) -> Option<Admission> {
        strangers.admit(address.parse().unwrap(), Instant::now())
    }

    /// Whether a connection was told to leave.
    async fn is_told(admission: &Admission) -> bool {
        let told = admission.notice();
        tokio::select! {
            biased;
            () = told.given() => true,
            () = std::future::ready(()) => false,
        }
    }

    fn strangers() -> Strangers {
        Strangers::new(&ConnectionLimits {
            connections_max: 2,
            ..ConnectionLimits::WEB
        })
    }

    #[tokio::test]
    async fn whoever_waits_for_an_answer_is_not_idle() {
        let strangers = strangers();
        let waits = admit(&strangers, "192.0.2.1:1").unwrap();
        let answer = waits.request();
        let idle = admit(&strangers, "192.0.2.2:1").unwrap();
        let third = admit(&strangers, "192.0.2.3:1").unwrap();
        assert!(!is_told(&waits).await && is_told(&idle).await);
        let _asks = third.request();
        // Everybody has one place and is being served: nobody is sent away for a fourth.
        assert!(admit(&strangers, "192.0.2.4:1").is_none());
        assert!(!is_told(&waits).await && !is_told(&third).await);
        drop(answer);
        assert!(admit(&strangers, "192.0.2.4:1").is_some());
        assert!(is_told(&waits).await);
    }

    #[tokio::test]
    async fn whoever_has_shown_who_it_is_is_not_told_to_leave() {
        let strangers = strangers();
        let mut known = admit(&strangers, "192.0.2.1:1").unwrap();
        let second = admit(&strangers, "192.0.2.2:1").unwrap();
        let third = admit(&strangers, "192.0.2.3:1").unwrap();
        // It was told at the very moment in which it showed its certificate.
        known.give_back();
        let fourth = admit(&strangers, "192.0.2.4:1").unwrap();
        assert!(!is_told(&known).await && is_told(&second).await);
        assert!(!is_told(&third).await && !is_told(&fourth).await);
    }

    #[tokio::test]
    async fn a_site_is_one_of_many() {
        let strangers = strangers();
        let first = admit(&strangers, "[2001:db8:0:1::1]:1").unwrap();
        let second = admit(&strangers, "[2001:db8:0:2::1]:1").unwrap();
        let _requests = (first.request(), second.request());
        // Each of its addresses has one connection, which is being served. But it has two.
        assert!(admit(&strangers, "[2001:db8:1::1]:1").is_some());
        assert!(is_told(&first).await && !is_told(&second).await);
    }
}
