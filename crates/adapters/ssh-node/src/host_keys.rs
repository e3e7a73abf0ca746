//! What the host proves itself with.

use std::sync::Arc;

use arc_swap::ArcSwap;
use russh::keys::Algorithm;
use russh::keys::Certificate as WireCertificate;
use russh::keys::PrivateKey;

/// The host's keys and their certificates. They can be replaced at any time: connections that live keep what they began with,
/// new ones get the new ones.
pub struct HostKeys {
    current: ArcSwap<Vec<HostKey>>,
}

/// One key of a host. It cannot be printed.
#[derive(Clone)]
pub struct HostKey {
    pub(crate) key: PrivateKey,
    pub(crate) certificate: Option<WireCertificate>,
}

/// A host key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// There is none.
    #[error("a host needs at least one key; give it one")]
    None,
    /// The private key does not parse.
    #[error("the private host key is not an unencrypted OpenSSH key")]
    Key(#[source] russh::keys::ssh_key::Error),
    /// The algorithm is not used for hosts.
    #[error("host keys are ed25519 or ecdsa, not {0}; make one of these")]
    Algorithm(String),
    /// The certificate does not parse.
    #[error("the host certificate does not parse")]
    Certificate(#[source] russh::keys::ssh_key::Error),
    /// The certificate is for another key.
    #[error("the host certificate is for another key")]
    OtherKey,
    /// The certificate is a user's.
    #[error("the host certificate is a user's")]
    UserCertificate,
}

impl HostKey {
    /// Reads a private key in OpenSSH's form and, if there is one, the line of its certificate.
    ///
    /// # Errors
    /// When they do not parse, do not belong together, or are not for a host. RSA keys are refused: the implementation
    /// at hand leaks timing when it signs.
    pub fn from_openssh(private_key: &str, certificate_line: Option<&str>) -> Result<Self, HostKeyError> {
        let key = PrivateKey::from_openssh(private_key).map_err(HostKeyError::Key)?;
        if !matches!(key.algorithm(), Algorithm::Ed25519 | Algorithm::Ecdsa { .. }) || key.is_encrypted() {
            return Err(HostKeyError::Algorithm(key.algorithm().to_string()));
        }
        let certificate = certificate_line
            .map(|line| WireCertificate::from_openssh(line.trim()))
            .transpose()
            .map_err(HostKeyError::Certificate)?;
        if let Some(certificate) = &certificate {
            if certificate.public_key() != key.public_key().key_data() {
                return Err(HostKeyError::OtherKey);
            }
            if !certificate.cert_type().is_host() {
                return Err(HostKeyError::UserCertificate);
            }
        }
        Ok(Self { key, certificate })
    }
}

impl HostKeys {
    /// Starts with these, the preferred first.
    ///
    /// # Errors
    /// [`HostKeyError::None`].
    pub fn new(keys: Vec<HostKey>) -> Result<Self, HostKeyError> {
        let keys = some(keys)?;
        Ok(Self {
            current: ArcSwap::from_pointee(keys),
        })
    }

    /// Uses these for new connections.
    ///
    /// # Errors
    /// [`HostKeyError::None`]; the old ones stay.
    pub fn replace(&self, keys: Vec<HostKey>) -> Result<(), HostKeyError> {
        self.current.store(Arc::new(some(keys)?));
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<Vec<HostKey>> {
        self.current.load_full()
    }
}

fn some(keys: Vec<HostKey>) -> Result<Vec<HostKey>, HostKeyError> {
    if keys.is_empty() {
        return Err(HostKeyError::None);
    }
    Ok(keys)
}
