use aws_sdk_kms::types::KeySpec;
use aws_sdk_kms::types::SigningAlgorithmSpec;
use key::KeyAlgorithm;
use key::SignatureScheme;

/// What KMS calls keys of an algorithm.
pub(crate) const fn spec_of(algorithm: KeyAlgorithm) -> KeySpec {
    match algorithm {
        KeyAlgorithm::Rsa2048 => KeySpec::Rsa2048,
        KeyAlgorithm::Rsa3072 => KeySpec::Rsa3072,
        KeyAlgorithm::Rsa4096 => KeySpec::Rsa4096,
        KeyAlgorithm::EcdsaP256 => KeySpec::EccNistP256,
        KeyAlgorithm::EcdsaP384 => KeySpec::EccNistP384,
        KeyAlgorithm::Ed25519 => KeySpec::EccNistEdwards25519,
    }
}

/// What KMS calls a signature scheme.
pub(crate) const fn signing_spec_of(scheme: SignatureScheme) -> SigningAlgorithmSpec {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
        SignatureScheme::RsaPkcs1Sha512 => SigningAlgorithmSpec::RsassaPkcs1V15Sha512,
        SignatureScheme::EcdsaP256Sha256 => SigningAlgorithmSpec::EcdsaSha256,
        SignatureScheme::EcdsaP384Sha384 => SigningAlgorithmSpec::EcdsaSha384,
        SignatureScheme::Ed25519 => SigningAlgorithmSpec::Ed25519Sha512,
    }
}
