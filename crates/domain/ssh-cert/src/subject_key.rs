use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use key::PublicKey;
use key::PublicKeyParts;

use crate::ParseError;
use crate::error::malformed;
use crate::wire::Reader;
use crate::wire::Writer;

/// The most bytes of a key blob we read.
const MAXIMUM_BLOB: usize = 8_192;
/// The fewest bits of an RSA key that is certified.
const MINIMUM_RSA_BITS: usize = 2_048;
/// The most; beyond, verifying costs more than it gives.
const MAXIMUM_RSA_BITS: usize = 16_384;
const WHAT: &str = "SSH public key";

/// The algorithm of a key that is certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectAlgorithm {
    /// `ssh-ed25519` (RFC 8709).
    Ed25519,
    /// `ecdsa-sha2-nistp256` (RFC 5656).
    EcdsaP256,
    /// `ecdsa-sha2-nistp384`.
    EcdsaP384,
    /// `ssh-rsa` (RFC 4253 section 6.6); it signs with SHA-2 (RFC 8332).
    Rsa,
    /// `sk-ssh-ed25519@openssh.com`: in a FIDO token.
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`: in a FIDO token.
    SkEcdsaP256,
}

impl SubjectAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 6] = [
        Self::Ed25519,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Rsa,
        Self::SkEd25519,
        Self::SkEcdsaP256,
    ];

    /// The name of the key type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The name of the certificate type (OpenSSH PROTOCOL.certkeys and PROTOCOL.u2f).
    pub const fn certificate_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519-cert-v01@openssh.com",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384-cert-v01@openssh.com",
            Self::Rsa => "ssh-rsa-cert-v01@openssh.com",
            Self::SkEd25519 => "sk-ssh-ed25519-cert-v01@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        }
    }

    /// Whether the private key is in a FIDO token.
    pub const fn is_hardware(self) -> bool {
        match self {
            Self::SkEd25519 | Self::SkEcdsaP256 => true,
            Self::Ed25519 | Self::EcdsaP256 | Self::EcdsaP384 | Self::Rsa => false,
        }
    }

    /// Steps over the fields of a key of this algorithm without a look at them.
    pub(crate) fn skip_fields(self, reader: &mut Reader<'_>) -> Result<(), ParseError> {
        let count = match self {
            Self::Ed25519 => 1,
            Self::EcdsaP256 | Self::EcdsaP384 | Self::Rsa | Self::SkEd25519 => 2,
            Self::SkEcdsaP256 => 3,
        };
        for _ in 0..count {
            reader.string()?;
        }
        Ok(())
    }

    /// Steps over the fields of a key of this algorithm, checking them.
    fn check_fields(self, reader: &mut Reader<'_>) -> Result<(), ParseError> {
        match self {
            Self::Ed25519 => check_ed25519(reader),
            Self::EcdsaP256 => check_ecdsa(reader, "nistp256"),
            Self::EcdsaP384 => check_ecdsa(reader, "nistp384"),
            Self::Rsa => check_rsa(reader),
            Self::SkEd25519 => check_ed25519(reader).and_then(|()| check_application(reader)),
            Self::SkEcdsaP256 => check_ecdsa(reader, "nistp256").and_then(|()| check_application(reader)),
        }
    }
}

impl std::fmt::Display for SubjectAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key that may be certified: well formed, of an algorithm we accept, and strong enough.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubjectKey {
    algorithm: SubjectAlgorithm,
    blob: Vec<u8>,
}

impl SubjectKey {
    /// Reads a line as `.pub` files have it: `algorithm base64 [comment]`.
    ///
    /// # Errors
    /// When it is not one, or the key is not accepted.
    pub fn from_line(line: &str) -> Result<Self, ParseError> {
        let mut words = line.trim().splitn(3, [' ', '\t']);
        let name = words.next().unwrap_or_default();
        let base64 = words.next().ok_or(malformed(
            WHAT,
            "it is not of the form `algorithm base64 comment`",
        ))?;
        if line.trim().contains(['\n', '\r']) {
            return Err(malformed(WHAT, "it has more than one line"));
        }
        if base64.len() > MAXIMUM_BLOB * 2 {
            return Err(malformed(WHAT, "it is longer than any key"));
        }
        let blob = STANDARD
            .decode(base64)
            .map_err(|_| malformed(WHAT, "its second word is not base64"))?;
        let key = Self::from_blob(&blob)?;
        if key.algorithm.as_str() != name {
            return Err(malformed(WHAT, "its first word is not the algorithm of the key"));
        }
        Ok(key)
    }

    /// Reads a key blob, as agents and the protocol have it.
    ///
    /// # Errors
    /// As [`SubjectKey::from_line`].
    pub fn from_blob(blob: &[u8]) -> Result<Self, ParseError> {
        if blob.len() > MAXIMUM_BLOB {
            return Err(malformed(WHAT, "it is longer than any key"));
        }
        let mut reader = Reader::new(WHAT, blob);
        let name = reader.text()?;
        let algorithm = SubjectAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name);
        let Some(algorithm) = algorithm else {
            let is_certificate = name.contains("-cert-v");
            let shown = name.chars().take(64).collect();
            return Err(if is_certificate {
                ParseError::IsCertificate
            } else {
                ParseError::Algorithm(shown)
            });
        };
        algorithm.check_fields(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            algorithm,
            blob: blob.to_vec(),
        })
    }

    /// Takes a key of ours.
    ///
    /// # Errors
    /// Never for a well-formed key.
    pub fn from_public_key(key: &PublicKey) -> Result<Self, ParseError> {
        Self::from_blob(&public_key_blob(key).map_err(ParseError::Key)?)
    }

    /// Its algorithm.
    pub const fn algorithm(&self) -> SubjectAlgorithm {
        self.algorithm
    }

    /// The key blob.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The fields after the algorithm's name, as a certificate has them.
    pub fn fields(&self) -> &[u8] {
        self.blob
            .get(4 + self.algorithm.as_str().len()..)
            .unwrap_or_default()
    }

    /// Checks the fields of a key that stands inside a certificate.
    pub(crate) fn from_fields(algorithm: SubjectAlgorithm, fields: &[u8]) -> Result<Self, ParseError> {
        let mut writer = Writer::with_capacity(fields.len() + 48);
        writer.string(algorithm.as_str().as_bytes());
        writer.raw(fields);
        Self::from_blob(&writer.finish())
    }

    /// The line as `.pub` files have it, without a line feed.
    pub fn to_line(&self, comment: &str) -> String {
        line(self.algorithm.as_str(), &self.blob, comment)
    }

    /// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and base64.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SubjectKey({}, {})", self.algorithm, self.fingerprint())
    }
}

/// `name base64 comment`, the comment on one line.
pub(crate) fn line(name: &str, blob: &[u8], comment: &str) -> String {
    let base64 = STANDARD.encode(blob);
    let shown: String = comment
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let shown = shown.trim();
    if shown.is_empty() {
        format!("{name} {base64}")
    } else {
        format!("{name} {base64} {shown}")
    }
}

pub(crate) fn fingerprint(blob: &[u8]) -> String {
    format!(
        "SHA256:{}",
        STANDARD_NO_PAD.encode(digest::digest(&digest::SHA256, blob))
    )
}

/// The SSH name of a key of ours.
pub(crate) const fn public_key_name(key: &PublicKey) -> &'static str {
    match key.algorithm() {
        key::KeyAlgorithm::Rsa2048 | key::KeyAlgorithm::Rsa3072 | key::KeyAlgorithm::Rsa4096 => "ssh-rsa",
        key::KeyAlgorithm::EcdsaP256 => "ecdsa-sha2-nistp256",
        key::KeyAlgorithm::EcdsaP384 => "ecdsa-sha2-nistp384",
        key::KeyAlgorithm::Ed25519 => "ssh-ed25519",
    }
}

/// The key blob of a key of ours.
///
/// # Errors
/// Never for a value made by its constructors.
pub fn public_key_blob(key: &PublicKey) -> Result<Vec<u8>, key::KeyFault> {
    let mut writer = Writer::with_capacity(128);
    let name = public_key_name(key);
    writer.string(name.as_bytes());
    match key.parts()? {
        PublicKeyParts::Rsa { modulus, exponent } => {
            writer.mpint(exponent);
            writer.mpint(modulus);
        }
        PublicKeyParts::Ec { point } => {
            writer.string(name.rsplit('-').next().unwrap_or_default().as_bytes());
            writer.string(point);
        }
        PublicKeyParts::Ed25519 { key } => writer.string(key),
    }
    Ok(writer.finish())
}

/// Reads a key blob of one of the algorithms authorities have.
///
/// # Errors
/// When it does not decode, or is of another algorithm.
pub fn authority_key(blob: &[u8]) -> Result<PublicKey, ParseError> {
    let what = "SSH authority key";
    let mut reader = Reader::new(what, blob);
    let name = reader.text()?;
    let key = match name {
        "ssh-ed25519" => PublicKey::from_ed25519(reader.string()?),
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" => {
            let curve = reader.text()?;
            let point = reader.string()?;
            if !name.ends_with(curve) || curve.len() != 8 {
                return Err(malformed(what, "its curve is not that of its algorithm"));
            }
            PublicKey::from_ec_point(point)
        }
        "ssh-rsa" => {
            let exponent = reader.positive()?;
            PublicKey::from_rsa(reader.positive()?, exponent)
        }
        other => return Err(ParseError::Algorithm(other.chars().take(64).collect())),
    };
    reader.finish()?;
    let key = key.map_err(ParseError::Key)?;
    if public_key_name(&key) == name {
        Ok(key)
    } else {
        Err(malformed(what, "its point is not on its curve"))
    }
}

fn check_ed25519(reader: &mut Reader<'_>) -> Result<(), ParseError> {
    if reader.string()?.len() == 32 {
        Ok(())
    } else {
        Err(reader.error("an Ed25519 key has 32 bytes"))
    }
}

fn check_ecdsa(reader: &mut Reader<'_>, curve: &'static str) -> Result<(), ParseError> {
    if reader.text()? != curve {
        return Err(reader.error("its curve is not that of its algorithm"));
    }
    let point = reader.string()?;
    let length = if curve == "nistp256" { 65 } else { 97 };
    if point.len() != length {
        return Err(reader.error("its point is not an uncompressed point of its curve"));
    }
    PublicKey::from_ec_point(point).map(drop).map_err(ParseError::Key)
}

fn check_rsa(reader: &mut Reader<'_>) -> Result<(), ParseError> {
    let exponent = reader.positive()?;
    let modulus = reader.positive()?;
    let leading = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = modulus.len() * 8 - leading;
    if bits < MINIMUM_RSA_BITS {
        return Err(ParseError::Weak {
            bits,
            minimum: MINIMUM_RSA_BITS,
        });
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if bits > MAXIMUM_RSA_BITS || !is_odd(modulus) {
        return Err(reader.error("its modulus is even or has more than 16,384 bits"));
    }
    if !is_odd(exponent) || !(2..=5).contains(&exponent.len()) {
        return Err(reader.error("its exponent is even, below 257 or beyond 40 bits"));
    }
    Ok(())
}

/// The application of a FIDO key, `ssh:` or `ssh:…`.
fn check_application(reader: &mut Reader<'_>) -> Result<(), ParseError> {
    let application = reader.text()?;
    let is_plain = application.starts_with("ssh:")
        && application.len() <= 255
        && !application.contains(char::is_control);
    if is_plain {
        Ok(())
    } else {
        Err(reader.error("the application of a FIDO key does not start with `ssh:`"))
    }
}
