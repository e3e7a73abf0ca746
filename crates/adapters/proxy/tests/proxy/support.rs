//! A proxy in the test's own process, and what it needs of the outside.

use std::collections::HashMap;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use api_http::AddressLimits;
use api_http::ConnectionLimits;
use api_http::Stop;
use api_http::Stopper;
use async_trait::async_trait;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use key::PublicKey;
use parts::ssh::SignRequest;
use parts::ssh::ssh_keygen;
use parts::ssh::ssh_keygen_sign;
use proxy::Balancers;
use proxy::Dialer;
use proxy::EventFault;
use proxy::Events;
use proxy::Faces;
use proxy::Gate;
use proxy::Here;
use proxy::Listener;
use proxy::NoRoute;
use proxy::ProxyEvent;
use proxy::Public;
use proxy::Resolver;
use proxy::Route;
use proxy::SshIdentity;
use proxy::SshLimits;
use proxy::SshParts;
use proxy::SshProxy;
use proxy::SshUser;
use proxy::Target;
use proxy::TunnelIdentity;
use proxy::Tunnelling;
use proxy::WebCredential;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::CustomExtension;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tunnel::Agent;
use tunnel::AgentCredential;
use tunnel::HostId;
use tunnel::KeepAlive;
use tunnel::ProxyTrust;
use tunnel::TunnelLimits;
use tunnel::Tunnels;

/// How long a condition may take to become true on a machine that others use as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "not so after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates of foreign make are checked against the real time"
    )]
    fn unix_millis(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        i64::try_from(since.unwrap().as_millis()).unwrap()
    }
}

pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        aws_lc_rs::rand::fill(buffer).map_err(|_| EntropyFault)
    }
}

/// Who may be here, as the test says.
#[derive(Default)]
pub(crate) struct TestGate {
    pub authorities: Mutex<Vec<PublicKey>>,
    pub locked_users: Mutex<HashSet<String>>,
    pub locked_hosts: Mutex<HashSet<String>>,
}

impl Gate for TestGate {
    fn user_authorities(&self) -> Arc<[PublicKey]> {
        self.authorities.lock().unwrap().clone().into()
    }

    fn user_may(&self, user: &SshUser) -> Result<(), String> {
        if self.locked_users.lock().unwrap().contains(&user.name) {
            return Err(format!("{} is locked", user.name));
        }
        Ok(())
    }

    fn host_may(&self, agent: &Agent) -> Result<(), String> {
        let locked = self.locked_hosts.lock().unwrap();
        let name = agent.name.as_deref().unwrap_or_default();
        if locked.contains(agent.host.as_str()) || locked.contains(name) {
            return Err("the host was removed".to_owned());
        }
        Ok(())
    }
}

/// The nodes there are, by name.
#[derive(Default)]
pub(crate) struct Nodes(pub Mutex<HashMap<String, Route>>);

#[async_trait]
impl Resolver for Nodes {
    async fn resolve(&self, user: &SshUser, target: &Target) -> Result<Route, NoRoute> {
        if target.host == "secret" && user.name != "root-admin" {
            return Err(NoRoute::Denied("no role allows it".to_owned()));
        }
        self.0
            .lock()
            .unwrap()
            .get(&target.host)
            .cloned()
            .ok_or(NoRoute::Unknown)
    }
}

/// What was taken down.
#[derive(Default)]
pub(crate) struct Log {
    events: Mutex<Vec<ProxyEvent>>,
    pub is_full: AtomicBool,
}

#[async_trait]
impl Events for Log {
    async fn record(&self, event: ProxyEvent) -> Result<(), EventFault> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(EventFault("no space left on device".to_owned()));
        }
        self.events.lock().unwrap().push(event);
        Ok(())
    }
}

impl Log {
    pub(crate) fn all(&self) -> Vec<ProxyEvent> {
        self.events.lock().unwrap().clone()
    }

