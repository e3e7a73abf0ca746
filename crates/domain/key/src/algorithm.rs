use serde::Deserialize;
use serde::Serialize;

/// The algorithm of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl KeyAlgorithm {
    /// Every algorithm, in the order they are shown.
    pub const ALL: [Self; 6] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Ed25519,
    ];

    /// The name as operators know it, as in `signetctl status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The length of the RSA modulus in bits, `None` for other algorithms.
    pub const fn rsa_bits(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
            Self::EcdsaP256 | Self::EcdsaP384 | Self::Ed25519 => None,
        }
    }

    /// The scheme for X.509 and JWT: SHA-256 with RSA and P-256, SHA-384 with P-384.
    pub const fn default_scheme(self) -> SignatureScheme {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureScheme::RsaPkcs1Sha256,
            Self::EcdsaP256 => SignatureScheme::EcdsaP256Sha256,
            Self::EcdsaP384 => SignatureScheme::EcdsaP384Sha384,
            Self::Ed25519 => SignatureScheme::Ed25519,
        }
    }

    /// The scheme for SSH certificates: as for X.509, except that RSA of 4096 bits signs `rsa-sha2-512` (RFC 8332).
    pub const fn ssh_scheme(self) -> SignatureScheme {
        match self {
            Self::Rsa4096 => SignatureScheme::RsaPkcs1Sha512,
            Self::Rsa2048 | Self::Rsa3072 | Self::EcdsaP256 | Self::EcdsaP384 | Self::Ed25519 => {
                self.default_scheme()
            }
        }
    }
}

impl std::fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a message is hashed, padded and signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2).
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384Sha384,
    /// Pure Ed25519.
    Ed25519,
}

impl SignatureScheme {
    /// Whether a key of this algorithm can sign so.
    pub const fn fits(self, algorithm: KeyAlgorithm) -> bool {
        match self {
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha512 => algorithm.rsa_bits().is_some(),
            Self::EcdsaP256Sha256 => matches!(algorithm, KeyAlgorithm::EcdsaP256),
            Self::EcdsaP384Sha384 => matches!(algorithm, KeyAlgorithm::EcdsaP384),
            Self::Ed25519 => matches!(algorithm, KeyAlgorithm::Ed25519),
        }
    }

    /// The length in bytes of `r` and of `s`; `None` when the signature is not ECDSA.
    pub const fn ecdsa_scalar_length(self) -> Option<usize> {
        match self {
            Self::EcdsaP256Sha256 => Some(32),
            Self::EcdsaP384Sha384 => Some(48),
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha512 | Self::Ed25519 => None,
        }
    }
}
