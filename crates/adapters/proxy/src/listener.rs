//! The public port: one for everything, told apart by the protocol that clients ask for in their first message.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use api_http::Admission;
use api_http::ConnectionLimits;
use api_http::Notice;
use api_http::Stop;
use api_http::Strangers;
use api_http::Visitor;
use api_http::serve_visitor;
use axum::Router;
use runtime::Entropy;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout_at;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::AuthIntake;
use crate::Balancers;
use crate::Faces;
use crate::SshProxy;
use crate::Tunnelling;
use crate::door::Door;
use crate::door::Unannounced;
use crate::hello::Asked;
use crate::hello::Way;
use crate::peek::Begins;
use crate::peek::peek;

/// How long accepting rests when the system has no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether everybody who is in may still be in.
const PATROL: Duration = Duration::from_secs(2);

/// What is behind the public port. Parts that are missing are refused.
#[derive(Clone)]
pub struct Public {
    /// What TLS runs with.
    pub faces: Arc<Faces>,
    /// The API of the auth service.
    pub auth: Option<Arc<dyn AuthIntake>>,
    /// The SSH proxy.
    pub ssh: Option<Arc<SshProxy>>,
    /// The tunnels of agents.
    pub tunnels: Option<Arc<Tunnelling>>,
    /// Everything else. Requests carry a `ConnectInfo<SocketAddr>` with where they really come from.
    pub web: Router,
    /// Random bytes, for the ids of requests that are not let in.
    pub entropy: Arc<dyn Entropy>,
}

/// A listener of the proxy, bound.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    door: Door,
}

/// What a connection has become, until it ends: boxed, so that its memory is that of what it became, and not of the largest thing that it
/// might have.
type Service = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection that came in.
pub(crate) struct Came {
    /// Where its client is.
    pub(crate) remote: SocketAddr,
    /// When it was accepted.
    pub(crate) since: tokio::time::Instant,
    /// A stranger's share that it has.
    pub(crate) admission: Admission,
    /// Tells that everything stops.
    pub(crate) stop: Stop,
}

impl Listener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the system refuses, such as for an address in use.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let door = Door::new(None);
        Ok(Self {
            listener,
            address,
            door,
        })
    }

    /// The same, behind balancers that say where clients come from, when there are any.
    #[must_use]
    pub fn behind(self, balancers: Option<Balancers>) -> Self {
        Self {
            door: Door::new(balancers),
            ..self
        }
    }

    /// The address that was bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the public port until asked to stop.
    ///
    /// Connections count against the limits until their clients have shown who they are: tunnels, and SSH connections after the log-in,
    /// are bounded by limits of their own.
    pub async fn run_public(self, public: Public, limits: ConnectionLimits, stop: Stop) {
        let patrol = tokio::spawn(patrol(public.ssh.clone(), public.tunnels.clone(), stop.clone()));
        let door = self.door.clone();
        let serve = move |stream, came| serve(public.clone(), door.clone(), stream, came, limits);
        self.accept_all(limits, stop, Arc::new(serve)).await;
        // It ends by the same stop.
        let _ = patrol.await;
    }

    /// Serves SSH without TLS around it until asked to stop.
    pub async fn run_ssh(self, ssh: Arc<SshProxy>, limits: ConnectionLimits, stop: Stop) {
        let patrol = tokio::spawn(patrol(Some(Arc::clone(&ssh)), None, stop.clone()));
        let door = self.door.clone();
        let serve = move |stream, came: Came| {
            let (ssh, stream) = (Arc::clone(&ssh), Unannounced::new(stream, &door, came.remote));
            async move {
                let service: Service = Box::pin(async move { ssh.serve(stream, came).await });
                Some(service)
            }
        };
        self.accept_all(limits, stop, Arc::new(serve)).await;
        // It ends by the same stop.
        let _ = patrol.await;
    }

    /// What `serve` gives is what the connection has become, or nothing when it ended before.
    async fn accept_all<S, F>(self, limits: ConnectionLimits, mut stop: Stop, serve: Arc<S>)
    where
        S: Fn(TcpStream, Came) -> F + Send + Sync + 'static,
        F: Future<Output = Option<Service>> + Send + 'static,
    {
        let lobby = Lobby::new(self.door, &limits);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener) => accepted,
                () = stop.requested() => break,
            };
            while connections.try_join_next().is_some() {}
            let Some((stream, peer)) = accepted else {
                continue;
            };
            // Closed before a byte was read: nothing can be said, and nothing is spent on it.
            let Some(entered) = lobby.enter(peer) else {
                continue;
            };
            // What is relayed has its own ideas of what belongs into one packet.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(error = %error, "a connection keeps its delay");
            }
            let (lobby, serve, stop) = (lobby.clone(), Arc::clone(&serve), stop.clone());
            // Boxed, so that the memory that beginning takes is given back when a connection has become what it is.
            let beginning = Box::pin(async move {
                let (stream, came) = lobby.receive(stream, peer, entered, stop).await?;
                serve(stream, came).await
            });
            connections.spawn(async move {
                let service = beginning.await;
                if let Some(service) = service {
                    service.await;
                }
            });
        }
        // One that panicked ends alone.
        while connections.join_next().await.is_some() {}
    }
}

