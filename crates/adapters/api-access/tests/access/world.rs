//! A cluster with its people and machines, and the routers on top of it.

use std::net::SocketAddr;
use std::sync::Arc;

use api_access::Access;
use api_access::AccessParts;
use api_http::AttemptLimits;
use api_http::AttemptRate;
use api_http::CheckLog;
use api_http::Examine;
use api_http::Front;
use api_http::Peer;
use api_http::RequestLimits;
use api_http::Restore;
use api_http::RestoreError;
use api_http::Service;
use api_http::ServiceParts;
use api_types::Finding;
use async_trait::async_trait;
use audit::Actor;
use audit::AuditReport;
use authn::Step;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::Cluster;
use cluster::IssueX509;
use directory::Directory;
use directory::Put;
use enrollment::Enrollment;
use enrollment::JoinSecret;
use fixtures::CountingEntropy;
use fixtures::ManualClock;
use fixtures::totp_seed;
use identity::AeadSeal;
use identity::DirectoryPeople;
use identity::Identity;
use ledger::Ledger;
use ledger::LedgerError;
use ledger_memory::MemoryLedger;
use names::Ttl;
use names::UserName;
use profile::X509Request;
use resource::AnyDocument;
use runtime::Clock;
use runtime::Entropy;
use serde_json::Value;
use serde_json::json;
use ssh_cert::SubjectKey;
use state_memory::MemoryState;
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "seven blue doors";
/// Where people come from.
pub(crate) const HERE: &str = "192.0.2.1:40000";

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

struct Doctor;

#[async_trait]
impl Examine for Doctor {
    async fn examine(&self) -> Vec<Finding> {
        Vec::new()
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) service: Arc<Service>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) directory: Arc<Directory>,
    front: Arc<Front>,
    private: Router,
    public: Router,
    access: Arc<Access>,
    pub(crate) identity: Arc<Identity>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of a refusal; nothing for a success.
    pub(crate) fn code(&self) -> String {
        let code = serde_json::from_slice::<Value>(&self.body).ok();
        code.and_then(|body| body["error"]["code"].as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Status and code.
    pub(crate) fn said(&self) -> (u16, String) {
        (self.status, self.code())
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!(self.said(), (status, code.to_owned()), "{}", self.text());
    }
}

/// A request, before it is asked.
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::with("GET", path, Vec::new())
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::with("DELETE", path, Vec::new())
    }

    /// Without a body.
    pub(crate) fn post_nothing(path: impl Into<String>) -> Self {
        Self::with("POST", path, Vec::new())
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::with("POST", path, body.to_string().into_bytes())
    }

    pub(crate) fn put(path: impl Into<String>, body: &Value) -> Self {
        Self::with("PUT", path, body.to_string().into_bytes())
    }

    pub(crate) fn with(method: &'static str, path: impl Into<String>, body: Vec<u8>) -> Self {
        let headers = if body.is_empty() {
            Vec::new()
        } else {
            vec![("content-type", "application/json".to_owned())]
        };
        Self {
            method,
            path: path.into(),
            headers,
            body,
        }
    }

    pub(crate) fn proved_by(mut self, token: &str) -> Self {
        self.headers.push((api_types::PRIVILEGE_HEADER, token.to_owned()));
        self
    }
}

/// Somebody who signed up.
pub(crate) struct Person {
    pub(crate) seed: String,
    pub(crate) recovery_codes: Vec<String>,
    pub(crate) peer: Peer,
}

/// A machine that joined.
pub(crate) struct Machine {
    pub(crate) host_id: String,
    pub(crate) peer: Peer,
}

pub(crate) fn operator() -> Peer {
    Peer::Local {
        uid: 0,
        user: "root".into(),
    }
}

