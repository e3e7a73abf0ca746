//! What TLS runs with on the public port, swapped as a whole.
//!
//! There may be two certificates for the web: the cluster's own, by which its clients and machines recognise the proxy, and a public one
//! that browsers know. A connection is shown the one that is good for the name it asks for; see [`Faces`].
//!
//! A session that TLS resumes is not shown to the client verifier again (RFC 8446 section 2.2). Every change therefore makes a new
//! [`ServerConfig`] with an empty session store, and tunnels, where certificates of clients count, have no resumption at all.

use std::sync::Arc;
use std::time::Duration;

use api_http::Stop;
use arc_swap::ArcSwapOption;
use key::PublicKey;
use runtime::Clock;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::server::ParsedCertificate;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use tokio::time::sleep;
use tunnel::ClockOfTls;

use crate::CertSource;
use crate::challenge::Challenges;
use crate::hello::ACME_ALPN;
use crate::hello::SSH_ALPN;

/// Browsers, and who looks whether a name leads here, may not know TLS 1.3 yet.
const WEB_VERSIONS: [&rustls::SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];

/// A certificate to present, with its chain and private key.
pub struct WebCredential {
    /// The certificate, then those that lead to a root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// What tunnels are accepted with: the proxy's own certificate of the host authority, and whom to trust as hosts.
pub struct TunnelIdentity {
    /// The certificate, then those that lead to a root. Agents want the role `proxy` in it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// The certificates of every generation of the host authority that is trusted now.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// TLS does not take what it was given.
#[derive(Debug, thiserror::Error)]
#[error("TLS does not take {what}")]
pub struct FacesError {
    what: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What the faces of the public port run with now.
///
/// Browsers are shown the public certificate, unless the cluster's own alone is good for the name that they ask for. Clients that say so
/// by `signet-web`, and SSH by `signet-ssh`, are shown the cluster's own. Where only one is installed, it is shown to all.
pub struct Faces {
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    public: ArcSwapOption<WebFace>,
    own: ArcSwapOption<WebFace>,
    tunnel: ArcSwapOption<TunnelFace>,
    challenges: Challenges,
}

pub(crate) struct WebFace {
    presented: Vec<CertificateDer<'static>>,
    pub(crate) web: Arc<ServerConfig>,
    pub(crate) ssh: Arc<ServerConfig>,
}

impl WebFace {
    /// Whether its certificate is good for a name.
    fn is_for(&self, name: &ServerName<'_>) -> bool {
        let leaf = self
            .presented
            .first()
            .and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
        leaf.is_some_and(|leaf| verify_server_name(&leaf, name).is_ok())
    }
}

pub(crate) struct TunnelFace {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) authorities: Vec<PublicKey>,
}

impl Faces {
    /// Faces that have nothing to present yet: until then connections are closed.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            public: ArcSwapOption::empty(),
            own: ArcSwapOption::empty(),
            tunnel: ArcSwapOption::empty(),
            challenges: Challenges::default(),
        }
    }

    /// Presents the public certificate from now on: to whoever asks for a name that it is good for. Returns whether it is another than
    /// before.
    ///
    /// # Errors
    /// When TLS does not take it, such as for a key that is not the certificate's. The one before stays.
    pub fn install_web(&self, credential: &WebCredential) -> Result<bool, FacesError> {
        self.install(&self.public, credential)
    }

    /// Presents no public certificate from now on. Returns whether there was one.
    pub fn withdraw_web(&self) -> bool {
        self.public.swap(None).is_some()
    }

    /// Presents the cluster's own certificate from now on. Returns whether it is another than before.
    ///
    /// # Errors
    /// When TLS does not take it. The one before stays.
    pub fn install_own(&self, credential: &WebCredential) -> Result<bool, FacesError> {
        self.install(&self.own, credential)
    }