/// Where connections are until it is known where their clients are.
#[derive(Clone)]
struct Lobby {
    door: Door,
    strangers: Strangers,
    /// Those of balancers that have not said whom they are for. They count by the balancer's address, of which any number may come: who
    /// came first makes room, of the address with the most.
    unread: Strangers,
    handshake: Duration,
}

impl Lobby {
    fn new(door: Door, limits: &ConnectionLimits) -> Self {
        let unread = ConnectionLimits {
            address: None,
            ..*limits
        };
        Self {
            door,
            strangers: Strangers::new(limits),
            unread: Strangers::new(&unread),
            handshake: limits.handshake,
        }
    }

    fn enter(&self, peer: SocketAddr) -> Option<Admission> {
        let crowd = if self.door.is_behind_balancer() {
            &self.unread
        } else {
            &self.strangers
        };
        crowd.admit(peer, Instant::now())
    }

    /// The connection with where its client is, and its share of what strangers from there may hold; nothing when it is refused.
    async fn receive(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        entered: Admission,
        mut stop: Stop,
    ) -> Option<(TcpStream, Came)> {
        let since = tokio::time::Instant::now();
        if !self.door.is_behind_balancer() {
            let came = Came {
                remote: peer,
                since,
                admission: entered,
                stop,
            };
            return Some((stream, came));
        }
        let notice = entered.notice();
        let client = timeout_at(since + self.handshake, self.door.client(&mut stream, peer));
        let client = tokio::select! {
            client = notice.unless_given(client) => client,
            () = stop.requested() => return None,
        };
        let remote = match client {
            None => {
                made_room(peer);
                return None;
            }
            Some(Err(_)) => {
                tracing::debug!(%peer, "a connection took too long to say where its client is");
                return None;
            }
            Some(Ok(client)) => client?,
        };
        drop(entered);
        let came = Came {
            remote,
            since,
            admission: self.strangers.admit(remote, Instant::now())?,
            stop,
        };
        Some((stream, came))
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(error = %error, "a connection could not be accepted");
            sleep(PAUSE).await;
            None
        }
    }
}