    /// Waits for an event that fits.
    pub(crate) fn wait<T>(&self, what: &str, fits: impl Fn(&ProxyEvent) -> Option<T>) -> T {
        eventually(what, || self.all().iter().find_map(&fits))
    }

    /// Waits for the reason of a failed log-in, and forgets every event.
    pub(crate) fn take_auth_failure(&self) -> (Option<String>, String) {
        let found = self.wait("a failed log-in", |event| {
            if let ProxyEvent::AuthFailed { claimed, reason, .. } = event {
                Some((claimed.clone(), reason.clone()))
            } else {
                None
            }
        });
        self.events.lock().unwrap().clear();
        found
    }
}

/// A certificate authority of X.509 and what it signs.
pub(crate) struct X509Authority(CertifiedIssuer<'static, KeyPair>);

impl X509Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate with an identity, good for both ends of TLS.
    pub(crate) fn identity(
        &self,
        kind: &str,
        name: &str,
        roles: &[&str],
        hosts: &[&str],
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params =
            CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let roles: Vec<_> = roles.iter().map(|role| format!("{role:?}")).collect();
        let json = format!(
            r#"{{"version":1,"kind":"{kind}","cluster":"test.example","name":"{name}","roles":[{}]}}"#,
            roles.join(",")
        );
        let mut value = vec![0x0c];
        if json.len() < 128 {
            value.push(u8::try_from(json.len()).unwrap());
        } else {
            value.extend([0x81, u8::try_from(json.len()).unwrap()]);
        }
        value.extend(json.as_bytes());
        let oid: Vec<u64> = x509::oid::SIGNET_IDENTITY
            .to_string()
            .split('.')
            .map(|arc| arc.parse().unwrap())
            .collect();
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&oid, value));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (vec![certificate.der().clone()], key)
    }

    /// What the proxy accepts tunnels with.
    pub(crate) fn proxy(&self) -> TunnelIdentity {
        let (chain, key) = self.identity("host", "proxy-1", &["proxy"], &["127.0.0.1", "localhost"]);
        TunnelIdentity {
            chain,
            key,
            authorities: vec![self.certificate()],
        }
    }

    /// What the agent of a host dials with.
    pub(crate) fn agent(&self, host: &str) -> Arc<AgentCredential> {
        let in_cluster = format!("{host}.test.example");
        let given = format!("name-of-{host}");
        let names = [host, &in_cluster, &given, "alias.example"];
        let (chain, key) = self.identity("host", host, &["node"], &names);
        Arc::new(AgentCredential::new(chain, key, self.trust()))
    }

    pub(crate) fn trust(&self) -> ProxyTrust {
        ProxyTrust {
            name: "127.0.0.1".try_into().unwrap(),
            host_authorities: vec![self.certificate()],
            web_roots: Vec::new(),
        }
    }
}

/// A directory of keys and certificates that `ssh-keygen` makes.
pub(crate) struct Keys(pub TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        let keys = Self(TempDir::with_prefix("proxy-").unwrap());
        for name in ["user_ca", "other_ca", "host_ca"] {
            ssh_keygen("ed25519", &keys.path(name)).unwrap();
        }
        keys
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A key `name` and a certificate for it.
    pub(crate) fn certified(
        &self,
        name: &str,
        ca: &str,
        is_host: bool,
        key_id: &str,
        principals: &[&str],
        validity: &str,
    ) {
        ssh_keygen("ed25519", &self.path(name)).unwrap();
        ssh_keygen_sign(SignRequest {
            ca_key: &self.path(ca),
            public_key: &self.path(&format!("{name}.pub")),
            host: is_host,
            key_id,
            principals,
            validity,
        })
        .unwrap();
    }

    /// The key of an authority.
    pub(crate) fn authority(&self, ca: &str) -> PublicKey {
        let name = format!("probe_{ca}_{:?}", std::thread::current().id());
        let name = name.replace(['(', ')'], "");
        if !self.path(&name).exists() {
            self.certified(&name, ca, false, "probe", &["probe"], "-1m:+1h");
        }
        let line = self.read(&format!("{name}-cert.pub"));
        ssh_cert::Certificate::from_line(&line)
            .unwrap()
            .signing_key()
            .clone()
    }

    /// Trust in every host that the host authority certified.
    pub(crate) fn write_known_hosts(&self) {
        let line = format!("@cert-authority * {}", self.read("host_ca.pub"));
        std::fs::write(self.path("known_hosts"), line).unwrap();
    }
}

