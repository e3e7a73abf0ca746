use aws_lc_rs::digest;
use aws_lc_rs::signature as lc;
use der::Decode;
use der::Encode;
use der::asn1::AnyRef;
use der::asn1::BitStringRef;
use der::asn1::ObjectIdentifier;
use der::asn1::UintRef;
use serde::Deserialize;
use serde::Serialize;
use spki::AlgorithmIdentifierRef;
use spki::SubjectPublicKeyInfoRef;

use crate::KeyAlgorithm;
use crate::Signature;
use crate::SignatureScheme;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// SHA-256 of a public key's DER `SubjectPublicKeyInfo`: what a key is recognised by, and a CA pin without its `sha256:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpkiSha256(pub [u8; 32]);

impl std::fmt::Display for SpkiSha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl From<SpkiSha256> for String {
    fn from(hash: SpkiSha256) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for SpkiSha256 {
    type Error = KeyFault;
    fn try_from(text: String) -> Result<Self, KeyFault> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&text, &mut hash)
            .map_err(|_| KeyFault::Malformed("not 64 hexadecimal digits"))?;
        Ok(Self(hash))
    }
}

/// Why bytes are not a public key we know, or a signature is not that key's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The bytes do not decode.
    #[error("malformed public key: {0}")]
    Malformed(&'static str),
    /// A well-formed key of a kind we do not use.
    #[error("unsupported public key: {0}")]
    Unsupported(String),
    /// The signature does not verify.
    #[error("the signature does not verify under public key {0}")]
    NotSigned(SpkiSha256),
}

/// A public key, held as its canonical DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    spki: Vec<u8>,
    sha256: SpkiSha256,
}

