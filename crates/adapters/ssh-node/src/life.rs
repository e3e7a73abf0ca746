//! The life of one connection: whether it has logged in, when it was last used, why it ends, which sessions have yet to end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::AuthFailure;
use crate::event::DisconnectReason;
use crate::gate::Admission;
use crate::gate::Fallen;
use crate::gate::Grant;
use crate::limits::Place;
use crate::limits::StrangersPlace;
use crate::limits::lock;
use crate::server::Shared;

/// What a connection's handler, its sessions and its watch share.
pub(crate) struct Life {
    began: Instant,
    last_data_millis: AtomicU64,
    unauthenticated: Mutex<Option<StrangersPlace>>,
    admitted: OnceLock<Admitted>,
    is_admitted: watch::Sender<bool>,
    /// Whether somebody tried to log in, and whether a failure of it has been recorded.
    is_tried: AtomicBool,
    is_failure_recorded: AtomicBool,
    bare_key: Mutex<Option<String>>,
    /// What to tell somebody who has shown a certificate of ours and is not let in.
    told: Mutex<Option<Told>>,
    reason: watch::Sender<Option<DisconnectReason>>,
    has_ended: watch::Sender<bool>,
    /// One receiver for each session that has yet to end.
    sessions: watch::Sender<()>,
}

/// What somebody is told who has shown a certificate of ours and is not let in.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) words: String,
    /// Whether another certificate, for which a second factor is given, would do.
    pub(crate) is_for_second_factor: bool,
}

/// Somebody who was let in.
#[derive(Clone)]
pub(crate) struct Admitted {
    pub(crate) admission: Arc<Admission>,
    pub(crate) grant: Arc<Grant>,
    /// The user's place among the connections of the same user.
    pub(crate) _place: Arc<Option<Place<String>>>,
}

/// How long to wait at most until the clock is looked at again: it may have been set.
const CLOCK_CHECK: Duration = Duration::from_secs(20);

