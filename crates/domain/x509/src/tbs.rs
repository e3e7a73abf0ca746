use key::SignatureScheme;

use crate::Identity;
use crate::KeyUsage;
use crate::ParseError;
use crate::StatedPurposes;
use crate::SubjectAltName;
use crate::algorithm::read_algorithm;
use crate::alt_name::read_alt_names;
use crate::error::malformed;
use crate::oid;
use crate::read::Cursor;
use crate::read::small_unsigned;
use crate::time::EncodedTime;
use crate::time::read_time;
use crate::write::BOOLEAN;
use crate::write::OCTET_STRING;
use crate::write::SEQUENCE;
use crate::write::context;
use crate::write::context_constructed;

/// The most extensions we read from one certificate.
const MAXIMUM_EXTENSIONS: usize = 32;

/// A `TBSCertificate` (RFC 5280 section 4.1) read in place. What a certificate says is read from here and from nowhere else,
/// by the linter before it is signed and by everybody after.
#[derive(Debug, Clone)]
pub struct TbsCertificate<'a> {
    /// The version as encoded: 0 for v1, 2 for v3.
    pub version: u64,
    /// The content octets of the serial number, two's complement.
    pub serial: &'a [u8],
    /// The signature's `AlgorithmIdentifier`, whole.
    pub algorithm: &'a [u8],
    /// The issuer's `Name`, whole.
    pub issuer: &'a [u8],
    /// The first moment it is good.
    pub not_before: EncodedTime,
    /// The last moment it is good.
    pub not_after: EncodedTime,
    /// The subject's `Name`, whole.
    pub subject: &'a [u8],
    /// The `SubjectPublicKeyInfo`, whole.
    pub subject_public_key: &'a [u8],
    /// The extensions in their order.
    pub extensions: Vec<Extension<'a>>,
}

/// An extension, its value not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The content octets of its object identifier.
    pub oid: &'a [u8],
    /// Whether who does not know it must refuse the certificate.
    pub is_critical: bool,
    /// The DER of its value.
    pub value: &'a [u8],
}

/// Whether a certificate is an authority's (RFC 5280 section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether it is.
    pub is_ca: bool,
    /// How many authorities may stand between it and a leaf.
    pub path_length: Option<u64>,
    /// Whether the extension is critical.
    pub is_critical: bool,
}

impl<'a> TbsCertificate<'a> {
    /// How it is, or will be, signed.
    ///
    /// # Errors
    /// When the algorithm is not one we use.
    pub fn signature_scheme(&self) -> Result<SignatureScheme, ParseError> {
        read_algorithm(self.algorithm, "certificate")
    }

    /// Reads the DER of a `TBSCertificate`.
    ///
    /// # Errors
    /// When it is not one, has an extension twice, or more than 32 of them.
    pub fn parse(der: &'a [u8]) -> Result<Self, ParseError> {
        let what = "certificate";
        let mut outer = Cursor::new(what, der);
        let mut body = outer.sequence()?;
        outer.finish()?;
        let version = match body.optional(context_constructed(0))? {
            None => 0,
            Some(element) => {
                let mut inner = body.inside(element.content);
                let version = small_unsigned(inner.integer()?, what)?;
                inner.finish()?;
                version
            }
        };
        let serial = body.integer()?;
        let algorithm = body.expect(SEQUENCE)?.whole;
        let issuer = body.expect(SEQUENCE)?.whole;
        let mut validity = body.sequence()?;
        let not_before = read_time(validity.element()?, what)?;
        let not_after = read_time(validity.element()?, what)?;
        validity.finish()?;
        let subject = body.expect(SEQUENCE)?.whole;
        let subject_public_key = body.expect(SEQUENCE)?.whole;
        // The unique identifiers of v2 are read over; nobody writes them.
        body.optional(context(1))?;
        body.optional(context(2))?;
        let extensions = match body.optional(context_constructed(3))? {
            None => Vec::new(),
            Some(element) => read_extensions(what, element.content)?,
        };
        body.finish()?;
        Ok(Self {
            version,
            serial,
            algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            subject_public_key,
            extensions,
        })
    }

