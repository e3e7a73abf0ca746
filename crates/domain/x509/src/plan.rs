use key::PublicKey;
use key::SignatureScheme;
use names::Serial;
use names::UnixSeconds;

use crate::BuildError;
use crate::DistinguishedName;
use crate::ExtendedKeyUsage;
use crate::Identity;
use crate::Issuer;
use crate::KeyUsage;
use crate::SubjectAltName;
use crate::algorithm::write_algorithm;
use crate::alt_name::write_alt_name;
use crate::error::unencodable;
use crate::oid;
use crate::time::check_encodable;
use crate::time::write_time;
use crate::write::BOOLEAN;
use crate::write::DerWriter;
use crate::write::OCTET_STRING;
use crate::write::context;
use crate::write::context_constructed;

/// Everything a self-signed authority certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaCertificatePlan {
    /// The authority, as its issuer and its subject. It must differ between generations, so that no chain is ambiguous.
    pub subject: DistinguishedName,
    /// The authority's key.
    pub public_key: PublicKey,
    /// How it signs itself.
    pub scheme: SignatureScheme,
    /// The serial number.
    pub serial: Serial,
    /// The first moment it is good.
    pub not_before: UnixSeconds,
    /// The last moment it is good.
    pub not_after: UnixSeconds,
    /// How many authorities may stand between it and a leaf; `None` for any number.
    pub path_length: Option<u8>,
    /// What the key may do.
    pub key_usage: KeyUsage,
}

/// Everything a certificate of a holder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafPlan {
    /// The authority's name, the exact bytes of its certificate's subject.
    pub issuer: DistinguishedName,
    /// The authority's key identifier, equal to the subject key identifier of its certificate.
    pub authority_key_identifier: [u8; 20],
    /// How the authority signs.
    pub scheme: SignatureScheme,
    /// The serial number.
    pub serial: Serial,
    /// The first moment it is good.
    pub not_before: UnixSeconds,
    /// The last moment it is good.
    pub not_after: UnixSeconds,
    /// The holder, for people to read. May be empty when there are alternative names.
    pub subject: DistinguishedName,
    /// The holder's key.
    pub subject_key: PublicKey,
    /// What the key may do.
    pub key_usage: KeyUsage,
    /// What the certificate is for.
    pub extended_key_usage: Vec<ExtendedKeyUsage>,
    /// The holder's names, for programs.
    pub alt_names: Vec<SubjectAltName>,
    /// The holder's identity in the cluster.
    pub identity: Option<Identity>,
    /// Where the revocation list is found.
    pub crl_urls: Vec<String>,
    /// The security identifier of a Windows account, `S-1-5-…` (extension `szOID_NTDS_CA_SECURITY_EXT`).
    pub windows_sid: Option<String>,
}

impl CaCertificatePlan {
    /// The bytes to sign: the DER of a `TBSCertificate`.
    ///
    /// # Errors
    /// When a time has no encoding or the key cannot be hashed.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, BuildError> {
        let Self {
            subject,
            public_key,
            scheme,
            serial,
            not_before,
            not_after,
            path_length,
            key_usage,
        } = self;
        let head = Head {
            serial,
            scheme: *scheme,
            issuer: subject,
            validity: [*not_before, *not_after],
            subject,
            public_key,
        };
        let key_identifier = public_key.key_identifier().map_err(BuildError::Key)?;
        head.write(|writer| {
            writer.extension(&oid::BASIC_CONSTRAINTS, true, |writer| {
                writer.sequence(|writer| {
                    writer.primitive(BOOLEAN, &[0xff]);
                    if let Some(length) = path_length {
                        writer.unsigned(&[*length]);
                    }
                });
            });
            writer.extension(&oid::KEY_USAGE, true, |writer| key_usage.write(writer));
            write_subject_key_identifier(writer, &key_identifier);
        })
    }
}

impl LeafPlan {
    /// A plan with what the issuer brings and nothing granted: no usage, no names, no identity.
    pub fn under(
        issuer: &Issuer,
        subject: DistinguishedName,
        subject_key: PublicKey,
        serial: Serial,
    ) -> Self {
        Self {
            issuer: issuer.name.clone(),
            authority_key_identifier: issuer.key_identifier,
            scheme: issuer.scheme,
            serial,
            not_before: UnixSeconds(0),
            not_after: UnixSeconds(0),
            subject,
            subject_key,
            key_usage: KeyUsage::NONE,
            extended_key_usage: Vec::new(),
            alt_names: Vec::new(),
            identity: None,
            crl_urls: Vec::new(),
            windows_sid: None,
        }
    }

