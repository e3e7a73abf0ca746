//! Who may do what: the decision is the caller's, asked for here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use key::PublicKey;
use ssh_cert::Certificate;
use tokio::sync::watch;

/// Decides who may log in and what they may do. The node has verified the certificate before it asks.
#[async_trait::async_trait]
pub trait Gate: Send + Sync + 'static {
    /// The authorities whose user certificates are looked at, now.
    fn authorities(&self) -> Arc<[PublicKey]>;

    /// Decides on a log-in. The certificate is by one of [`Gate::authorities`], a user's, in force, good for the login and from
    /// this address, and its holder has proven to have its key.
    ///
    /// # Errors
    /// Why not. The client has shown a certificate of ours and is told why, as far as [`NotAdmitted`] says.
    async fn admit(&self, admission: &Admission) -> Result<Grant, NotAdmitted>;

    /// Changes whenever what [`Gate::standing`] would say may have changed: a lock was made, a role changed.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Whether somebody who is logged in may go on. Asked for every live connection after each change.
    ///
    /// # Errors
    /// The reason the connection is cut; its words are shown to the user.
    async fn standing(&self, admission: &Admission, grant: &Grant) -> Result<(), Fallen>;
}

/// Somebody who proved who they are and wants to log in.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// The account on this host.
    pub login: String,
    /// Where from, and to which of our addresses.
    pub peer: Peer,
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address; with a proxy between, the one the proxy vouches for.
    pub remote: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
}

/// Why somebody is refused, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denial(pub String);

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAdmitted {
    /// They may not. The reason, which roles have a part in, goes into the audit log; they are told that it is their roles.
    Denied(Denial),
    /// They may not now, for a reason that is told them as it is: a lock, something that is lacking here.
    Told(Denial),
    /// They might with another certificate, one for which a second factor was given for this session. The client sees it as partial
    /// success with `keyboard-interactive` to go on with (RFC 4252 section 5.1), by which it is shown the words.
    SecondFactor {
        /// For the audit log.
        reason: Denial,
        /// For the client: what to do.
        words: String,
    },
}

/// Why somebody who is logged in may not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallen {
    /// A lock is on them, on what they use, or on where they are.
    Locked(Denial),
    /// What let them in is not so any more: a role, the authority, something that a session needs.
    Denied(Denial),
}

impl From<Denial> for NotAdmitted {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What somebody may do in a connection. `permit-…` extensions of the certificate are looked at besides: both must allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user, for the log and for limits.
    pub user: String,
    /// What the session is good for besides a command.
    pub rights: Rights,
    /// The most sessions in one connection.
    pub max_sessions: Option<u32>,
    /// The most connections of this user to this node at once.
    pub max_connections: Option<u32>,
    /// How long a connection may carry no data.
    pub client_idle_timeout: Option<Duration>,
    /// Whether the connection ends when its certificate does.
    pub disconnect_expired_cert: bool,
    /// The end that counts for that, in seconds since 1970, where it is not the certificate's: a certificate for one session is good for
    /// minutes, the log-in behind it for hours.
    pub login_ends: Option<u64>,
}

/// Rights of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// A terminal.
    pub pty: bool,
    /// The use of the client's agent from here.
    pub agent_forwarding: bool,
    /// Connections from here, asked for by the client (`-L`, `-D`).
    pub local_forwarding: bool,
    /// Ports opened here for the client (`-R`).
    pub remote_forwarding: bool,
    /// `sftp` and `scp`.
    pub file_copy: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Self = Self {
        pty: true,
        agent_forwarding: true,
        local_forwarding: true,
        remote_forwarding: true,
        file_copy: true,
    };
}

impl Grant {
    /// A grant of everything to a user, without limits.
    pub fn unlimited(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            rights: Rights::ALL,
            max_sessions: None,
            max_connections: None,
            client_idle_timeout: None,
            disconnect_expired_cert: false,
            login_ends: None,
        }
    }
}