    fn extension(&self, oid: &const_oid::ObjectIdentifier) -> Option<Extension<'a>> {
        self.extensions
            .iter()
            .copied()
            .find(|extension| extension.oid == oid.as_bytes())
    }

    /// Whether there is a critical extension that we do not know.
    pub fn has_unknown_critical(&self) -> bool {
        let is_known = |oid: &[u8]| {
            [
                oid::BASIC_CONSTRAINTS,
                oid::KEY_USAGE,
                oid::EXTENDED_KEY_USAGE,
                oid::SUBJECT_ALT_NAME,
                oid::SUBJECT_KEY_IDENTIFIER,
                oid::AUTHORITY_KEY_IDENTIFIER,
                oid::CRL_DISTRIBUTION_POINTS,
            ]
            .iter()
            .any(|known| known.as_bytes() == oid)
        };
        self.extensions
            .iter()
            .any(|extension| extension.is_critical && !is_known(extension.oid))
    }

    /// The basic constraints.
    ///
    /// # Errors
    /// When they do not decode.
    pub fn basic_constraints(&self) -> Result<Option<BasicConstraints>, ParseError> {
        let Some(extension) = self.extension(&oid::BASIC_CONSTRAINTS) else {
            return Ok(None);
        };
        let mut outer = Cursor::new("basic constraints", extension.value);
        let mut body = outer.sequence()?;
        outer.finish()?;
        let is_ca = body.optional(BOOLEAN)?.map(|element| element.content);
        let path_length = if body.is_empty() {
            None
        } else {
            Some(small_unsigned(body.integer()?, "path length")?)
        };
        body.finish()?;
        match is_ca {
            None => Ok(Some(BasicConstraints {
                is_ca: false,
                path_length,
                is_critical: extension.is_critical,
            })),
            Some([0xff]) => Ok(Some(BasicConstraints {
                is_ca: true,
                path_length,
                is_critical: extension.is_critical,
            })),
            Some([..]) => Err(body.error("cA is not DER's TRUE")),
        }
    }

    /// The key usage and whether it is critical.
    ///
    /// # Errors
    /// When it does not decode.
    pub fn key_usage(&self) -> Result<Option<(KeyUsage, bool)>, ParseError> {
        self.extension(&oid::KEY_USAGE)
            .map(|extension| KeyUsage::read(extension.value).map(|usage| (usage, extension.is_critical)))
            .transpose()
    }

    /// The purposes stated; `None` means any.
    ///
    /// # Errors
    /// When they do not decode.
    pub fn extended_key_usage(&self) -> Result<Option<StatedPurposes>, ParseError> {
        self.extension(&oid::EXTENDED_KEY_USAGE)
            .map(|extension| StatedPurposes::read(extension.value))
            .transpose()
    }

    /// The subject alternative names and whether they are critical; empty when there is no such extension.
    ///
    /// # Errors
    /// When they do not decode, or are more than 256.
    pub fn alt_names(&self) -> Result<(Vec<SubjectAltName>, bool), ParseError> {
        self.extension(&oid::SUBJECT_ALT_NAME)
            .map_or(Ok((Vec::new(), false)), |extension| {
                Ok((read_alt_names(extension.value)?, extension.is_critical))
            })
    }

    /// The subject key identifier.
    ///
    /// # Errors
    /// When it does not decode.
    pub fn subject_key_identifier(&self) -> Result<Option<&'a [u8]>, ParseError> {
        let Some(extension) = self.extension(&oid::SUBJECT_KEY_IDENTIFIER) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new("subject key identifier", extension.value);
        let identifier = cursor.expect(OCTET_STRING)?.content;
        cursor.finish()?;
        Ok(Some(identifier))
    }

    /// The key identifier of the issuer.
    ///
    /// # Errors
    /// When it does not decode.
    pub fn authority_key_identifier(&self) -> Result<Option<&'a [u8]>, ParseError> {
        self.extension(&oid::AUTHORITY_KEY_IDENTIFIER)
            .map_or(Ok(None), |extension| {
                read_authority_key_identifier(extension.value)
            })
    }

    /// The identity in our own extension.
    ///
    /// # Errors
    /// When it does not decode, or is of a version not known here.
    pub fn identity(&self) -> Result<Option<Identity>, ParseError> {
        self.extension(&oid::SIGNET_IDENTITY)
            .map(|extension| Identity::read(extension.value))
            .transpose()
    }

    /// The URLs of the revocation list.
    ///
    /// # Errors
    /// When they do not decode.
    pub fn crl_urls(&self) -> Result<Vec<String>, ParseError> {
        let Some(extension) = self.extension(&oid::CRL_DISTRIBUTION_POINTS) else {
            return Ok(Vec::new());
        };
        let mut outer = Cursor::new("CRL distribution points", extension.value);
        let mut points = outer.sequence()?;
        outer.finish()?;
        let mut urls = Vec::new();
        while !points.is_empty() {
            let mut point = points.sequence()?;
            let Some(name) = point.optional(context_constructed(0))? else {
                continue;
            };
            let mut name = point.inside(name.content);
            let Some(full) = name.optional(context_constructed(0))? else {
                continue;
            };
            let mut full = name.inside(full.content);
            while !full.is_empty() {
                let element = full.element()?;
                if element.tag == context(6) {
                    let url =
                        std::str::from_utf8(element.content).map_err(|_| full.error("a URL is not text"))?;
                    urls.push(url.to_owned());
                }
            }
        }
        Ok(urls)
    }

    /// The Windows security identifier.
    ///
    /// # Errors
    /// When its extension is not of the form Microsoft gives it (MS-WCCE section 2.2.2.7.7.4).
    pub fn windows_sid(&self) -> Result<Option<&'a [u8]>, ParseError> {
        let Some(extension) = self.extension(&oid::NTDS_SECURITY) else {
            return Ok(None);
        };
        let what = "Windows security identifier";
        let mut outer = Cursor::new(what, extension.value);
        let mut list = outer.sequence()?;
        outer.finish()?;
        let content = list.expect(context_constructed(0))?.content;
        let mut name = list.inside(content);
        list.finish()?;
        if name.oid()? != oid::NTDS_OBJECT_SID.as_bytes() {
            return Err(malformed(what, "it is a name of another kind"));
        }
        let content = name.expect(context_constructed(0))?.content;
        let mut value = name.inside(content);
        name.finish()?;
        let sid = value.expect(OCTET_STRING)?.content;
        value.finish()?;
        Ok(Some(sid))
    }
}

