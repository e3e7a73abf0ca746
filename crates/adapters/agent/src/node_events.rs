//! What happens on the SSH server, as the audit log says it.

use std::sync::Arc;

use api_types::AgentEvent;
use async_trait::async_trait;
use audit::AuditEvent;
use audit::Outcome;
use names::UnixSeconds;
use runtime::Entropy;
use ssh_node::Event;
use ssh_node::Events;
use ssh_node::Exit;
use ssh_node::FileProtocol;
use ssh_node::ForwardDirection;
use ssh_node::Happening;
use ssh_node::NotRecorded;
use ssh_node::Purpose;
use ssh_node::TerminalSize;

use crate::Spool;
use crate::spool::new_uid;

/// Records what happens on the SSH server of this machine.
pub struct NodeEvents {
    spool: Arc<Spool>,
    hostname: String,
    entropy: Arc<dyn Entropy>,
}

impl NodeEvents {
    /// Events of the host of this name.
    pub fn new(spool: Arc<Spool>, hostname: String, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            spool,
            hostname,
            entropy,
        }
    }
}

#[async_trait]
impl Events for NodeEvents {
    async fn record(&self, event: Event) -> Result<(), NotRecorded> {
        let told = AgentEvent {
            uid: new_uid(self.entropy.as_ref()).map_err(NotRecorded)?,
            unix_millis: event.unix_millis,
            user: event
                .user
                .clone()
                .or_else(|| event.login.clone())
                .unwrap_or_default(),
            remote: event.remote.to_string(),
            event: serde_json::to_value(translate(event, &self.hostname))
                .map_err(|error| NotRecorded(error.to_string()))?,
        };
        self.spool.record(told).await.map_err(NotRecorded)
    }
}

fn size(size: TerminalSize) -> String {
    format!("{}:{}", size.columns, size.rows)
}

const fn seconds(unix_millis: i64) -> UnixSeconds {
    UnixSeconds(unix_millis.div_euclid(1_000))
}

fn translate(event: Event, hostname: &str) -> AuditEvent {
    let Event {
        unix_millis,
        server_id,
        connection_id,
        session_id,
        user: _,
        login,
        remote: _,
        local: _,
        what,
    } = event;
    let sid = session_id.unwrap_or(connection_id);
    let login = login.unwrap_or_default();
    let refused = |outcome: Option<String>| outcome.map_or(Outcome::Success, Outcome::Failure);
    match what {
        Happening::AuthFailed { reason, certificate } => AuditEvent::AccessDenied {
            action: format!("ssh {login}@{hostname}"),
            reason: match certificate {
                Some(facts) => format!("{reason} (certificate {} of {})", facts.serial, facts.key_id),
                None => reason.to_string(),
            },
        },
        Happening::SessionRejected { reason } => AuditEvent::SessionRejected {
            login,
            server_id,
            reason,
        },
        Happening::SessionStart {
            purpose,
            terminal,
            certificate,
        } => AuditEvent::SessionStarted {
            sid,
            login,
            server_id,
            server_hostname: hostname.to_owned(),
            kind: match purpose {
                Purpose::Shell => "shell",
                Purpose::Command(_) => "exec",
                Purpose::Subsystem(_) => "subsystem",
            }
            .to_owned(),
            terminal_size: terminal.map(size),
            allowed_by: format!("certificate {}", certificate.serial),
        },
        Happening::SessionEnd {
            exit,
            started_unix_millis,
            ..
        } => {
            let (reason, exit_code) = match exit {
                Exit::Code(code) => ("exit".to_owned(), Some(u64::from(code))),
                Exit::Signal { name, .. } => (format!("signal {name}"), None),
                Exit::Cut => ("disconnect".to_owned(), None),
                Exit::Failed(why) => (format!("failed: {why}"), None),
            };
            AuditEvent::SessionEnded {
                sid,
                login,
                server_id,
                reason,
                exit_code,
                started: seconds(started_unix_millis),
                ended: seconds(unix_millis),
            }
        }
        Happening::Exec {
            command,
            asked_for: _,
        } => AuditEvent::CommandRun {
            outcome: Outcome::Success,
            sid,
            login,
            server_id,
            command,
        },
        Happening::Subsystem { name } => AuditEvent::SubsystemRun {
            outcome: Outcome::Success,
            sid,
            server_id,
            name,
        },
        Happening::File(file) => AuditEvent::FileTouched {
            outcome: Outcome::Success,
            sid,
            server_id,
            action: format!(
                "{} {:?}",
                match file.protocol {
                    FileProtocol::Sftp => "sftp",
                    FileProtocol::Scp => "scp",
                },
                file.action
            )
            .to_lowercase(),
            path: match file.target {
                Some(target) => format!("{} -> {target}", file.path),
                None => file.path,
            },
        },
        Happening::Port(port) => AuditEvent::PortForwarded {
            outcome: Outcome::Success,
            server_id,
            kind: match port.direction {
                ForwardDirection::Local => "local",
                ForwardDirection::Remote => "remote",
                ForwardDirection::RemoteClosed => "remote closed",
            }
            .to_owned(),
            addr: format!("{}:{}", port.host, port.port),
        },
        Happening::AgentForward => AuditEvent::PortForwarded {
            outcome: Outcome::Success,
            server_id,
            kind: "agent".to_owned(),
            addr: String::new(),
        },
        Happening::Resize(terminal) => AuditEvent::SessionResized {
            sid,
            terminal_size: size(terminal),
        },
        Happening::Refused { what, reason } => AuditEvent::CommandRun {
            outcome: refused(Some(reason)),
            sid,
            login,
            server_id,
            command: what,
        },
        Happening::ClientDisconnect { reason } => AuditEvent::ClientDisconnected {
            server_id,
            reason: reason.to_string(),
        },
    }
}
