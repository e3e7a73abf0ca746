//! What happens on the SSH server, as the audit log says it.

use std::sync::Arc;

use api_types::AgentEvent;
use async_trait::async_trait;
use audit::AuditEvent;
use audit::LONG_TEXT_BYTES_MAX;
use audit::NAME_BYTES_MAX;
use audit::Outcome;
use audit::clipped;
use names::UnixSeconds;
use runtime::Entropy;
use ssh_node::DisconnectReason;
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
use crate::refusals::Refused;
use crate::spool::new_uid;

/// The most bytes of a line for a path of two.
const PATH_BYTES_MAX: usize = LONG_TEXT_BYTES_MAX / 2 - " -> ".len();

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
        let refused = refused(&event);
        let user = who(&event);
        let told = AgentEvent {
            uid: new_uid(self.entropy.as_ref()).map_err(NotRecorded)?,
            unix_millis: event.unix_millis,
            user: user.unwrap_or_default(),
            remote: event.remote.to_string(),
            event: serde_json::to_value(translate(event, &self.hostname).clipped())
                .map_err(|error| NotRecorded(error.to_string()))?,
        };
        match refused {
            Some(who) => self.spool.record_refusal(who, told).await,
            None => self.spool.record(told).await,
        }
        .map_err(NotRecorded)
    }
}

/// Who it is: as was found when they were let in, or as a certificate of ours says that did not let them in. Nobody otherwise: the account that
/// is asked for is no person, and what else a certificate says is only claimed.
fn who(event: &Event) -> Option<String> {
    let named = if let Happening::AuthFailed {
        certificate: Some(facts),
        ..
    } = &event.what
        && facts.is_ours
    {
        Some(&facts.key_id)
    } else {
        event.user.as_ref()
    };
    named.map(|name| clipped(name.clone(), NAME_BYTES_MAX))
}

/// Who was refused, when the event tells of a refusal and of nothing that is done. Who is known does not drown among strangers.
fn refused(event: &Event) -> Option<Refused> {
    match &event.what {
        Happening::AuthFailed { .. } | Happening::SessionRejected { .. } | Happening::Refused { .. } => {
            let stranger = || Refused::Stranger(names::estate_of(event.remote.ip()).to_string());
            Some(who(event).map_or_else(stranger, Refused::User))
        }
        Happening::SessionStart { .. }
        | Happening::SessionLeave
        | Happening::SessionEnd { .. }
        | Happening::Exec { .. }
        | Happening::Subsystem { .. }
        | Happening::File(_)
        | Happening::Port(_)
        | Happening::AgentForward
        | Happening::Resize(_)
        | Happening::ClientDisconnect { .. } => None,
    }
}

fn size(size: TerminalSize) -> String {
    format!("{}:{}", size.columns, size.rows)
}

const fn seconds(unix_millis: i64) -> UnixSeconds {
    UnixSeconds(unix_millis.div_euclid(1_000))
}