    /// The bytes to sign: the DER of a `TBSCertificate`.
    ///
    /// # Errors
    /// When a time has no encoding, the key cannot be hashed, or the identity is too long.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, BuildError> {
        let head = Head {
            serial: &self.serial,
            scheme: self.scheme,
            issuer: &self.issuer,
            validity: [self.not_before, self.not_after],
            subject: &self.subject,
            public_key: &self.subject_key,
        };
        let key_identifier = self.subject_key.key_identifier().map_err(BuildError::Key)?;
        let identity = self.identity.as_ref().map(Identity::to_json).transpose()?;
        head.write(|writer| {
            // Not an authority: DEFAULT FALSE is written by leaving it out.
            writer.extension(&oid::BASIC_CONSTRAINTS, true, |writer| writer.sequence(|_| ()));
            writer.extension(&oid::KEY_USAGE, true, |writer| self.key_usage.write(writer));
            self.write_extended_key_usage(writer);
            write_subject_key_identifier(writer, &key_identifier);
            write_authority_key_identifier(writer, &self.authority_key_identifier);
            self.write_alt_names(writer);
            write_crl_urls(writer, &self.crl_urls);
            if let Some(sid) = &self.windows_sid {
                write_windows_sid(writer, sid);
            }
            if let Some(json) = &identity {
                writer.extension(&oid::SIGNET_IDENTITY, false, |writer| {
                    Identity::write_json(json, writer)
                });
            }
        })
    }

    fn write_extended_key_usage(&self, writer: &mut DerWriter) {
        if self.extended_key_usage.is_empty() {
            return;
        }
        writer.extension(&oid::EXTENDED_KEY_USAGE, false, |writer| {
            writer.sequence(|writer| {
                for usage in &self.extended_key_usage {
                    writer.oid(&usage.oid());
                }
            });
        });
    }

    fn write_alt_names(&self, writer: &mut DerWriter) {
        if self.alt_names.is_empty() {
            return;
        }
        // RFC 5280 section 4.2.1.6: critical when the subject is empty.
        writer.extension(&oid::SUBJECT_ALT_NAME, self.subject.is_empty(), |writer| {
            writer.sequence(|writer| {
                for name in &self.alt_names {
                    write_alt_name(writer, name);
                }
            });
        });
    }
}

/// The fields before the extensions.
struct Head<'a> {
    serial: &'a Serial,
    scheme: SignatureScheme,
    issuer: &'a DistinguishedName,
    validity: [UnixSeconds; 2],
    subject: &'a DistinguishedName,
    public_key: &'a PublicKey,
}

impl Head<'_> {
    fn write(&self, extensions: impl FnOnce(&mut DerWriter)) -> Result<Vec<u8>, BuildError> {
        for moment in self.validity {
            check_encodable("the validity", moment)?;
        }
        if !self.scheme.fits(self.public_key.algorithm()) && self.issuer == self.subject {
            return Err(unencodable(
                "the signature scheme",
                "is not one of the authority's key",
            ));
        }
        let mut writer = DerWriter::with_capacity(1_024);
        writer.sequence(|writer| {
            writer.nested(context_constructed(0), |writer| writer.unsigned(&[2]));
            writer.unsigned(self.serial.as_bytes());
            write_algorithm(writer, self.scheme);
            writer.raw(self.issuer.der());
            writer.sequence(|writer| {
                for moment in self.validity {
                    write_time(writer, moment);
                }
            });
            writer.raw(self.subject.der());
            writer.raw(self.public_key.spki_der());
            writer.nested(context_constructed(3), |writer| writer.sequence(extensions));
        });
        Ok(writer.finish())
    }
}

fn write_subject_key_identifier(writer: &mut DerWriter, identifier: &[u8]) {
    writer.extension(&oid::SUBJECT_KEY_IDENTIFIER, false, |writer| {
        writer.primitive(OCTET_STRING, identifier)
    });
}

pub(crate) fn write_authority_key_identifier(writer: &mut DerWriter, identifier: &[u8]) {
    writer.extension(&oid::AUTHORITY_KEY_IDENTIFIER, false, |writer| {
        writer.sequence(|writer| writer.primitive(context(0), identifier));
    });
}

/// One distribution point for each URL (RFC 5280 section 4.2.1.13).
fn write_crl_urls(writer: &mut DerWriter, urls: &[String]) {
    if urls.is_empty() {
        return;
    }
    writer.extension(&oid::CRL_DISTRIBUTION_POINTS, false, |writer| {
        writer.sequence(|writer| {
            for url in urls {
                writer.sequence(|writer| {
                    writer.nested(context_constructed(0), |writer| {
                        writer.nested(context_constructed(0), |writer| {
                            writer.primitive(context(6), url.as_bytes());
                        });
                    });
                });
            }
        });
    });
}

/// `szOID_NTDS_CA_SECURITY_EXT` ([MS-WCCE] section 2.2.2.7.7.4): the account's SID as an `otherName`.
fn write_windows_sid(writer: &mut DerWriter, sid: &str) {
    writer.extension(&oid::NTDS_SECURITY, false, |writer| {
        writer.sequence(|writer| {
            writer.nested(context_constructed(0), |writer| {
                writer.oid(&oid::NTDS_OBJECT_SID);
                writer.nested(context_constructed(0), |writer| {
                    writer.primitive(OCTET_STRING, sid.as_bytes())
                });
            });
        });
    });
}