    /// Answers an ACME server that asks for this name by `acme-tls/1`, until [`Faces::forget_challenge`].
    ///
    /// # Errors
    /// When TLS does not take it, or too many names are answered for.
    pub fn answer_challenge(&self, name: &str, credential: &WebCredential) -> Result<(), FacesError> {
        let what = "the certificate that answers a challenge";
        let WebCredential { chain, key } = credential;
        let key = self.provider.key_provider.load_private_key(key.clone_key());
        // Not compared with its key: the TLS library does not read certificates with a critical extension that it does not know.
        let certified = CertifiedKey::new(chain.clone(), key.map_err(unfit(what))?);
        let mut config = ServerConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(&WEB_VERSIONS)
            .map_err(unfit("its own protocol versions"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![ACME_ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if self.challenges.answer(name, config) {
            Ok(())
        } else {
            Err(FacesError::new(what, "too many names are being proved"))
        }
    }

    /// Answers no ACME server for this name any more.
    pub fn forget_challenge(&self, name: &str) {
        self.challenges.forget(name);
    }

    fn install(
        &self,
        place: &ArcSwapOption<WebFace>,
        credential: &WebCredential,
    ) -> Result<bool, FacesError> {
        let WebCredential { chain, key } = credential;
        if place.load().as_ref().is_some_and(|face| face.presented == *chain) {
            return Ok(false);
        }
        let what = "the web certificate and its key";
        let mut web = self.server_config(&WEB_VERSIONS, chain, key, what)?;
        web.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut ssh = self.server_config(&[&rustls::version::TLS13], chain, key, what)?;
        ssh.alpn_protocols = vec![SSH_ALPN.to_vec()];
        place.store(Some(Arc::new(WebFace {
            presented: chain.clone(),
            web: Arc::new(web),
            ssh: Arc::new(ssh),
        })));
        Ok(true)
    }

    fn server_config(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
        what: &'static str,
    ) -> Result<ServerConfig, FacesError> {
        ServerConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(versions)
            .map_err(unfit("its own protocol versions"))?
            .with_no_client_auth()
            .with_single_cert(chain.to_vec(), key.clone_key())
            .map_err(unfit(what))
    }

    /// Accepts tunnels with this from now on. Those that are open are not touched; see [`crate::Tunnelling::recheck`].
    ///
    /// # Errors
    /// When TLS does not take it. What was there before stays.
    pub fn install_tunnel(&self, identity: &TunnelIdentity) -> Result<(), FacesError> {
        let TunnelIdentity {
            chain,
            key,
            authorities,
        } = identity;
        let mut roots = RootCertStore::empty();
        let mut keys = Vec::with_capacity(authorities.len());
        for authority in authorities {
            let unfit_authority = unfit("a certificate of the host authority");
            roots
                .add(authority.clone())
                .map_err(|error| FacesError::new("a certificate of the host authority", error))?;
            let certificate = x509::Certificate::from_der(authority).map_err(unfit_authority)?;
            keys.push(certificate.public_key().clone());
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(unfit("the certificates of the host authority"))?;
        let mut config = ServerConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unfit("its own protocol version"))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unfit("the proxy's host certificate and its key"))?;
        config.alpn_protocols = vec![tunnel::ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        self.tunnel.store(Some(Arc::new(TunnelFace {
            config: Arc::new(config),
            authorities: keys,
        })));
        Ok(())
    }

    /// Asks a source for the public certificate, now and again, and presents it when it is another, until asked to stop.
    pub async fn follow(&self, source: Arc<dyn CertSource>, every: Duration, mut stop: Stop) {
        // Each reason is told once, and not every time.
        let mut told = None;
        loop {
            let installed = match source.current().await {
                Ok(Some(credential)) => self.install_web(&credential).map_err(|error| chain(&error)),
                Ok(None) => {
                    if self.withdraw_web() {
                        tracing::warn!(
                            "the public certificate is no longer good; the cluster's own is presented"
                        );
                    }
                    Ok(false)
                }
                Err(error) => Err(chain(&error)),
            };
            match installed {
                Ok(is_new) => {
                    if is_new {
                        tracing::info!("another public certificate is presented");
                    }
                    told = None;
                }
                Err(error) if told.as_ref() == Some(&error) => {}
                Err(error) => {
                    if self.public.load().is_some() {
                        tracing::warn!(%error, "the public certificate cannot be used; the one before stays");
                    } else {
                        tracing::warn!(%error, "the public certificate cannot be used; the cluster's own is presented");
                    }
                    told = Some(error);
                }
            }
            tokio::select! {
                () = sleep(every) => {}
                () = stop.requested() => return,
            }
        }
    }

    /// The face for somebody who asks for this name, or reaches this address. Where both or neither are good for it, the public one.
    pub(crate) fn web_for(&self, name: &ServerName<'_>) -> Option<Arc<WebFace>> {
        match (self.public.load_full(), self.own.load_full()) {
            (Some(public), Some(own)) => Some(if !public.is_for(name) && own.is_for(name) {
                own
            } else {
                public
            }),
            (public, own) => public.or(own),
        }
    }

    /// The face with the cluster's own certificate; the other where there is none.
    pub(crate) fn own(&self) -> Option<Arc<WebFace>> {
        self.own.load_full().or_else(|| self.public.load_full())
    }

    /// What answers an ACME server that asks for this name.
    pub(crate) fn challenge(&self, name: &str) -> Option<Arc<ServerConfig>> {
        self.challenges.of(name)
    }

    pub(crate) fn tunnel(&self) -> Option<Arc<TunnelFace>> {
        self.tunnel.load_full()
    }

    fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(ClockOfTls(Arc::clone(&self.clock)))
    }
}

impl FacesError {
    fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            what,
            source: source.into(),
        }
    }
}

fn unfit<E>(what: &'static str) -> impl FnOnce(E) -> FacesError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| FacesError::new(what, error)
}

/// An error and its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
