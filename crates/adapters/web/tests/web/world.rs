//! A cluster with users and nodes, and the pages on top of it.

use std::sync::Arc;

use audit::Actor;
use authn::Step;
use axum::Router;
use directory::Directory;
use directory::Put;
use enrollment::CreateToken;
use enrollment::Enrollment;
use enrollment::Heartbeat;
use enrollment::JoinRequest;
use fixtures::CountingEntropy;
use fixtures::ManualClock;
use fixtures::totp_seed;
use identity::AeadSeal;
use identity::DirectoryPeople;
use identity::Identity;
use identity::RelyingParty;
use names::Ttl;
use names::UserName;
use resource::AnyDocument;
use resource::SystemRole;
use runtime::Clock;
use runtime::Entropy;
use serde_json::Value;
use serde_json::json;
use ssh_cert::SubjectKey;
use state::Expect;
use state::State;
use web::WebParts;

pub(crate) const PASSWORD: &str = "seven blue doors";
pub(crate) const ORIGIN: &str = "https://proxy.example.com:3080";

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) identity: Arc<Identity>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) enrollment: Arc<Enrollment>,
    pub(crate) state: Arc<state_memory::MemoryState>,
    pub(crate) ledger: Arc<ledger_memory::MemoryLedger>,
    clock: Arc<ManualClock>,
}

pub(crate) fn operator() -> Actor {
    Actor::Local {
        user: "root".into(),
        uid: 0,
    }
}

