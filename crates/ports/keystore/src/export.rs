use async_trait::async_trait;
use key::KeyRef;
use zeroize::Zeroizing;

use crate::KeyError;

/// The power to hand private keys out. A capability of its own: hardware and clouds do not have it.
#[async_trait]
pub trait PrivateKeyExport: Send + Sync {
    /// Hands out a private key.
    ///
    /// # Errors
    /// As [`KeyBackend::public_key`](crate::KeyBackend::public_key).
    async fn export_pkcs8(&self, key: &KeyRef) -> Result<Pkcs8Secret, KeyError>;
}

/// A private key in the clear, as unencrypted PKCS#8 DER (RFC 5958, version 1). Wiped when dropped; cannot be printed.
pub struct Pkcs8Secret(Zeroizing<Vec<u8>>);

impl Pkcs8Secret {
    /// Takes the DER in.
    pub const fn new(der: Zeroizing<Vec<u8>>) -> Self {
        Self(der)
    }

    /// The DER. Whoever reads it has the key.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
