//! How a node is reached, as the rest of the server decides.

use std::sync::Arc;

use async_trait::async_trait;
use tunnel::HostId;
use tunnel::Io;

use crate::SshUser;

/// What somebody asks for: a node by name or id, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node: its name, its host id, or `node.cluster`. 1 to 255 letters, digits and `.-_:`.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The target cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a node has 1 to 255 letters, digits, dots, hyphens, underscores and colons, and its port is 1 to 65535"
)]
pub struct NotATarget;

impl Target {
    /// Checks what a client asks for.
    ///
    /// # Errors
    /// When no node has such a name, or there is no such port.
    pub fn parse(host: &str, port: u32) -> Result<Self, NotATarget> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(is_allowed) {
            return Err(NotATarget);
        }
        let port = u16::try_from(port)
            .ok()
            .filter(|port| *port != 0)
            .ok_or(NotATarget)?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Finds nodes. What it does not know is not connected to: the proxy is no open relay.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// How a user reaches a target.
    ///
    /// # Errors
    /// When there is no such node, or it is not theirs to reach.
    async fn resolve(&self, user: &SshUser, target: &Target) -> Result<Route, NoRoute>;
}

/// How a node is reached.
#[derive(Clone)]
pub struct Route {
    /// The node.
    pub host: HostId,
    /// Its name, for messages.
    pub name: String,
    /// The port at the node's end of a tunnel. Which ports there are is the resolver's to decide: clients ask for 22 by habit.
    pub port: u16,
    /// By which way.
    pub via: Via,
}

/// By which way a node is reached.
#[derive(Clone)]
pub enum Via {
    /// By the first of these that leads there; the protocol is spoken between client and node.
    Hops(Vec<Hop>),
    /// Not at all from end to end: the proxy speaks the protocol with the client itself.
    Terminate(Arc<dyn Terminator>),
}

/// One way to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// Through the tunnel that its agent keeps open.
    Tunnel,
    /// To the SSH server in this process, which is told where the client really comes from.
    Here,
    /// To its address, `host:port`.
    Direct(String),
    /// The same, of a node on another machine than this: whatever the name resolves to when it is dialled, neither this machine nor its link
    /// is connected to.
    Elsewhere(String),
}

/// Why a target is not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// There is no such node.
    #[error("there is no such node")]
    Unknown,
    /// The node is not for this user. To the client this looks as if there were no such node.
    #[error("not allowed: {0}")]
    Denied(String),
    /// A lock is on a node that is for this user, who is told so.
    #[error("{0}")]
    Locked(String),
    /// It cannot be said now.
    #[error("nodes cannot be looked up now: {0}")]
    Unavailable(String),
}

/// Speaks SSH with clients in the place of a node that cannot do so on its own terms.
#[async_trait]
pub trait Terminator: Send + Sync + 'static {
    /// Speaks with a client until it is done.
    async fn terminate(&self, user: Arc<SshUser>, route: &Route, io: Box<dyn Io>);
}
