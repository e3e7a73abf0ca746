//! The host key and certificate that the SSH proxy presents.

use std::borrow::Cow;
use std::time::Duration;

use russh::MethodKind;
use russh::MethodSet;
use russh::Preferred;
use russh::SshId;
use russh::cipher;
use russh::compression;
use russh::kex;
use russh::keys::Certificate;
use russh::keys::PrivateKey;
use russh::server::Config;

use super::SshLimits;

/// A host key with its certificate.
pub struct SshIdentity {
    key: PrivateKey,
    certificates: Vec<Certificate>,
}

/// A host key or certificate is not fit.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key does not decode.
    #[error("the host key is not a private key in OpenSSH's form without a passphrase")]
    Key,
    /// A certificate does not decode.
    #[error("the host certificate cannot be read")]
    Certificate,
    /// A certificate is not a host's.
    #[error("the certificate is not for a host")]
    NotAHost,
    /// A certificate is for another key.
    #[error("the host certificate is for another key")]
    OtherKey,
}

impl SshIdentity {
    /// Reads a private key in OpenSSH's form, and the lines of its host certificates.
    ///
    /// # Errors
    /// When one does not decode, or they do not belong together.
    pub fn from_openssh(private_key: &str, certificates: &[&str]) -> Result<Self, IdentityError> {
        let key = PrivateKey::from_openssh(private_key).map_err(|_| IdentityError::Key)?;
        if key.is_encrypted() {
            return Err(IdentityError::Key);
        }
        let read = |line: &&str| {
            let own = ssh_cert::Certificate::from_line(line).map_err(|_| IdentityError::Certificate)?;
            if own.certificate_type() != ssh_cert::CertificateType::Host {
                return Err(IdentityError::NotAHost);
            }
            let certificate =
                Certificate::from_openssh(line.trim()).map_err(|_| IdentityError::Certificate)?;
            if certificate.public_key() == key.public_key().key_data() {
                Ok(certificate)
            } else {
                Err(IdentityError::OtherKey)
            }
        };
        let certificates = certificates.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { key, certificates })
    }

    /// What SSH is spoken with. SHA-1 in every form is left out, and so is compression, with which little bytes make much memory.
    pub(super) fn config(&self, limits: SshLimits) -> Config {
        let key = Preferred::DEFAULT
            .key
            .iter()
            .filter(|algorithm| !matches!(algorithm, russh::keys::Algorithm::Rsa { hash: None }))
            .cloned()
            .collect::<Vec<_>>();
        let (keep_alive, missed_max) = limits.keep_alive;
        Config {
            server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Signet")),
            methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
            // Nothing that is refused was compared with a secret.
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![self.key.clone()],
            certificates: self.certificates.clone(),
            preferred: Preferred {
                kex: Cow::Borrowed(KEX),
                key: Cow::Owned(key),
                cipher: Cow::Borrowed(CIPHERS),
                compression: Cow::Borrowed(&[compression::NONE]),
                ..Preferred::DEFAULT
            },
            window_size: WINDOW,
            maximum_packet_size: PACKET,
            channel_buffer_size: BUFFERED_PACKETS,
            event_buffer_size: BUFFERED_PACKETS,
            max_auth_attempts: limits.attempts_max,
            inactivity_timeout: None,
            keepalive_interval: Some(keep_alive),
            keepalive_max: missed_max,
            nodelay: true,
            ..Config::default()
        }
    }
}

/// As OpenSSH has them: 64 packets of 32 KiB under way.
const PACKET: u32 = 32 * 1_024;
const WINDOW: u32 = 64 * PACKET;
const BUFFERED_PACKETS: usize = 64;

/// The hybrid with ML-KEM first.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_G16_SHA512,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Authenticated ones first; OpenSSH's clients ask for the first of these first.
const CIPHERS: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_128_CTR,
];
