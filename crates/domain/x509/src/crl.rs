use key::PublicKey;
use key::SignatureScheme;
use names::Serial;
use names::UnixSeconds;

use crate::BuildError;
use crate::DistinguishedName;
use crate::Extension;
use crate::Issuer;
use crate::ParseError;
use crate::algorithm::read_algorithm;
use crate::algorithm::write_algorithm;
use crate::certificate::own_serial;
use crate::error::malformed;
use crate::oid;
use crate::pem;
use crate::plan::write_authority_key_identifier;
use crate::read::Cursor;
use crate::read::small_unsigned;
use crate::signed::SignedParts;
use crate::tbs::read_authority_key_identifier;
use crate::tbs::read_extensions;
use crate::time::EncodedTime;
use crate::time::check_encodable;
use crate::time::read_time;
use crate::time::write_time;
use crate::write::DerWriter;
use crate::write::ENUMERATED;
use crate::write::GENERALIZED_TIME;
use crate::write::SEQUENCE;
use crate::write::UTC_TIME;
use crate::write::context_constructed;

/// The most bytes of a revocation list we read.
pub const MAXIMUM_CRL_LENGTH: usize = 16 * 1_024 * 1_024 - 1;
const WHAT: &str = "revocation list";
const LABEL: &str = "X509 CRL";

/// Everything a revocation list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlPlan {
    /// The authority's name, the exact bytes of its certificate's subject.
    pub issuer: DistinguishedName,
    /// The authority's key identifier.
    pub authority_key_identifier: [u8; 20],
    /// How the authority signs.
    pub scheme: SignatureScheme,
    /// Grows with every list of this key (RFC 5280 section 5.2.3).
    pub number: u64,
    /// When it is made.
    pub this_update: UnixSeconds,
    /// When the next one will be there at the latest.
    pub next_update: UnixSeconds,
    /// The certificates revoked.
    pub revoked: Vec<RevokedCertificate>,
}

/// A certificate revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number.
    pub serial: Serial,
    /// Since when.
    pub revoked_at: UnixSeconds,
    /// Why.
    pub reason: RevocationReason,
}

/// Why a certificate was revoked (RFC 5280 section 5.3.1), as far as we use the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationReason {
    /// Not said; written by leaving the extension out.
    Unspecified,
    /// The holder's key is somebody else's too.
    KeyCompromise,
    /// The holder changed its name or roles.
    AffiliationChanged,
    /// A newer certificate took its place.
    Superseded,
    /// The holder is gone.
    CessationOfOperation,
    /// What it allowed is no longer allowed.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The `CRLReason`.
    pub const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }
}

impl CrlPlan {
    /// A list of nothing, with what the issuer brings.
    pub fn under(issuer: &Issuer, number: u64, this_update: UnixSeconds, next_update: UnixSeconds) -> Self {
        Self {
            issuer: issuer.name.clone(),
            authority_key_identifier: issuer.key_identifier,
            scheme: issuer.scheme,
            number,
            this_update,
            next_update,
            revoked: Vec::new(),
        }
    }

    /// The bytes to sign: the DER of a `TBSCertList`, version 2. With nothing revoked the list is absent, not empty (RFC 5280
    /// section 5.1.2.6).
    ///
    /// # Errors
    /// When a time has no encoding.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, BuildError> {
        for moment in [self.this_update, self.next_update] {
            check_encodable("an update time of the revocation list", moment)?;
        }
        for revoked in &self.revoked {
            check_encodable("a revocation time", revoked.revoked_at)?;
        }
        let mut writer = DerWriter::with_capacity(512 + self.revoked.len() * 56);
        writer.sequence(|writer| {
            writer.unsigned(&[1]);
            write_algorithm(writer, self.scheme);
            writer.raw(self.issuer.der());
            write_time(writer, self.this_update);
            write_time(writer, self.next_update);
            if !self.revoked.is_empty() {
                writer.sequence(|writer| {
                    for revoked in &self.revoked {
                        revoked.write(writer);
                    }
                });
            }
            writer.nested(context_constructed(0), |writer| {
                writer.sequence(|writer| {
                    write_authority_key_identifier(writer, &self.authority_key_identifier);
                    writer.extension(&oid::CRL_NUMBER, false, |writer| {
                        writer.unsigned(&self.number.to_be_bytes())
                    });
                });
            });
        });
        Ok(writer.finish())
    }
}

