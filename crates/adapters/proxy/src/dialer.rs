//! Reaching nodes.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use resource::NodeSpec;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::net::lookup_host;
use tokio::time::sleep;
use tokio::time::timeout;
use tunnel::OpenError;
use tunnel::OpenRequest;
use tunnel::TunnelStream;
use tunnel::Tunnels;

use crate::Hop;
use crate::Route;

/// Reaches nodes: directly, or through their tunnels.
pub struct Dialer {
    tunnels: Arc<Tunnels>,
    connect: Duration,
    here: Option<Arc<dyn Here>>,
}

/// The SSH server in the proxy's own process.
pub trait Here: Send + Sync + 'static {
    /// A connection to it, of a client that comes from there; nothing while it does not serve.
    fn open(&self, source: SocketAddr) -> Option<DuplexStream>;
}

/// A connection to a node.
#[derive(Debug)]
pub enum NodeStream {
    /// Within this process.
    Here(DuplexStream),
    /// Directly.
    Direct(TcpStream),
    /// Through its tunnel.
    Tunnel(TunnelStream),
}

/// Why a node is not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Not through its tunnel.
    #[error("node {name} is not reached: {source}")]
    Tunnel {
        /// The node's name.
        name: String,
        /// Why.
        source: OpenError,
    },
    /// Not at its address.
    #[error("node {name} is not reached at {address}: {source}")]
    Direct {
        /// The node's name.
        name: String,
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Its address does not answer.
    #[error("node {name} does not answer at {address} within {} s", after.as_secs())]
    TimedOut {
        /// The node's name.
        name: String,
        /// The address.
        address: String,
        /// The time it had.
        after: Duration,
    },
    /// What answers there is something else.
    #[error("node {name} is not reached: what answers at {address} does not speak SSH")]
    NotSsh {
        /// The node's name.
        name: String,
        /// The address.
        address: String,
    },
    /// There is no way to it.
    #[error("node {name} has neither a tunnel nor an address")]
    NoWay {
        /// The node's name.
        name: String,
    },
}

impl Dialer {
    /// A dialer that gives an address so long to answer.
    pub const fn new(tunnels: Arc<Tunnels>, connect: Duration) -> Self {
        Self {
            tunnels,
            connect,
            here: None,
        }
    }

    /// The same, with an SSH server in this process.
    #[must_use]
    pub fn with_here(mut self, here: Arc<dyn Here>) -> Self {
        self.here = Some(here);
        self
    }

    /// Connects to a node by the first of the hops that leads there. `source` is where the client comes from: the node's agent is told.
    ///
    /// # Errors
    /// Why the last hop did not lead there.
    pub async fn dial(
        &self,
        route: &Route,
        hops: &[Hop],
        source: SocketAddr,
    ) -> Result<NodeStream, DialError> {
        let mut failure = None;
        for hop in hops {
            let reached = match hop {
                Hop::Here => self.within(route, source),
                Hop::Tunnel => self.through_tunnel(route, source).await,
                Hop::Direct(address) => self.direct(route, address, |_| true).await,
                Hop::Elsewhere(address) => self.direct(route, address, is_elsewhere).await,
            };
            match reached {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| DialError::NoWay {
            name: route.name.clone(),
        }))
    }

    fn within(&self, route: &Route, source: SocketAddr) -> Result<NodeStream, DialError> {
        let stream = self.here.as_ref().and_then(|here| here.open(source));
        stream.map(NodeStream::Here).ok_or_else(|| DialError::NoWay {
            name: route.name.clone(),
        })
    }

    async fn through_tunnel(&self, route: &Route, source: SocketAddr) -> Result<NodeStream, DialError> {
        let request = OpenRequest {
            source,
            port: route.port,
        };
        self.tunnels
            .open(&route.host, request)
            .await
            .map(NodeStream::Tunnel)
            .map_err(|source| DialError::Tunnel {
                name: route.name.clone(),
                source,
            })
    }

    /// Connects to an address, to none that is not allowed, and gives no stream of anything but SSH: nobody speaks anything else to a node,
    /// and nobody reaches another service by way of one.
    async fn direct(
        &self,
        route: &Route,
        address: &str,
        is_allowed: fn(IpAddr) -> bool,
    ) -> Result<NodeStream, DialError> {
        let name = || route.name.clone();
        let failed = |source| DialError::Direct {
            name: name(),
            address: address.to_owned(),
            source,
        };
        let late = |_| DialError::TimedOut {
            name: name(),
            address: address.to_owned(),
            after: self.connect,
        };
        let connecting = connect(address, is_allowed);
        let stream = timeout(self.connect, connecting).await.map_err(late)?;
        let stream = stream.map_err(failed)?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps its delay");
        }
        let speaks = timeout(self.connect, speaks_ssh(&stream)).await.map_err(late)?;
        if speaks.map_err(failed)? {
            Ok(NodeStream::Direct(stream))
        } else {
            Err(DialError::NotSsh {
                name: name(),
                address: address.to_owned(),
            })
        }
    }
}

/// Connects to the first that answers of those that the name has now. What was looked up is what is connected to: nobody asks again.
async fn connect(address: &str, is_allowed: fn(IpAddr) -> bool) -> io::Result<TcpStream> {
    let found: Vec<SocketAddr> = lookup_host(address).await?.collect();
    let words = |words: &'static str| io::Error::new(io::ErrorKind::PermissionDenied, words);
    let mut failure = words(
        "it has no address, or none but those of the proxy's own machine or link, which are not dialled",
    );
    for address in found.into_iter().filter(|address| is_allowed(address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn is_elsewhere(address: IpAddr) -> bool {
    !NodeSpec::is_here(address)
}

/// The first bytes of every server that our nodes are (RFC 4253 section 4.2).
const GREETING: &[u8] = b"SSH-2.0-";
/// How long to wait for the rest of a greeting that came in part.
const REST: Duration = Duration::from_millis(5);

/// Whether the other end greets as SSH servers do. What it said stays to be read.
async fn speaks_ssh(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; GREETING.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        let said = seen.get(..length).unwrap_or_default();
        if said == GREETING {
            return Ok(true);
        }
        if said.is_empty() || !GREETING.starts_with(said) {
            return Ok(false);
        }
        sleep(REST).await;
    }
}
