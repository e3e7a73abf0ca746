//! The key pairs of a log-in, made on this machine. The private halves are stored here and sent nowhere.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use der::pem::LineEnding;
use ssh_key::private::Ed25519Keypair;
use ssh_key::private::KeypairData;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A key pair.
pub(crate) struct KeyPair {
    /// The private key as PEM: PKCS#8 for TLS, the OpenSSH form for SSH.
    pub(crate) private: Zeroizing<String>,
    /// The public key: PEM of the `SubjectPublicKeyInfo` for TLS, a line for SSH.
    pub(crate) public: String,
}

impl KeyPair {
    /// ECDSA on P-256, for TLS.
    pub(crate) fn tls() -> Result<Self, Failure> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(unmade)?;
        let document = pair.to_pkcs8v1().map_err(unmade)?;
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(unmade)?;
        Ok(Self {
            private: Zeroizing::new(pem("PRIVATE KEY", document.as_ref())?),
            public: pem("PUBLIC KEY", spki.as_ref())?,
        })
    }

    /// Ed25519, for SSH.
    pub(crate) fn ssh(comment: &str) -> Result<Self, Failure> {
        let unmade = |error: ssh_key::Error| Failure::local("cannot make a key pair", &error);
        let mut seed = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(seed.as_mut_slice())
            .map_err(|_| Failure::failed("the system gives no random bytes"))?;
        let data = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
        let private = ssh_key::PrivateKey::new(data, comment).map_err(unmade)?;
        Ok(Self {
            private: private.to_openssh(ssh_key::LineEnding::LF).map_err(unmade)?,
            public: private.public_key().to_openssh().map_err(unmade)?,
        })
    }
}

fn unmade(_: aws_lc_rs::error::Unspecified) -> Failure {
    Failure::failed("cannot make a key pair")
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> Result<String, Failure> {
    der::pem::encode_string(label, LineEnding::LF, der)
        .map_err(|error| Failure::failed(format!("cannot write PEM: {error}")))
}