/// Limits for tests: what is to be seen ending ends soon, and nothing that is healthy is bounded.
pub(crate) const LIMITS: ConnectionLimits = ConnectionLimits {
    connections_max: 2_000,
    handshake: Duration::from_secs(120),
    address: Some(AddressLimits {
        connections_max: 1_000,
        burst: 100_000,
        per_second: 100_000,
    }),
    ..ConnectionLimits::WEB
};

pub(crate) const TUNNEL_LIMITS: TunnelLimits = TunnelLimits {
    handshake: Duration::from_secs(60),
    keep_alive: KeepAlive {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(60),
    },
    ..TunnelLimits::DEFAULT
};

pub(crate) const SSH_LIMITS: SshLimits = SshLimits {
    login_grace: Duration::from_secs(300),
    session_wait: Duration::from_secs(300),
    ..SshLimits::DEFAULT
};

/// What a proxy is to be like.
pub(crate) struct Setting {
    pub limits: ConnectionLimits,
    pub tunnel_limits: TunnelLimits,
    pub auth: Option<Arc<dyn proxy::AuthIntake>>,
    pub ssh_limits: SshLimits,
    pub here: Option<Arc<dyn Here>>,
    pub balancers: Option<Balancers>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            limits: LIMITS,
            tunnel_limits: TUNNEL_LIMITS,
            auth: None,
            ssh_limits: SSH_LIMITS,
            here: None,
            balancers: None,
        }
    }
}

