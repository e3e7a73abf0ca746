//! What the TLS listeners run with: the server's own certificate and whom it trusts, swapped as a whole.
//!
//! A session that TLS resumes is not shown to the client verifier again (RFC 8446 section 2.2), so that a swapped verifier alone would
//! go on letting in whom it no longer trusts. Every change therefore makes a new [`ServerConfig`] with an empty session store.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use authority::AuthorityType;
use authority::KeyForm;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::Presence;
use names::HostName;
use names::UnixSeconds;
use rotation::Generation;
use rotation::PartyKind;
use runtime::Clock;
use runtime::Entropy;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use tokio::sync::Mutex;

use crate::accept::Face;
use crate::connection::ALPN;
use crate::credential::Credential;
use crate::trust::ClientTrust;

/// Why the listeners go on with what they have.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The cluster cannot tell whom to trust, or did not issue a certificate.
    #[error("the listeners' certificate and trust could not be renewed")]
    Cluster(#[from] ClusterError),
    /// TLS does not take what was issued.
    #[error("TLS does not take {what}")]
    Tls {
        /// What it was given.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ReloadError {
    pub(crate) fn tls(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Tls {
            what,
            source: source.into(),
        }
    }
}

/// What the TLS listeners run with.
pub struct Front {
    cluster: Arc<Cluster>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    provider: Arc<CryptoProvider>,
    /// The names and addresses that the server is reached by.
    hosts: Vec<HostName>,
    installed: ArcSwap<Installed>,
    reloading: Mutex<()>,
}

/// What is installed now.
#[derive(Default)]
struct Installed {
    trust: Arc<ClientTrust>,
    running: Option<Running>,
}

/// Installed for real: every part was made from the same certificate and trust.
struct Running {
    credential: Arc<Credential>,
    api: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
}

impl Front {
    /// A front that has nothing installed yet; [`Front::reload`] installs. `hosts` are the names and addresses the server is reached by.
    pub fn new(
        cluster: Arc<Cluster>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        hosts: Vec<HostName>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let installed = ArcSwap::default();
        Self {
            cluster,
            clock,
            entropy,
            provider,
            hosts,
            installed,
            reloading: Mutex::default(),
        }
    }

    /// Whom the API trusts now.
    pub fn trust(&self) -> Arc<ClientTrust> {
        Arc::clone(&self.installed.load().trust)
    }

    /// What a face runs with now; `None` before the first [`Front::reload`].
    pub(crate) fn config(&self, face: Face) -> Option<Arc<ServerConfig>> {
        let installed = self.installed.load();
        let running = installed.running.as_ref()?;
        Some(match face {
            Face::Api => Arc::clone(&running.api),
            Face::Web => Arc::clone(&running.web),
        })
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.entropy.as_ref()
    }

    /// When the installed certificate ends; `None` before the first [`Front::reload`].
    pub fn serves_until(&self) -> Option<UnixSeconds> {
        self.installed
            .load()
            .running
            .as_ref()
            .map(|running| running.credential.not_after())
    }

    /// Brings certificate and trust in line with the cluster: issues a certificate when there is none, it is of another generation than
    /// servers are to present, or two thirds of its life have passed; swaps everything when anything changed. Answers whether it did.
    ///
    /// # Errors
    /// When the cluster does not answer or issue; the listeners go on with what they have.
    pub async fn reload(&self) -> Result<bool, ReloadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let host = self.cluster.authority(AuthorityType::Host)?;
        let wanted = host.record.desired().servers_use;
        let trust = ClientTrust::read(&self.cluster).await?;
        let installed = self.installed.load_full();
        let present = installed.running.as_ref().map(|running| &running.credential);
        let credential = match present {
            Some(present) if present.is_good(wanted, self.clock.now()) => Arc::clone(present),
            Some(_) | None => Arc::new(Credential::issue(&self.cluster, &self.hosts).await?),
        };
        let is_same =
            present.is_some_and(|present| Arc::ptr_eq(present, &credential)) && *installed.trust == trust;
        if !is_same {
            let running = self.run_with(credential, &trust)?;
            self.installed.store(Arc::new(Installed {
                trust: Arc::new(trust),
                running: Some(running),
            }));
        }
        self.note_presence();
        Ok(!is_same)
    }

    fn run_with(&self, credential: Arc<Credential>, trust: &ClientTrust) -> Result<Running, ReloadError> {
        let time: Arc<dyn TimeProvider> = Arc::new(ClockOfTls(Arc::clone(&self.clock)));
        let mut roots = RootCertStore::empty();
        for der in trust.certificates() {
            roots
                .add(CertificateDer::from(der.to_vec()))
                .map_err(|error| ReloadError::tls("a user authority's certificate", error))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|error| ReloadError::tls("the user authority's certificates", error))?;
        let unfit = |error| ReloadError::tls("the server's certificate", error);
        let mut api = ServerConfig::builder_with_details(Arc::clone(&self.provider), Arc::clone(&time))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unfit)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(credential.chain(), credential.private_key())
            .map_err(unfit)?;
        // Whoever fetches revocation lists may not know TLS 1.3 yet.
        let mut web = ServerConfig::builder_with_details(Arc::clone(&self.provider), time)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(credential.chain(), credential.private_key())
            .map_err(unfit)?;
        for config in [&mut api, &mut web] {
            config.alpn_protocols = ALPN.iter().map(|id| id.to_vec()).collect();
        }
        Ok(Running {
            credential,
            api: Arc::new(api),
            web: Arc::new(web),
        })
    }

    /// Tells the cluster what the listeners really present and trust, read from what is installed.
    fn note_presence(&self) {
        let installed = self.installed.load();
        let Some(running) = &installed.running else { return };
        let hosts: BTreeSet<Generation> = self.cluster.authority(AuthorityType::Host).map_or_else(
            |_| BTreeSet::new(),
            |host| {
                let tls = host.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls);
                tls.map(|(generation, _)| generation).collect()
            },
        );
        for name in ["auth/api", "auth/web"] {
            self.cluster.note_presence(Presence {
                name: name.to_owned(),
                authority: AuthorityType::Host,
                kind: PartyKind::Server,
                trusts: hosts.clone(),
                serves: Some(running.credential.generation()),
            });
        }
        self.cluster.note_presence(Presence {
            name: "auth/api".to_owned(),
            authority: AuthorityType::User,
            kind: PartyKind::Verifier,
            trusts: installed.trust.generations(),
            serves: None,
        });
    }
}

/// The cluster's clock, as TLS asks for the time.
struct ClockOfTls(Arc<dyn Clock>);

impl std::fmt::Debug for ClockOfTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClockOfTls")
    }
}

impl TimeProvider for ClockOfTls {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            self.0.now().as_u64(),
        )))
    }
}
