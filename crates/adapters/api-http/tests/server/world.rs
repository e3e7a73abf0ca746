//! A server in this process.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api_http::CheckLog;
use api_http::ConnectionLimits;
use api_http::Examine;
use api_http::Face;
use api_http::Front;
use api_http::LocalListener;
use api_http::RequestLimits;
use api_http::Restore;
use api_http::RestoreError;
use api_http::Service;
use api_http::ServiceParts;
use api_http::Stopper;
use api_http::TlsListener;
use api_types::Finding;
use async_trait::async_trait;
use audit::Actor;
use audit::AuditReport;
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rand::SystemRandom;
use cluster::Cluster;
use cluster::Custody;
use cluster::IssueX509;
use cluster::Parts;
use cluster::RotateRequest;
use cluster::Settings;
use cluster::Step;
use fixtures::ManualClock;
use key::KeyRef;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use keystore::Description;
use keystore::FoundKey;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyAttributes;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore::PrivateKeyExport;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use ledger::Ledger;
use ledger::LedgerError;
use ledger_memory::MemoryLedger;
use names::ClusterName;
use names::Ttl;
use profile::X509Request;
use rotation::Phase;
use runtime::Entropy;
use runtime::EntropyFault;
use state::State;
use state_memory::MemoryState;
use tempfile::TempDir;

use crate::client::Identity;

struct Chance(SystemRandom);

impl Entropy for Chance {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        self.0.fill(buffer).map_err(|_| EntropyFault)
    }
}

struct Check(Arc<dyn Ledger>);

#[async_trait]
impl CheckLog for Check {
    async fn check_log(&self) -> Result<AuditReport, LedgerError> {
        self.0.verify(None).await
    }

    async fn look_at_restore(&self) -> Result<Restore, RestoreError> {
        Err(RestoreError::NotRestored("the audit log is whole".to_owned()))
    }

    async fn complete_restore(&self, _: &Restore) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// A doctor who takes this long.
struct Doctor(Duration);

#[async_trait]
impl Examine for Doctor {
    async fn examine(&self) -> Vec<Finding> {
        tokio::time::sleep(self.0).await;
        Vec::new()
    }
}

/// Software keys whose store can be made to go away.
pub(crate) struct Moody {
    inner: SoftwareBackend,
    is_away: AtomicBool,
}

impl Moody {
    /// From now on nothing is signed, or everything is again.
    pub(crate) fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }
}

#[async_trait]
impl KeyBackend for Moody {
    fn describe(&self) -> &Description {
        self.inner.describe()
    }

    async fn generate(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        self.inner.generate(request).await
    }

    async fn sign(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(KeyError::Unavailable {
                store: "the keys of this test".into(),
                operation: "sign",
                reason: "they went away".into(),
            });
        }
        self.inner.sign(key, scheme, message).await
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey, KeyError> {
        self.inner.public_key(key).await
    }

    async fn attributes(&self, key: &KeyRef) -> Result<KeyAttributes, KeyError> {
        self.inner.attributes(key).await
    }

    async fn list(&self) -> Result<Vec<FoundKey>, KeyError> {
        self.inner.list().await
    }

    async fn destroy(&self, key: &KeyRef) -> Result<(), KeyError> {
        self.inner.destroy(key).await
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.inner.health().await
    }

    fn exporter(&self) -> Option<&dyn PrivateKeyExport> {
        self.inner.exporter()
    }
}

/// Longer than any test waits for anything, however slow the machine.
const LONG: Duration = Duration::from_secs(3_600);

/// These limits, without those that a busy machine might run into.
fn unhurried(limits: ConnectionLimits) -> ConnectionLimits {
    ConnectionLimits {
        handshake: LONG,
        head: LONG,
        age: LONG,
        drain: LONG,
        ..limits
    }
}

/// What a test chooses of its server.
#[derive(Clone)]
pub(crate) struct Choices {
    pub(crate) requests: RequestLimits,
    pub(crate) api: ConnectionLimits,
    pub(crate) web: ConnectionLimits,
    pub(crate) doctor_takes: Duration,
    /// Whether the listeners have a certificate when the test begins.
    pub(crate) has_certificate: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            requests: RequestLimits {
                read: LONG,
                change: LONG,
                ..RequestLimits::DEFAULT
            },
            api: unhurried(ConnectionLimits::API),
            web: unhurried(ConnectionLimits::WEB),
            doctor_takes: Duration::ZERO,
            has_certificate: true,
        }
    }
}

