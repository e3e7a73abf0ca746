//! The proxy's side: the tunnels that are open now, by host.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use api_http::Stop;
use bytes::Bytes;
use h2::client::SendRequest;
use http::StatusCode;
use names::UnixSeconds;
use runtime::Clock;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::Agent;
use crate::HostId;
use crate::OpenRequest;
use crate::Refused;
use crate::TunnelLimits;
use crate::TunnelStream;
use crate::limits::FRAME_MAX;
use crate::limits::HEAD_MAX;
use crate::news::News;
use crate::pulse;

/// The tunnels that are open.
pub struct Tunnels {
    limits: TunnelLimits,
    clock: Arc<dyn Clock>,
    open: Mutex<Open>,
    /// Changes with every tunnel that opens or ends.
    changes: watch::Sender<u64>,
    /// Up to which revision the cluster is known; [`UNKNOWN`] when nobody said.
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Open {
    /// By host, the oldest first.
    live: HashMap<HostId, Vec<Entry>>,
    /// When the last tunnel of hosts that have none ended.
    gone: HashMap<HostId, UnixSeconds>,
    last: u64,
}

struct Entry {
    number: u64,
    agent: Arc<Agent>,
    since: UnixSeconds,
    /// Opens connections; a tunnel that was let go has none, and ends with the last of its connections.
    sender: Option<SendRequest<Bytes>>,
    slots: Arc<Semaphore>,
    cut: Arc<Notify>,
}

/// An open tunnel, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelView {
    /// Who is at the other end.
    pub agent: Arc<Agent>,
    /// Since when it is open.
    pub since: UnixSeconds,
    /// The connections through it now.
    pub streams: usize,
}

/// Why no connection could be opened through a tunnel.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The host has no tunnel.
    #[error("{}", offline(host, *since))]
    Offline {
        /// The host.
        host: HostId,
        /// When its last tunnel ended, if this proxy saw it.
        since: Option<UnixSeconds>,
    },
    /// The host's agent does not take the connection.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There are as many connections through the tunnel as may be.
    #[error("there are too many connections to host {host}")]
    Busy {
        /// The host.
        host: HostId,
    },
    /// The agent does not answer.
    #[error("host {host} has a tunnel and does not answer")]
    TimedOut {
        /// The host.
        host: HostId,
    },
    /// The tunnel broke off.
    #[error("the tunnel of host {host} broke off")]
    Broken {
        /// The host.
        host: HostId,
        /// How.
        #[source]
        source: h2::Error,
    },
}

fn offline(host: &HostId, since: Option<UnixSeconds>) -> String {
    match since {
        Some(since) => format!("host {host} is offline since {since}"),
        None => format!("host {host} is offline: its agent has no tunnel to this proxy"),
    }
}

/// Why a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The agent closed it, or it was replaced by a newer one.
    Closed,
    /// It broke off, or the agent spoke something else.
    Broken,
    /// The agent gave no sign of life.
    Silent,
    /// It was cut: the host may have none any more.
    Cut,
    /// Everything stops.
    Stopped,
}

impl Ended {
    /// The word for it, as events have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::Silent => "silent",
            Self::Cut => "cut",
            Self::Stopped => "stopped",
        }
    }
}

/// Hosts whose last tunnel is remembered.
const GONE_MAX: usize = 16_384;
/// A revision that is none: whoever is told it asks the auth service what there is.
const UNKNOWN: u64 = 0;
/// Agents that are told at once: each asks the auth service then, by a connection of its own.
const TOLD_A_SECOND: u32 = 500;
/// How long connections under way may take when everything stops.
const STOP_DRAIN: Duration = Duration::from_secs(5);
/// How long connections under way may take when a tunnel is cut: the host learns of it as well, ends its sessions, and tells their users why,
/// which nobody else can.
const CUT_DRAIN: Duration = Duration::from_secs(5);

