//! One connection of a user to a node: looked up, taken down, dialled, relayed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api_http::Stop;
use bytes::BytesMut;
use russh::Channel;
use russh::ChannelMsg;
use russh::ChannelReadHalf;
use russh::ChannelWriteHalf;
use russh::server::ChannelOpenHandle;
use russh::server::Msg;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::SshLimits;
use super::SshProxy;
use super::beginning::Beginning;
use super::beginning::Traffic;
use super::handler::failed;
use super::handler::prohibited;
use crate::NoRoute;
use crate::NodeStream;
use crate::ProxyEvent;
use crate::Route;
use crate::SshUser;
use crate::Target;
use crate::Via;

/// Bytes that are read from a node at once: a packet of SSH.
const CHUNK: usize = 32 * 1_024;

/// Connects a channel to what its client asked for, and relays until either ends.
pub(super) async fn connect(
    proxy: &SshProxy,
    user: Arc<SshUser>,
    target: Target,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    mut over: Stop,
) {
    let attempt = Attempt { proxy, user, target };
    let route = match attempt.resolve().await {
        Ok(route) => route,
        Err(reason) => return reply.reject(prohibited(reason)).await,
    };
    let Ok(id) = connection_id(proxy) else {
        return reply
            .reject(failed(
                "the proxy has no randomness to name the connection by".to_owned(),
            ))
            .await;
    };
    let ended = match &route.via {
        Via::Terminate(terminator) => {
            if let Err(reason) = attempt.announce(&id, &route, "terminate").await {
                return reply.reject(failed(reason)).await;
            }
            reply.accept().await;
            let io = Box::new(channel.into_stream());
            tokio::select! {
                () = terminator.terminate(Arc::clone(&attempt.user), &route, io) => {}
                () = over.requested() => {}
            }
            Relayed::default()
        }
        Via::Hops(hops) => {
            let beginning = tokio::select! {
                beginning = attempt.begin(&route) => beginning,
                () = over.requested() => return,
            };
            let beginning = match beginning {
                Ok(beginning) => beginning,
                Err(reason) => {
                    attempt.unreachable(&route, reason.clone()).await;
                    return reply.reject(failed(reason)).await;
                }
            };
            let dialled = tokio::select! {
                dialled = proxy.parts.dialer.dial(&route, hops, attempt.user.remote) => dialled,
                () = over.requested() => return,
            };
            let stream = match dialled {
                Ok(stream) => stream,
                Err(error) => {
                    attempt.unreachable(&route, error.to_string()).await;
                    return reply.reject(failed(error.to_string())).await;
                }
            };
            let via = match &stream {
                NodeStream::Here(_) | NodeStream::Direct(_) => "direct",
                NodeStream::Tunnel(_) => "tunnel",
            };
            if let Err(reason) = attempt.announce(&id, &route, via).await {
                return reply.reject(failed(reason)).await;
            }
            reply.accept().await;
            let terms = Terms {
                limits: proxy.parts.limits,
                is_source_known: !matches!(stream, NodeStream::Direct(_)),
                beginning,
            };
            match stream {
                NodeStream::Here(stream) => {
                    let (read, write) = tokio::io::split(stream);
                    relay(channel, read, write, terms, over).await
                }
                NodeStream::Direct(mut stream) => {
                    let (read, write) = stream.split();
                    relay(channel, read, write, terms, over).await
                }
                NodeStream::Tunnel(stream) => {
                    let (read, write) = tokio::io::split(stream);
                    relay(channel, read, write, terms, over).await
                }
            }
        }
    };
    attempt.note_end(id, route, ended).await;
}

/// Takes down that a user is not connected to what they asked for.
pub(super) async fn refuse(proxy: &SshProxy, user: Arc<SshUser>, target: Target, reason: String) {
    Attempt { proxy, user, target }.denied(reason).await;
}

/// A user's wish to reach a target.
struct Attempt<'a> {
    proxy: &'a SshProxy,
    user: Arc<SshUser>,
    target: Target,
}

