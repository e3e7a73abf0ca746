//! The node: takes connections, counts them, watches over them, ends them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use crowd::Rate;
use crowd::Shares;
use runtime::Clock;
use runtime::Entropy;
use russh::MethodKind;
use russh::MethodSet;
use russh::Preferred;
use russh::SshId;
use russh::keys::Algorithm;
use russh::keys::EcdsaCurve;
use russh::keys::HashAlg;
use russh::server::Config;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::backend::Target;
use crate::config::NodeConfig;
use crate::connection::Connection;
use crate::event::DisconnectReason;
use crate::event::Events;
use crate::event::Happening;
use crate::gate::Gate;
use crate::gate::Peer;
use crate::host_keys::HostKeys;
use crate::inbox::WINDOW;
use crate::life::Life;
use crate::life::over;
use crate::limits::Strangers;
use crate::limits::Tally;
use crate::limits::lock;
use crate::recorder::Recorder;
use crate::severable::Knife;
use crate::severable::Severable;
use crate::tee::Tee;

/// How long a client may take to say goodbye after we ended its connection.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long sessions may take to end when the node stops.
const STOP: Duration = Duration::from_secs(15);
/// Messages on their way to a connection's loop.
const OUTGOING_MESSAGES: usize = 64;

/// What a node works with.
pub struct Parts {
    /// Who may do what.
    pub gate: Arc<dyn Gate>,
    /// The audit log.
    pub events: Arc<dyn Events>,
    /// Recordings.
    pub tee: Arc<dyn Tee>,
    /// Where sessions run.
    pub target: Arc<dyn Target>,
    /// What the host proves itself with.
    pub host_keys: Arc<HostKeys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
}

/// An SSH server. Clones are the same server.
#[derive(Clone)]
pub struct Node(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) parts: Parts,
    pub(crate) server_id: Arc<str>,
    strangers: Strangers,
    pub(crate) connections_of_users: Tally<String>,
    channels_of_users: Mutex<Shares<String>>,
    stopping: watch::Sender<bool>,
    /// One receiver for everything that has yet to end.
    pub(crate) alive: watch::Sender<()>,
}

impl Node {
    /// A server of these parts.
    pub fn new(config: NodeConfig, parts: Parts) -> Self {
        Self(Arc::new(Shared {
            server_id: config.server_id.as_str().into(),
            strangers: Strangers::new(&config),
            channels_of_users: Mutex::new(Shares::new(rate(config.channel_rate))),
            config,
            parts,
            connections_of_users: Tally::new(),
            stopping: watch::Sender::new(false),
            alive: watch::Sender::new(()),
        }))
    }

