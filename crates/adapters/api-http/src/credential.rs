//! The server's own certificate.

use audit::Actor;
use authority::AuthorityType;
use authority::KeyForm;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::IssueX509;
use key::PublicKey;
use names::HostName;
use names::Principal;
use names::Ttl;
use names::UnixSeconds;
use profile::X509Request;
use rotation::Generation;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::tls::ReloadError;

/// How long the certificate is good for. It is made again at every start and after two thirds of this.
const LIFE: Ttl = Ttl::from_days(7);

/// A certificate of the host authority with its private key, which never leaves this process.
pub(crate) struct Credential {
    /// The certificate, and that of the authority which signed it.
    chain: Vec<Vec<u8>>,
    pkcs8: Zeroizing<Vec<u8>>,
    generation: Generation,
    renew_from: UnixSeconds,
    not_after: UnixSeconds,
}

impl Credential {
    /// Makes a key and has a certificate issued for it, by the generation that servers present now.
    pub(crate) async fn issue(
        cluster: &Cluster,
        hosts: &[HostName],
        roles: &[Principal],
    ) -> Result<Self, ReloadError> {
        let made =
            |error: Box<dyn std::error::Error + Send + Sync>| ReloadError::tls("a key made for it", error);
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|_| made("no key could be made".into()))?;
        let pkcs8 = key
            .to_pkcs8v1()
            .map_err(|_| made("the key has no PKCS#8 form".into()))?;
        let spki: PublicKeyX509Der<'_> = key
            .public_key()
            .as_der()
            .map_err(|_| made("the key has no public form".into()))?;
        let issue = IssueX509 {
            request: X509Request::Host {
                names: hosts.to_vec(),
                roles: roles.to_vec(),
            },
            subject_key: PublicKey::from_spki_der(spki.as_ref()).map_err(|fault| made(fault.into()))?,
            ttl: Some(LIFE),
            allowed_by: "this auth server's own listeners".to_owned(),
        };
        let issued = cluster.issue_server_x509(&Actor::System, &issue).await?;
        let (from, until) = (issued.not_before.0, issued.not_after.0);
        let two_thirds = until.saturating_sub(from).saturating_mul(2).div_euclid(3);
        Ok(Self {
            chain: vec![issued.document.to_vec(), authority(cluster, issued.generation)?],
            pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
            generation: issued.generation,
            renew_from: UnixSeconds(from.saturating_add(two_thirds)),
            not_after: issued.not_after,
        })
    }

    /// The certificate, then that of its authority: whoever pins the authority finds it there.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.iter().cloned().map(CertificateDer::from).collect()
    }

    /// The private key, for the TLS library.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()))
    }

    /// The generation that signed it.
    pub(crate) const fn generation(&self) -> Generation {
        self.generation
    }

    /// When it ends.
    pub(crate) const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Whether it is the one to present, and for a good while yet.
    pub(crate) fn is_good(&self, generation: Generation, now: UnixSeconds) -> bool {
        self.generation == generation && now < self.renew_from
    }
}

/// The certificate of the host authority in a generation.
fn authority(cluster: &Cluster, generation: Generation) -> Result<Vec<u8>, ClusterError> {
    let host = cluster.authority(AuthorityType::Host)?;
    let key = host
        .record
        .keys_of(generation)
        .iter()
        .find(|key| key.form == KeyForm::Tls);
    key.and_then(|key| key.certificate.as_ref())
        .map(|der| der.0.clone())
        .ok_or_else(|| {
            ClusterError::Internal(format!(
                "generation {generation} of the host authority has no certificate"
            ))
        })
}
