//! Reaching nodes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
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
}

/// A connection to a node.
#[derive(Debug)]
pub enum NodeStream {
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
        Self { tunnels, connect }
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
                Hop::Tunnel => self.through_tunnel(route, source).await,
                Hop::Direct(address) => self.direct(route, address).await,
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

    async fn direct(&self, route: &Route, address: &str) -> Result<NodeStream, DialError> {
        let name = || route.name.clone();
        let stream = timeout(self.connect, TcpStream::connect(address))
            .await
            .map_err(|_| DialError::TimedOut {
                name: name(),
                address: address.to_owned(),
                after: self.connect,
            })?
            .map_err(|source| DialError::Direct {
                name: name(),
                address: address.to_owned(),
                source,
            })?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps its delay");
        }
        Ok(NodeStream::Direct(stream))
    }
}
