use key::PublicKey;

use crate::DistinguishedName;
use crate::ParseError;
use crate::SubjectAltName;
use crate::alt_name::read_alt_names;
use crate::error::malformed;
use crate::oid;
use crate::pem;
use crate::read::Cursor;
use crate::read::small_unsigned;
use crate::signed::SignedParts;
use crate::tbs::read_extensions;
use crate::write::SEQUENCE;
use crate::write::SET;
use crate::write::context_constructed;

/// The most bytes of a request we read.
pub const MAXIMUM_REQUEST_LENGTH: usize = 16_384;
const WHAT: &str = "certificate signing request";

/// A certificate signing request (PKCS#10, RFC 2986) whose signature verifies: whoever made it holds the key.
///
/// What it asks for is a wish. The key is taken from it; names only as far as a profile allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    subject: DistinguishedName,
    public_key: PublicKey,
    alt_names: Vec<SubjectAltName>,
}

impl CertificateRequest {
    /// Reads the DER of a request and verifies its signature by the key in it.
    ///
    /// # Errors
    /// When it does not decode, is longer than 16 KiB, has a key of a kind we do not use, or is not signed by that key.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        let parts = SignedParts::read(WHAT, der, MAXIMUM_REQUEST_LENGTH)?;
        let mut outer = Cursor::new(WHAT, parts.to_be_signed);
        let mut body = outer.sequence()?;
        outer.finish()?;
        if small_unsigned(body.integer()?, WHAT)? != 0 {
            return Err(malformed(WHAT, "it is not of version 1"));
        }
        let subject = DistinguishedName::from_der(body.expect(SEQUENCE)?.whole)?;
        let spki = body.expect(SEQUENCE)?.whole;
        let public_key =
            PublicKey::from_spki_der(spki).map_err(|source| ParseError::Key { what: WHAT, source })?;
        let alt_names = match body.optional(context_constructed(0))? {
            None => Vec::new(),
            Some(attributes) => requested_alt_names(attributes.content)?,
        };
        body.finish()?;
        parts.verify(WHAT, &public_key)?;
        Ok(Self {
            subject,
            public_key,
            alt_names,
        })
    }

    /// Reads a request in PEM, labelled `CERTIFICATE REQUEST` or, as older programs do, `NEW CERTIFICATE REQUEST`.
    ///
    /// # Errors
    /// As [`CertificateRequest::from_der`], and when there is not exactly one.
    pub fn from_pem(text: &str) -> Result<Self, ParseError> {
        let label = if text.contains("-----BEGIN NEW CERTIFICATE REQUEST-----") {
            "NEW CERTIFICATE REQUEST"
        } else {
            "CERTIFICATE REQUEST"
        };
        Self::from_der(&pem::decode_one(WHAT, label, text)?)
    }

    /// The name it asks for.
    pub const fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The key, whose holder made the request.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The alternative names it asks for.
    pub fn alt_names(&self) -> &[SubjectAltName] {
        &self.alt_names
    }
}

/// Finds the subject alternative names in the attributes (`extensionRequest`, RFC 2985 section 5.4.2).
fn requested_alt_names(content: &[u8]) -> Result<Vec<SubjectAltName>, ParseError> {
    let mut attributes = Cursor::new(WHAT, content);
    let mut found = None;
    while !attributes.is_empty() {
        let mut attribute = attributes.sequence()?;
        let oid = attribute.oid()?;
        let values = attribute.expect(SET)?.content;
        attribute.finish()?;
        if oid != oid::EXTENSION_REQUEST.as_bytes() {
            continue;
        }
        if found.is_some() {
            return Err(malformed(WHAT, "it asks for extensions twice"));
        }
        let extensions = read_extensions(WHAT, values)?;
        let wanted = extensions
            .iter()
            .find(|extension| extension.oid == oid::SUBJECT_ALT_NAME.as_bytes());
        found = Some(wanted.map_or(Ok(Vec::new()), |extension| read_alt_names(extension.value))?);
    }
    Ok(found.unwrap_or_default())
}
