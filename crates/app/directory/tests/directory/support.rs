//! A directory on in-memory parts.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use audit::Actor;
use cluster::Cluster;
use cluster::Custody;
use cluster::Parts;
use cluster::Settings;
use directory::Directory;
use directory::DirectoryError;
use directory::Put;
use ledger::Ledger;
use names::ClusterName;
use names::Ttl;
use names::UnixSeconds;
use resource::AnyDocument;
use resource::Kind;
use resource::ResourceName;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use state::Change;
use state::Entry;
use state::Expect;
use state::State;
use state::Write;
use tokio::sync::OnceCell;

/// A clock that stands still until it is moved.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn advance(&self, ttl: Ttl) {
        self.0
            .fetch_add(i64::try_from(ttl.seconds()).unwrap() * 1_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Numbers that never repeat; nothing here needs them unpredictable.
struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        for chunk in buffer.chunks_mut(8) {
            let mut number = self
                .0
                .fetch_add(1, Ordering::SeqCst)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            number ^= number >> 29;
            for byte in chunk {
                *byte = number.to_be_bytes()[0];
                number = number.rotate_left(8);
            }
        }
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) state: Arc<dyn State>,
    pub(crate) ledger: Arc<ledger_memory::MemoryLedger>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) directory: Arc<Directory>,
}

/// The documents of a cluster that was just born: its keys are made once for all tests.
static BORN: OnceCell<Vec<Entry>> = OnceCell::const_new();

const START: i64 = 1_772_323_200_000;

async fn open(
    state: &Arc<dyn State>,
    ledger: &Arc<ledger_memory::MemoryLedger>,
    clock: &Arc<ManualClock>,
    first_number: u64,
) -> Cluster {
    let entropy = Arc::new(CountingEntropy(AtomicU64::new(first_number)));
    let name = ClusterName::parse("test.example.com").unwrap();
    let software = keystore_software::SoftwareBackend::open(
        state.clone(),
        keystore_software::SealingKey::from_bytes([7; 32]),
        entropy.clone(),
        name.clone(),
    )
    .await
    .unwrap();
    let parts = Parts {
        state: state.clone(),
        ledger: ledger.clone(),
        custody: Custody::new(Arc::new(software), Vec::new()),
        clock: clock.clone(),
        entropy,
    };
    let settings = Settings {
        cluster: name,
        suite: Some(authority::Suite::BalancedV1),
        server_id: "server-1".into(),
        version: "0.0.0".into(),
        quarantine: Ttl::from_days(7),
        public_url: None,
    };
    Cluster::open(parts, settings).await.unwrap().0
}

async fn birth() -> Vec<Entry> {
    let clock = Arc::new(ManualClock(AtomicI64::new(START)));
    let state: Arc<dyn State> = Arc::new(state_memory::MemoryState::new(clock.clone()));
    let ledger = Arc::new(ledger_memory::MemoryLedger::new());
    open(&state, &ledger, &clock, 1).await;
    state.list("", None, state::PAGE_MAX).await.unwrap().entries
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(START)));
        let state: Arc<dyn State> = Arc::new(state_memory::MemoryState::new(clock.clone()));
        for Entry { key, value, .. } in BORN.get_or_init(birth).await.clone() {
            let change = Change::Put { value, expires: None };
            let expect = Expect::Absent;
            state.commit(vec![Write { key, expect, change }]).await.unwrap();
        }
        let ledger = Arc::new(ledger_memory::MemoryLedger::new());
        let cluster = Arc::new(open(&state, &ledger, &clock, 1_000_000).await);
        let directory = Directory::open(cluster.clone(), state.clone()).await.unwrap();
        Self {
            state,
            ledger,
            clock,
            cluster,
            directory: Arc::new(directory),
        }
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    pub(crate) async fn put(
        &self,
        value: serde_json::Value,
        put: Put,
    ) -> Result<AnyDocument, DirectoryError> {
        let document = AnyDocument::from_value(value).unwrap();
        self.directory.put(&actor(), document, put).await
    }

    pub(crate) async fn create(&self, value: serde_json::Value) -> AnyDocument {
        self.put(value, Put::Create).await.unwrap()
    }

    pub(crate) async fn get(&self, kind: Kind, text: &str) -> AnyDocument {
        self.directory.get(kind, &name(text)).await.unwrap()
    }

    /// The events of the log, oldest first.
    pub(crate) async fn events(&self) -> Vec<serde_json::Value> {
        let query = ledger::EventQuery::default();
        let entries = self.ledger.events(&query).await.unwrap();
        entries
            .iter()
            .map(|entry| serde_json::from_str(&entry.line).unwrap())
            .collect()
    }

    /// The names and outcomes of the latest events.
    pub(crate) async fn last_events(&self, count: usize) -> Vec<String> {
        let events = self.events().await;
        let told = |event: &serde_json::Value| {
            format!("{} {} {}", event["event"], event["name"], event["success"]).replace('"', "")
        };
        events[events.len() - count..].iter().map(told).collect()
    }
}

pub(crate) fn actor() -> Actor {
    Actor::Local {
        user: "root".into(),
        uid: 0,
    }
}

pub(crate) fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

pub(crate) fn user(name: &str, roles: &[&str]) -> serde_json::Value {
    serde_json::json!({
        "kind": "user", "version": "v1",
        "metadata": { "name": name },
        "spec": { "roles": roles, "traits": { "logins": ["root"] } },
    })
}

pub(crate) fn role(name: &str, logins: &[&str]) -> serde_json::Value {
    serde_json::json!({
        "kind": "role", "version": "v1",
        "metadata": { "name": name },
        "spec": { "allow": { "logins": logins, "node_labels": { "env": "test" } } },
    })
}

pub(crate) fn lock(name: &str, user: &str) -> serde_json::Value {
    serde_json::json!({
        "kind": "lock", "version": "v1",
        "metadata": { "name": name },
        "spec": { "target": { "user": user }, "message": "gone fishing" },
    })
}

/// The stable code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, DirectoryError>) -> &'static str {
    let error = result.unwrap_err();
    let DirectoryError::Refused(refusal) = error else {
        panic!("no refusal: {error}");
    };
    refusal.code()
}