/// A proxy and what it knows.
pub(crate) struct World {
    pub keys: Keys,
    pub gate: Arc<TestGate>,
    pub nodes: Arc<Nodes>,
    pub log: Arc<Log>,
    pub hosts: X509Authority,
    pub faces: Arc<Faces>,
    pub tunnels: Arc<Tunnels>,
    pub tunnelling: Arc<Tunnelling>,
    pub ssh: Arc<SshProxy>,
    pub public: SocketAddr,
    pub jump: SocketAddr,
    pub stopper: Stopper,
    pub stop: Stop,
    pub runtime: tokio::runtime::Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(LIMITS, TUNNEL_LIMITS, None)
    }

    pub(crate) fn with(
        limits: ConnectionLimits,
        tunnel_limits: TunnelLimits,
        auth: Option<Arc<dyn proxy::AuthIntake>>,
    ) -> Self {
        Self::with_ssh(limits, tunnel_limits, auth, SSH_LIMITS)
    }

    /// With a node in the proxy's own process.
    pub(crate) fn with_here(ssh_limits: SshLimits, here: Arc<dyn Here>) -> Self {
        Self::build(Setting {
            ssh_limits,
            here: Some(here),
            ..Setting::default()
        })
    }

    pub(crate) fn with_ssh(
        limits: ConnectionLimits,
        tunnel_limits: TunnelLimits,
        auth: Option<Arc<dyn proxy::AuthIntake>>,
        ssh_limits: SshLimits,
    ) -> Self {
        Self::build(Setting {
            limits,
            tunnel_limits,
            auth,
            ssh_limits,
            ..Setting::default()
        })
    }

    pub(crate) fn build(setting: Setting) -> Self {
        let Setting {
            limits,
            tunnel_limits,
            auth,
            ssh_limits,
            here,
            balancers,
        } = setting;
        let keys = Keys::new();
        keys.write_known_hosts();
        keys.certified(
            "proxy_key",
            "host_ca",
            true,
            "proxy",
            &["proxy", "127.0.0.1"],
            "-1m:+1h",
        );
        keys.certified("alice", "user_ca", false, "alice", &["alice", "root"], "-1m:+1h");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let gate = Arc::new(TestGate::default());
        gate.authorities.lock().unwrap().push(keys.authority("user_ca"));
        let (nodes, log) = (Arc::new(Nodes::default()), Arc::new(Log::default()));
        let hosts = X509Authority::new("hosts");
        let faces = Arc::new(Faces::new(Arc::clone(&clock)));
        let (chain, key) = hosts.identity("host", "proxy-1", &["proxy"], &["127.0.0.1", "localhost"]);
        faces.install_web(&WebCredential { chain, key }).unwrap();
        faces.install_tunnel(&hosts.proxy()).unwrap();
        let tunnels = Arc::new(Tunnels::new(tunnel_limits, Arc::clone(&clock)));
        let tunnelling = Arc::new(Tunnelling::new(
            Arc::clone(&tunnels),
            gate.clone(),
            log.clone(),
            10_000,
        ));
        let mut dialer = Dialer::new(Arc::clone(&tunnels), Duration::from_secs(60));
        if let Some(here) = here {
            dialer = dialer.with_here(here);
        }
        let ssh = Arc::new(SshProxy::new(SshParts {
            gate: gate.clone(),
            resolver: nodes.clone(),
            dialer: Arc::new(dialer),
            events: log.clone(),
            clock,
            entropy: Arc::new(SystemEntropy),
            limits: ssh_limits,
        }));
        let certificate = keys.read("proxy_key-cert.pub");
        ssh.install(&SshIdentity::from_openssh(&keys.read("proxy_key"), &[&certificate]).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (stopper, stop) = Stopper::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (public, jump) = runtime.block_on(async {
            (
                Listener::bind(loopback).await.unwrap(),
                Listener::bind(loopback).await.unwrap(),
            )
        });
        let (public, jump) = (public.behind(balancers.clone()), jump.behind(balancers));
        let addresses = (public.address(), jump.address());
        let parts = Public {
            faces: Arc::clone(&faces),
            auth,
            ssh: Some(Arc::clone(&ssh)),
            tunnels: Some(Arc::clone(&tunnelling)),
            web: Router::new().route(
                "/whoami",
                get(|ConnectInfo(remote): ConnectInfo<SocketAddr>| async move { remote.to_string() }),
            ),
            entropy: Arc::new(SystemEntropy),
        };
        runtime.spawn(public.run_public(parts, limits, stop.clone()));
        runtime.spawn(jump.run_ssh(Arc::clone(&ssh), limits, stop.clone()));
        Self {
            keys,
            gate,
            nodes,
            log,
            hosts,
            faces,
            tunnels,
            tunnelling,
            ssh,
            public: addresses.0,
            jump: addresses.1,
            stopper,
            stop,
            runtime,
        }
    }

    /// Makes a node known.
    pub(crate) fn add_node(&self, name: &str, route: Route) {
        self.nodes.0.lock().unwrap().insert(name.to_owned(), route);
    }
}

pub(crate) fn host(id: &str) -> HostId {
    HostId::parse(id).unwrap()
}

/// A host at an address.
pub(crate) fn direct(id: &str, address: SocketAddr) -> Route {
    Route {
        host: host(id),
        name: id.to_owned(),
        port: address.port(),
        via: proxy::Via::Hops(vec![proxy::Hop::Direct(address.to_string())]),
    }
}

/// A host in the proxy's own process.
pub(crate) fn within(id: &str) -> Route {
    Route {
        host: host(id),
        name: id.to_owned(),
        port: 22,
        via: proxy::Via::Hops(vec![proxy::Hop::Here]),
    }
}

/// A host behind its tunnel.
pub(crate) fn by_tunnel(id: &str, port: u16) -> Route {
    Route {
        host: host(id),
        name: id.to_owned(),
        port,
        via: proxy::Via::Hops(vec![proxy::Hop::Tunnel]),
    }
}

/// Whether a file has the same content as another.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}
