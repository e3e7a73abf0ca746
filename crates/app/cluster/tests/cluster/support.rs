//! A cluster on in-memory parts whose server can die at any effect.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use audit::Head;
use authority::AuthorityType;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::Custody;
use cluster::Opened;
use cluster::Parts;
use cluster::Settings;
use fixtures::CountingEntropy;
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
use ledger::Ledger;
use ledger::LedgerError;
use names::ClusterName;
use names::Ttl;
use names::UnixSeconds;
use runtime::Clock;
use state::CommitError;
use state::Page;
use state::Revision;
use state::State;
use state::StateError;
use state::StateKey;
use state::Write;

/// Burns down by one before and after every effect; when it is out the server is dead.
pub(crate) struct Fuse(AtomicI64);

impl Fuse {
    pub(crate) fn of(effects: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(effects)))
    }

    /// Whether the server still lives.
    fn burn(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) > 0
    }

    pub(crate) fn is_out(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }
}

const DEAD: &str = "the server is dead";

/// A part whose effects burn the fuse.
pub(crate) struct Mortal<T: ?Sized> {
    pub(crate) inner: Arc<T>,
    pub(crate) fuse: Arc<Fuse>,
}

impl<T: ?Sized> Mortal<T> {
    pub(crate) fn new(inner: Arc<T>, fuse: &Arc<Fuse>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fuse: fuse.clone(),
        })
    }
}