/// Nobody here is limited, but by tests about limits.
const UNLIMITED: AttemptRate = AttemptRate {
    per_minute: 1_000_000,
    burst: 1_000_000,
};

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(AttemptLimits {
            log_ins: UNLIMITED,
            joins: UNLIMITED,
        })
        .await
    }

    pub(crate) async fn with(attempts: AttemptLimits) -> Self {
        let clock = Arc::new(ManualClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(CountingEntropy::from(1));
        let state = Arc::new(MemoryState::new(clock.clone()));
        let ledger = Arc::new(MemoryLedger::new());
        let cluster = fixtures::cluster(state.clone(), ledger.clone(), clock.clone(), entropy.clone())
            .await
            .unwrap();
        let hosts = vec!["localhost".parse().unwrap()];
        let front = Front::new(cluster.clone(), clock.clone(), entropy.clone(), hosts);
        front.reload().await.unwrap();
        let front = Arc::new(front);
        let service = Arc::new(Service::new(ServiceParts {
            cluster: cluster.clone(),
            front: front.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            log: Arc::new(Check(ledger.clone())),
            doctor: Arc::new(Doctor),
            limits: RequestLimits {
                attempts,
                ..RequestLimits::DEFAULT
            },
            web_url: "https://auth.example.com:3080".into(),
            api_address: "auth.example.com:3025".into(),
        }));
        let directory = Directory::open(cluster.clone(), state.clone()).await;
        let directory = Arc::new(directory.unwrap());
        let parts = identity::Parts {
            cluster: cluster.clone(),
            state: state.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            people: Arc::new(DirectoryPeople::new(directory.clone(), clock.clone())),
            seal: Arc::new(AeadSeal::new(&[9; 32], entropy.clone()).unwrap()),
        };
        let identity = Identity::open(parts, identity::Settings::default()).await;
        let identity = Arc::new(identity.unwrap());
        let parts = enrollment::Parts {
            cluster: cluster.clone(),
            directory: directory.clone(),
            state,
            entropy,
        };
        let enrollment = Enrollment::open(parts, enrollment::Settings::default()).await;
        let access = Arc::new(Access::new(AccessParts {
            service: service.clone(),
            directory: directory.clone(),
            enrollment: Arc::new(enrollment.unwrap()),
            identity: identity.clone(),
            proxy: Some("proxy.example.com:3080".into()),
        }));
        let proofs: Arc<dyn api_http::Reauthentication> = access.clone();
        service.ask_for_proof(&proofs);
        let private = api_http::api_router(service.clone()).merge(api_access::access_router(access.clone()));
        Self {
            clock,
            ledger,
            cluster,
            directory,
            front,
            private,
            public: api_http::web_router(service.clone()).merge(api_access::public_router(access.clone())),
            service,
            access,
            identity,
        }
    }

    /// Asks the API, by a connection that proved this.
    pub(crate) async fn ask(&self, peer: &Peer, ask: Ask) -> Answer {
        self.send(&self.private, Some(peer.clone()), HERE, ask).await
    }

    /// Asks the API by a connection that proved nothing.
    pub(crate) async fn ask_unproved(&self, ask: Ask) -> Answer {
        self.send(&self.private, None, HERE, ask).await
    }

    /// Asks what everybody may ask.
    pub(crate) async fn ask_publicly(&self, ask: Ask) -> Answer {
        self.ask_from(HERE, ask).await
    }

    /// Asks what everybody may ask, from an address.
    pub(crate) async fn ask_from(&self, remote: &str, ask: Ask) -> Answer {
        self.send(&self.public, None, remote, ask).await
    }

    async fn send(&self, router: &Router, peer: Option<Peer>, remote: &str, ask: Ask) -> Answer {
        let mut request = Request::builder().method(ask.method).uri(ask.path);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(ask.body)).unwrap();
        let remote: SocketAddr = remote.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(remote));
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec(),
        }
    }

    /// These pages, with limits.
    pub(crate) fn limited(&self, pages: Router) -> Router {
        api_access::limit_pages(pages, self.access.clone())
    }

    /// Asks for a page, from an address.
    pub(crate) async fn ask_page(&self, pages: &Router, remote: &str, ask: Ask) -> Answer {
        self.send(pages, None, remote, ask).await
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock
            .advance(Ttl::from_seconds(u64::try_from(seconds).unwrap()));
    }

    /// A code that is good now and was good never before.
    pub(crate) fn next_code(&self, seed: &str) -> String {
        self.pass(30);
        totp_seed(seed)
            .unwrap()
            .code(Step::at(self.clock.now()))
            .to_string()
    }

    /// Writes a document as the operator.
    pub(crate) async fn put(&self, document: Value) {
        let document: AnyDocument = serde_json::from_value(document).unwrap();
        let actor = Actor::Local {
            user: "root".into(),
            uid: 0,
        };
        self.directory.put(&actor, document, Put::Upsert).await.unwrap();
    }

    pub(crate) async fn add_user(&self, name: &str, roles: &[&str]) {
        self.put(user(name, roles)).await;
    }

    /// What a certificate proves.
    pub(crate) fn proves(&self, der: &[u8]) -> Peer {
        let certificate = x509::Certificate::from_der(der).unwrap();
        Peer::Certificate {
            issuer: self.front.trust().issuer_of(&certificate).unwrap(),
            certificate: Arc::new(certificate),
            remote: HERE.parse().unwrap(),
        }
    }

    /// A user without any credential, known by a certificate with these roles.
    pub(crate) async fn certified(&self, name: &str, roles: &[&str]) -> Peer {
        self.add_user(name, roles).await;
        self.carrying(name, roles, &[]).await
    }

    /// A certificate of somebody with these roles and logins, whatever the user has.
    pub(crate) async fn carrying(&self, name: &str, roles: &[&str], logins: &[&str]) -> Peer {
        self.carrying_pinned(name, roles, logins, None).await
    }

    /// As [`World::carrying`], good from one address.
    pub(crate) async fn carrying_pinned(
        &self,
        name: &str,
        roles: &[&str],
        logins: &[&str],
        pinned_to: Option<std::net::IpAddr>,
    ) -> Peer {
        let request = X509Request::User {
            user: UserName::parse(name).unwrap(),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
            logins: logins.iter().map(|login| login.parse().unwrap()).collect(),
            traits: Default::default(),
            mfa_device: None,
            pinned_to,
        };
        let (_, subject_key) = tls_key();
        let issue = IssueX509 {
            request,
            subject_key,
            ttl: None,
            allowed_by: "a test".into(),
        };
        let issued = self.cluster.issue_x509(&Actor::System, &issue).await.unwrap();
        self.proves(&issued.document)
    }

    /// Somebody who signed up by a link and logged in, all of it over the API.
    pub(crate) async fn person(&self, name: &str, roles: &[&str]) -> Person {
        self.add_user(name, roles).await;
        let link = self
            .ask(&operator(), Ask::post_nothing(format!("/v1/users/{name}/invite")))
            .await
            .ok();
        let link = format!("/webapi/invite/{}", text(&link["token"]));
        let begun = self
            .ask_publicly(Ask::post(format!("{link}/begin"), &json!({"kind": "totp"})))
            .await
            .ok();
        let seed = text(&begun["totp"]["secret"]);
        let finish = json!({
            "challenge_id": begun["challenge_id"], "password": PASSWORD,
            "second_factor": {"totp": self.next_code(&seed)},
        });
        let finished = self
            .ask_publicly(Ask::post(format!("{link}/finish"), &finish))
            .await
            .ok();
        let codes = finished["recovery_codes"].as_array().unwrap();
        let recovery_codes = codes.iter().map(text).collect();
        let answer = self.log_in(name, PASSWORD, &self.next_code(&seed)).await.ok();
        Person {
            seed,
            recovery_codes,
            peer: self.proves(&unpem(&text(&answer["tls_certificate"]))),
        }
    }

    /// A log-in by what somebody types.
    pub(crate) async fn log_in(&self, user: &str, password: &str, code: &str) -> Answer {
        let typed = log_in(user, password, code);
        self.ask_publicly(Ask::post("/webapi/login/finish", &typed)).await
    }

    /// Says anew who somebody is; the answer to the second half.
    pub(crate) async fn reauthenticate(&self, person: &Person, purpose: &str, code: &str) -> Answer {
        let begun = self
            .ask(&person.peer, Ask::post_nothing("/v1/me/reauthenticate/begin"))
            .await
            .ok();
        let finish = json!({
            "challenge_id": begun["challenge_id"], "password": PASSWORD,
            "second_factor": {"totp": code}, "purpose": purpose,
        });
        self.ask(&person.peer, Ask::post("/v1/me/reauthenticate/finish", &finish))
            .await
    }

    /// A proof for a purpose.
    pub(crate) async fn proof(&self, person: &Person, purpose: &str) -> String {
        let code = self.next_code(&person.seed);
        text(&self.reauthenticate(person, purpose, &code).await.ok()["token"])
    }

    /// The body of a request to join with a new token.
    pub(crate) async fn join_request(&self, name: &str, roles: &[&str]) -> Value {
        let token = self
            .ask(&operator(), Ask::post("/v1/tokens", &json!({"roles": roles})))
            .await
            .ok();
        join_request(&text(&token["token"]), name, roles)
    }

    /// A machine that joined over the API.
    pub(crate) async fn machine(&self, name: &str, roles: &[&str]) -> Machine {
        let request = self.join_request(name, roles).await;
        let joined = self.ask_publicly(Ask::post("/webapi/join", &request)).await.ok();
        Machine {
            host_id: text(&joined["host_id"]),
            peer: self.proves(&unpem(&text(&joined["tls_client"][0]))),
        }
    }

    /// The events of a name, as they stand in the log.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let lines = self.ledger.lines().into_iter();
        lines
            .map(|line| serde_json::from_str::<Value>(&line).unwrap())
            .filter(|line| line["event"] == event)
            .collect()
    }
}

