//! The machine's own keys. They are made here and never leave it.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use der::Decode;
use der::Encode;
use der::asn1::BitString;
use runtime::Entropy;
use spki::AlgorithmIdentifierOwned;
use spki::SubjectPublicKeyInfoOwned;
use ssh_key::LineEnding;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;
use x509_cert::name::Name;
use x509_cert::request::CertReq;
use x509_cert::request::CertReqInfo;
use zeroize::Zeroizing;

use crate::AgentError;

/// ecdsa-with-SHA256 (RFC 5758 section 3.2).
const ECDSA_SHA256: der::oid::ObjectIdentifier =
    der::oid::ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// A TLS key and an SSH key.
pub(crate) struct Keys {
    /// PKCS#8, DER.
    pub(crate) tls: Zeroizing<Vec<u8>>,
    /// In OpenSSH's form.
    pub(crate) ssh: Zeroizing<String>,
    /// A line as in `authorized_keys`.
    pub(crate) ssh_public: String,
}

/// An SSH key alone. It cannot be printed.
pub(crate) struct SshKey {
    /// In OpenSSH's form.
    pub(crate) private: Zeroizing<String>,
    /// A line as in `authorized_keys`.
    pub(crate) public: String,
}

impl SshKey {
    /// A new Ed25519 key.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Self, AgentError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy
            .fill(seed.as_mut_slice())
            .map_err(|error| failed("there is no randomness")(&error))?;
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let unwritten = failed("an SSH key could not be written");
        Ok(Self {
            public: key.public_key().to_openssh().map_err(|error| unwritten(&error))?,
            private: key
                .to_openssh(LineEnding::LF)
                .map_err(|error| unwritten(&error))?,
        })
    }
}

fn failed(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> AgentError {
    move |error| AgentError::Keys(format!("{what}: {error}"))
}

impl Keys {
    /// New keys: P-256 for TLS, Ed25519 for SSH.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Self, AgentError> {
        let tls = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .and_then(|key| key.to_pkcs8v1())
            .map_err(|error| failed("a TLS key could not be made")(&error))?;
        let SshKey { private, public } = SshKey::generate(entropy)?;
        Ok(Self {
            tls: Zeroizing::new(tls.as_ref().to_vec()),
            ssh_public: public,
            ssh: private,
        })
    }

    /// The blob of the SSH public key.
    pub(crate) fn ssh_blob(&self) -> Result<Vec<u8>, AgentError> {
        ssh_key::PublicKey::from_openssh(&self.ssh_public)
            .and_then(|key| key.to_bytes())
            .map_err(|error| failed("the SSH key has no blob")(&error))
    }

    /// A certificate request by the TLS key, PEM, with this common name.
    pub(crate) fn request(&self, common_name: &str) -> Result<String, AgentError> {
        let bad = failed("a certificate request could not be made");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.tls)
            .map_err(|error| bad(&error))?;
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|error| bad(&error))?;
        let subject: Name = format!("CN={common_name}")
            .parse()
            .map_err(|error: der::Error| bad(&error))?;
        let info = CertReqInfo {
            version: x509_cert::request::Version::V1,
            subject,
            public_key: SubjectPublicKeyInfoOwned::from_der(spki.as_ref()).map_err(|error| bad(&error))?,
            attributes: Default::default(),
        };
        let signed = info.to_der().map_err(|error| bad(&error))?;
        let signature = key
            .sign(&SystemRandom::new(), &signed)
            .map_err(|error| bad(&error))?;
        let request = CertReq {
            info,
            algorithm: AlgorithmIdentifierOwned {
                oid: ECDSA_SHA256,
                parameters: None,
            },
            signature: BitString::from_bytes(signature.as_ref()).map_err(|error| bad(&error))?,
        };
        let der = request.to_der().map_err(|error| bad(&error))?;
        Ok(x509::pem::encode("CERTIFICATE REQUEST", &der))
    }
}
