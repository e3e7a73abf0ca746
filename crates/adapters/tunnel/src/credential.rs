//! What an agent dials with, and how it knows the proxy.

use std::sync::Arc;

use names::UnixSeconds;
use runtime::Clock;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use x509::Certificate;
use x509::IdentityKind;

use crate::ALPN;

/// The system role that the certificate of a proxy has.
const PROXY_ROLE: &str = "proxy";

/// How an agent knows the proxy: by a name in a certificate of one of these.
#[derive(Debug, Clone)]
pub struct ProxyTrust {
    /// The name or address by which the proxy is known.
    pub name: ServerName<'static>,
    /// The certificates of the cluster's host authority. What they sign must be a host's with the role `proxy`: every node has a
    /// certificate of the same authority, and none of them may pass for the proxy.
    pub host_authorities: Vec<CertificateDer<'static>>,
    /// Other roots, for proxies with a certificate of a public or private web authority.
    pub web_roots: Vec<CertificateDer<'static>>,
}

/// An agent's certificate of the host authority, its private key, and how it knows the proxy.
pub struct AgentCredential {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    trust: ProxyTrust,
}

/// What of a credential TLS does not take.
#[derive(Debug, thiserror::Error)]
#[error("TLS does not take {what}")]
pub struct CredentialError {
    what: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl AgentCredential {
    /// A credential; the chain begins with the agent's own certificate.
    pub const fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        trust: ProxyTrust,
    ) -> Self {
        Self { chain, key, trust }
    }

    /// The name the proxy is known by.
    pub(crate) const fn proxy_name(&self) -> &ServerName<'static> {
        &self.trust.name
    }

    /// What TLS is spoken with: version 1.3, no resumption, so that every connection shows the certificate it has now.
    pub(crate) fn client_config(&self, clock: Arc<dyn Clock>) -> Result<ClientConfig, CredentialError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = ProxyVerifier::new(&self.trust, &provider)?;
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(ClockOfTls(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unfit("its own protocol version"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(unfit("the host's certificate and key"))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl std::fmt::Debug for AgentCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentCredential")
            .field("trust", &self.trust.name)
            .finish_non_exhaustive()
    }
}

fn unfit<E>(what: &'static str) -> impl FnOnce(E) -> CredentialError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| CredentialError {
        what,
        source: error.into(),
    }
}

/// Verifies the proxy's certificate: by the host authority and its role, or by the other roots.
#[derive(Debug)]
struct ProxyVerifier {
    host: Option<Arc<WebPkiServerVerifier>>,
    web: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ProxyVerifier {
    fn new(trust: &ProxyTrust, provider: &Arc<CryptoProvider>) -> Result<Self, CredentialError> {
        let verifier = |certificates: &[CertificateDer<'static>], what| {
            if certificates.is_empty() {
                return Ok(None);
            }
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate.clone()).map_err(unfit(what))?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map(Some)
                .map_err(unfit(what))
        };
        Ok(Self {
            host: verifier(&trust.host_authorities, "the certificates of the host authority")?,
            web: verifier(&trust.web_roots, "the roots for web certificates")?,
            provider: Arc::clone(provider),
        })
    }
}

impl ServerCertVerifier for ProxyVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut refusal = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        if let Some(host) = &self.host {
            match host.verify_server_cert(leaf, intermediates, name, ocsp, now) {
                Ok(verified) if is_proxy(leaf) => return Ok(verified),
                Ok(_) => {
                    refusal = rustls::Error::InvalidCertificate(
                        rustls::CertificateError::ApplicationVerificationFailure,
                    );
                }
                Err(error) => refusal = error,
            }
        }
        match &self.web {
            Some(web) => web.verify_server_cert(leaf, intermediates, name, ocsp, now),
            None => Err(refusal),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("tunnels are TLS 1.3".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Whether a certificate of the host authority is a proxy's.
fn is_proxy(leaf: &CertificateDer<'_>) -> bool {
    Certificate::from_der(leaf).is_ok_and(|certificate| {
        certificate.identity().is_some_and(|identity| {
            identity.kind == IdentityKind::Host
                && identity.roles.iter().any(|role| role.as_str() == PROXY_ROLE)
        })
    })
}

/// A clock, as TLS asks for the time.
pub struct ClockOfTls(pub Arc<dyn Clock>);

impl std::fmt::Debug for ClockOfTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClockOfTls")
    }
}

impl TimeProvider for ClockOfTls {
    fn current_time(&self) -> Option<UnixTime> {
        let now: UnixSeconds = self.0.now();
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            now.as_u64(),
        )))
    }
}