/// How much longer a connection waits for a place than those that hold the places may.
const PLACE_GRACE: Duration = Duration::from_secs(5);

impl Attempt<'_> {
    /// The way to the target, or what to tell the client.
    async fn resolve(&self) -> Result<Route, String> {
        let resolver = &self.proxy.parts.resolver;
        let refusal = match resolver.resolve(&self.user, &self.target).await {
            Ok(route) => return Ok(route),
            Err(refusal) => refusal,
        };
        let told = match &refusal {
            // Whether a node exists is not for those who may not reach it.
            NoRoute::Unknown | NoRoute::Denied(_) => format!(
                "there is no node {:?} that {} may reach",
                self.target.host, self.user.name
            ),
            NoRoute::Locked(_) | NoRoute::Unavailable(_) => refusal.to_string(),
        };
        self.denied(refusal.to_string()).await;
        Err(told)
    }

    async fn denied(&self, reason: String) {
        self.note(ProxyEvent::Denied {
            user: self.user.name.clone(),
            remote: self.user.remote,
            target: self.target.to_string(),
            reason,
        })
        .await;
    }

    /// Waits until a connection more to the node may begin.
    async fn begin(&self, route: &Route) -> Result<Beginning, String> {
        let SshLimits {
            beginnings_max,
            beginning,
            ..
        } = self.proxy.parts.limits;
        let begins = self
            .proxy
            .beginnings
            .enter(&self.user.name, &route.host, beginnings_max);
        // Longer than those before it may take: their places are free then.
        match timeout(beginning.saturating_add(PLACE_GRACE), begins).await {
            Ok(Some(beginning)) => Ok(beginning),
            Ok(None) | Err(_) => Err(format!(
                "{beginnings_max} connections of {} to node {} have not logged in yet, and no more are opened",
                self.user.name, route.name
            )),
        }
    }

    /// Takes down that the user is about to be connected; without that they are not.
    async fn announce(&self, id: &str, route: &Route, via: &'static str) -> Result<(), String> {
        let event = ProxyEvent::Connected {
            id: id.to_owned(),
            user: self.user.name.clone(),
            login: self.user.login.clone(),
            remote: self.user.remote,
            target: self.target.to_string(),
            host: route.host.clone(),
            via,
        };
        self.proxy.parts.events.record(event).await.map_err(|fault| {
            tracing::error!(error = %fault, "nobody is connected unseen");
            "the audit log takes no events, and nobody is connected unseen".to_owned()
        })
    }

    async fn unreachable(&self, route: &Route, reason: String) {
        self.note(ProxyEvent::Unreachable {
            user: self.user.name.clone(),
            remote: self.user.remote,
            target: self.target.to_string(),
            host: route.host.clone(),
            reason,
        })
        .await;
    }

    async fn note_end(&self, id: String, route: Route, relayed: Relayed) {
        self.note(ProxyEvent::Disconnected {
            id,
            user: self.user.name.clone(),
            remote: self.user.remote,
            host: route.host,
            sent: relayed.sent,
            received: relayed.received,
            reason: relayed.ended.to_owned(),
        })
        .await;
    }

    async fn note(&self, event: ProxyEvent) {
        if let Err(fault) = self.proxy.parts.events.record(event).await {
            tracing::error!(error = %fault, "what happened to a connection is not in the log");
        }
    }
}

