use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::EcdsaSigningAlgorithm;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use aws_lc_rs::signature::RSA_PKCS1_SHA512;
use aws_lc_rs::signature::RsaEncoding;
use key::BadSignature;
use key::KeyAlgorithm;
use key::KeyFault;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use zeroize::Zeroizing;

/// A private key, ready to sign.
pub(crate) struct PrivateKey {
    pair: Pair,
    public_key: PublicKey,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why there is no private key, or no signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivateKeyError {
    #[error("the key pair could not be made")]
    NotMade,
    #[error("the private key is not PKCS#8 of its algorithm: {0}")]
    Rejected(KeyRejected),
    #[error("the public half makes no sense")]
    Public(#[source] KeyFault),
    #[error("the private key could not be encoded")]
    NotEncoded,
    #[error("the scheme does not fit the key")]
    Unfit,
    #[error("the signature could not be made")]
    NotSigned,
    #[error("the signature makes no sense")]
    BadSignature(#[source] BadSignature),
}

/// What a key algorithm is to the library.
enum Family {
    Rsa(KeySize),
    Ecdsa(&'static EcdsaSigningAlgorithm),
    Ed25519,
}

const fn family(algorithm: KeyAlgorithm) -> Family {
    match algorithm {
        KeyAlgorithm::Rsa2048 => Family::Rsa(KeySize::Rsa2048),
        KeyAlgorithm::Rsa3072 => Family::Rsa(KeySize::Rsa3072),
        KeyAlgorithm::Rsa4096 => Family::Rsa(KeySize::Rsa4096),
        KeyAlgorithm::EcdsaP256 => Family::Ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyAlgorithm::EcdsaP384 => Family::Ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyAlgorithm::Ed25519 => Family::Ed25519,
    }
}

impl PrivateKey {
    /// Makes a key pair, with the random numbers of the cryptographic library. RSA takes up to seconds.
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<Self, PrivateKeyError> {
        let not_made = |_: Unspecified| PrivateKeyError::NotMade;
        Self::of(match family(algorithm) {
            Family::Rsa(size) => Pair::Rsa(rsa::KeyPair::generate(size).map_err(not_made)?),
            Family::Ecdsa(curve) => Pair::Ecdsa(EcdsaKeyPair::generate(curve).map_err(not_made)?),
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(not_made)?),
        })
    }

    /// Reads PKCS#8 DER (RFC 5958).
    pub(crate) fn from_pkcs8(algorithm: KeyAlgorithm, der: &[u8]) -> Result<Self, PrivateKeyError> {
        let rejected = PrivateKeyError::Rejected;
        Self::of(match family(algorithm) {
            Family::Rsa(_) => Pair::Rsa(rsa::KeyPair::from_pkcs8(der).map_err(rejected)?),
            Family::Ecdsa(curve) => Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, der).map_err(rejected)?),
            Family::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(rejected)?)
            }
        })
    }

    fn of(pair: Pair) -> Result<Self, PrivateKeyError> {
        let public_key = match &pair {
            Pair::Rsa(pair) => PublicKey::from_rsa(
                pair.public_key().modulus().big_endian_without_leading_zero(),
                pair.public_key().exponent().big_endian_without_leading_zero(),
            ),
            Pair::Ecdsa(pair) => PublicKey::from_ec_point(pair.public_key().as_ref()),
            Pair::Ed25519(pair) => PublicKey::from_ed25519(pair.public_key().as_ref()),
        };
        Ok(Self {
            pair,
            public_key: public_key.map_err(PrivateKeyError::Public)?,
        })
    }

    pub(crate) const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// As PKCS#8 version 1, which everything reads.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
        let not_encoded = |_: Unspecified| PrivateKeyError::NotEncoded;
        Ok(Zeroizing::new(match &self.pair {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(not_encoded)?;
                der.as_ref().to_vec()
            }
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map_err(not_encoded)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(not_encoded)?.as_ref().to_vec(),
        }))
    }

    /// Whether a signature takes so long (half a millisecond and more) that it must not hold up an async executor.
    pub(crate) fn is_slow(&self) -> bool {
        self.public_key
            .algorithm()
            .rsa_bits()
            .is_some_and(|bits| bits > 2048)
    }

    pub(crate) fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Signature, PrivateKeyError> {
        if !scheme.fits(self.public_key.algorithm()) {
            return Err(PrivateKeyError::Unfit);
        }
        let not_signed = |_: Unspecified| PrivateKeyError::NotSigned;
        let random = SystemRandom::new();
        let raw = match &self.pair {
            Pair::Rsa(pair) => {
                let mut raw = vec![0; pair.public_modulus_len()];
                pair.sign(rsa_encoding(scheme)?, &random, message, &mut raw)
                    .map_err(not_signed)?;
                raw
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).map_err(not_signed)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.try_sign(message).map_err(not_signed)?.as_ref().to_vec(),
        };
        Signature::from_raw(scheme, raw).map_err(PrivateKeyError::BadSignature)
    }
}

fn rsa_encoding(scheme: SignatureScheme) -> Result<&'static dyn RsaEncoding, PrivateKeyError> {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => Ok(&RSA_PKCS1_SHA256),
        SignatureScheme::RsaPkcs1Sha512 => Ok(&RSA_PKCS1_SHA512),
        SignatureScheme::EcdsaP256Sha256 | SignatureScheme::EcdsaP384Sha384 | SignatureScheme::Ed25519 => {
            Err(PrivateKeyError::Unfit)
        }
    }
}