async fn serve(
    public: Public,
    door: Door,
    stream: TcpStream,
    came: Came,
    limits: ConnectionLimits,
) -> Option<Service> {
    let Came {
        remote,
        since,
        admission,
        stop,
    } = came;
    let deadline = since + limits.handshake;
    let notice = admission.notice();
    let begins = notice.unless_given(timeout_at(deadline, peek(&stream))).await;
    let Asked { way, name } = match begins {
        None => {
            made_room(remote);
            return None;
        }
        Some(Ok(Ok(Some(Begins::Hello(asked))))) => asked,
        Some(Ok(Ok(Some(Begins::Header)))) if !door.is_behind_balancer() => {
            door.was_not_asked(remote);
            return None;
        }
        Some(Ok(Ok(Some(Begins::Header | Begins::Foreign) | None))) => {
            tracing::debug!(%remote, "what was said first is no ClientHello");
            return None;
        }
        Some(Ok(Err(error))) => {
            tracing::debug!(%remote, error = %error, "a connection broke off before it began");
            return None;
        }
        Some(Err(_)) => {
            tracing::debug!(%remote, "a connection took too long to say what it wants");
            return None;
        }
    };
    let Public {
        faces,
        auth,
        ssh,
        tunnels,
        web: router,
        entropy,
    } = public;
    match way {
        Way::Auth => {
            notice.unless_given(auth?.take(stream, remote, stop)).await;
            None
        }
        Way::Acme => {
            // Proving the name is the handshake itself; nothing is said inside (RFC 8737 section 3).
            let Some(config) = name.and_then(|name| faces.challenge(&name)) else {
                tracing::info!(%remote, "an ACME server asks for a challenge that is not answered now");
                return None;
            };
            let mut stream = handshake(stream, config, (remote, &notice), deadline).await?;
            let _ = timeout_at(deadline, stream.shutdown()).await;
            None
        }
        Way::Own | Way::Web => {
            let face = match way {
                Way::Own => faces.own(),
                Way::Acme | Way::Auth | Way::Ssh | Way::Tunnel | Way::Web => {
                    faces.web_for(&name_of(name, &stream, remote))
                }
            };
            let config = Arc::clone(&face?.web);
            let stream = handshake(stream, config, (remote, &notice), deadline).await?;
            let visitor = Visitor {
                remote,
                admission,
                peer: None,
                entropy,
            };
            Some(Box::pin(serve_visitor(stream, visitor, router, limits, stop)))
        }
        Way::Ssh => {
            let (face, ssh) = (faces.own()?, ssh?);
            let stream = handshake(stream, Arc::clone(&face.ssh), (remote, &notice), deadline).await?;
            let came = Came {
                remote,
                since,
                admission,
                stop,
            };
            Some(Box::pin(async move { ssh.serve(stream, came).await }))
        }
        Way::Tunnel => {
            let (face, tunnels) = (faces.tunnel()?, tunnels?);
            let stream = handshake(stream, Arc::clone(&face.config), (remote, &notice), deadline).await?;
            let judged = tunnels.judge(stream.get_ref().1.peer_certificates(), &face.authorities, remote);
            match judged {
                Ok(entering) => {
                    drop(admission);
                    let stream = Box::new(stream);
                    Some(Box::pin(
                        async move { tunnels.serve(stream, entering, stop).await },
                    ))
                }
                Err(refusal) => {
                    notice.unless_given(tunnels.refuse(refusal)).await;
                    None
                }
            }
        }
    }
}

/// What a client means to reach: the name it says, or the address it reached.
fn name_of(name: Option<String>, stream: &TcpStream, remote: SocketAddr) -> ServerName<'static> {
    let reached = || {
        let address = stream.local_addr().unwrap_or(remote).ip();
        let address = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        ServerName::from(address)
    };
    name.and_then(|name| ServerName::try_from(name).ok())
        .unwrap_or_else(reached)
}

async fn handshake(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    (remote, notice): (SocketAddr, &Notice),
    deadline: tokio::time::Instant,
) -> Option<TlsStream<TcpStream>> {
    let handshake = Box::pin(TlsAcceptor::from(config).accept(stream));
    match notice.unless_given(timeout_at(deadline, handshake)).await {
        None => {
            made_room(remote);
            None
        }
        Some(Ok(Ok(stream))) => Some(stream),
        Some(Ok(Err(error))) => {
            tracing::debug!(%remote, error = %error, "TLS handshake failed");
            None
        }
        Some(Err(_)) => {
            tracing::debug!(%remote, "TLS handshake took too long");
            None
        }
    }
}

fn made_room(remote: SocketAddr) {
    tracing::debug!(%remote, "a connection made room for another before it began");
}

/// Looks now and again whether everybody who is in may still be in.
async fn patrol(ssh: Option<Arc<SshProxy>>, tunnels: Option<Arc<Tunnelling>>, mut stop: Stop) {
    loop {
        tokio::select! {
            () = sleep(PATROL) => {}
            () = stop.requested() => return,
        }
        if let Some(ssh) = &ssh {
            ssh.recheck();
        }
        if let Some(tunnels) = &tunnels {
            tunnels.recheck();
        }
    }
}
