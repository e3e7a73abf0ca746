//! The SSH proxy: a jump host that knows only nodes.

mod beginning;
mod handler;
mod identity;
mod relay;
mod sever;
mod visit;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use api_http::Stopper;
use arc_swap::ArcSwapOption;
use crowd::Rate;
use crowd::Shares;
use runtime::Clock;
use runtime::Entropy;
use russh::Disconnect;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time::sleep_until;
use tokio::time::timeout;

use crate::Dialer;
use crate::Events;
use crate::Gate;
use crate::ProxyEvent;
use crate::Resolver;
use crate::listener::Came;
use beginning::Beginnings;
use handler::Handler;
pub use identity::{IdentityError, SshIdentity};
use sever::Severable;
use visit::Visit;

/// Limits of the SSH proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SshLimits {
    /// How long the log-in may take, from when the connection was accepted, with TLS and whatever else comes before it.
    pub login_grace: Duration,
    /// Keys and certificates that may be tried on one connection.
    pub attempts_max: usize,
    /// Connections to nodes at once through one connection.
    pub channels_max: usize,
    /// Connections to nodes that one user may ask for, over all connections: so many a second on average, and so many at once.
    pub channel_rate: (u32, u32),
    /// Channels for a shell or a command, of which there is none here, that one connection may open in its life.
    pub sessions_max: usize,
    /// How long such a channel may stay without saying what it is for.
    pub session_wait: Duration,
    /// Connections at once of one user to one node in which no log-in may have happened yet; one more waits.
    pub beginnings_max: usize,
    /// How long a connection counts as one of those at most, and how long one more waits.
    pub beginning: Duration,
    /// Connections of one user at once.
    pub per_user_max: usize,
    /// How often a silent client is asked for a sign of life, and how many times it may owe one.
    pub keep_alive: (Duration, usize),
    /// How long a node may take nothing of what it is sent before the connection to it is given up.
    pub stall: Duration,
}

impl SshLimits {
    /// The usual ones.
    pub const DEFAULT: Self = Self {
        login_grace: Duration::from_secs(30),
        attempts_max: 10,
        channels_max: 256,
        channel_rate: (50, 512),
        sessions_max: 64,
        session_wait: Duration::from_secs(10),
        beginnings_max: 16,
        beginning: Duration::from_secs(45),
        per_user_max: 2_000,
        keep_alive: (Duration::from_secs(60), 3),
        stall: Duration::from_secs(120),
    };
}

impl Default for SshLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What an [`SshProxy`] is made of.
pub struct SshParts {
    /// Who may be here.
    pub gate: Arc<dyn Gate>,
    /// Which nodes there are.
    pub resolver: Arc<dyn Resolver>,
    /// Reaches them.
    pub dialer: Arc<Dialer>,
    /// What is taken down.
    pub events: Arc<dyn Events>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids of connections.
    pub entropy: Arc<dyn Entropy>,
    /// Limits.
    pub limits: SshLimits,
}

/// The SSH proxy.
///
/// It lets in who shows a user certificate of the cluster, by any login name: it opens no account, so that the name gives no right here, and
/// OpenSSH sends the local user's when it is told none. Everything else about the certificate counts: authority, type, validity, source
/// address, and that it has principals at all. What the user may do at a node decides the node; that they may reach it, the
/// [`Resolver`].
pub struct SshProxy {
    parts: SshParts,
    config: ArcSwapOption<russh::server::Config>,
    visits: Mutex<Visits>,
    beginnings: Beginnings,
    asked: Mutex<Shares<String>>,
}

#[derive(Default)]
struct Visits {
    open: HashMap<u64, Arc<Visit>>,
    last: u64,
}

/// How long a client that is told to leave has to do so.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long hosts have to end the sessions of somebody who is cut off. They learn of it at the same time, tell the user why, and record which
/// sessions it ended; a connection that breaks says neither.
const HEAD_START: Duration = Duration::from_secs(2);

impl SshProxy {
    /// A proxy that has no host key yet: until [`SshProxy::install`] connections are closed.
    pub fn new(parts: SshParts) -> Self {
        let (per_second, burst) = parts.limits.channel_rate;
        let rate = Rate {
            per_second: per_second.into(),
            burst: burst.into(),
        };
        Self {
            asked: Mutex::new(Shares::new(rate)),
            parts,
            config: ArcSwapOption::empty(),
            visits: Mutex::default(),
            beginnings: Beginnings::default(),
        }
    }

    /// Presents this host key and certificate from the next connection on.
    pub fn install(&self, identity: &SshIdentity) {
        self.config
            .store(Some(Arc::new(identity.config(self.parts.limits))));
    }

    /// Cuts the connections of everybody who may not be here any more. Done every few seconds anyway; for when it cannot wait.
    pub fn recheck(&self) {
        let visits: Vec<_> = self.lock().open.values().cloned().collect();
        for visit in visits {
            if let Some(user) = visit.user()
                && let Err(reason) = self.may_stay(&user)
            {
                visit.cut(reason);
            }
        }
    }