impl RevokedCertificate {
    fn write(&self, writer: &mut DerWriter) {
        writer.sequence(|writer| {
            writer.unsigned(self.serial.as_bytes());
            write_time(writer, self.revoked_at);
            if self.reason != RevocationReason::Unspecified {
                writer.sequence(|writer| {
                    writer.extension(&oid::REASON_CODE, false, |writer| {
                        writer.primitive(ENUMERATED, &[self.reason.code()]);
                    });
                });
            }
        });
    }
}

/// A `TBSCertList` (RFC 5280 section 5.1.2) read in place.
#[derive(Debug, Clone)]
pub struct TbsCertList<'a> {
    /// The version as encoded: 1 for v2.
    pub version: u64,
    /// The signature's `AlgorithmIdentifier`, whole.
    pub algorithm: &'a [u8],
    /// The issuer's `Name`, whole.
    pub issuer: &'a [u8],
    /// When it was made.
    pub this_update: EncodedTime,
    /// When the next one is due.
    pub next_update: Option<EncodedTime>,
    /// Whether there is a list of revoked certificates, even an empty one.
    pub has_revoked_list: bool,
    /// The content octets of each serial number, when it was revoked, and the reason's code.
    pub revoked: Vec<(&'a [u8], EncodedTime, Option<u64>)>,
    /// The extensions of the list.
    pub extensions: Vec<Extension<'a>>,
}

impl<'a> TbsCertList<'a> {
    /// How it is, or will be, signed.
    ///
    /// # Errors
    /// When the algorithm is not one we use.
    pub fn signature_scheme(&self) -> Result<SignatureScheme, ParseError> {
        read_algorithm(self.algorithm, WHAT)
    }

    /// Reads the DER of a `TBSCertList`.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(der: &'a [u8]) -> Result<Self, ParseError> {
        let mut outer = Cursor::new(WHAT, der);
        let mut body = outer.sequence()?;
        outer.finish()?;
        let version = small_unsigned(body.integer()?, WHAT)?;
        let algorithm = body.expect(SEQUENCE)?.whole;
        let issuer = body.expect(SEQUENCE)?.whole;
        let this_update = read_time(body.element()?, WHAT)?;
        let mut next_update = None;
        for tag in [UTC_TIME, GENERALIZED_TIME] {
            if let Some(element) = body.optional(tag)? {
                next_update = Some(read_time(element, WHAT)?);
                break;
            }
        }
        let revoked_list = body.optional(SEQUENCE)?;
        let mut revoked = Vec::new();
        let mut list = body.inside(revoked_list.map_or(&[], |element| element.content));
        while !list.is_empty() {
            let mut entry = list.sequence()?;
            let serial = entry.integer()?;
            let moment = read_time(entry.element()?, WHAT)?;
            let reason = entry
                .optional(SEQUENCE)?
                .map(|element| read_reason(element.whole))
                .transpose()?
                .flatten();
            entry.finish()?;
            revoked.push((serial, moment, reason));
        }
        let extensions = match body.optional(context_constructed(0))? {
            None => Vec::new(),
            Some(element) => read_extensions(WHAT, element.content)?,
        };
        body.finish()?;
        let has_revoked_list = revoked_list.is_some();
        Ok(Self {
            version,
            algorithm,
            issuer,
            this_update,
            next_update,
            has_revoked_list,
            revoked,
            extensions,
        })
    }

    fn value(&self, oid: &const_oid::ObjectIdentifier) -> Option<&'a [u8]> {
        self.extensions
            .iter()
            .find(|extension| extension.oid == oid.as_bytes())
            .map(|extension| extension.value)
    }

    /// The list's number.
    ///
    /// # Errors
    /// When it does not decode or has more than 64 bits.
    pub fn number(&self) -> Result<Option<u64>, ParseError> {
        let Some(value) = self.value(&oid::CRL_NUMBER) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new("CRL number", value);
        let number = small_unsigned(cursor.integer()?, "CRL number")?;
        cursor.finish()?;
        Ok(Some(number))
    }

    /// The key identifier of the issuer.
    ///
    /// # Errors
    /// When it does not decode.
    pub fn authority_key_identifier(&self) -> Result<Option<&'a [u8]>, ParseError> {
        self.value(&oid::AUTHORITY_KEY_IDENTIFIER)
            .map_or(Ok(None), read_authority_key_identifier)
    }
}

