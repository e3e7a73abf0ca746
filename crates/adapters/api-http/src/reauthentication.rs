//! Acts for which a person has to say anew who they are.

use async_trait::async_trait;
use cluster::ClusterError;

use crate::permission::Permission;

/// Knows whether somebody lately proved who they are.
#[async_trait]
pub trait Reauthentication: Send + Sync {
    /// Whether a person may do this now: `proof` is what the request carries. People who are known by a certificate alone, such as those of
    /// `signetctl auth sign --format=file`, have nothing to prove it with, and need not.
    ///
    /// # Errors
    /// When it cannot be said.
    async fn is_proved(
        &self,
        user: &str,
        proof: Option<&str>,
        act: &'static str,
    ) -> Result<bool, ClusterError>;
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
            | Self::ReadCertificates
            | Self::Examine => None,
        }
    }
}
