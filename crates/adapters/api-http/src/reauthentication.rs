//! What is known of callers besides their certificates: whether a lock is on them, and whether they said anew who they are, for acts that
//! ask for it. And what anybody may know before: with which second factors one logs in.

use async_trait::async_trait;
use cluster::ClusterError;

use crate::Caller;
use crate::Peer;
use crate::permission::Permission;

/// A lock that is on a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub lock: String,
    /// What it says.
    pub message: Option<String>,
}

/// Knows whether somebody lately proved who they are, and whether a lock is on them.
#[async_trait]
pub trait Reauthentication: Send + Sync {
    /// The kinds of second factor that log-ins are accepted with.
    fn second_factors(&self) -> Vec<String>;

    /// Whether a person who showed this may do it now: `proof` is what the request carries. People who are known by a certificate alone, such as those of
    /// `signetctl auth sign --format=file`, have nothing to prove it with, and need not.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn is_proved(
        &self,
        user: &str,
        peer: &Peer,
        proof: Option<&str>,
        act: &'static str,
    ) -> Result<bool, ClusterError>;

    /// The lock that is on a caller, who showed this; none on the operator of the host.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn locked(&self, caller: &Caller, peer: &Peer) -> Result<Option<Locked>, ClusterError>;
}

impl Permission {
    /// The act that a right is about, when it is one for which people say anew who they are.
    pub const fn privileged_act(self) -> Option<&'static str> {
        match self {
            Self::Rotate | Self::Revoke | Self::ManageKeys => Some("rotate"),
            Self::Sign => Some("sign"),
            Self::ReadSecrets => Some("read_secrets"),
            Self::ReadVersion
            | Self::ReadStatus
            | Self::ReadAlerts
            | Self::ReadExports
            | Self::ReadRevocationLists
            | Self::ReadAuthorities
            | Self::ReadKeys
            | Self::VerifyKeys
            | Self::ReadAudit
            | Self::VerifyAudit
            | Self::AcceptRestore
            | Self::ReadCertificates
            | Self::Examine => None,
        }
    }
}