/// A server, and what it is made of.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) state: Arc<MemoryState>,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) keys: Arc<Moody>,
    pub(crate) service: Arc<Service>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) front: Arc<Front>,
    pub(crate) socket: PathBuf,
    pub(crate) api: SocketAddr,
    pub(crate) web: SocketAddr,
    _directory: TempDir,
    _stopper: Stopper,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    pub(crate) async fn with(choices: Choices) -> Self {
        // 2026-03-01T00:00:00Z.
        let clock = Arc::new(ManualClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(Chance(SystemRandom::new()));
        let state = Arc::new(MemoryState::new(clock.clone()));
        let ledger = Arc::new(MemoryLedger::new());
        let name = ClusterName::parse("example.com").unwrap();
        let sealing = SealingKey::from_bytes([7; 32]);
        let shared: Arc<dyn State> = state.clone();
        let software = SoftwareBackend::open(shared.clone(), sealing, entropy.clone(), name.clone())
            .await
            .unwrap();
        let keys = Arc::new(Moody {
            inner: software,
            is_away: AtomicBool::new(false),
        });
        let parts = Parts {
            state: shared,
            ledger: ledger.clone(),
            custody: Custody::new(keys.clone(), Vec::new()),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let settings = Settings {
            cluster: name,
            suite: None,
            server_id: "2e96a4bd-e2d7-47dd-8f90-b66e1e936b7a".into(),
            version: "0.0.0-test".into(),
            quarantine: Ttl::from_days(7),
            public_url: Some("https://auth.example.com:3080".into()),
        };
        let (cluster, _) = Cluster::open(parts, settings).await.unwrap();
        let cluster = Arc::new(cluster);
        let hosts = ["localhost", "127.0.0.1"]
            .map(|host| host.parse().unwrap())
            .to_vec();
        let front = Arc::new(Front::new(cluster.clone(), clock.clone(), entropy.clone(), hosts));
        if choices.has_certificate {
            front.reload().await.unwrap();
        }
        let service = Arc::new(Service::new(ServiceParts {
            cluster: cluster.clone(),
            front: front.clone(),
            clock: clock.clone(),
            entropy,
            log: Arc::new(Check(ledger.clone())),
            doctor: Arc::new(Doctor(choices.doctor_takes)),
            limits: choices.requests,
            web_url: "https://auth.example.com:3080".into(),
            api_address: "auth.example.com:3025".into(),
        }));
        let directory = TempDir::with_prefix("api-").unwrap();
        let socket = directory.path().join("signet.sock");
        let (stopper, stop) = Stopper::new();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (api, web) = (
            TlsListener::bind(any).await.unwrap(),
            TlsListener::bind(any).await.unwrap(),
        );
        let (api_address, web_address) = (api.address(), web.address());
        let local = LocalListener::bind(&socket).unwrap();
        let router = api_http::api_router(service.clone());
        let web_router = api_http::web_router(service.clone());
        tokio::spawn(local.run(
            service.clone(),
            router.clone(),
            ConnectionLimits::LOCAL,
            stop.clone(),
        ));
        tokio::spawn(api.run(Face::Api, front.clone(), router, choices.api, stop.clone()));
        tokio::spawn(web.run(Face::Web, front.clone(), web_router, choices.web, stop));
        Self {
            clock,
            state,
            ledger,
            keys,
            service,
            cluster,
            front,
            socket,
            api: api_address,
            web: web_address,
            _directory: directory,
            _stopper: stopper,
        }
    }

    /// A certificate of the user authority.
    pub(crate) async fn user(&self, name: &str, roles: &[&str]) -> Identity {
        self.user_for(name, roles, None).await
    }

    pub(crate) async fn user_for(&self, name: &str, roles: &[&str], ttl: Option<Ttl>) -> Identity {
        self.issue(
            X509Request::User {
                user: name.parse().unwrap(),
                roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
                logins: Vec::new(),
                traits: Default::default(),
                mfa_device: None,
                pinned_to: None,
            },
            ttl,
        )
        .await
    }

    pub(crate) async fn issue(&self, request: X509Request, ttl: Option<Ttl>) -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let subject_key =
            key::PublicKey::from_spki_der(&rcgen::PublicKeyData::subject_public_key_info(&key)).unwrap();
        let issue = IssueX509 {
            request,
            subject_key,
            ttl,
            allowed_by: "a test".into(),
        };
        let issued = self.cluster.issue_x509(&Actor::System, &issue).await.unwrap();
        Identity {
            certificate: issued.document.to_vec(),
            key: key.serialize_der(),
            serial: issued.serial,
        }
    }

    /// Takes a step of a rotation, and has the listeners follow.
    pub(crate) async fn rotate(&self, authority: authority::AuthorityType, phase: Phase) {
        let request = RotateRequest::new(authority, Step::To(phase));
        self.cluster.rotate(&Actor::System, &request).await.unwrap();
        self.front.reload().await.unwrap();
    }

    /// The recorded events of a kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        let lines = self.ledger.lines().into_iter();
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .filter(|event: &serde_json::Value| event["event"] == kind)
            .collect()
    }
}
