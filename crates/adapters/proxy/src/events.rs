//! What the audit log is told.

use std::net::SocketAddr;

use async_trait::async_trait;
use tunnel::HostId;

/// Takes down what happens, durably.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Takes down an event. What it announces does not happen before this returned, and does not happen at all when it fails.
    ///
    /// # Errors
    /// When it could not be taken down.
    async fn record(&self, event: ProxyEvent) -> Result<(), EventFault>;
}

/// An event could not be taken down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log does not take the event: {0}")]
pub struct EventFault(pub String);

/// Something that happened at the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyEvent {
    /// A connection ended without anybody having shown who they are. There is one of these for a connection, however much it tried.
    AuthFailed {
        /// Where it came from.
        remote: SocketAddr,
        /// The login it asked for last; empty when all it showed was refused on sight.
        login: String,
        /// The name in the last certificate of ours that it showed and proved to hold.
        user: Option<String>,
        /// The name in the last certificate it showed and proved to hold. Whether somebody vouches for that name is not said by this.
        claimed: Option<String>,
        /// Why it was not let in.
        reason: String,
        /// The keys and certificates it tried.
        attempts: u32,
    },
    /// Somebody may not reach what they asked for, or there is no such thing.
    Denied {
        /// Who.
        user: String,
        /// Where they came from.
        remote: SocketAddr,
        /// What they asked for, `host:port`.
        target: String,
        /// Why not.
        reason: String,
    },
    /// Somebody is about to be connected to a node.
    Connected {
        /// The connection's id, the same at its end.
        id: String,
        /// Who.
        user: String,
        /// The login they gave the proxy; the node's login is between them and the node.
        login: String,
        /// Where they came from.
        remote: SocketAddr,
        /// What they asked for, `host:port`.
        target: String,
        /// The node.
        host: HostId,
        /// How it is reached: `tunnel`, `direct` or `terminate`.
        via: &'static str,
    },
    /// A connection to a node could not be made.
    Unreachable {
        /// Who asked for it.
        user: String,
        /// Where they came from.
        remote: SocketAddr,
        /// What they asked for, `host:port`.
        target: String,
        /// The node.
        host: HostId,
        /// Why not.
        reason: String,
    },
    /// A connection to a node ended.
    Disconnected {
        /// The connection's id.
        id: String,
        /// Who had it.
        user: String,
        /// Where they came from.
        remote: SocketAddr,
        /// The node.
        host: HostId,
        /// Bytes to the node.
        sent: u64,
        /// Bytes from the node.
        received: u64,
        /// How it ended.
        reason: String,
    },
    /// Somebody's connection to the proxy was cut, with everything that went through it.
    Cut {
        /// Whose.
        user: String,
        /// Where they came from.
        remote: SocketAddr,
        /// Why.
        reason: String,
    },
    /// An agent opened a tunnel.
    TunnelOpened {
        /// Its host.
        host: HostId,
        /// Where it came from.
        remote: SocketAddr,
    },
    /// A tunnel ended.
    TunnelClosed {
        /// Its host.
        host: HostId,
        /// Where it came from.
        remote: SocketAddr,
        /// Why: `closed`, `broken`, `silent`, `cut` or `stopped`.
        reason: &'static str,
    },
    /// An agent may not open a tunnel.
    TunnelRefused {
        /// The host, if its certificate could be trusted to say so.
        host: Option<HostId>,
        /// Where it came from.
        remote: SocketAddr,
        /// Why not.
        reason: String,
    },
}
