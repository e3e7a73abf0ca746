use key::PublicKey;
use key::SignatureScheme;
use names::Serial;
use names::UnixSeconds;

use crate::BasicConstraints;
use crate::DistinguishedName;
use crate::Identity;
use crate::KeyUsage;
use crate::ParseError;
use crate::StatedPurposes;
use crate::SubjectAltName;
use crate::TbsCertificate;
use crate::algorithm::read_algorithm;
use crate::error::malformed;
use crate::pem;
use crate::signed::SignedParts;

/// The most bytes of a certificate we read.
pub const MAXIMUM_CERTIFICATE_LENGTH: usize = 65_536;
const WHAT: &str = "certificate";
const LABEL: &str = "CERTIFICATE";

/// A certificate, read and held with what it says.
///
/// Reading checks form only. Who signed it is checked by [`Certificate::verify_issued`], whether it is good now by the caller, who
/// has the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    serial: Vec<u8>,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    public_key: PublicKey,
    constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    purposes: Option<StatedPurposes>,
    alt_names: Vec<SubjectAltName>,
    subject_key_identifier: Option<Vec<u8>>,
    authority_key_identifier: Option<Vec<u8>>,
    identity: Option<Identity>,
    crl_urls: Vec<String>,
    has_unknown_critical: bool,
}

impl Certificate {
    /// Reads the DER of a certificate of version 3.
    ///
    /// # Errors
    /// When it does not decode, is longer than 64 KiB, or has a public key of a kind we do not use.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        let parts = SignedParts::read(WHAT, der, MAXIMUM_CERTIFICATE_LENGTH)?;
        let tbs = TbsCertificate::parse(parts.to_be_signed)?;
        parts.check_algorithm(WHAT, tbs.algorithm)?;
        if tbs.version != 2 {
            return Err(malformed(WHAT, "it is not of version 3"));
        }
        let public_key = PublicKey::from_spki_der(tbs.subject_public_key)
            .map_err(|source| ParseError::Key { what: WHAT, source })?;
        Ok(Self {
            der: der.to_vec(),
            serial: tbs.serial.to_vec(),
            issuer: DistinguishedName::from_der(tbs.issuer)?,
            subject: DistinguishedName::from_der(tbs.subject)?,
            not_before: tbs.not_before.moment,
            not_after: tbs.not_after.moment,
            public_key,
            constraints: tbs.basic_constraints()?,
            key_usage: tbs.key_usage()?.map(|(usage, _)| usage),
            purposes: tbs.extended_key_usage()?,
            alt_names: tbs.alt_names()?.0,
            subject_key_identifier: tbs.subject_key_identifier()?.map(<[u8]>::to_vec),
            authority_key_identifier: tbs.authority_key_identifier()?.map(<[u8]>::to_vec),
            identity: tbs.identity()?,
            crl_urls: tbs.crl_urls()?,
            has_unknown_critical: tbs.has_unknown_critical(),
        })
    }

    /// Reads one certificate in PEM; text around it is read over.
    ///
    /// # Errors
    /// As [`Certificate::from_der`], and when there is not exactly one.
    pub fn from_pem(text: &str) -> Result<Self, ParseError> {
        Self::from_der(&pem::decode_one(WHAT, LABEL, text)?)
    }

    /// Reads a bundle of certificates in PEM, at least one.
    ///
    /// # Errors
    /// As [`Certificate::from_der`], for the first that fails.
    pub fn from_pem_bundle(text: &str) -> Result<Vec<Self>, ParseError> {
        pem::decode_all(WHAT, LABEL, text)?
            .iter()
            .map(|der| Self::from_der(der))
            .collect()
    }

    /// The exact DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM, with a line feed at the end.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der)
    }

    /// Checks that this key signed it.
    ///
    /// # Errors
    /// [`ParseError::NotSigned`] when it did not.
    pub fn verify_issued(&self, issuer: &PublicKey) -> Result<(), ParseError> {
        self.parts()?.verify(WHAT, issuer)
    }

    /// How it was signed.
    ///
    /// # Errors
    /// [`ParseError::UnknownSignature`] when in a way we do not verify.
    pub fn signature_scheme(&self) -> Result<SignatureScheme, ParseError> {
        read_algorithm(self.parts()?.algorithm, WHAT)
    }

    /// The bytes that were signed.
    ///
    /// # Errors
    /// Never for a value made by the constructors.
    pub fn to_be_signed(&self) -> Result<&[u8], ParseError> {
        Ok(self.parts()?.to_be_signed)
    }

    fn parts(&self) -> Result<SignedParts<'_>, ParseError> {
        SignedParts::read(WHAT, &self.der, MAXIMUM_CERTIFICATE_LENGTH)
    }

    /// The content octets of the serial number, two's complement.
    pub fn serial_octets(&self) -> &[u8] {
        &self.serial
    }

    /// The serial number, if it is one of our form.
    pub fn serial(&self) -> Option<Serial> {
        own_serial(&self.serial)
    }

    /// The issuer's name.
    pub const fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// The subject's name.
    pub const fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The first moment it is good.
    pub const fn not_before(&self) -> UnixSeconds {
        self.not_before
    }

    /// The last moment it is good.
    pub const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Whether it is good at this moment.
    pub fn is_valid_at(&self, moment: UnixSeconds) -> bool {
        self.not_before <= moment && moment <= self.not_after
    }

    /// The subject's key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether its basic constraints make it an authority's.
    pub fn is_ca(&self) -> bool {
        self.constraints.is_some_and(|constraints| constraints.is_ca)
    }

    /// How many authorities may stand below it; `None` for any number.
    pub fn path_length(&self) -> Option<u64> {
        self.constraints.and_then(|constraints| constraints.path_length)
    }

    /// What the key may do; `None` means anything.
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// What the certificate is for; `None` means anything.
    pub const fn purposes(&self) -> Option<&StatedPurposes> {
        self.purposes.as_ref()
    }

    /// The subject's alternative names.
    pub fn alt_names(&self) -> &[SubjectAltName] {
        &self.alt_names
    }

    /// The subject key identifier.
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.subject_key_identifier.as_deref()
    }

    /// The key identifier of the issuer.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }

    /// The identity in our own extension.
    pub const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The URLs of the revocation list.
    pub fn crl_urls(&self) -> &[String] {
        &self.crl_urls
    }

    /// Whether there is a critical extension that we do not know; such a certificate must not be relied on.
    pub const fn has_unknown_critical(&self) -> bool {
        self.has_unknown_critical
    }
}

/// A serial of our form: 16 octets from 0x40 to 0x7f up.
pub(crate) fn own_serial(octets: &[u8]) -> Option<Serial> {
    let bytes = <[u8; 16]>::try_from(octets).ok()?;
    let serial = Serial::from_random(bytes);
    (serial.as_bytes() == &bytes).then_some(serial)
}