/// A random id in the form of a UUID of version 4 (RFC 9562).
fn connection_id(proxy: &SshProxy) -> Result<String, runtime::EntropyFault> {
    let number = u128::from_be_bytes(runtime::sixteen(proxy.parts.entropy.as_ref())?);
    let number = number & !(0xf000_u128 << 64) | (0x4000_u128 << 64);
    let number = number & !(0xc000_u128 << 48) | (0x8000_u128 << 48);
    let digits = format!("{number:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Ok(format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    ))
}

/// What went through a connection, and how it ended.
#[derive(Debug)]
struct Relayed {
    sent: u64,
    received: u64,
    ended: &'static str,
}

impl Default for Relayed {
    fn default() -> Self {
        Self {
            sent: 0,
            received: 0,
            ended: "ended",
        }
    }
}

/// How a connection is relayed.
struct Terms {
    limits: SshLimits,
    /// Whether the node knows where the client comes from, and counts it there until it has logged in.
    is_source_known: bool,
    beginning: Beginning,
}

async fn relay<R, W>(channel: Channel<Msg>, from_node: R, to_node: W, terms: Terms, mut over: Stop) -> Relayed
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Terms {
        limits,
        is_source_known,
        beginning,
    } = terms;
    let (from_client, to_client) = channel.split();
    let traffic = Traffic::default();
    let quiet = Notify::new();
    let up = send(from_client, to_node, limits.stall, &traffic, &quiet);
    let down = receive(from_node, &to_client, &traffic);
    // Who does not log in is given up by the node; whatever goes on for longer has begun. To a node for which all of these come from the
    // proxy, talking is no sign of a log-in: a key exchange is long, and so are refusals.
    let begun = timeout(limits.beginning, async {
        if is_source_known {
            traffic.begun().await;
        } else {
            std::future::pending::<()>().await;
        }
    });
    tokio::pin!(up, down, begun);
    let mut beginning = Some(beginning);
    let mut is_client_done = false;
    let mut is_node_done = false;
    let ended = loop {
        // A channel in which neither end has more to say is ours to close: OpenSSH's `-W` waits for that for ever.
        if is_client_done && is_node_done {
            break "neither end had more to say";
        }
        tokio::select! {
            ended = &mut up => break ended,
            ended = &mut down, if !is_node_done => match ended {
                Ok(()) => is_node_done = true,
                Err(Broken::Node) => break "the node broke it off",
                Err(Broken::Client) => break "the client left",
            },
            _ = &mut begun, if beginning.is_some() => beginning = None,
            () = quiet.notified(), if !is_client_done => is_client_done = true,
            () = over.requested() => break "the connection to the proxy ended",
        }
    };
    // An error means that the client is gone.
    let _ = to_client.close().await;
    Relayed {
        sent: traffic.sent(),
        received: traffic.received(),
        ended,
    }
}

/// Client to node, until the client closes the channel. Its end of data is passed on and told, and does not end the connection.
async fn send<W: AsyncWrite + Unpin>(
    mut from_client: ChannelReadHalf,
    mut to_node: W,
    stall: Duration,
    traffic: &Traffic,
    quiet: &Notify,
) -> &'static str {
    while let Some(message) = from_client.wait().await {
        let (done, length) = if let ChannelMsg::Data { data } = &message {
            (timeout(stall, to_node.write_all(data)).await, data.len())
        } else if matches!(message, ChannelMsg::Eof) {
            quiet.notify_one();
            (timeout(stall, to_node.shutdown()).await, 0)
        } else if matches!(message, ChannelMsg::Close) {
            break;
        } else {
            continue;
        };
        match done {
            Ok(Ok(())) => traffic.note_sent(length),
            Ok(Err(_)) => return "the node broke it off",
            // The whole connection of the client waits for this node: it is not let wait for ever.
            Err(_) => return "the node took nothing of what it was sent",
        }
    }
    "the client ended it"
}

enum Broken {
    Node,
    Client,
}

/// Node to client, until the node has no more to say.
async fn receive<R: AsyncRead + Unpin>(
    mut from_node: R,
    to_client: &ChannelWriteHalf<Msg>,
    traffic: &Traffic,
) -> Result<(), Broken> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        let read: io::Result<usize> = from_node.read_buf(&mut buffer).await;
        let length = read.map_err(|_| Broken::Node)?;
        if length == 0 {
            return to_client.eof().await.map_err(|_| Broken::Client);
        }
        to_client
            .data_bytes(buffer.split().freeze())
            .await
            .map_err(|_| Broken::Client)?;
        traffic.note_received(length);
    }
}