impl Life {
    pub(crate) fn new(place: StrangersPlace) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            last_data_millis: AtomicU64::new(0),
            unauthenticated: Mutex::new(Some(place)),
            admitted: OnceLock::new(),
            is_admitted: watch::Sender::new(false),
            is_tried: AtomicBool::new(false),
            is_failure_recorded: AtomicBool::new(false),
            bare_key: Mutex::new(None),
            told: Mutex::new(None),
            reason: watch::Sender::new(None),
            has_ended: watch::Sender::new(false),
            sessions: watch::Sender::new(()),
        })
    }

    pub(crate) fn tried(&self) {
        self.is_tried.store(true, Ordering::Relaxed);
    }

    pub(crate) fn failure_recorded(&self) {
        self.is_failure_recorded.store(true, Ordering::Relaxed);
    }

    /// A key was used without a certificate. Clients do that before they use its certificate, so that it is a failure only
    /// when nothing better follows.
    pub(crate) fn used_bare_key(&self, fingerprint: String) {
        *lock(&self.bare_key) = Some(fingerprint);
    }

    /// Somebody lacks a second factor, and will be told so. Whether it was the first time.
    pub(crate) fn lacks_second_factor(&self, words: String) -> bool {
        let mut told = lock(&self.told);
        if told.as_ref().is_some_and(|told| told.is_for_second_factor) {
            return false;
        }
        *told = Some(Told {
            words,
            is_for_second_factor: true,
        });
        true
    }

    /// Somebody is not let in, and will be told why.
    pub(crate) fn tells(&self, words: String) {
        *lock(&self.told) = Some(Told {
            words,
            is_for_second_factor: false,
        });
    }

    /// What to tell somebody who is not let in.
    pub(crate) fn told(&self) -> Option<Told> {
        lock(&self.told).clone()
    }

    /// Why somebody who tried to log in was not let in, if nothing says so yet.
    pub(crate) fn unrecorded_failure(&self) -> Option<AuthFailure> {
        let is_in_vain = self.is_tried.load(Ordering::Relaxed)
            && self.admitted.get().is_none()
            && !self.is_failure_recorded.load(Ordering::Relaxed);
        is_in_vain.then(|| match lock(&self.bare_key).take() {
            Some(fingerprint) => AuthFailure::BareKey { fingerprint },
            None => AuthFailure::NothingPresented,
        })
    }

    pub(crate) fn admit(&self, admitted: Admitted) {
        let _first = self.admitted.set(admitted);
        lock(&self.unauthenticated).take();
        self.touch();
        self.is_admitted.send_replace(true);
    }

    pub(crate) fn admitted(&self) -> Option<&Admitted> {
        self.admitted.get()
    }

    /// Data went through.
    pub(crate) fn touch(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_data_millis.store(millis, Ordering::Relaxed);
    }

    /// Ends the connection for this reason; the first one counts.
    pub(crate) fn cut(&self, reason: DisconnectReason) {
        self.reason.send_if_modified(|current| {
            let is_first = current.is_none();
            if is_first {
                *current = Some(reason);
            }
            is_first
        });
    }

    pub(crate) async fn end_reason(&self) -> DisconnectReason {
        let mut reason = self.reason.subscribe();
        let given = reason
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|given| given.clone());
        given.unwrap_or(DisconnectReason::Stopping)
    }

    /// The reason why the connection is ended, of which its client is told; none while it is not, and where the client left.
    pub(crate) fn cut_for(&self) -> Option<DisconnectReason> {
        self.reason.borrow().clone()
    }

    /// Why the connection of a session is over. Who is cut off by the proxy, too, may be gone before it was noticed here that they have
    /// to be: then what they lost is the reason.
    pub(crate) async fn why_over(&self, shared: &Shared) -> Option<DisconnectReason> {
        if let Some(reason) = self.cut_for() {
            return Some(reason);
        }
        let Admitted { admission, grant, .. } = self.admitted.get()?;
        let standing = shared.parts.gate.standing(admission, grant).await;
        standing.err().map(DisconnectReason::from)
    }

    /// The connection is over: its sessions have to end.
    pub(crate) fn end(&self) {
        self.has_ended.send_replace(true);
    }

    /// Becomes true when the connection is over.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.has_ended.subscribe()
    }

    /// Held by a session until it has ended and is recorded as ended.
    pub(crate) fn session(&self) -> watch::Receiver<()> {
        self.sessions.subscribe()
    }

    pub(crate) async fn sessions_ended(&self) {
        self.sessions.closed().await;
    }

    /// Returns when nobody has logged in after that time; never, once somebody has.
    pub(crate) async fn login_takes_longer_than(&self, grace: Duration) {
        let mut is_admitted = self.is_admitted.subscribe();
        let logged_in = tokio::time::timeout_at(self.began + grace, over(&mut is_admitted)).await;
        if logged_in.is_ok() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the connection outlives what its holder may: a lock, the certificate, idleness.
    pub(crate) async fn outlives(&self, shared: &Shared) -> DisconnectReason {
        let mut is_admitted = self.is_admitted.subscribe();
        over(&mut is_admitted).await;
        let Some(admitted) = self.admitted.get() else {
            return std::future::pending().await;
        };
        let Admitted { admission, grant, .. } = admitted;
        let gate = &shared.parts.gate;
        let mut changes = gate.changes();
        loop {
            // Seen before it is asked, so that no change falls between.
            changes.borrow_and_update();
            if let Err(fallen) = gate.standing(admission, grant).await {
                return fallen.into();
            }
            loop {
                let mut wait = CLOCK_CHECK;
                if grant.disconnect_expired_cert {
                    let now_millis = i128::from(shared.parts.clock.unix_millis());
                    let end = grant
                        .login_ends
                        .unwrap_or_else(|| admission.certificate.valid_before());
                    let end_millis = i128::from(end) * 1_000;
                    match u64::try_from(end_millis - now_millis) {
                        Ok(left) if left > 0 => wait = wait.min(Duration::from_millis(left)),
                        Ok(_) | Err(_) if end_millis > now_millis => {}
                        Ok(_) | Err(_) => return DisconnectReason::CertificateExpired,
                    }
                }
                if let Some(timeout) = grant.client_idle_timeout {
                    let last = Duration::from_millis(self.last_data_millis.load(Ordering::Relaxed));
                    let idle = self.began.elapsed().saturating_sub(last);
                    match timeout.checked_sub(idle) {
                        Some(left) if !left.is_zero() => wait = wait.min(left),
                        Some(_) | None => return DisconnectReason::Idle,
                    }
                }
                tokio::select! {
                    changed = changes.changed() => {
                        if changed.is_ok() {
                            break;
                        }
                        // Whoever announces changes is gone: the node is being taken down.
                        tokio::time::sleep(wait).await;
                    }
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
}

impl From<Fallen> for DisconnectReason {
    fn from(fallen: Fallen) -> Self {
        match fallen {
            Fallen::Locked(denial) => Self::Locked(denial.0),
            Fallen::Denied(denial) => Self::Denied(denial.0),
        }
    }
}

/// Waits until it is true, or its sender is gone.
pub(crate) async fn over(flag: &mut watch::Receiver<bool>) {
    let _gone = flag.wait_for(|is| *is).await.map(drop);
}