fn read_reason(extensions: &[u8]) -> Result<Option<u64>, ParseError> {
    let extensions = read_extensions(WHAT, extensions)?;
    let Some(extension) = extensions
        .iter()
        .find(|extension| extension.oid == oid::REASON_CODE.as_bytes())
    else {
        return Ok(None);
    };
    let mut cursor = Cursor::new(WHAT, extension.value);
    let code = small_unsigned(cursor.expect(ENUMERATED)?.content, WHAT)?;
    cursor.finish()?;
    Ok(Some(code))
}

/// A revocation list, read and held with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateList {
    der: Vec<u8>,
    issuer: DistinguishedName,
    number: Option<u64>,
    this_update: UnixSeconds,
    next_update: Option<UnixSeconds>,
    authority_key_identifier: Option<Vec<u8>>,
    revoked: Vec<RevokedCertificate>,
}

impl CertificateList {
    /// Reads the DER of a revocation list of ours.
    ///
    /// # Errors
    /// When it does not decode, is not of version 2, or has a serial number or a reason that none of ours has.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        let parts = SignedParts::read(WHAT, der, MAXIMUM_CRL_LENGTH)?;
        let tbs = TbsCertList::parse(parts.to_be_signed)?;
        parts.check_algorithm(WHAT, tbs.algorithm)?;
        if tbs.version != 1 {
            return Err(malformed(WHAT, "it is not of version 2"));
        }
        let revoked = tbs.revoked.iter().map(|(serial, moment, code)| {
            let reason = RevocationReason::ALL
                .into_iter()
                .find(|reason| u64::from(reason.code()) == code.unwrap_or(0))
                .ok_or(malformed(WHAT, "it has a reason we do not use"))?;
            let serial = own_serial(serial).ok_or(malformed(
                WHAT,
                "it has a serial number of another form than ours",
            ))?;
            Ok(RevokedCertificate {
                serial,
                revoked_at: moment.moment,
                reason,
            })
        });
        Ok(Self {
            der: der.to_vec(),
            issuer: DistinguishedName::from_der(tbs.issuer)?,
            number: tbs.number()?,
            this_update: tbs.this_update.moment,
            next_update: tbs.next_update.map(|time| time.moment),
            authority_key_identifier: tbs.authority_key_identifier()?.map(<[u8]>::to_vec),
            revoked: revoked.collect::<Result<_, _>>()?,
        })
    }

    /// Reads a revocation list in PEM.
    ///
    /// # Errors
    /// As [`CertificateList::from_der`], and when there is not exactly one.
    pub fn from_pem(text: &str) -> Result<Self, ParseError> {
        Self::from_der(&pem::decode_one(WHAT, LABEL, text)?)
    }

    /// The exact DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der)
    }

    /// Checks that this key signed it.
    ///
    /// # Errors
    /// [`ParseError::NotSigned`] when it did not.
    pub fn verify_issued(&self, issuer: &PublicKey) -> Result<(), ParseError> {
        SignedParts::read(WHAT, &self.der, MAXIMUM_CRL_LENGTH)?.verify(WHAT, issuer)
    }

    /// The issuer's name.
    pub const fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// The list's number.
    pub const fn number(&self) -> Option<u64> {
        self.number
    }

    /// When it was made.
    pub const fn this_update(&self) -> UnixSeconds {
        self.this_update
    }

    /// When the next one is due.
    pub const fn next_update(&self) -> Option<UnixSeconds> {
        self.next_update
    }

    /// The key identifier of the issuer.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }

    /// The certificates revoked.
    pub fn revoked(&self) -> &[RevokedCertificate] {
        &self.revoked
    }
}