/// Reads `Extensions`, given the content of their explicit tag.
pub(crate) fn read_extensions<'a>(
    what: &'static str,
    content: &'a [u8],
) -> Result<Vec<Extension<'a>>, ParseError> {
    let mut outer = Cursor::new(what, content);
    let mut list = outer.sequence()?;
    outer.finish()?;
    if list.is_empty() {
        return Err(list.error("it has an empty list of extensions"));
    }
    let mut extensions: Vec<Extension<'a>> = Vec::with_capacity(10);
    while !list.is_empty() {
        let mut body = list.sequence()?;
        let oid = body.oid()?;
        let is_critical = match body.optional(BOOLEAN)?.map(|element| element.content) {
            None => false,
            Some([0xff]) => true,
            Some([..]) => return Err(body.error("it has an extension whose critical is not DER's TRUE")),
        };
        let value = body.expect(OCTET_STRING)?.content;
        body.finish()?;
        if extensions.iter().any(|earlier| earlier.oid == oid) {
            return Err(malformed(what, "it has an extension twice"));
        }
        if extensions.len() >= MAXIMUM_EXTENSIONS {
            return Err(malformed(what, "it has more than 32 extensions"));
        }
        extensions.push(Extension {
            oid,
            is_critical,
            value,
        });
    }
    Ok(extensions)
}

pub(crate) fn read_authority_key_identifier(value: &[u8]) -> Result<Option<&[u8]>, ParseError> {
    let mut outer = Cursor::new("authority key identifier", value);
    let mut body = outer.sequence()?;
    outer.finish()?;
    Ok(body.optional(context(0))?.map(|element| element.content))
}
