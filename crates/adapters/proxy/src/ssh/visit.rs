//! What is known of one SSH connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use api_http::Admission;
use api_http::Stop;
use tokio::sync::Notify;
use tokio::sync::Semaphore;

use super::SshLimits;
use crate::ProxyEvent;
use crate::SshUser;

/// One SSH connection.
pub(super) struct Visit {
    remote: SocketAddr,
    /// Connections to nodes that may still be opened.
    pub(super) channels: Arc<Semaphore>,
    /// Learns that the connection is over for everything that goes through it.
    pub(super) over: Stop,
    /// Channels for shells and commands that may still be opened.
    sessions: AtomicUsize,
    known: Mutex<Known>,
    is_cut: Notify,
}

#[derive(Default)]
struct Known {
    user: Option<Arc<SshUser>>,
    admission: Option<Admission>,
    cut_for: Option<String>,
    login: Option<String>,
    claimed: Option<String>,
    vouched: Option<String>,
    refusal: Option<String>,
    explanation: Option<String>,
    attempts: u32,
    /// Whether the last failure is in the log.
    is_recorded: bool,
}

impl Visit {
    pub(super) fn new(remote: SocketAddr, admission: Admission, limits: SshLimits, over: Stop) -> Self {
        Self {
            remote,
            channels: Arc::new(Semaphore::new(limits.channels_max)),
            over,
            sessions: AtomicUsize::new(limits.sessions_max),
            known: Mutex::new(Known {
                admission: Some(admission),
                ..Known::default()
            }),
            is_cut: Notify::new(),
        }
    }

    pub(super) const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether one more channel for a shell or a command may be opened. What each leaves behind lasts as long as the connection.
    pub(super) fn takes_session(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.sessions
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    /// Who it is, once they logged in.
    pub(super) fn user(&self) -> Option<Arc<SshUser>> {
        self.lock().user.clone()
    }

    /// Somebody logged in: the connection is no stranger's any more.
    pub(super) fn let_in(&self, user: Arc<SshUser>) {
        let mut known = self.lock();
        known.user = Some(user);
        known.admission = None;
    }

    /// The client asks to log in. What it shows then may be refused before anybody here hears of it: a certificate outside its time is.
    pub(super) fn begins(&self) {
        self.lock().login.get_or_insert_default();
    }

    /// A log-in is tried.
    pub(super) fn tries(&self, login: &str) {
        let mut known = self.lock();
        known.attempts = known.attempts.saturating_add(1);
        known.login = Some(shown(login));
    }

    /// Somebody proved to hold the key of a certificate with this name, which is only a claim.
    pub(super) fn claims(&self, name: &str) {
        self.lock().claimed = Some(shown(name));
    }

    /// A log-in failed. What is said of certificates counts more than what is said of keys.
    pub(super) fn refused(&self, reason: impl Into<String>) {
        let mut known = self.lock();
        known.refusal = Some(reason.into());
        known.vouched = None;
        known.is_recorded = false;
    }

    /// Somebody showed a certificate of ours and will be told why it does not let them in.
    pub(super) fn explains(&self, words: String) {
        let mut known = self.lock();
        known.explanation = Some(words);
        known.vouched = known.claimed.clone();
    }

    /// What to tell somebody who is not let in.
    pub(super) fn explanation(&self) -> Option<String> {
        self.lock().explanation.clone()
    }

    /// A key without a certificate was proved.
    pub(super) fn showed_bare_key(&self) {
        self.lock()
            .refusal
            .get_or_insert_with(|| "a key without a certificate lets nobody in".to_owned());
    }

    /// Ends the connection.
    pub(super) fn cut(&self, reason: String) {
        self.lock().cut_for.get_or_insert(reason);
        self.is_cut.notify_one();
    }

    pub(super) fn cut_for(&self) -> Option<String> {
        self.lock().cut_for.clone()
    }

    /// Returns when the connection is to be cut, with the reason.
    pub(super) async fn until_cut(&self) -> String {
        loop {
            if let Some(reason) = self.cut_for() {
                return reason;
            }
            self.is_cut.notified().await;
        }
    }

    /// Returns at once when nobody has logged in, and never otherwise.
    pub(super) async fn until_stranger(&self) {
        if self.user().is_some() {
            std::future::pending::<()>().await;
        }
    }

    /// The event that a log-in failed, to be recorded; nothing when nobody tried, or the last failure was given out before.
    pub(super) fn failure(&self) -> Option<ProxyEvent> {
        let mut known = self.lock();
        let login = known.login.clone()?;
        if std::mem::replace(&mut known.is_recorded, true) {
            return None;
        }
        let unseen = "no certificate was shown that is within its time and whole";
        Some(ProxyEvent::AuthFailed {
            remote: self.remote,
            login,
            user: known.vouched.clone(),
            claimed: known.claimed.clone(),
            reason: known.refusal.clone().unwrap_or_else(|| unseen.to_owned()),
            attempts: known.attempts,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What strangers call themselves, fit for a log.
fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(128)
        .collect()
}

#[cfg(test)]
mod tests {
    use api_http::Stopper;

    use super::*;

    #[test]
    fn every_refusal_that_is_explained_is_given_out_once_and_by_its_own_name() {
        let (_stopper, over) = Stopper::new();
        let remote = ([192, 0, 2, 7], 40_000).into();
        let visit = Visit::new(remote, Admission::unlimited(), SshLimits::DEFAULT, over);
        let told = || match visit.failure() {
            Some(ProxyEvent::AuthFailed { user, claimed, .. }) => Some((user, claimed)),
            _ => None,
        };
        assert_eq!(told(), None, "nobody tried");
        for name in ["alice", "bob"] {
            visit.tries("root");
            visit.claims(name);
            visit.refused("locked");
            visit.explains("locked".to_owned());
            let named = Some(name.to_owned());
            assert_eq!(told(), Some((named.clone(), named)));
        }
        visit.tries("root");
        visit.showed_bare_key();
        assert_eq!(told(), None, "the end says nothing new");
        // What nobody vouches for is not laid at the door of whoever was known before.
        visit.claims("mallory");
        visit.refused("of no authority of ours");
        assert_eq!(told(), Some((None, Some("mallory".to_owned()))));
    }
}
