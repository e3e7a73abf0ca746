//! What TLS runs with on the public port, swapped as a whole.
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
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::NoServerSessionStorage;
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use tokio::time::sleep;
use tunnel::ClockOfTls;

use crate::CertSource;
use crate::hello::SSH_ALPN;

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
pub struct Faces {
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    web: ArcSwapOption<WebFace>,
    tunnel: ArcSwapOption<TunnelFace>,
}

pub(crate) struct WebFace {
    presented: Vec<CertificateDer<'static>>,
    pub(crate) web: Arc<ServerConfig>,
    pub(crate) ssh: Arc<ServerConfig>,
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
            web: ArcSwapOption::empty(),
            tunnel: ArcSwapOption::empty(),
        }
    }

    /// Presents a certificate to browsers and clients from now on. Returns whether it is another than before.
    ///
    /// # Errors
    /// When TLS does not take it, such as for a key that is not the certificate's. The one before stays.
    pub fn install_web(&self, credential: &WebCredential) -> Result<bool, FacesError> {
        let WebCredential { chain, key } = credential;
        if self
            .web
            .load()
            .as_ref()
            .is_some_and(|face| face.presented == *chain)
        {
            return Ok(false);
        }
        let build = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            ServerConfig::builder_with_details(Arc::clone(&self.provider), self.time())
                .with_protocol_versions(versions)
                .map_err(unfit("its own protocol versions"))?
                .with_no_client_auth()
                .with_single_cert(chain.clone(), key.clone_key())
                .map_err(unfit("the web certificate and its key"))
        };
        let mut web = build(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        web.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut ssh = build(&[&rustls::version::TLS13])?;
        ssh.alpn_protocols = vec![SSH_ALPN.to_vec()];
        self.web.store(Some(Arc::new(WebFace {
            presented: chain.clone(),
            web: Arc::new(web),
            ssh: Arc::new(ssh),
        })));
        Ok(true)
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

    /// Asks a source for the certificate to present, now and again, and presents it when it is another, until asked to stop.
    pub async fn follow(&self, source: Arc<dyn CertSource>, every: Duration, mut stop: Stop) {
        loop {
            let installed = match source.current().await {
                Ok(credential) => self.install_web(&credential).map_err(|error| chain(&error)),
                Err(error) => Err(chain(&error)),
            };
            match installed {
                Ok(true) => tracing::info!("another web certificate is presented"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "the web certificate could not be read; the one before stays");
                }
            }
            tokio::select! {
                () = sleep(every) => {}
                () = stop.requested() => return,
            }
        }
    }

    pub(crate) fn web(&self) -> Option<Arc<WebFace>> {
        self.web.load_full()
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
