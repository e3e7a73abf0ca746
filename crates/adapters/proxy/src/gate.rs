//! Who may be here, as the rest of the server decides.

use std::net::SocketAddr;
use std::sync::Arc;

use key::PublicKey;
use tunnel::Agent;

/// Whom to let in, and whom to let stay. Asked at every log-in, and every few seconds for everybody who is in: its answers come from
/// memory, at once.
pub trait Gate: Send + Sync + 'static {
    /// The keys of the user authority that are trusted now.
    fn user_authorities(&self) -> Arc<[PublicKey]>;

    /// Whether a user may be here now. The certificate was checked; this is about locks, revocations, and whether somebody whose certificate
    /// ended meanwhile is cut off.
    ///
    /// # Errors
    /// Why not, for the user and the log.
    fn user_may(&self, user: &SshUser) -> Result<(), String>;

    /// Whether a host may have a tunnel now: it was not removed, locked or revoked, and the key that signed its certificate is trusted.
    ///
    /// # Errors
    /// Why not, for the log.
    fn host_may(&self, agent: &Agent) -> Result<(), String>;
}

/// Somebody who showed a user's certificate and proved to hold its key.
#[derive(Debug, Clone)]
pub struct SshUser {
    /// Who: the key id of the certificate.
    pub name: String,
    /// The login they gave the proxy. It opens no account here and gives no right.
    pub login: String,
    /// Where they came from.
    pub remote: SocketAddr,
    /// The certificate.
    pub certificate: Arc<ssh_cert::Certificate>,
}
