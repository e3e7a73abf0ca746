//! What the audit log is told, before it happens.

use std::net::SocketAddr;

/// Takes events. An act whose event is not taken does not happen.
#[async_trait::async_trait]
pub trait Events: Send + Sync + 'static {
    /// Records an event durably.
    ///
    /// # Errors
    /// When it is not recorded; what it announces is then refused.
    async fn record(&self, event: Event) -> Result<(), NotRecorded>;
}

/// An event was not recorded.
#[derive(Debug, thiserror::Error)]
#[error("the audit event could not be recorded: {0}")]
pub struct NotRecorded(pub String);

/// Something that is about to happen, or has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub unix_millis: i64,
    /// The node.
    pub server_id: String,
    /// The connection, unique for ever.
    pub connection_id: String,
    /// The session within the connection, where there is one.
    pub session_id: Option<String>,
    /// The user, once known.
    pub user: Option<String>,
    /// The account on this host, once asked for.
    pub login: Option<String>,
    /// The client's address.
    pub remote: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
    /// What it is.
    pub what: Happening,
}

/// What happens on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Somebody was not let in.
    AuthFailed {
        /// Why.
        reason: AuthFailure,
        /// The certificate, as far as it was readable.
        certificate: Option<CertificateFacts>,
    },
    /// Somebody was let in, but may not have one more session or connection.
    SessionRejected {
        /// Why.
        reason: String,
    },
    /// A session begins.
    SessionStart {
        /// What for.
        purpose: Purpose,
        /// The terminal's size, if it has one.
        terminal: Option<TerminalSize>,
        /// The certificate it is on.
        certificate: CertificateFacts,
    },
    /// Somebody leaves a session with a terminal, which is about to be over.
    SessionLeave,
    /// A session is over.
    SessionEnd {
        /// How.
        exit: Exit,
        /// Bytes from the client.
        bytes_received: u64,
        /// Bytes to the client.
        bytes_sent: u64,
        /// When it began, in milliseconds since 1970.
        started_unix_millis: i64,
    },
    /// A command is run.
    Exec {
        /// The command that is run, invalid UTF-8 replaced.
        command: String,
        /// What the client asked for when the certificate forces another command.
        asked_for: Option<String>,
    },
    /// A subsystem is started.
    Subsystem {
        /// Its name.
        name: String,
    },
    /// A file is opened or changed by `sftp` or `scp`.
    File(FileAccess),
    /// A connection is forwarded, or a port opened.
    Port(PortForward),
    /// The use of the client's agent is allowed to the session.
    AgentForward,
    /// The terminal's size changes.
    Resize(TerminalSize),
    /// Something that was asked for is refused.
    Refused {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// The connection is ended by us.
    ClientDisconnect {
        /// Why.
        reason: DisconnectReason,
    },
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateFacts {
    /// Whether a trusted key signed it, as a user's: what it says is known then, and otherwise only claimed.
    pub is_ours: bool,
    /// The key id.
    pub key_id: String,
    /// The serial number.
    pub serial: u64,
    /// The `SHA256:…` fingerprint of the holder's key.
    pub fingerprint: String,
    /// The moment it ends, in seconds since 1970.
    pub valid_before: u64,
    /// Extensions under a domain, such as `roles@signet.dev`, and their texts.
    pub extensions: Vec<(String, String)>,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// The certificate's authority is not trusted here.
    #[error("the certificate's authority is not trusted here")]
    UnknownAuthority,
    /// The certificate is a host's.
    #[error("the certificate is a host's")]
    HostCertificate,
    /// The certificate's time is over or has not come.
    #[error("the certificate is not in force")]
    NotInForce,
    /// The certificate is not good for this account.
    #[error("the certificate is not good for this account")]
    OtherLogin,
    /// The certificate is not accepted from this address.
    #[error("the certificate is not accepted from this address")]
    SourceAddress,
    /// The certificate asks for something that cannot be enforced here.
    #[error("the certificate asks for {0}, which cannot be enforced here")]
    CannotEnforce(&'static str),
    /// The certificate cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// A key was used without a certificate that is in force.
    #[error("a key was used without a certificate that is in force")]
    BareKey {
        /// The `SHA256:…` fingerprint of the key.
        fingerprint: String,
    },
    /// Something other than a certificate was offered.
    #[error("the method {0} is not accepted")]
    Method(&'static str),
    /// The connection ended without a certificate that is in force and a proof of its key.
    #[error("no certificate that is in force was presented and proven")]
    NothingPresented,
    /// The gate said no.
    #[error("{0}")]
    Denied(String),
    /// The gate wants a second factor given for this session.
    #[error("{0}")]
    SecondFactor(String),
}

/// What a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A login shell.
    Shell,
    /// One command.
    Command(String),
    /// A subsystem.
    Subsystem(String),
}

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerminalSize {
    /// In characters.
    pub columns: u16,
    /// In characters.
    pub rows: u16,
    /// In pixels, or 0.
    pub pixel_width: u16,
    /// In pixels, or 0.
    pub pixel_height: u16,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The program ended by itself.
    Code(u32),
    /// A signal ended the program.
    Signal {
        /// Its name without `SIG`.
        name: String,
        /// Whether it left a core.
        is_core_dumped: bool,
    },
    /// The connection was lost, or ended by us for a reason; the program was told to hang up.
    Cut(Option<DisconnectReason>),
    /// The session could not be started or carried on.
    Failed(String),
}

/// A file that is opened or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAccess {
    /// How it came in.
    pub protocol: FileProtocol,
    /// What is done.
    pub action: FileAction,
    /// The path as the client named it, invalid UTF-8 replaced.
    pub path: String,
    /// The other path, of renaming and linking.
    pub target: Option<String>,
}

/// How files are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileProtocol {
    /// The SFTP subsystem.
    Sftp,
    /// The `scp` program.
    Scp,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAction {
    /// It is read.
    Download,
    /// It is written, or made.
    Upload,
    /// It is removed.
    Remove,
    /// It gets another name.
    Rename,
    /// A directory is made.
    MakeDirectory,
    /// A directory is removed.
    RemoveDirectory,
    /// A directory is listed.
    List,
    /// Its owner, mode or times are set.
    SetAttributes,
    /// A link to it is made.
    Link,
}

/// A forwarded connection or an opened port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortForward {
    /// Which way.
    pub direction: ForwardDirection,
    /// The host or address, as the client named it.
    pub host: String,
    /// The port; 0 when any was asked for.
    pub port: u32,
}

/// Which way a connection is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardDirection {
    /// From here to another place, for the client.
    Local,
    /// A port here is opened for the client.
    Remote,
    /// A port here that was open for the client is closed.
    RemoteClosed,
}

/// Why we end a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectReason {
    /// A lock.
    #[error("{0}")]
    Locked(String),
    /// A change of what the user may do.
    #[error("{0}")]
    Denied(String),
    /// The certificate ended.
    #[error("the certificate has expired")]
    CertificateExpired,
    /// No data for too long.
    #[error("the session was idle for too long")]
    Idle,
    /// The client broke the protocol.
    #[error("the client broke the protocol: {0}")]
    Protocol(String),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
    /// The audit log does not take events.
    #[error("the audit log does not take events")]
    NotRecorded,
}