#[async_trait]
impl State for Mortal<dyn State> {
    async fn get(&self, key: &StateKey) -> Result<Option<state::Entry>, StateError> {
        self.inner.get(key).await
    }
    async fn get_all(&self, keys: &[StateKey]) -> Result<Vec<Option<state::Entry>>, StateError> {
        self.inner.get_all(keys).await
    }
    async fn list(&self, folder: &str, after: Option<&StateKey>, limit: usize) -> Result<Page, StateError> {
        self.inner.list(folder, after, limit).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Revision, CommitError> {
        let dead = || CommitError::Store(StateError::Unavailable(DEAD.into()));
        if !self.fuse.burn() {
            return Err(dead());
        }
        let done = self.inner.commit(writes).await;
        if self.fuse.burn() { done } else { Err(dead()) }
    }
    async fn changes(
        &self,
        folder: &str,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<state::Changed>, StateError> {
        self.inner.changes(folder, after, limit).await
    }
    async fn wait_beyond(&self, folders: &[&str], revision: Revision) -> Result<Revision, StateError> {
        self.inner.wait_beyond(folders, revision).await
    }
}

#[async_trait]
impl Ledger for Mortal<dyn Ledger> {
    async fn append(&self, records: Vec<ledger::Record>) -> Result<Head, LedgerError> {
        let dead = || LedgerError::Unavailable(DEAD.into());
        if !self.fuse.burn() {
            return Err(dead());
        }
        let done = self.inner.append(records).await;
        if self.fuse.burn() { done } else { Err(dead()) }
    }
    async fn head(&self) -> Result<Head, LedgerError> {
        self.inner.head().await
    }
    async fn events(&self, query: &ledger::EventQuery) -> Result<Vec<audit::Entry>, LedgerError> {
        self.inner.events(query).await
    }
    async fn certificates(
        &self,
        query: &ledger::CertificateQuery,
    ) -> Result<Vec<ledger::IssuedCertificate>, LedgerError> {
        self.inner.certificates(query).await
    }
    async fn revocations(
        &self,
        authority: AuthorityType,
        unexpired_at: UnixSeconds,
    ) -> Result<Vec<ledger::Revoked>, LedgerError> {
        self.inner.revocations(authority, unexpired_at).await
    }
    async fn verify(&self, anchor: Option<Head>) -> Result<audit::AuditReport, LedgerError> {
        self.inner.verify(anchor).await
    }
    fn export_trouble(&self) -> Option<ledger::ExportTrouble> {
        self.inner.export_trouble()
    }
}

fn dead_key() -> KeyError {
    KeyError::Unavailable {
        store: String::new(),
        operation: "answer",
        reason: DEAD.into(),
    }
}

#[async_trait]
impl KeyBackend for Mortal<dyn KeyBackend> {
    fn describe(&self) -> &Description {
        self.inner.describe()
    }
    async fn generate(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        if !self.fuse.burn() {
            return Err(dead_key());
        }
        let done = self.inner.generate(request).await;
        if self.fuse.burn() { done } else { Err(dead_key()) }
    }
    async fn sign(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        if !self.fuse.burn() {
            return Err(dead_key());
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
        if !self.fuse.burn() {
            return Err(dead_key());
        }
        let done = self.inner.destroy(key).await;
        if self.fuse.burn() { done } else { Err(dead_key()) }
    }
    async fn health(&self) -> Result<(), KeyError> {
        self.inner.health().await
    }
}

/// What outlives a server: stores, backends, time.
pub(crate) struct World {
    pub(crate) state: Arc<dyn State>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) memory_ledger: Arc<ledger_memory::MemoryLedger>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<CountingEntropy>,
    pub(crate) backends: Mutex<Vec<Arc<dyn KeyBackend>>>,
    /// Whether every key proves itself after every crash, or the trusted ones of the authority at hand: calls of a device take time.
    pub(crate) is_thorough: bool,
}

pub(crate) const NAME: &str = "test.example.com";

pub(crate) fn settings() -> Settings {
    Settings {
        cluster: ClusterName::parse(NAME).unwrap(),
        suite: Some(authority::Suite::BalancedV1),
        server_id: "server-1".into(),
        version: "0.0.0".into(),
        quarantine: Ttl::from_days(7),
        public_url: None,
    }
}

impl World {
    /// A world with these many software backends; each is a custody of its own.
    pub(crate) async fn with_software() -> Self {
        let clock = Arc::new(ManualClock::new());
        let state: Arc<dyn State> = Arc::new(state_memory::MemoryState::new(clock.clone()));
        let memory_ledger = Arc::new(ledger_memory::MemoryLedger::new());
        let entropy = Arc::new(CountingEntropy::from(1));
        let software = keystore_software::SoftwareBackend::open(
            state.clone(),
            keystore_software::SealingKey::from_bytes([7; 32]),
            entropy.clone(),
            ClusterName::parse(NAME).unwrap(),
        )
        .await
        .unwrap();
        Self {
            state,
            ledger: memory_ledger.clone(),
            memory_ledger,
            clock,
            entropy,
            backends: Mutex::new(vec![Arc::new(software)]),
            is_thorough: true,
        }
    }

    /// What the clock says, in seconds.
    pub(crate) fn clock_now(&self) -> i64 {
        self.clock.unix_millis() / 1_000
    }

    /// A world whose keys live in this backend alone.
    pub(crate) async fn with_backend(backend: Arc<dyn KeyBackend>) -> Self {
        let world = Self::with_software().await;
        *world.backends.lock().unwrap() = vec![backend];
        Self {
            is_thorough: false,
            ..world
        }
    }

    /// Starts a server whose effects burn `fuse`, preferring the backend of this number.
    pub(crate) async fn start(
        &self,
        fuse: &Arc<Fuse>,
        preferred: usize,
    ) -> Result<(Cluster, Opened), ClusterError> {
        let mut backends: Vec<Arc<dyn KeyBackend>> = Vec::new();
        for backend in self.backends.lock().unwrap().iter() {
            backends.push(Mortal::<dyn KeyBackend>::new(backend.clone(), fuse));
        }
        let preferred = backends.remove(preferred);
        let parts = Parts {
            state: Mortal::<dyn State>::new(self.state.clone(), fuse),
            ledger: Mortal::<dyn Ledger>::new(self.ledger.clone(), fuse),
            custody: Custody::new(preferred, backends),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        };
        Cluster::open(parts, settings()).await
    }

    /// Starts a server that does not die.
    pub(crate) async fn start_immortal(&self) -> Cluster {
        self.start(&Fuse::of(i64::MAX), 0).await.unwrap().0
    }
}
