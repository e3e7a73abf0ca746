use std::sync::Arc;

use der::Decode;
use der::Encode;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::ext::pkix::BasicConstraints;

/// Who we are and whom we trust: what `signetctl auth sign --format file` writes.
///
/// A PEM file with one private key (PKCS#8), our certificate, and the certificates of the host authority, in any
/// order. Lines outside PEM blocks, such as SSH certificates, are passed over.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: Vec<CertificateDer<'static>>,
}

/// Why an identity file cannot be used. Never shows the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It holds no private key.
    #[error("the identity file holds no private key")]
    NoKey,
    /// It holds no certificate of ours.
    #[error("the identity file holds no certificate that belongs to its key")]
    NoCertificate,
    /// It holds no certificate of an authority.
    #[error("the identity file holds no certificate of an authority to trust the server by")]
    NoAuthority,
    /// A block of it is damaged.
    #[error("the identity file is damaged: {0}")]
    Damaged(String),
    /// None of its authorities has a pinned key.
    #[error("none of the identity file's authorities has one of the pinned keys")]
    NotPinned,
    /// A pin is not a pin.
    #[error("{0:?} is no CA pin: it is sha256: and 64 hexadecimal digits, as `signetctl status` shows it")]
    BadPin(String),
}

/// The hash of the public key of an authority's certificate, as `signetctl status` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaPin([u8; 32]);

impl CaPin {
    /// The pin of an authority's certificate.
    ///
    /// # Errors
    /// When it does not read.
    pub fn of(certificate: &[u8]) -> Result<Self, IdentityError> {
        pin_of(certificate)
    }
}

impl std::fmt::Display for CaPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl std::str::FromStr for CaPin {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bad = || IdentityError::BadPin(text.chars().take(80).collect());
        let digits = text.strip_prefix("sha256:").ok_or_else(bad)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|_| bad())?;
        Ok(Self(hash))
    }
}

impl Identity {
    /// Reads an identity file.
    ///
    /// # Errors
    /// When a part is missing or damaged.
    pub fn parse(pem: &[u8]) -> Result<Self, IdentityError> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| IdentityError::NoKey)?;
        let mut chain = Vec::new();
        let mut authorities = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| IdentityError::Damaged(error.to_string()))?;
            let parsed = parse_certificate(&certificate)?;
            if is_authority(&parsed) {
                authorities.push(certificate)
            } else {
                chain.push(certificate)
            }
        }
        if chain.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        if authorities.is_empty() {
            return Err(IdentityError::NoAuthority);
        }
        Ok(Self {
            chain,
            key,
            authorities,
        })
    }

    /// An identity of its parts: our certificate first in its chain, and the authorities to recognise servers by.
    pub const fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self {
            chain,
            key,
            authorities,
        }
    }

    /// The TLS side of a client that is this identity, trusting its authorities; with pins, only those that are pinned.
    pub(crate) fn tls(self, pins: &[CaPin]) -> Result<Arc<rustls::ClientConfig>, IdentityError> {
        let Self {
            chain,
            key,
            authorities,
        } = self;
        let damaged = |error: rustls::Error| IdentityError::Damaged(error.to_string());
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            if pins.is_empty() || pins.contains(&pin_of(&authority)?) {
                roots.add(authority).map_err(damaged)?;
            }
        }
        if roots.is_empty() {
            return Err(IdentityError::NotPinned);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(damaged)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(damaged)?;
        // By the first a proxy knows where the connection is for; what is spoken is the second.
        config.alpn_protocols = vec![b"signet-auth".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn parse_certificate(der: &[u8]) -> Result<Certificate, IdentityError> {
    Certificate::from_der(der).map_err(|error| IdentityError::Damaged(error.to_string()))
}

/// RFC 5280 section 4.2.1.9: `cA` in the basic constraints.
fn is_authority(certificate: &Certificate) -> bool {
    matches!(
        certificate.tbs_certificate().get_extension::<BasicConstraints>(),
        Ok(Some((_, BasicConstraints { ca: true, .. })))
    )
}

fn pin_of(certificate: &[u8]) -> Result<CaPin, IdentityError> {
    let spki = parse_certificate(certificate)?
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .map_err(|error| IdentityError::Damaged(error.to_string()))?;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &spki);
    hash.as_ref()
        .try_into()
        .map(CaPin)
        .map_err(|_| IdentityError::Damaged("a hash has 32 bytes".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_status_shows_them() {
        assert!(format!("sha256:{}", "ab".repeat(32)).parse::<CaPin>().is_ok());
        for bad in [
            "",
            "sha256:",
            "sha256:zz",
            &"ab".repeat(32),
            &format!("sha1:{}", "ab".repeat(32)),
        ] {
            assert!(bad.parse::<CaPin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Identity::parse(b"nothing").unwrap_err(), IdentityError::NoKey);
        let key = rcgen::KeyPair::generate().unwrap();
        let only_key = key.serialize_pem();
        assert_eq!(
            Identity::parse(only_key.as_bytes()).unwrap_err(),
            IdentityError::NoCertificate
        );
        let leaf = rcgen::CertificateParams::new(vec!["alice".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let without_authority = format!("{only_key}{}", leaf.pem());
        assert_eq!(
            Identity::parse(without_authority.as_bytes()).unwrap_err(),
            IdentityError::NoAuthority
        );
        assert!(!format!("{:?}", Identity::parse(without_authority.as_bytes())).contains("PRIVATE"));
    }
}