    /// Accepts connections until [`Node::stop`].
    pub async fn serve(&self, listener: TcpListener) {
        let mut stopping = self.0.stopping.subscribe();
        loop {
            let accepted = tokio::select! {
                () = over(&mut stopping) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().unwrap_or(remote);
                    // Small packets are what typing is made of.
                    let _unchanged = stream.set_nodelay(true);
                    let node = self.clone();
                    tokio::spawn(async move { node.serve_stream(stream, Peer { remote, local }).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Serves one connection to its end. Returns when every session in it has ended and is recorded as ended.
    pub async fn serve_stream<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::clone(&self.0);
        let config = &shared.config;
        let (stream, knife) = Severable::new(stream);
        let Some(place) = shared.strangers.enter(peer.remote.ip(), knife.clone()) else {
            tracing::debug!(remote = %peer.remote, "too many connections that have not logged in");
            return;
        };
        let Ok(connection_id) = unique_id(&*shared.parts.entropy) else {
            tracing::error!("the system's random number generator failed");
            return;
        };
        let recorder = Recorder::new(
            Arc::clone(&shared.parts.events),
            Arc::clone(&shared.parts.clock),
            config.record_timeout,
            Arc::clone(&shared.server_id),
            connection_id,
            peer,
        );
        let _alive = shared.alive.subscribe();
        let life = Life::new(place);
        let handler = Connection::new(Arc::clone(&shared), recorder.clone(), Arc::clone(&life), peer);
        let started = tokio::time::timeout(
            config.login_grace,
            russh::server::run_stream(Arc::new(shared.wire_config()), stream, handler),
        )
        .await;
        let session = match started {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => {
                tracing::debug!(remote = %peer.remote, %error, "not an SSH client");
                return;
            }
            Err(_late) => return,
        };
        let handle = session.handle();
        let watch = watch_over(&shared, &life, &recorder, &handle, &knife);
        tokio::select! {
            result = session => {
                if let Err(error) = result {
                    tracing::debug!(remote = %peer.remote, %error, "a connection ended");
                }
            }
            () = watch => {}
        }
        life.end();
        life.sessions_ended().await;
        if let Some(reason) = life.unrecorded_failure() {
            let happening = Happening::AuthFailed {
                reason,
                certificate: None,
            };
            let _refused_anyway = recorder.record(happening).await;
        }
    }

    /// Ends every connection, and waits until all sessions have ended and are recorded as ended, or for 15 seconds.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        let _late = tokio::time::timeout(STOP, self.0.alive.closed()).await;
    }

    /// How many connections and sessions live.
    pub fn live(&self) -> usize {
        self.0.alive.receiver_count()
    }
}

/// Waits for a reason to end the connection, ends it, and returns when the client has had its chance to hear why.
async fn watch_over(
    shared: &Shared,
    life: &Life,
    recorder: &Recorder,
    handle: &russh::server::Handle,
    knife: &Knife,
) {
    let mut stopping = shared.stopping.subscribe();
    let reason = tokio::select! {
        () = over(&mut stopping) => DisconnectReason::Stopping,
        reason = life.end_reason() => reason,
        reason = life.outlives(shared) => reason,
        () = life.login_takes_longer_than(shared.config.login_grace) => {
            knife.cut();
            return;
        }
    };
    tracing::info!(%reason, "a connection is ended");
    let words = reason.to_string();
    // Sessions leave the last word to this.
    life.cut(reason.clone());
    // Programs are told at once; the client may be slow, or gone.
    life.end();
    let _ended_anyway = recorder.record(Happening::ClientDisconnect { reason }).await;
    let goodbye = handle.disconnect(russh::Disconnect::ByApplication, words, String::new());
    let _gone = tokio::time::timeout(GOODBYE, async {
        let _gone = goodbye.await;
        tokio::time::sleep(GOODBYE).await;
    })
    .await;
    knife.cut();
}

impl Shared {
    /// Counts one more channel that a user opens, or the words for one who opens them too fast.
    pub(crate) fn take_channel(&self, user: &str) -> Result<(), String> {
        let taken = lock(&self.channels_of_users).take(&user.to_owned(), Instant::now());
        let (per_second, _) = self.config.channel_rate;
        taken.map_err(|empty| {
            format!(
                "{user} opens channels too fast for this node, which takes {per_second} a second; try again in {} s",
                empty.retry_after
            )
        })
    }

    /// What the protocol is told, with the host keys of now.
    fn wire_config(&self) -> Config {
        let host_keys = self.parts.host_keys.current();
        let config = &self.config;
        Config {
            server_id: SshId::Standard(Cow::Owned(format!("SSH-2.0-{}", config.software))),
            methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
            // Nothing secret is compared here, so that time tells nothing, and clients offer keys before certificates.
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: host_keys.iter().map(|host| host.key.clone()).collect(),
            certificates: host_keys
                .iter()
                .filter_map(|host| host.certificate.clone())
                .collect(),
            window_size: WINDOW,
            maximum_packet_size: 32 * 1024,
            channel_buffer_size: 1,
            event_buffer_size: OUTGOING_MESSAGES,
            preferred: preferred(),
            max_auth_attempts: config.auth_attempts_max,
            inactivity_timeout: None,
            keepalive_interval: config.keep_alive_interval,
            keepalive_max: usize::try_from(config.keep_alive_count_max).unwrap_or(usize::MAX),
            nodelay: true,
            ..Config::default()
        }
    }
}

fn rate((per_second, burst): (u32, u32)) -> Rate {
    Rate {
        per_second: per_second.into(),
        burst: burst.into(),
    }
}

/// Algorithms: as russh prefers them (hybrid post-quantum key exchange first), without SHA-1 signatures, with security keys.
pub(crate) fn preferred() -> Preferred {
    Preferred {
        key: Cow::Owned(vec![
            Algorithm::Ed25519,
            Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP256,
            },
            Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP384,
            },
            Algorithm::SkEd25519,
            Algorithm::SkEcdsaSha2NistP256,
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha512),
            },
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha256),
            },
        ]),
        compression: Cow::Owned(vec![russh::compression::NONE]),
        ..Preferred::DEFAULT
    }
}

/// A random id in the form of a UUID, version 4.
pub(crate) fn unique_id(entropy: &dyn Entropy) -> Result<Arc<str>, runtime::EntropyFault> {
    let number = u128::from_be_bytes(runtime::sixteen(entropy)?);
    let number = (number & !(0xf << 76 | 0b11 << 62)) | 4 << 76 | 0b10 << 62;
    let hex = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    let text = [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-");
    Ok(text.into())
}
