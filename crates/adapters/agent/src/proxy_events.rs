//! What happens at the proxy, as the audit log says it.

use std::net::SocketAddr;
use std::sync::Arc;

use api_types::AgentEvent;
use async_trait::async_trait;
use audit::AuditEvent;
use audit::Outcome;
use proxy::EventFault;
use proxy::Events;
use proxy::ProxyEvent;
use runtime::Clock;
use runtime::Entropy;

use crate::Spool;
use crate::spool::new_uid;

/// Records what happens at the proxy of this machine.
pub struct ProxyEvents {
    spool: Arc<Spool>,
    host_id: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl ProxyEvents {
    /// Events of this machine.
    pub fn new(spool: Arc<Spool>, host_id: String, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            spool,
            host_id,
            clock,
            entropy,
        }
    }
}

#[async_trait]
impl Events for ProxyEvents {
    async fn record(&self, event: ProxyEvent) -> Result<(), EventFault> {
        let Some((user, remote, event)) = translate(event, &self.host_id) else {
            return Ok(());
        };
        let told = AgentEvent {
            uid: new_uid(self.entropy.as_ref()).map_err(EventFault)?,
            unix_millis: self.clock.unix_millis(),
            user,
            remote: remote.to_string(),
            event: serde_json::to_value(event).map_err(|error| EventFault(error.to_string()))?,
        };
        self.spool.record(told).await.map_err(EventFault)
    }
}

/// Who, from where, and what; nothing for what only the proxy's own log tells.
fn translate(event: ProxyEvent, host_id: &str) -> Option<(String, SocketAddr, AuditEvent)> {
    let connected = |outcome, server_id: Option<String>, target, route: &str| AuditEvent::SessionConnected {
        outcome,
        server_id,
        target,
        route: route.to_owned(),
    };
    Some(match event {
        ProxyEvent::AuthFailed {
            remote,
            login,
            claimed,
            reason,
            attempts,
        } => (
            claimed.unwrap_or_else(|| login.clone()),
            remote,
            AuditEvent::AccessDenied {
                action: format!("ssh {login}@proxy"),
                reason: format!("{reason} ({attempts} attempts)"),
            },
        ),
        ProxyEvent::Denied {
            user,
            remote,
            target,
            reason,
        } => (
            user,
            remote,
            connected(Outcome::Failure(reason), None, target, "none"),
        ),
        ProxyEvent::Connected {
            id: _,
            user,
            login: _,
            remote,
            target,
            host,
            via,
        } => (
            user,
            remote,
            connected(Outcome::Success, Some(host.to_string()), target, via),
        ),
        ProxyEvent::Unreachable {
            user,
            remote,
            target,
            host,
            reason,
        } => (
            user,
            remote,
            connected(Outcome::Failure(reason), Some(host.to_string()), target, "none"),
        ),
        ProxyEvent::Cut { user, remote, reason } => (
            user,
            remote,
            AuditEvent::ClientDisconnected {
                server_id: host_id.to_owned(),
                reason,
            },
        ),
        ProxyEvent::TunnelRefused { host, remote, reason } => (
            host.map(|host| host.to_string()).unwrap_or_default(),
            remote,
            AuditEvent::AccessDenied {
                action: "open a tunnel".to_owned(),
                reason,
            },
        ),
        ProxyEvent::Disconnected { .. } => return None,
        ProxyEvent::TunnelOpened { host, remote } => {
            tracing::info!(%host, %remote, "a tunnel is open");
            return None;
        }
        ProxyEvent::TunnelClosed { host, remote, reason } => {
            tracing::info!(%host, %remote, reason, "a tunnel is closed");
            return None;
        }
    })
}
