use std::collections::BTreeMap;
use std::sync::Mutex;

use api_types::JoinAnswer;
use api_types::JoinRequest;
use api_types::SecretText;
use fixtures::CountingEntropy;
use serde_json::json;
use ssh_key::PrivateKey;
use ssh_key::certificate::Builder;
use ssh_key::certificate::CertType;
use ssh_key::private::Ed25519Keypair;

use super::*;

const FIRST: &str = "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11";
const SECOND: &str = "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a12";

/// An auth service in the same process that lets everybody join, notes what it is asked, and says this of who the machine is.
struct Beside {
    standing: Result<Standing, ()>,
    joins: Mutex<Vec<JoinRequest>>,
    retired: Mutex<Vec<String>>,
}

impl Beside {
    fn new(standing: Result<Standing, ()>) -> Self {
        Self {
            standing,
            joins: Mutex::default(),
            retired: Mutex::default(),
        }
    }
}

#[async_trait]
impl Nearby for Beside {
    async fn view(&self) -> Result<AgentView, AgentError> {
        Err(AgentError::NotLetIn("nobody asks".to_owned()))
    }

    async fn standing(&self, _identity: &HostIdentity) -> Result<Standing, AgentError> {
        let away = |()| AgentError::NotLetIn("the state is away".to_owned());
        self.standing.clone().map_err(away)
    }

    async fn retire(&self, host_id: &str, _reason: &str) -> Result<(), AgentError> {
        self.retired.lock().unwrap().push(host_id.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Joiner for Beside {
    async fn secret(&self) -> Result<SecretText, AgentError> {
        Ok(SecretText::new("0123456789abcdef".to_owned()))
    }

    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, AgentError> {
        let first = self.joins.lock().unwrap().is_empty();
        self.joins.lock().unwrap().push(request.clone());
        let host_id = request
            .host_id
            .clone()
            .unwrap_or_else(|| if first { FIRST } else { SECOND }.to_owned());
        Ok(serde_json::from_value(json!({
            "tls_client": [], "tls_server": [], "ssh_certificate": certificate(&host_id, &request.node_name),
            "host_id": host_id, "not_after": "2100-01-01T00:00:00Z",
            "trust": {"cluster": "prod.example.com", "keys": [], "clients_use": 1, "servers_use": 1},
        }))
        .unwrap())
    }
}

/// A certificate with the names that a host's has, in their order.
fn certificate(host_id: &str, name: &str) -> String {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    let mut builder = Builder::new(vec![0; 16], key.public_key(), 0, 1).unwrap();
    builder.cert_type(CertType::Host).unwrap();
    for principal in [host_id, &format!("{host_id}.prod.example.com"), name, "a.b.c"] {
        builder.valid_principal(principal).unwrap();
    }
    builder.sign(&key).unwrap().to_openssh().unwrap()
}

fn profile(name: &str, roles: &[&str]) -> Profile {
    Profile {
        node_name: name.to_owned(),
        roles: roles.iter().map(ToString::to_string).collect(),
        labels: BTreeMap::new(),
        public_addresses: Vec::new(),
        addr: String::new(),
        use_tunnel: false,
        version: "0".to_owned(),
    }
}

async fn start(
    store: &Store,
    beside: &Beside,
    (profile, is_beside, can_join): (&Profile, bool, bool),
) -> Result<HostIdentity, AgentError> {
    let admission = Admission {
        store,
        profile,
        joiner: can_join.then_some(beside as &dyn Joiner),
        nearby: is_beside.then_some(beside as &dyn Nearby),
        cluster: Some("prod.example.com"),
        entropy: &CountingEntropy::from(1),
        now: UnixSeconds(0),
    };
    admission.identity().await
}

#[tokio::test]
async fn a_machine_beside_the_auth_service_that_is_taken_for_nobody_becomes_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let hub = profile("hub", &["node", "proxy"]);
    let beside = Beside::new(Ok(Standing::Good));
    for _ in 0..2 {
        let identity = start(&store, &beside, (&hub, true, true)).await.unwrap();
        assert_eq!(identity.host_id(), FIRST);
    }
    assert_eq!(beside.joins.lock().unwrap().len(), 1, "it joined once");
    let beside = Beside {
        standing: Ok(Standing::Gone("the certificate was revoked".to_owned())),
        ..beside
    };
    let identity = start(&store, &beside, (&hub, true, true)).await.unwrap();
    assert_eq!(identity.host_id(), SECOND);
    assert_eq!(*beside.retired.lock().unwrap(), [FIRST]);
    let beside = Beside {
        standing: Ok(Standing::Good),
        ..beside
    };
    let identity = start(&store, &beside, (&hub, true, true)).await.unwrap();
    assert_eq!(identity.host_id(), SECOND, "it is on its disk");
}

#[tokio::test]
async fn a_machine_beside_the_auth_service_stays_who_it_is_where_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let hub = profile("hub", &["node"]);
    let mut beside = Beside::new(Ok(Standing::Good));
    start(&store, &beside, (&hub, true, true)).await.unwrap();
    beside.standing = Err(());
    let identity = start(&store, &beside, (&hub, true, true)).await.unwrap();
    assert_eq!(identity.host_id(), FIRST, "nothing is known against it");
    beside.standing = Ok(Standing::Outdated("it has ended".to_owned()));
    let identity = start(&store, &beside, (&hub, true, true)).await.unwrap();
    assert_eq!(identity.host_id(), FIRST, "it joined again as the host it is");
    assert!(beside.retired.lock().unwrap().is_empty());
    beside.standing = Ok(Standing::Good);
    let more = profile("hub", &["node", "proxy"]);
    let identity = start(&store, &beside, (&more, true, true)).await.unwrap();
    assert_eq!((identity.host_id(), &identity.roles), (SECOND, &more.roles));
}

#[tokio::test]
async fn a_machine_is_called_in_one_way_only() {
    for is_beside in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let beside = Beside::new(Ok(Standing::Good));
        let start = async |name: &str, can_join| {
            start(&store, &beside, (&profile(name, &["node"]), is_beside, can_join))
                .await
                .unwrap()
        };
        let before = start("vm", true).await;
        let kept = start("hub", false).await;
        assert_eq!(
            kept.node_name().as_deref(),
            Some("vm"),
            "it cannot be renamed now"
        );
        let renamed = start("hub", true).await;
        assert_eq!(renamed.host_id(), before.host_id());
        assert_eq!(renamed.node_name().as_deref(), Some("hub"));
        assert_eq!(renamed.ssh_key(), before.ssh_key());
        assert_eq!(start("hub", true).await.node_name().as_deref(), Some("hub"));
        assert_eq!(beside.joins.lock().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_machine_that_can_never_join_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let beside = Beside::new(Ok(Standing::Good));
    let refused = start(&store, &beside, (&profile("web-1", &["node"]), false, false)).await;
    assert!(matches!(refused, Err(AgentError::CannotJoin(_))));
}