pub(crate) fn user(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(ORIGIN, "proxy.example.com").await
    }

    /// A world whose pages are at this origin.
    pub(crate) async fn at(origin: &str, relying_party: &str) -> Self {
        let clock = Arc::new(ManualClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(CountingEntropy::from(1));
        let state = Arc::new(state_memory::MemoryState::new(clock.clone()));
        let ledger = Arc::new(ledger_memory::MemoryLedger::new());
        let cluster = fixtures::cluster(state.clone(), ledger.clone(), clock.clone(), entropy.clone())
            .await
            .unwrap();
        let directory = Arc::new(Directory::open(cluster.clone(), state.clone()).await.unwrap());
        let settings = identity::Settings {
            relying_party: Some(RelyingParty {
                id: relying_party.into(),
                origins: vec![origin.into()],
                name: "test".into(),
            }),
            ..identity::Settings::default()
        };
        let parts = identity::Parts {
            cluster: cluster.clone(),
            state: state.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            people: Arc::new(DirectoryPeople::new(directory.clone(), clock.clone())),
            seal: Arc::new(AeadSeal::new(&[9; 32], entropy.clone()).unwrap()),
        };
        let identity = Arc::new(Identity::open(parts, settings).await.unwrap());
        let parts = enrollment::Parts {
            cluster: cluster.clone(),
            directory: directory.clone(),
            state: state.clone(),
            entropy: entropy.clone(),
        };
        let enrollment = Enrollment::open(parts, enrollment::Settings::default()).await;
        let enrollment = Arc::new(enrollment.unwrap());
        let router = web::router(WebParts {
            identity: identity.clone(),
            directory: directory.clone(),
            enrollment: enrollment.clone(),
            cluster,
            entropy,
            proxy_address: origin.trim_start_matches("https://").to_owned(),
            has_relying_party: true,
        });
        let world = Self {
            router,
            identity,
            directory,
            enrollment,
            state,
            ledger,
            clock,
        };
        world
            .put(json!({
                "kind": "role", "version": "v1", "metadata": { "name": "developer" },
                "spec": { "allow": { "logins": ["root", "{{internal.logins}}"], "node_labels": { "env": ["dev"] } } },
            }))
            .await;
        world.add_user("alice").await;
        world
    }

    pub(crate) async fn add_user(&self, name: &str) {
        self.put(json!({
            "kind": "user", "version": "v1", "metadata": { "name": name },
            "spec": { "roles": ["developer"], "traits": { "logins": [name] } },
        }))
        .await;
    }

    pub(crate) async fn put(&self, document: Value) {
        let document: AnyDocument = serde_json::from_value(document).unwrap();
        self.directory
            .put(&operator(), document, Put::Upsert)
            .await
            .unwrap();
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock
            .advance(Ttl::from_seconds(u64::try_from(seconds).unwrap()));
    }

    /// The path of a new link.
    pub(crate) async fn invite(&self, name: &str) -> String {
        let invite = self
            .identity
            .invite(&operator(), &user(name), None)
            .await
            .unwrap();
        format!("/web/invite/{}", invite.bearer.expose().as_str())
    }

    /// The code that an application with this seed shows now.
    pub(crate) fn code(&self, seed: &str) -> String {
        totp_seed(seed)
            .unwrap()
            .code(Step::at(self.clock.now()))
            .to_string()
    }

    /// A code that is good now and was good never before.
    pub(crate) fn next_code(&self, seed: &str) -> String {
        self.pass(30);
        self.code(seed)
    }

    /// The events of a name, as they stand in the log.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        self.ledger
            .lines()
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["event"] == event)
            .collect()
    }

    /// A machine that joined and is heard of.
    pub(crate) async fn online_node(&self, name: &str, labels: &[(&str, &str)]) {
        let create = CreateToken {
            roles: vec![SystemRole::Node],
            ttl: None,
            uses: Some(1),
            suggested_labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
                .collect(),
            description: None,
            is_operator: true,
        };
        let token = self
            .enrollment
            .create_token(&operator(), create)
            .await
            .unwrap()
            .secret;
        let ssh = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let ssh = rcgen::PublicKeyData::subject_public_key_info(&ssh);
        let ssh = SubjectKey::from_public_key(&key::PublicKey::from_spki_der(&ssh).unwrap()).unwrap();
        let tls = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut wanted = rcgen::CertificateParams::default();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        let proof = enrollment::join_proof(&token, name, ssh.blob());
        wanted.distinguished_name.push(rcgen::DnType::CommonName, proof);
        let request = JoinRequest {
            token,
            node_name: name.to_owned(),
            roles: vec![SystemRole::Node],
            host_id: None,
            csr: wanted.serialize_request(&tls).unwrap().der().to_vec(),
            ssh_public_key: ssh,
            labels: [].into(),
            public_addresses: Vec::new(),
            addr: "192.0.2.7:3022".into(),
            is_own: false,
        };
        let remote = "192.0.2.7:40000";
        let joined = self.enrollment.join(&request, remote).await.unwrap();
        let certificate = &joined.certificates.tls_client.chain[0];
        let caller = self.enrollment.identify(certificate, remote).await.unwrap();
        let heartbeat = Heartbeat {
            addr: "192.0.2.7:3022".into(),
            version: "1.0.0".into(),
            ..Heartbeat::default()
        };
        self.enrollment.heartbeat(&caller, heartbeat).await.unwrap();
    }

    /// A node that was never heard of.
    pub(crate) async fn offline_node(&self, id: &str, hostname: &str, labels: Value) {
        let document: AnyDocument = serde_json::from_value(json!({
            "kind": "node", "version": "v1", "metadata": { "name": id, "labels": labels },
            "spec": { "hostname": hostname, "addr": "192.0.2.8:3022", "sub_kind": "agent", "use_tunnel": false, "version": "1.0.0" },
        }))
        .unwrap();
        let write = directory::encode(&document, Expect::Absent).unwrap();
        self.state.commit(vec![write]).await.unwrap();
    }

    /// A server without an agent.
    pub(crate) async fn openssh_node(&self, name: &str, labels: Value) {
        let document: AnyDocument = serde_json::from_value(json!({
            "kind": "node", "version": "v1", "metadata": { "name": name, "labels": labels },
            "spec": { "hostname": name, "addr": "192.0.2.9:22", "sub_kind": "openssh" },
        }))
        .unwrap();
        let AnyDocument::Node(node) = document else {
            panic!("it is no node");
        };
        self.enrollment
            .write_node(&operator(), node, Put::Create)
            .await
            .unwrap();
    }
}