    /// The connections of users that are open now.
    pub fn users(&self) -> Vec<Arc<crate::SshUser>> {
        let visits = self.lock();
        visits.open.values().filter_map(|visit| visit.user()).collect()
    }

    /// Serves a connection until it ends.
    pub(crate) async fn serve<S>(self: &Arc<Self>, io: S, came: Came)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Came {
            remote,
            since,
            admission,
            mut stop,
        } = came;
        let Some(config) = self.config.load_full() else {
            tracing::debug!(%remote, "a connection came before there was a host key to present");
            return;
        };
        let limits = self.parts.limits;
        let (stopper, severed) = Stopper::new();
        let notice = admission.notice();
        let visit = Arc::new(Visit::new(remote, admission, limits, severed.clone()));
        let listed = self.list(&visit);
        let handler = Handler::new(Arc::clone(self), Arc::clone(&visit));
        let grace = sleep_until(since + limits.login_grace);
        tokio::pin!(grace);
        let started = tokio::select! {
            started = russh::server::run_stream(config, Severable::new(io, severed), handler) => started,
            () = &mut grace => return,
            () = notice.given() => return,
            () = stop.requested() => return,
        };
        let mut running = match started {
            Ok(running) => running,
            Err(error) => {
                tracing::debug!(%remote, error = %error, "what came is no SSH");
                return;
            }
        };
        let handle = running.handle();
        let farewell = tokio::select! {
            ended = &mut running => {
                if let Err(error) = ended {
                    tracing::debug!(%remote, error = %error, "an SSH connection broke off");
                }
                None
            }
            () = async { grace.await; visit.until_stranger().await } => {
                visit.refused("took too long to log in");
                Some("took too long to log in".to_owned())
            }
            () = async { notice.given().await; visit.until_stranger().await } => {
                visit.refused("made room for others before it logged in");
                Some("there are too many connections that have not logged in".to_owned())
            }
            reason = visit.until_cut() => {
                let gone = tokio::select! {
                    gone = timeout(HEAD_START, &mut running) => gone.is_ok(),
                    () = stop.requested() => false,
                };
                (!gone).then_some(reason)
            }
            () = stop.requested() => Some("the proxy is stopping".to_owned()),
        };
        if let Some(reason) = farewell {
            let goodbye = handle.disconnect(Disconnect::ByApplication, reason, String::new());
            // Said if there is somebody to hear it; a client that does not listen is cut all the same.
            let _ = timeout(FAREWELL, goodbye).await;
            let _ = timeout(FAREWELL, &mut running).await;
        }
        drop(listed);
        drop(stopper);
        self.note_end(&visit).await;
    }

    /// Whether a user may be here: their authority is trusted, and the gate has nothing against them.
    fn may_stay(&self, user: &crate::SshUser) -> Result<(), String> {
        let authorities = self.parts.gate.user_authorities();
        if !authorities.contains(user.certificate.signing_key()) {
            return Err("the authority of the certificate is not trusted any more".to_owned());
        }
        self.parts.gate.user_may(user)
    }

    async fn note_end(&self, visit: &Visit) {
        let event = match (visit.user(), visit.cut_for()) {
            (Some(user), Some(reason)) => ProxyEvent::Cut {
                user: user.name.clone(),
                remote: user.remote,
                reason,
            },
            (Some(_), None) => return,
            (None, _) => return self.note_failure(visit).await,
        };
        self.note(event).await;
    }

    /// Notes why nobody was let in, once; nothing when nobody tried to log in, such as by `ssh-keyscan`.
    async fn note_failure(&self, visit: &Visit) {
        if let Some(event) = visit.failure() {
            self.note(event).await;
        }
    }

    async fn note(&self, event: ProxyEvent) {
        if let Err(fault) = self.parts.events.record(event).await {
            tracing::error!(error = %fault, "what happened to an SSH connection is not in the log");
        }
    }

    /// Counts one more connection that a user asks for, or the words for one who asks too fast.
    fn take_channel(&self, user: &str) -> Result<(), String> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = asked.take(&user.to_owned(), Instant::now());
        let (per_second, _) = self.parts.limits.channel_rate;
        taken.map_err(|empty| {
            format!(
                "{user} asks for connections too fast, of which this proxy makes {per_second} a second; try again in {} s",
                empty.retry_after
            )
        })
    }

    /// How many connections a user has open.
    fn count(&self, name: &str) -> usize {
        let visits = self.lock();
        let users = visits.open.values().filter_map(|visit| visit.user());
        users.filter(|user| user.name == name).count()
    }

    fn list(&self, visit: &Arc<Visit>) -> Listed<'_> {
        let mut visits = self.lock();
        visits.last = visits.last.wrapping_add(1);
        let number = visits.last;
        visits.open.insert(number, Arc::clone(visit));
        Listed { proxy: self, number }
    }

    fn lock(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is listed until this is dropped.
struct Listed<'a> {
    proxy: &'a SshProxy,
    number: u64,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.proxy.lock().open.remove(&self.number);
    }
}