impl Tunnels {
    /// None yet.
    pub fn new(limits: TunnelLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            limits,
            clock,
            open: Mutex::default(),
            changes: watch::channel(0).0,
            news: watch::channel(UNKNOWN).0,
        }
    }

    /// Makes a tunnel of a connection on which TLS was spoken, and drives it until it ends.
    pub async fn serve<I>(&self, io: I, agent: Agent, mut stop: Stop) -> Ended
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let limits = self.limits;
        let streams = usize::try_from(limits.streams_max).unwrap_or(usize::MAX);
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(limits.window)
            .initial_connection_window_size(limits.connection_window())
            .max_frame_size(FRAME_MAX)
            .max_header_list_size(HEAD_MAX)
            .initial_max_send_streams(streams)
            .max_concurrent_streams(0)
            .enable_push(false);
        // Boxed, here and below: what is there for as long as the tunnel is no larger than it has to be, for there are as many of these as
        // machines.
        let handshake = Box::pin(timeout(limits.handshake, builder.handshake(io)));
        let (sender, connection) = match handshake.await {
            Ok(Ok(made)) => made,
            Ok(Err(_)) | Err(_) => return Ended::Broken,
        };
        let mut connection = Box::new(connection);
        let pings = connection.ping_pong();
        let entered = self.enter(agent, sender);
        let pulse = async {
            match pings {
                Some(pings) => pulse::fades(pings, limits.keep_alive).await,
                None => std::future::pending().await,
            }
        };
        let end = |result: Result<(), h2::Error>| match result {
            Ok(()) => Ended::Closed,
            Err(error) => {
                tracing::debug!(error = %error, "a tunnel broke off");
                Ended::Broken
            }
        };
        let (why, drain, last_word) = tokio::select! {
            ended = &mut connection => return end(ended),
            () = pulse => return Ended::Silent,
            never = self.keep_telling(&entered) => match never {},
            () = entered.cut.notified() => {
                let last_word = self.sender(&entered).map(|sender| Box::pin(tell(sender, News(UNKNOWN))));
                (Ended::Cut, CUT_DRAIN, last_word)
            }
            () = stop.requested() => (Ended::Stopped, STOP_DRAIN, None),
        };
        // Nobody opens connections any more; it ends with the last of those under way.
        drop(entered);
        let telling = async {
            if let Some(last_word) = last_word {
                // An error means that the agent learns of it by the end of the tunnel.
                let _ = last_word.await;
            }
        };
        let _ = Box::pin(timeout(drain, async { tokio::join!(connection, telling) })).await;
        why
    }

    /// Tells every agent up to which revision the cluster is known, and from now on each that opens a tunnel: 500 a second.
    pub fn tell(&self, revision: u64) {
        self.news.send_if_modified(|known| {
            let is_news = *known != revision;
            *known = revision;
            is_news
        });
    }

    /// Tells one agent all news. Whether it is still there is not decided here: it is asked for signs of life.
    async fn keep_telling(&self, entered: &Entered<'_>) -> Infallible {
        let mut news = self.news.subscribe();
        loop {
            let revision = *news.borrow_and_update();
            if let Some(sender) = self.sender(entered).filter(|_| revision != UNKNOWN) {
                match timeout(self.limits.handshake, Box::pin(tell(sender, News(revision)))).await {
                    // Who did not hear in time hears the next.
                    Ok(Ok(true)) | Err(_) => {}
                    // The agent does not know what it is told, and goes on asking; or the tunnel ends, and says so itself.
                    Ok(Ok(false) | Err(_)) => return std::future::pending().await,
                }
            }
            if news.changed().await.is_err() {
                return std::future::pending().await;
            }
            sleep(self.turn(entered)).await;
        }
    }

    /// After how long it is the turn of a tunnel, when all are told the same.
    fn turn(&self, entered: &Entered<'_>) -> Duration {
        let tunnels = u64::try_from(self.lock().live.len()).unwrap_or(u64::MAX).max(1);
        Duration::from_secs(entered.number.checked_rem(tunnels).unwrap_or_default()) / TOLD_A_SECOND
    }

    /// What opens connections through a tunnel, while it may.
    fn sender(&self, entered: &Entered<'_>) -> Option<SendRequest<Bytes>> {
        let open = self.lock();
        let entry = open.live.get(&entered.host)?.iter();
        let mut entry = entry.filter(|entry| entry.number == entered.number);
        entry.next()?.sender.clone()
    }

    /// Opens a connection to a host through its newest tunnel that works.
    ///
    /// # Errors
    /// When the host has no tunnel, its agent refuses or does not answer, or there are too many connections.
    pub async fn open(&self, host: &HostId, request: OpenRequest) -> Result<TunnelStream, OpenError> {
        let mut failure = None;
        for (sender, slots) in self.candidates(host) {
            match timeout(self.limits.handshake, open_through(host, sender, slots, request)).await {
                Ok(Ok(stream)) => return Ok(stream),
                // The agent decided; another tunnel leads to the same.
                Ok(Err(OpenError::Refused(refused))) => return Err(OpenError::Refused(refused)),
                Ok(Err(error)) => failure = Some(error),
                Err(_) => failure = Some(OpenError::TimedOut { host: host.clone() }),
            }
        }
        Err(failure.unwrap_or_else(|| OpenError::Offline {
            host: host.clone(),
            since: self.gone_since(host),
        }))
    }

    /// Whether a host has a tunnel now.
    pub fn has(&self, host: &HostId) -> bool {
        self.lock().live.contains_key(host)
    }

    /// When the last tunnel of a host without one ended, if it was seen.
    pub fn gone_since(&self, host: &HostId) -> Option<UnixSeconds> {
        self.lock().gone.get(host).copied()
    }

    /// Every open tunnel.
    pub fn views(&self) -> Vec<TunnelView> {
        let streams = usize::try_from(self.limits.streams_max).unwrap_or(usize::MAX);
        let open = self.lock();
        let entries = open.live.values().flatten();
        entries
            .map(|entry| TunnelView {
                agent: Arc::clone(&entry.agent),
                since: entry.since,
                streams: streams.saturating_sub(entry.slots.available_permits()),
            })
            .collect()
    }

    /// A number that changes with every tunnel that opens or ends.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Cuts every tunnel that may not be any more: whose certificate has ended, or that `may_stay` refuses. No connection is opened through it
    /// from now on, and those under way end within seconds. Returns who was cut.
    pub fn cut_unless(&self, may_stay: impl Fn(&Agent) -> bool) -> Vec<Arc<Agent>> {
        let now = self.clock.now();
        let agents: Vec<_> = {
            let open = self.lock();
            let entries = open.live.values().flatten();
            entries
                .map(|entry| (Arc::clone(&entry.agent), Arc::clone(&entry.cut)))
                .collect()
        };
        let gone = agents
            .into_iter()
            .filter(|(agent, _)| now >= agent.not_after || !may_stay(agent));
        gone.map(|(agent, cut)| {
            cut.notify_one();
            agent
        })
        .collect()
    }

    fn enter(&self, agent: Agent, sender: SendRequest<Bytes>) -> Entered<'_> {
        let agent = Arc::new(agent);
        let cut = Arc::new(Notify::new());
        let mut open = self.lock();
        open.last = open.last.wrapping_add(1);
        let number = open.last;
        open.gone.remove(&agent.host);
        let entries = open.live.entry(agent.host.clone()).or_default();
        entries.push(Entry {
            number,
            agent: Arc::clone(&agent),
            since: self.clock.now(),
            sender: Some(sender),
            slots: Arc::new(Semaphore::new(
                usize::try_from(self.limits.streams_max).unwrap_or(usize::MAX),
            )),
            cut: Arc::clone(&cut),
        });
        let too_many = entries
            .iter()
            .filter(|entry| entry.sender.is_some())
            .count()
            .saturating_sub(self.limits.per_host_max.max(1));
        let oldest = entries.iter_mut().filter(|entry| entry.sender.is_some());
        for entry in oldest.take(too_many) {
            entry.sender = None;
        }
        drop(open);
        self.changes
            .send_modify(|changes| *changes = changes.wrapping_add(1));
        Entered {
            tunnels: self,
            host: agent.host.clone(),
            number,
            cut,
        }
    }

    fn leave(&self, host: &HostId, number: u64) {
        let mut open = self.lock();
        if let Some(entries) = open.live.get_mut(host) {
            entries.retain(|entry| entry.number != number);
            if entries.is_empty() {
                open.live.remove(host);
                if open.gone.len() >= GONE_MAX {
                    let oldest = open.gone.iter().min_by_key(|(_, since)| **since);
                    if let Some(oldest) = oldest.map(|(host, _)| host.clone()) {
                        open.gone.remove(&oldest);
                    }
                }
                open.gone.insert(host.clone(), self.clock.now());
            }
        }
        drop(open);
        self.changes
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// The tunnels of a host, the newest first.
    fn candidates(&self, host: &HostId) -> Vec<(SendRequest<Bytes>, Arc<Semaphore>)> {
        let open = self.lock();
        let entries = open.live.get(host).map(Vec::as_slice).unwrap_or_default();
        let newest_first = entries.iter().rev();
        newest_first
            .filter_map(|entry| Some((entry.sender.clone()?, Arc::clone(&entry.slots))))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tunnel that can be used until this is dropped.
struct Entered<'a> {
    tunnels: &'a Tunnels,
    host: HostId,
    number: u64,
    cut: Arc<Notify>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.tunnels.leave(&self.host, self.number);
    }
}