/// The numbers of a public key, for those who encode keys their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyParts<'a> {
    /// RSA: modulus and exponent, big endian, without leading zeros.
    Rsa {
        /// The modulus.
        modulus: &'a [u8],
        /// The public exponent.
        exponent: &'a [u8],
    },
    /// An uncompressed point, `04‖x‖y` (SEC 1 section 2.3.3).
    Ec {
        /// The point.
        point: &'a [u8],
    },
    /// The 32 bytes of RFC 8032.
    Ed25519 {
        /// The key.
        key: &'a [u8],
    },
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// When it is not canonical DER, or a key of an algorithm or size we do not use.
    pub fn from_spki_der(bytes: &[u8]) -> Result<Self, KeyFault> {
        let info = SubjectPublicKeyInfoRef::from_der(bytes)
            .map_err(|_| KeyFault::Malformed("not a SubjectPublicKeyInfo"))?;
        let bits = info
            .subject_public_key
            .as_bytes()
            .ok_or(KeyFault::Malformed("the key is not a whole number of bytes"))?;
        let algorithm = recognise(&info.algorithm, bits)?;
        let canonical = info.to_der().map_err(|_| KeyFault::Malformed("not encodable"))?;
        if canonical != bytes {
            return Err(KeyFault::Malformed("not canonical DER"));
        }
        Ok(Self {
            algorithm,
            sha256: sha256(bytes),
            spki: canonical,
        })
    }

    /// Makes an RSA key of its numbers, big endian; leading zeros are dropped.
    ///
    /// # Errors
    /// When the modulus is not of 2048, 3072 or 4096 bits or the exponent is unusable.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyFault> {
        let bad = |_| KeyFault::Malformed("RSA numbers");
        let key = RsaPublicKey {
            modulus: UintRef::new(modulus).map_err(bad)?,
            exponent: UintRef::new(exponent).map_err(bad)?,
        };
        let bits = key.to_der().map_err(bad)?;
        Self::assemble(RSA_ENCRYPTION, Some(AnyRef::NULL), &bits)
    }

    /// Makes an elliptic-curve key of its uncompressed point; the length tells the curve.
    ///
    /// # Errors
    /// When the point is not on P-256 or P-384 in uncompressed form.
    pub fn from_ec_point(point: &[u8]) -> Result<Self, KeyFault> {
        let curve = match point.len() {
            65 => SECP256R1,
            97 => SECP384R1,
            _ => {
                return Err(KeyFault::Malformed(
                    "the point is not an uncompressed P-256 or P-384 point",
                ));
            }
        };
        let parameters = AnyRef::from(&curve);
        Self::assemble(EC_PUBLIC_KEY, Some(parameters), point)
    }

    /// Makes an Ed25519 key of its 32 bytes.
    ///
    /// # Errors
    /// When there are not 32 of them.
    pub fn from_ed25519(key: &[u8]) -> Result<Self, KeyFault> {
        Self::assemble(ED25519, None, key)
    }

    fn assemble(
        oid: ObjectIdentifier,
        parameters: Option<AnyRef<'_>>,
        bits: &[u8],
    ) -> Result<Self, KeyFault> {
        let bad = |_| KeyFault::Malformed("not encodable");
        let info = SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef { oid, parameters },
            subject_public_key: BitStringRef::from_bytes(bits).map_err(bad)?,
        };
        Self::from_spki_der(&info.to_der().map_err(bad)?)
    }

    /// The key's algorithm.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The DER `SubjectPublicKeyInfo`.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`PublicKey::spki_der`].
    pub const fn spki_sha256(&self) -> SpkiSha256 {
        self.sha256
    }

    /// The X.509 key identifier: the leftmost 160 bits of the SHA-256 of the key bits (RFC 7093 section 2, method 1).
    ///
    /// # Errors
    /// Never for a value made by the constructors.
    pub fn key_identifier(&self) -> Result<[u8; 20], KeyFault> {
        let hash = digest::digest(&digest::SHA256, self.bits()?);
        let mut identifier = [0; 20];
        let (left, _) = hash
            .as_ref()
            .split_at_checked(20)
            .ok_or(KeyFault::Malformed("hash"))?;
        identifier.copy_from_slice(left);
        Ok(identifier)
    }

    /// The numbers of the key.
    ///
    /// # Errors
    /// Never for a value made by the constructors.
    pub fn parts(&self) -> Result<PublicKeyParts<'_>, KeyFault> {
        let bits = self.bits()?;
        match self.algorithm {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                let key =
                    RsaPublicKey::from_der(bits).map_err(|_| KeyFault::Malformed("not an RSAPublicKey"))?;
                Ok(PublicKeyParts::Rsa {
                    modulus: key.modulus.as_bytes(),
                    exponent: key.exponent.as_bytes(),
                })
            }
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => Ok(PublicKeyParts::Ec { point: bits }),
            KeyAlgorithm::Ed25519 => Ok(PublicKeyParts::Ed25519 { key: bits }),
        }
    }

    fn bits(&self) -> Result<&[u8], KeyFault> {
        let info =
            SubjectPublicKeyInfoRef::from_der(&self.spki).map_err(|_| KeyFault::Malformed("stored key"))?;
        info.subject_public_key
            .as_bytes()
            .ok_or(KeyFault::Malformed("stored key"))
    }

    /// Checks that `signature` over `message` was made by this key.
    ///
    /// # Errors
    /// [`KeyFault::NotSigned`] when it was not, or when the scheme is not one of this key's.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyFault> {
        let not_signed = KeyFault::NotSigned(self.sha256);
        let scheme = signature.scheme();
        if !scheme.fits(self.algorithm) {
            return Err(not_signed);
        }
        let algorithm: &'static dyn lc::VerificationAlgorithm = match scheme {
            SignatureScheme::RsaPkcs1Sha256 => &lc::RSA_PKCS1_2048_8192_SHA256,
            SignatureScheme::RsaPkcs1Sha512 => &lc::RSA_PKCS1_2048_8192_SHA512,
            SignatureScheme::EcdsaP256Sha256 => &lc::ECDSA_P256_SHA256_FIXED,
            SignatureScheme::EcdsaP384Sha384 => &lc::ECDSA_P384_SHA384_FIXED,
            SignatureScheme::Ed25519 => &lc::ED25519,
        };
        lc::UnparsedPublicKey::new(algorithm, self.bits()?)
            .verify(message, signature.as_raw())
            .map_err(|_| not_signed)
    }
}

