//! What a node is told once.

use std::time::Duration;

/// The limits and habits of a node. [`NodeConfig::new`] has every default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Who this node is, for the log.
    pub server_id: String,
    /// How the software names itself to clients, without spaces or hyphens.
    pub software: String,
    /// How long a connection may take to log in.
    pub login_grace: Duration,
    /// The most connections that have not logged in; one more cuts the one that came first.
    pub unauthenticated_max: usize,
    /// The most of them from one address.
    pub unauthenticated_per_address_max: usize,
    /// The most refused attempts to log in, in one connection.
    pub auth_attempts_max: usize,
    /// The most channels in one connection.
    pub channels_max: usize,
    /// Channels that one user may open or have opened on this node, over all connections: so many a second on average, and so many at once.
    /// Ports and the use of agents count as well: each is an event.
    pub channel_rate: (u32, u32),
    /// How long a client may take to answer when it is offered a channel, for a connection to a port opened for it or to its agent.
    pub offer_patience: Duration,
    /// The most ports opened for one connection.
    pub open_ports_max: usize,
    /// Whether ports opened for clients are reachable from other hosts.
    pub gateway_ports: bool,
    /// How long the client may be silent until it is asked for a sign of life; `None` never asks.
    pub keep_alive_interval: Option<Duration>,
    /// How many questions may go unanswered until the connection ends.
    pub keep_alive_count_max: u32,
    /// How long recording an event may take until the act it announces is refused.
    pub record_timeout: Duration,
}

impl NodeConfig {
    /// The defaults, for a node of this id.
    pub fn new(server_id: impl Into<String>) -> Self {
        Self {
            server_id: server_id.into(),
            software: concat!("Signet_", env!("CARGO_PKG_VERSION")).to_owned(),
            login_grace: Duration::from_secs(30),
            unauthenticated_max: 256,
            unauthenticated_per_address_max: 64,
            auth_attempts_max: 6,
            channels_max: 256,
            channel_rate: (20, 256),
            offer_patience: Duration::from_secs(30),
            open_ports_max: 32,
            gateway_ports: false,
            keep_alive_interval: Some(Duration::from_secs(300)),
            keep_alive_count_max: 3,
            record_timeout: Duration::from_secs(30),
        }
    }
}
