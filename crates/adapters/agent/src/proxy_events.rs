//! What happens at the proxy, as the audit log says it.

use std::net::SocketAddr;
use std::sync::Arc;

use api_types::AgentEvent;
use async_trait::async_trait;
use audit::AuditEvent;
use audit::NAME_BYTES_MAX;
use audit::Outcome;
use audit::clipped;
use proxy::EventFault;
use proxy::Events;
use proxy::ProxyEvent;
use runtime::Clock;
use runtime::Entropy;

use crate::Spool;
use crate::refusals::Refused;
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
        let refused = refused(&event);
        let Some((user, remote, event)) = translate(event, &self.host_id) else {
            return Ok(());
        };
        let told = AgentEvent {
            uid: new_uid(self.entropy.as_ref()).map_err(EventFault)?,
            unix_millis: self.clock.unix_millis(),
            user: clipped(user, NAME_BYTES_MAX),
            remote: remote.to_string(),
            event: serde_json::to_value(event.clipped()).map_err(|error| EventFault(error.to_string()))?,
        };
        match refused {
            Some(who) => self.spool.record_refusal(who, told).await,
            None => self.spool.record(told).await,
        }
        .map_err(EventFault)
    }
}

/// Who was refused, when the event tells of a refusal and of nothing that is done.
fn refused(event: &ProxyEvent) -> Option<Refused> {
    match event {
        // Whose certificate of ours was refused is known, and does not drown among strangers.
        ProxyEvent::AuthFailed { user: Some(user), .. }
        | ProxyEvent::Denied { user, .. }
        | ProxyEvent::Unreachable { user, .. } => Some(Refused::User(clipped(user.clone(), NAME_BYTES_MAX))),
        ProxyEvent::AuthFailed {
            user: None, remote, ..
        }
        | ProxyEvent::TunnelRefused { remote, .. } => {
            Some(Refused::Stranger(names::estate_of(remote.ip()).to_string()))
        }
        ProxyEvent::Connected { .. }
        | ProxyEvent::Disconnected { .. }
        | ProxyEvent::Cut { .. }
        | ProxyEvent::TunnelOpened { .. }
        | ProxyEvent::TunnelClosed { .. } => None,
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
            user,
            claimed,
            reason,
            attempts,
        } => {
            let event = AuditEvent::AccessDenied {
                action: format!("ssh {login}@proxy"),
                reason: format!("{reason} ({attempts} attempts)"),
                claimed: claimed.filter(|claimed| user.as_ref() != Some(claimed)),
                login: Some(login),
                sid: None,
                server_id: Some(host_id.to_owned()),
                server_hostname: None,
            };
            (user.unwrap_or_default(), remote, event)
        }
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
            AuditEvent::denied("open a tunnel".to_owned(), reason),
        ),
        ProxyEvent::Disconnected { .. } => return None,
        ProxyEvent::TunnelOpened { host, remote } => (
            String::new(),
            remote,
            AuditEvent::TunnelOpened {
                server_id: host.to_string(),
            },
        ),
        ProxyEvent::TunnelClosed { host, remote, reason } => (
            String::new(),
            remote,
            AuditEvent::TunnelClosed {
                server_id: host.to_string(),
                reason: reason.to_owned(),
            },
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_vouches_for_is_claimed() {
        let remote: SocketAddr = ([192, 0, 2, 7], 40_000).into();
        let failed = |user: Option<&str>, claimed: Option<&str>| {
            let event = ProxyEvent::AuthFailed {
                remote,
                login: "root".to_owned(),
                user: user.map(str::to_owned),
                claimed: claimed.map(str::to_owned),
                reason: "no".to_owned(),
                attempts: 1,
            };
            // Who is known is counted as themselves.
            assert_eq!(
                matches!(refused(&event), Some(Refused::User(known)) if Some(known.as_str()) == user),
                user.is_some()
            );
            let (who, _, event) = translate(event, "proxy-1").unwrap();
            let line = serde_json::to_value(event).unwrap();
            assert_eq!(
                (&line["login"], &line["server_id"]),
                (&"root".into(), &"proxy-1".into())
            );
            (who, line["claimed"].as_str().map(str::to_owned))
        };
        assert_eq!(failed(Some("alice"), Some("alice")), ("alice".to_owned(), None));
        let evil = Some("alice".to_owned());
        assert_eq!(failed(None, Some("alice")), (String::new(), evil.clone()));
        assert_eq!(failed(Some("eve"), Some("alice")), ("eve".to_owned(), evil));
        assert_eq!(failed(None, None), (String::new(), None));
    }

    #[test]
    fn tunnels_are_told_of_when_they_open_and_when_they_end() {
        let host = tunnel::HostId::parse("0b5b5a3e-0000-4000-8000-000000000002").unwrap();
        let remote: SocketAddr = ([192, 0, 2, 7], 40_000).into();
        let server_id = host.to_string();
        let opened = ProxyEvent::TunnelOpened {
            host: host.clone(),
            remote,
        };
        let closed = ProxyEvent::TunnelClosed {
            host,
            remote,
            reason: "silent",
        };
        assert_eq!(refused(&opened), None, "what is done is recorded each time");
        assert_eq!(
            translate(opened, "proxy-1"),
            Some((
                String::new(),
                remote,
                AuditEvent::TunnelOpened {
                    server_id: server_id.clone()
                }
            ))
        );
        assert_eq!(
            translate(closed, "proxy-1"),
            Some((
                String::new(),
                remote,
                AuditEvent::TunnelClosed {
                    server_id,
                    reason: "silent".to_owned()
                }
            ))
        );
    }
}