/// The document of a user.
pub(crate) fn user(name: &str, roles: &[&str]) -> Value {
    json!({
        "kind": "user", "version": "v1", "metadata": {"name": name},
        "spec": {"roles": roles, "traits": {"logins": [name]}},
    })
}

/// The document of a lock on somebody.
pub(crate) fn lock(name: &str, target: Value) -> Value {
    json!({"kind": "lock", "version": "v1", "metadata": {"name": name}, "spec": {"target": target, "message": "not today"}})
}

/// The body that finishes a log-in.
pub(crate) fn log_in(user: &str, password: &str, code: &str) -> Value {
    json!({
        "user": user, "password": password, "second_factor": {"totp": code},
        "ssh_public_key": ssh_line(), "tls_public_key": tls_pem(),
    })
}

/// The body of a request to join.
pub(crate) fn join_request(token: &str, name: &str, roles: &[&str]) -> Value {
    let ssh = ssh_line();
    let key = SubjectKey::from_line(&ssh).unwrap();
    let (tls, _) = tls_key();
    let mut wanted = rcgen::CertificateParams::default();
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    let proof = enrollment::join_proof(&JoinSecret::parse(token).unwrap(), name, key.blob());
    wanted.distinguished_name.push(rcgen::DnType::CommonName, proof);
    json!({
        "token": token, "node_name": name, "roles": roles, "ssh_public_key": ssh,
        "csr": wanted.serialize_request(&tls).unwrap().pem().unwrap(), "addr": "192.0.2.7:3022",
    })
}

/// A new SSH key, a line.
pub(crate) fn ssh_line() -> String {
    format!("ssh-ed25519 {}", STANDARD.encode(ssh_key().blob()))
}

/// A new key for SSH.
pub(crate) fn ssh_key() -> SubjectKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let public = key::PublicKey::from_spki_der(&tls_spki(&pair)).unwrap();
    SubjectKey::from_public_key(&public).unwrap()
}

/// A new TLS key, PEM.
pub(crate) fn tls_pem() -> String {
    pem("PUBLIC KEY", &tls_spki(&tls_key().0))
}

fn tls_key() -> (rcgen::KeyPair, key::PublicKey) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let public = key::PublicKey::from_spki_der(&tls_spki(&pair)).unwrap();
    (pair, public)
}

fn tls_spki(pair: &rcgen::KeyPair) -> Vec<u8> {
    rcgen::PublicKeyData::subject_public_key_info(pair)
}

fn pem(label: &str, der: &[u8]) -> String {
    x509::pem::encode(label, der)
}

fn unpem(text: &str) -> Vec<u8> {
    x509::pem::decode_one("certificate", "CERTIFICATE", text).unwrap()
}

/// A text in a document.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
