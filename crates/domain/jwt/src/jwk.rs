use aws_lc_rs::digest;
use key::KeyAlgorithm;
use key::KeyFault;
use key::PublicKey;
use key::PublicKeyParts;
use key::SignatureScheme;
use serde::Serialize;

use crate::base64url;

/// A public key as verifiers of tokens read it (RFC 7517, RFC 7518 section 6, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// What the key is for: `sig`, or `jwt-svid` in a SPIFFE bundle.
    #[serde(rename = "use")]
    pub purpose: &'static str,
    /// The key's name: its thumbprint.
    pub kid: String,
    /// The algorithm its signatures have.
    pub alg: &'static str,
    /// The key.
    #[serde(flatten)]
    pub members: Members,
}

/// The members that say the key. Their order is that of the alphabet, as the thumbprint needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Members {
    /// An elliptic-curve key.
    Ec {
        /// The curve.
        crv: &'static str,
        /// `EC`.
        kty: &'static str,
        /// The first coordinate.
        x: String,
        /// The second coordinate.
        y: String,
    },
    /// An RSA key.
    Rsa {
        /// The exponent.
        e: String,
        /// `RSA`.
        kty: &'static str,
        /// The modulus.
        n: String,
    },
    /// An Ed25519 key.
    Okp {
        /// The curve.
        crv: &'static str,
        /// `OKP`.
        kty: &'static str,
        /// The key.
        x: String,
    },
}

impl Jwk {
    /// The key set entry of a key that signs tokens.
    ///
    /// # Errors
    /// Never for a well-formed key.
    pub fn new(key: &PublicKey) -> Result<Self, KeyFault> {
        let members = members(key)?;
        let alg = algorithm(key.algorithm().default_scheme());
        Ok(Self {
            purpose: "sig",
            kid: thumbprint_of(&members)?,
            alg,
            members,
        })
    }
}

/// The name a key has in tokens: the SHA-256 thumbprint of RFC 7638.
///
/// # Errors
/// Never for a well-formed key.
pub fn thumbprint(key: &PublicKey) -> Result<String, KeyFault> {
    thumbprint_of(&members(key)?)
}

/// The name of a scheme in a token's header (RFC 7518 section 3.1, RFC 8037 section 3.1).
pub const fn algorithm(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => "RS256",
        SignatureScheme::RsaPkcs1Sha512 => "RS512",
        SignatureScheme::EcdsaP256Sha256 => "ES256",
        SignatureScheme::EcdsaP384Sha384 => "ES384",
        SignatureScheme::Ed25519 => "EdDSA",
    }
}

/// A key set with these keys, as served and exported. A key that stands twice is written once.
///
/// # Errors
/// Never for well-formed keys.
pub fn key_set<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> Result<String, KeyFault> {
    #[derive(Serialize)]
    struct KeySet {
        keys: Vec<Jwk>,
    }
    let mut set = KeySet { keys: Vec::new() };
    for key in keys {
        let jwk = Jwk::new(key)?;
        if !set.keys.contains(&jwk) {
            set.keys.push(jwk);
        }
    }
    serde_json::to_string_pretty(&set).map_err(|_| KeyFault::Malformed("not encodable"))
}

pub(crate) fn members(key: &PublicKey) -> Result<Members, KeyFault> {
    Ok(match key.parts()? {
        PublicKeyParts::Rsa { modulus, exponent } => Members::Rsa {
            e: base64url(exponent),
            kty: "RSA",
            n: base64url(modulus),
        },
        PublicKeyParts::Ed25519 { key } => Members::Okp {
            crv: "Ed25519",
            kty: "OKP",
            x: base64url(key),
        },
        PublicKeyParts::Ec { point } => {
            let crv = if key.algorithm() == KeyAlgorithm::EcdsaP384 {
                "P-384"
            } else {
                "P-256"
            };
            let coordinates = point.get(1..).ok_or(KeyFault::Malformed("empty point"))?;
            let (x, y) = coordinates
                .split_at_checked(coordinates.len() / 2)
                .ok_or(KeyFault::Malformed("odd point"))?;
            Members::Ec {
                crv,
                kty: "EC",
                x: base64url(x),
                y: base64url(y),
            }
        }
    })
}

fn thumbprint_of(members: &Members) -> Result<String, KeyFault> {
    // RFC 7638 section 3: the required members in the order of their names, without white space.
    let canonical = serde_json::to_vec(members).map_err(|_| KeyFault::Malformed("not encodable"))?;
    Ok(base64url(digest::digest(&digest::SHA256, &canonical)))
}
