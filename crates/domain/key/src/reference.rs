use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::KeyAlgorithm;
use crate::SpkiSha256;

/// The kind of thing that holds private keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// Sealed in the cluster's own state.
    Software,
    /// A PKCS#11 token.
    Pkcs11,
    /// The key management service of AWS.
    AwsKms,
}

impl BackendKind {
    /// The name as operators know it: the `storage` column of `signetctl status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Pkcs11 => "PKCS#11 HSM",
            Self::AwsKms => "AWS KMS",
        }
    }

    /// The value of `private_key_type` and `key_type` in documents.
    pub const fn document_name(self) -> &'static str {
        match self {
            Self::Software => "RAW",
            Self::Pkcs11 => "PKCS11",
            Self::AwsKms => "AWS_KMS",
        }
    }
}

impl std::fmt::Display for BackendKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The id of a key pair, chosen before it is made, so that making it twice makes it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// An id of 16 random bytes, in the form of a version 4 UUID (RFC 9562 section 5.4).
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        let mut bytes = bytes;
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The 16 bytes, as `CKA_ID` holds them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = hex::encode(self.0);
        let mut rest = digits.as_str();
        for length in [8, 4, 4, 4] {
            let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            f.write_str(part)?;
            f.write_str("-")?;
            rest = after;
        }
        f.write_str(rest)
    }
}

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key id {0:?} is not a UUID; `signetctl keys ls` shows the ids")]
pub struct BadKeyId(String);

impl FromStr for KeyId {
    type Err = BadKeyId;
    fn from_str(text: &str) -> Result<Self, BadKeyId> {
        let bad = || BadKeyId(text.chars().take(64).collect());
        let is_hyphen = |index: usize| matches!(index, 8 | 13 | 18 | 23);
        let is_formed = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| {
                if is_hyphen(i) {
                    b == b'-'
                } else {
                    b.is_ascii_hexdigit()
                }
            });
        if !is_formed {
            return Err(bad());
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.replace('-', ""), &mut bytes).map_err(|_| bad())?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for KeyId {
    type Error = BadKeyId;
    fn try_from(text: String) -> Result<Self, BadKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// Where a private key lives and what it must be: what is stored instead of the key.
///
/// Nothing in it is secret. On load the backend's public key must hash to `spki_sha256`, so that neither a reused id nor
/// a swapped token passes for the key. It does not name a host: a key outlives the machine that made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRef {
    /// Our id for the key pair.
    pub id: KeyId,
    /// What kind of backend holds it.
    pub backend: BackendKind,
    /// Which one of its kind: empty for software, `label/serial` of a token, `account/region` of a cloud.
    pub store: String,
    /// The key's name there: the id itself for software, `CKA_ID` in hexadecimal for a token, the ARN for AWS KMS.
    pub handle: String,
    /// The key's algorithm.
    pub algorithm: KeyAlgorithm,
    /// SHA-256 of the public key's `SubjectPublicKeyInfo`.
    pub spki_sha256: SpkiSha256,
}

impl KeyRef {
    /// The reference in one line, as documents show it in place of the private key: `pkcs11:{…}`, `awskms:<ARN>`, `software:<id>`.
    pub fn locator(&self) -> String {
        match self.backend {
            BackendKind::Software => format!("software:{}", self.id),
            BackendKind::Pkcs11 => {
                let token = self.store.replace('\\', "\\\\").replace('"', "\\\"");
                format!("pkcs11:{{\"token\":\"{token}\",\"key_id\":\"{}\"}}", self.handle)
            }
            BackendKind::AwsKms => format!("awskms:{}", self.handle),
        }
    }
}