/// Tells the algorithm of a key, and checks that the key is well formed.
fn recognise(identifier: &AlgorithmIdentifierRef<'_>, bits: &[u8]) -> Result<KeyAlgorithm, KeyFault> {
    match identifier.oid {
        RSA_ENCRYPTION => {
            if identifier.parameters != Some(AnyRef::NULL) {
                return Err(KeyFault::Malformed("RSA parameters are not NULL"));
            }
            let key = RsaPublicKey::from_der(bits).map_err(|_| KeyFault::Malformed("not an RSAPublicKey"))?;
            recognise_rsa(&key)
        }
        EC_PUBLIC_KEY => {
            let curve = identifier
                .parameters_oid()
                .map_err(|_| KeyFault::Malformed("no named curve"))?;
            let (algorithm, check): (_, &'static dyn lc::VerificationAlgorithm) = match curve {
                SECP256R1 => (KeyAlgorithm::EcdsaP256, &lc::ECDSA_P256_SHA256_FIXED),
                SECP384R1 => (KeyAlgorithm::EcdsaP384, &lc::ECDSA_P384_SHA384_FIXED),
                other => {
                    return Err(KeyFault::Unsupported(format!(
                        "curve {other}; P-256 and P-384 are known"
                    )));
                }
            };
            if bits.first() != Some(&4) {
                return Err(KeyFault::Malformed("the point is not uncompressed"));
            }
            lc::ParsedPublicKey::new(check, bits)
                .map_err(|_| KeyFault::Malformed("the point is not on its curve"))?;
            Ok(algorithm)
        }
        ED25519 => {
            if identifier.parameters.is_some() || bits.len() != 32 {
                return Err(KeyFault::Malformed(
                    "an Ed25519 key is 32 bytes without parameters",
                ));
            }
            Ok(KeyAlgorithm::Ed25519)
        }
        other => Err(KeyFault::Unsupported(format!(
            "algorithm {other}; RSA, ECDSA and Ed25519 are known"
        ))),
    }
}

fn recognise_rsa(key: &RsaPublicKey<'_>) -> Result<KeyAlgorithm, KeyFault> {
    let modulus = key.modulus.as_bytes();
    let leading = modulus.first().map_or(8, |byte| byte.leading_zeros() as usize);
    let bits = modulus.len() * 8 - leading;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    let exponent = key.exponent.as_bytes();
    let is_exponent_usable = is_odd(exponent) && (2..=5).contains(&exponent.len());
    if !is_odd(modulus) || !is_exponent_usable {
        return Err(KeyFault::Malformed(
            "RSA modulus must be odd, exponent odd and at least 257 (65537 is usual)",
        ));
    }
    match bits {
        2048 => Ok(KeyAlgorithm::Rsa2048),
        3072 => Ok(KeyAlgorithm::Rsa3072),
        4096 => Ok(KeyAlgorithm::Rsa4096),
        other => Err(KeyFault::Unsupported(format!(
            "RSA of {other} bits; 2048, 3072 and 4096 are known"
        ))),
    }
}

fn sha256(bytes: &[u8]) -> SpkiSha256 {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    SpkiSha256(hash)
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm, self.sha256)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        hex::encode(key.spki)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyFault;
    fn try_from(text: String) -> Result<Self, KeyFault> {
        let spki = hex::decode(text).map_err(|_| KeyFault::Malformed("not hexadecimal"))?;
        Self::from_spki_der(&spki)
    }
}
