use key::PublicKey;
use key::SignatureScheme;
use names::UnixSeconds;

use crate::Certificate;
use crate::DistinguishedName;
use crate::ParseError;
use crate::error::malformed;

/// An authority as the certificates below it need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The subject of its certificate, exactly.
    pub name: DistinguishedName,
    /// The subject key identifier of its certificate.
    pub key_identifier: [u8; 20],
    /// Its key.
    pub public_key: PublicKey,
    /// How it signs.
    pub scheme: SignatureScheme,
    /// When its certificate begins.
    pub not_before: UnixSeconds,
    /// When its certificate ends.
    pub not_after: UnixSeconds,
}

impl Issuer {
    /// Takes what is needed from an authority's certificate. The scheme is the key's default.
    ///
    /// # Errors
    /// When the certificate is not an authority's, or its subject key identifier is missing or not 20 bytes long.
    pub fn from_certificate(certificate: &Certificate) -> Result<Self, ParseError> {
        let what = "authority certificate";
        if !certificate.is_ca() {
            return Err(malformed(
                what,
                "its basic constraints do not make it an authority",
            ));
        }
        let key_identifier = certificate
            .subject_key_identifier()
            .and_then(|identifier| <[u8; 20]>::try_from(identifier).ok())
            .ok_or(malformed(what, "it has no subject key identifier of 20 bytes"))?;
        Ok(Self {
            name: certificate.subject().clone(),
            key_identifier,
            public_key: certificate.public_key().clone(),
            scheme: certificate.public_key().algorithm().default_scheme(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        })
    }
}
