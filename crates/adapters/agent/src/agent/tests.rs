//! What a machine knows from its first moment, whoever answers.

use async_trait::async_trait;
use fixtures::CountingEntropy;
use fixtures::ManualClock;
use serde_json::json;

use super::*;
use crate::Standing;

const HOST: &str = "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11";

fn identity() -> HostIdentity {
    serde_json::from_value(json!({
        "host_id": HOST, "cluster": "prod.example.com", "roles": ["node"], "tls_key": "", "ssh_key": "",
        "tls_client": [], "tls_server": [], "ssh_certificate": "", "issued": "1970-01-01T00:00:00Z", "not_after": "2100-01-01T00:00:00Z", "trust": trust(),
    }))
    .unwrap()
}

fn trust() -> serde_json::Value {
    json!({"cluster": "prod.example.com", "keys": [], "clients_use": 1, "servers_use": 1})
}

fn view(locks: &[serde_json::Value]) -> AgentView {
    serde_json::from_value(json!({
        "revision": 7, "cluster": "prod.example.com", "roles": [], "locks": locks,
        "auth_preference": {}, "networking": {}, "recording": {}, "trust": trust(),
    }))
    .unwrap()
}

fn lock_on(user: &str) -> serde_json::Value {
    json!({
        "kind": "lock", "version": "v1", "metadata": {"name": "lock-1"},
        "spec": {"target": {"user": user}},
    })
}

/// Starts a machine that has joined. Nobody answers at the address.
async fn start(folder: &Path, nearby: Option<Arc<dyn Nearby>>) -> Result<Agent, AgentError> {
    let profile = Profile {
        node_name: "web-1".to_owned(),
        roles: vec!["node".to_owned()],
        labels: BTreeMap::new(),
        public_addresses: Vec::new(),
        addr: String::new(),
        use_tunnel: false,
        version: "0".to_owned(),
    };
    Agent::start(AgentParts {
        folder: folder.to_owned(),
        address: "127.0.0.1:1".to_owned(),
        profile,
        joiner: None,
        nearby,
        cluster: None,
        clock: Arc::new(ManualClock::new()),
        entropy: Arc::new(CountingEntropy::from(1)),
    })
    .await
}

fn locks(agent: &Agent) -> Vec<String> {
    let known = agent.known().borrow().clone();
    let names = known.locks.iter().map(|lock| lock.metadata.name.to_string());
    names.collect()
}

#[tokio::test]
async fn a_machine_that_was_locked_is_locked_from_the_first_moment_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.save(IDENTITY, &identity()).unwrap();
    store.save(VIEW, &view(&[lock_on("mallory")])).unwrap();
    let agent = start(folder.path(), None).await.unwrap();
    assert_eq!(locks(&agent), ["lock-1"], "what it was told is kept");
    agent.lock_out("laptop stolen");
    drop(agent);
    // Nobody tells it again: the auth service cannot be reached.
    let agent = start(folder.path(), None).await.unwrap();
    assert_eq!(locks(&agent), ["lock-1", "removed-machine"]);
    let known = agent.known().borrow().clone();
    let own = known.locks.last().unwrap();
    assert_eq!(own.spec.target.node.as_deref(), Some(HOST));
    assert_eq!(own.spec.message.as_deref(), Some("laptop stolen"));
    assert!(agent.freshness().age(agent.clock.now()).is_none());
    // Taken back, it is shown what there is, and that is kept instead.
    agent.save_view(&view(&[])).unwrap();
    drop(agent);
    assert!(locks(&start(folder.path(), None).await.unwrap()).is_empty());
}

/// An auth service in the same process that knows of a lock.
struct Beside;

#[async_trait]
impl Nearby for Beside {
    async fn view(&self) -> Result<AgentView, AgentError> {
        Ok(view(&[lock_on("alice")]))
    }

    async fn standing(&self, _identity: &HostIdentity) -> Result<Standing, AgentError> {
        Ok(Standing::Good)
    }

    async fn retire(&self, _host_id: &str, _reason: &str) -> Result<(), AgentError> {
        Err(AgentError::NotLetIn("nobody is to be retired".to_owned()))
    }
}

#[tokio::test]
async fn a_machine_beside_the_auth_service_knows_its_locks_before_anybody_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.save(IDENTITY, &identity()).unwrap();
    store.save(VIEW, &view(&[])).unwrap();
    let agent = start(folder.path(), Some(Arc::new(Beside))).await.unwrap();
    assert_eq!(locks(&agent), ["lock-1"]);
    assert!(agent.freshness().age(agent.clock.now()).is_some(), "confirmed");
}
