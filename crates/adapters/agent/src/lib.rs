//! A machine of the cluster: it joins, renews its certificates, follows the cluster, and tells what happens on it.
//!
//! [`Agent::start`] loads the machine's identity or joins with a token, then keeps it: certificates are renewed in time and when a
//! rotation wants others, roles, locks and trusted keys are followed, heartbeats say that the machine is here. [`NodeGate`] and
//! [`ProxyGate`] decide from what was last seen, so that a machine goes on while the auth service is away. [`Spool`] keeps what
//! happened until the auth service has it.

mod admission;
mod agent;
mod error;
mod follow;
mod freshness;
mod gate;
mod identity;
mod join;
mod keys;
mod known;
mod node_events;
mod proxy_events;
mod proxy_gate;
mod refusals;
mod resolver;
mod shut_out;
mod spool;
mod store;
mod terminator;
mod told;
mod upload;

pub use admission::{Nearby, Standing};
pub use agent::{Agent, AgentParts, Profile};
pub use error::AgentError;
pub use freshness::Freshness;
pub use gate::NodeGate;
pub use identity::HostIdentity;
pub use join::{HttpJoiner, Joiner};
pub use known::Known;
pub use node_events::NodeEvents;
pub use proxy_events::ProxyEvents;
pub use proxy_gate::ProxyGate;
pub use resolver::NodeResolver;
pub use spool::Spool;
pub use terminator::OpensshHosts;
