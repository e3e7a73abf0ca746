//! Keys of software for tests, of every algorithm.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;
use key::KeyAlgorithm;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;

/// A private key of a test.
pub(crate) enum Signer {
    P256(lc::EcdsaKeyPair),
    P384(lc::EcdsaKeyPair),
    Ed25519(lc::Ed25519KeyPair),
    Rsa(Box<rsa::KeyPair>),
}

impl Signer {
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Self {
        let rsa = |size| Self::Rsa(Box::new(rsa::KeyPair::generate(size).unwrap()));
        match algorithm {
            KeyAlgorithm::EcdsaP256 => {
                Self::P256(lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            KeyAlgorithm::EcdsaP384 => {
                Self::P384(lc::EcdsaKeyPair::generate(&lc::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
            }
            KeyAlgorithm::Ed25519 => Self::Ed25519(lc::Ed25519KeyPair::generate().unwrap()),
            KeyAlgorithm::Rsa2048 => rsa(rsa::KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(rsa::KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => rsa(rsa::KeySize::Rsa4096),
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Self::P256(pair) | Self::P384(pair) => {
                PublicKey::from_ec_point(pair.public_key().as_ref()).unwrap()
            }
            Self::Ed25519(pair) => PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap(),
            Self::Rsa(pair) => {
                let key = pair.public_key();
                PublicKey::from_rsa(
                    key.modulus().big_endian_without_leading_zero(),
                    key.exponent().big_endian_without_leading_zero(),
                )
                .unwrap()
            }
        }
    }

    pub(crate) fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Signature {
        let random = SystemRandom::new();
        let raw = match self {
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding: &'static dyn lc::RsaEncoding = match scheme {
                    SignatureScheme::RsaPkcs1Sha512 => &lc::RSA_PKCS1_SHA512,
                    SignatureScheme::RsaPkcs1Sha256
                    | SignatureScheme::EcdsaP256Sha256
                    | SignatureScheme::EcdsaP384Sha384
                    | SignatureScheme::Ed25519 => &lc::RSA_PKCS1_SHA256,
                };
                let mut raw = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut raw).unwrap();
                raw
            }
        };
        Signature::from_raw(scheme, raw).unwrap()
    }
}