/// Why a session was cut, as searches find it. The words that the user was shown are in the event of the disconnection.
const fn cut_word(reason: Option<&DisconnectReason>) -> &'static str {
    match reason {
        None => "disconnect",
        Some(DisconnectReason::Locked(_)) => "lock",
        Some(DisconnectReason::Denied(_)) => "denied",
        Some(DisconnectReason::CertificateExpired) => "expired",
        Some(DisconnectReason::Idle) => "idle",
        Some(DisconnectReason::Protocol(_)) => "protocol",
        Some(DisconnectReason::Stopping) => "stopping",
        Some(DisconnectReason::NotRecorded) => "not_recorded",
    }
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
            claimed: certificate
                .as_ref()
                .filter(|facts| !facts.is_ours)
                .map(|facts| clipped(facts.key_id.clone(), NAME_BYTES_MAX)),
            login: Some(login),
            sid: Some(sid),
            server_id: Some(server_id),
            server_hostname: Some(hostname.to_owned()),
            reason: match certificate {
                Some(facts) => {
                    let key_id = clipped(facts.key_id, NAME_BYTES_MAX);
                    format!("{reason} (certificate {} of {key_id})", facts.serial)
                }
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
        Happening::SessionLeave => AuditEvent::SessionLeft {
            sid,
            login,
            server_id,
        },
        Happening::SessionEnd {
            exit,
            started_unix_millis,
            ..
        } => {
            let (reason, exit_code) = match exit {
                Exit::Code(code) => ("exit".to_owned(), Some(u64::from(code))),
                Exit::Signal { name, .. } => (format!("signal {name}"), None),
                Exit::Cut(reason) => (cut_word(reason.as_ref()).to_owned(), None),
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
                // Each of the two is told, however long the other is.
                Some(target) => {
                    let [path, target] = [file.path, target].map(|path| clipped(path, PATH_BYTES_MAX));
                    format!("{path} -> {target}")
                }
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
            server_id: Some(server_id),
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

#[cfg(test)]
mod tests {
    use fixtures::CountingEntropy;
    use fixtures::ManualClock;
    use ssh_node::AuthFailure;
    use ssh_node::CertificateFacts;
    use ssh_node::FileAccess;
    use ssh_node::FileAction;

    use super::*;

    fn happened(what: Happening) -> Event {
        Event {
            unix_millis: 2_000,
            server_id: "host-1".to_owned(),
            connection_id: "connection-1".to_owned(),
            session_id: Some("session-1".to_owned()),
            user: Some("alice".to_owned()),
            login: Some("root".to_owned()),
            remote: ([192, 0, 2, 7], 40_000).into(),
            local: ([192, 0, 2, 1], 3_022).into(),
            what,
        }
    }

    #[test]
    fn the_end_of_a_session_says_what_ended_it() {
        let ended = |exit: Exit| {
            let event = happened(Happening::SessionEnd {
                exit,
                bytes_received: 0,
                bytes_sent: 0,
                started_unix_millis: 1_000,
            });
            let AuditEvent::SessionEnded {
                reason, exit_code, ..
            } = translate(event, "web-1")
            else {
                panic!("it is another event");
            };
            (reason, exit_code)
        };
        let cut = |reason| ended(Exit::Cut(Some(reason))).0;
        assert_eq!(ended(Exit::Code(3)), ("exit".to_owned(), Some(3)));
        assert_eq!(ended(Exit::Cut(None)), ("disconnect".to_owned(), None));
        assert_eq!(cut(DisconnectReason::Locked("laptop stolen".to_owned())), "lock");
        assert_eq!(cut(DisconnectReason::Denied("no role".to_owned())), "denied");
        assert_eq!(cut(DisconnectReason::CertificateExpired), "expired");
        assert_eq!(cut(DisconnectReason::Idle), "idle");
        assert_eq!(cut(DisconnectReason::Stopping), "stopping");
    }

    #[tokio::test]
    async fn a_refusal_names_the_person_whom_a_certificate_of_ours_names_and_nobody_else() {
        let failed = |certificate: Option<CertificateFacts>| Event {
            user: None,
            login: Some("root".to_owned()),
            session_id: None,
            ..happened(Happening::AuthFailed {
                reason: AuthFailure::OtherLogin,
                certificate,
            })
        };
        let facts = |is_ours| CertificateFacts {
            is_ours,
            key_id: "alice".to_owned(),
            serial: 7,
            ..CertificateFacts::default()
        };
        for (certificate, user, claimed) in [
            (Some(facts(true)), "alice", None),
            (Some(facts(false)), "", Some("alice")),
            (None, "", None),
        ] {
            let event = failed(certificate);
            assert_eq!(who(&event).unwrap_or_default(), user);
            assert_eq!(
                matches!(refused(&event), Some(Refused::User(known)) if known == "alice"),
                user == "alice"
            );
            let line = serde_json::to_value(translate(event, "web-1")).unwrap();
            assert_eq!(line["event"], "auth");
            assert_eq!(line["login"], "root");
            assert_eq!(line["claimed"].as_str(), claimed, "{line}");
            assert_eq!(line["server_id"], "host-1");
            assert_eq!(line["server_hostname"], "web-1");
            assert_eq!(line["sid"], "connection-1");
        }
    }

    /// What a stranger or a user sends is as long as they like; the line in the log is not.
    #[tokio::test]
    async fn long_texts_are_shortened_before_they_are_on_the_disk() {
        let long = "\u{1}".repeat(120_000);
        let happenings = [
            Happening::AuthFailed {
                reason: AuthFailure::UnknownAuthority,
                certificate: Some(CertificateFacts {
                    key_id: long.clone(),
                    ..CertificateFacts::default()
                }),
            },
            Happening::Exec {
                command: format!("echo {long}"),
                asked_for: None,
            },
            Happening::Refused {
                what: format!("connection to socket {long}"),
                reason: long.clone(),
            },
            Happening::Subsystem { name: long.clone() },
            Happening::SessionRejected { reason: long.clone() },
            Happening::File(FileAccess {
                protocol: FileProtocol::Sftp,
                action: FileAction::Rename,
                path: long.clone(),
                target: Some(format!("/to/{long}")),
            }),
        ];
        let folder = tempfile::tempdir().unwrap();
        let spool =
            Arc::new(Spool::open(folder.path(), &ManualClock::new(), &CountingEntropy::from(1)).unwrap());
        let events = NodeEvents::new(
            spool,
            "web-1".to_owned(),
            Arc::new(CountingEntropy::from(1 << 20)),
        );
        for what in happenings {
            let event = Event {
                user: Some(long.clone()),
                ..happened(what)
            };
            events.record(event).await.unwrap();
        }
        let segment = folder.path().join(format!("{:020}.jsonl", 1));
        let text = std::fs::read_to_string(segment).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        for line in &lines {
            assert!(
                line.len() < audit::LINE_BYTES_MAX / 2,
                "{} bytes: {line:.100}",
                line.len()
            );
            assert!(line.contains("bytes, SHA-256 "), "{line:.100}");
        }
        let auth: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        let reason = auth["event"]["reason"].as_str().unwrap();
        assert!(reason.contains("… (120000 bytes, SHA-256 "), "{reason}");
        let renamed: serde_json::Value = serde_json::from_str(lines[5]).unwrap();
        let path = renamed["event"]["path"].as_str().unwrap();
        assert!(path.contains(") -> /to/"), "both are told: {path:.100}");
        assert!(path.contains("… (120004 bytes, SHA-256 "), "{path:.100}");
    }
}