/// Tells an agent what is new; whether it heard.
async fn tell(sender: SendRequest<Bytes>, news: News) -> Result<bool, h2::Error> {
    let Ok(request) = news.to_request() else {
        return Ok(false);
    };
    let (response, _) = sender.ready().await?.send_request(request, true)?;
    Ok(News::was_heard(&response.await?))
}

async fn open_through(
    host: &HostId,
    sender: SendRequest<Bytes>,
    slots: Arc<Semaphore>,
    request: OpenRequest,
) -> Result<TunnelStream, OpenError> {
    let broken = |source| OpenError::Broken {
        host: host.clone(),
        source,
    };
    let slot = slots
        .try_acquire_owned()
        .map_err(|_| OpenError::Busy { host: host.clone() })?;
    let request = request
        .to_request()
        .map_err(|error| Refused::new(error.to_string()))?;
    let (response, send) = sender
        .ready()
        .await
        .map_err(broken)?
        .send_request(request, false)
        .map_err(broken)?;
    let response = response.await.map_err(broken)?;
    if response.status() == StatusCode::OK {
        Ok(TunnelStream::new(response.into_body(), send, Some(slot)))
    } else {
        Err(Refused::from_response(&response).into())
    }
}

impl TunnelView {
    /// Where the agent connected from.
    pub fn remote(&self) -> SocketAddr {
        self.agent.remote
    }
}
