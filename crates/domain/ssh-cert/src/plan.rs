use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use names::Principal;
use names::UnixSeconds;

use crate::BuildError;
use crate::CriticalOptions;
use crate::Extensions;
use crate::SubjectKey;
use crate::error::unencodable;
use crate::subject_key::public_key_blob;
use crate::wire::Writer;

/// The most principals in one certificate (OpenSSH reads no more than 256).
pub const MAXIMUM_PRINCIPALS: usize = 256;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CertificateType {
    /// Log-in.
    User,
    /// A server's identity.
    Host,
}

impl CertificateType {
    /// The number on the wire.
    pub const fn code(self) -> u32 {
        match self {
            Self::User => 1,
            Self::Host => 2,
        }
    }

    /// The word `ssh-keygen -L` prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Host => "host",
        }
    }
}

/// Everything an SSH certificate says (OpenSSH PROTOCOL.certkeys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePlan {
    /// 32 random bytes, so that nobody can choose what is signed.
    pub nonce: [u8; 32],
    /// The holder's key.
    pub subject_key: SubjectKey,
    /// The serial number; see [`names::Serial::low_u64`].
    pub serial: u64,
    /// What it is for.
    pub certificate_type: CertificateType,
    /// Who it is for, as servers log it.
    pub key_id: String,
    /// The accounts or hosts it is good for. An empty list would be good for all of them and is refused.
    pub principals: Vec<Principal>,
    /// The first moment it is good.
    pub valid_after: UnixSeconds,
    /// The moment it ends.
    pub valid_before: UnixSeconds,
    /// What servers must enforce.
    pub critical_options: CriticalOptions,
    /// What it carries.
    pub extensions: Extensions,
    /// The authority's key.
    pub signing_key: PublicKey,
    /// How the authority signs.
    pub scheme: SignatureScheme,
}

impl CertificatePlan {
    /// The bytes to sign: everything up to the signature.
    ///
    /// # Errors
    /// When there is no principal or too many, the key id is empty or has control characters, a text is too long, or the
    /// scheme is not one of the authority's key.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, BuildError> {
        self.check()?;
        let algorithm = self.subject_key.algorithm();
        let mut writer = Writer::with_capacity(1_024);
        writer.string(algorithm.certificate_str().as_bytes());
        writer.string(&self.nonce);
        writer.raw(self.subject_key.fields());
        writer.u64(self.serial);
        writer.u32(self.certificate_type.code());
        writer.string(self.key_id.as_bytes());
        writer.nested(|writer| {
            for principal in &self.principals {
                writer.string(principal.as_str().as_bytes());
            }
        });
        writer.u64(self.valid_after.as_u64());
        writer.u64(self.valid_before.as_u64());
        self.critical_options.write(&mut writer);
        self.extensions.write(&mut writer);
        writer.string(&[]);
        writer.string(&public_key_blob(&self.signing_key).map_err(BuildError::Key)?);
        Ok(writer.finish())
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.principals.is_empty() {
            return Err(unencodable(
                "the list of principals",
                "is empty, which would be good for every account",
            ));
        }
        if self.principals.len() > MAXIMUM_PRINCIPALS {
            return Err(unencodable(
                "the list of principals",
                "is longer than the 256 that OpenSSH reads",
            ));
        }
        let is_key_id =
            !self.key_id.is_empty() && self.key_id.len() <= 1_024 && !self.key_id.contains(char::is_control);
        if !is_key_id {
            return Err(unencodable(
                "the key id",
                "is empty, longer than 1,024 bytes, or has a control character",
            ));
        }
        let longest = self
            .extensions
            .custom
            .values()
            .map(String::len)
            .max()
            .unwrap_or(0);
        if longest > 65_536 || self.extensions.custom.values().any(String::is_empty) {
            return Err(unencodable(
                "the value of an extension",
                "is empty or longer than 65,536 bytes",
            ));
        }
        if !self.scheme.fits(self.signing_key.algorithm()) {
            return Err(unencodable(
                "the signature scheme",
                "is not one of the authority's key",
            ));
        }
        Ok(())
    }
}

/// Joins signed bytes and their signature into a certificate blob.
///
/// # Errors
/// When the signature is of another scheme than planned.
pub fn assemble(
    to_be_signed: &[u8],
    scheme: SignatureScheme,
    signature: &Signature,
) -> Result<Vec<u8>, BuildError> {
    if signature.scheme() != scheme {
        return Err(BuildError::WrongScheme {
            planned: scheme,
            actual: signature.scheme(),
        });
    }
    let mut writer = Writer::with_capacity(to_be_signed.len() + signature.as_raw().len() + 64);
    writer.raw(to_be_signed);
    writer.nested(|writer| {
        writer.string(scheme_name(scheme).as_bytes());
        match signature.scalars() {
            None => writer.string(signature.as_raw()),
            Some((r, s)) => writer.nested(|writer| {
                writer.mpint(r);
                writer.mpint(s);
            }),
        }
    });
    Ok(writer.finish())
}

/// The name of a signature algorithm; RSA with SHA-1 has none here.
pub(crate) const fn scheme_name(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => "rsa-sha2-256",
        SignatureScheme::RsaPkcs1Sha512 => "rsa-sha2-512",
        SignatureScheme::EcdsaP256Sha256 => "ecdsa-sha2-nistp256",
        SignatureScheme::EcdsaP384Sha384 => "ecdsa-sha2-nistp384",
        SignatureScheme::Ed25519 => "ssh-ed25519",
    }
}
