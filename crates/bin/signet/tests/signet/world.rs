//! A cluster in the test's process: a proxy with the endpoints to log in by, and nodes behind it.

mod auth;
mod authorities;
mod between;
mod web;

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use api_http::ConnectionLimits;
use api_http::Stopper;
use api_types::PresentTrust;
use async_trait::async_trait;
use key::PublicKey;
use parts::process::Outcome;
use parts::process::run_within;
use proxy::Dialer;
use proxy::Faces;
use proxy::Hop;
use proxy::Listener;
use proxy::NoRoute;
use proxy::Public;
use proxy::Resolver;
use proxy::Route;
use proxy::SshIdentity;
use proxy::SshLimits;
use proxy::SshParts;
use proxy::SshProxy;
use proxy::SshUser;
use proxy::Via;
use proxy::WebCredential;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use ssh_node::Grant;
use ssh_node::Helper;
use ssh_node::HostKey;
use ssh_node::HostKeys;
use ssh_node::LocalTarget;
use ssh_node::NoTee;
use ssh_node::Node;
use ssh_node::NodeConfig;
use ssh_node::SystemAccounts;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tunnel::HostId;
use tunnel::TunnelLimits;
use tunnel::Tunnels;

pub(crate) use authorities::Authorities;
pub(crate) use between::Forgery;
pub(crate) use between::InBetween;
pub(crate) use web::CODE;
pub(crate) use web::DISLIKED;
pub(crate) use web::PASSWORD;

/// The cluster.
pub(crate) const CLUSTER: &str = "test.example";
/// How long a program may take. Machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something is so.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "not so in time: {what}");
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

/// Lets in whoever has a certificate of the user authority.
struct OpenGate {
    authorities: Vec<PublicKey>,
    changes: watch::Sender<u64>,
    cut: Arc<Mutex<Option<String>>>,
}

impl proxy::Gate for OpenGate {
    fn user_authorities(&self) -> Arc<[PublicKey]> {
        self.authorities.clone().into()
    }

    fn user_may(&self, _: &SshUser) -> Result<(), String> {
        Ok(())
    }

    fn host_may(&self, _: &tunnel::Agent) -> Result<(), String> {
        Ok(())
    }
}

#[async_trait]
impl ssh_node::Gate for OpenGate {
    fn authorities(&self) -> Arc<[PublicKey]> {
        self.authorities.clone().into()
    }

    async fn admit(&self, admission: &ssh_node::Admission) -> Result<Grant, ssh_node::NotAdmitted> {
        if let Some(why) = &*self.cut.lock().unwrap() {
            return Err(ssh_node::NotAdmitted::Told(ssh_node::Denial(why.clone())));
        }
        Ok(Grant::unlimited(admission.certificate.key_id()))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn standing(&self, _: &ssh_node::Admission, _: &Grant) -> Result<(), ssh_node::Fallen> {
        match &*self.cut.lock().unwrap() {
            Some(why) => Err(ssh_node::Fallen::Locked(ssh_node::Denial(why.clone()))),
            None => Ok(()),
        }
    }
}

struct NoEvents;

#[async_trait]
impl proxy::Events for NoEvents {
    async fn record(&self, _: proxy::ProxyEvent) -> Result<(), proxy::EventFault> {
        Ok(())
    }
}

#[async_trait]
impl ssh_node::Events for NoEvents {
    async fn record(&self, _: ssh_node::Event) -> Result<(), ssh_node::NotRecorded> {
        Ok(())
    }
}

/// The nodes there are, by name.
#[derive(Default)]
struct Nodes(Mutex<HashMap<String, SocketAddr>>);

#[async_trait]
impl Resolver for Nodes {
    async fn resolve(&self, _: &SshUser, target: &proxy::Target) -> Result<Route, NoRoute> {
        let suffix = format!(".{CLUSTER}");
        let name = target.host.strip_suffix(&suffix).unwrap_or(&target.host);
        let address = self
            .0
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .ok_or(NoRoute::Unknown)?;
        Ok(Route {
            host: HostId::parse("11111111-2222-4333-8444-555555555555").unwrap(),
            name: name.to_owned(),
            port: target.port,
            via: Via::Hops(vec![Hop::Direct(address.to_string())]),
        })
    }
}

/// The account sessions run as: the one of the test, which is root in CI.
pub(crate) fn own_account() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        nix::unistd::User::from_uid(nix::unistd::geteuid())
            .unwrap()
            .unwrap()
            .name
    });
    &NAME
}

/// A cluster and a home directory of somebody who uses it.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) address: SocketAddr,
    gate: Arc<OpenGate>,
    nodes: Arc<Nodes>,
    told: Arc<Mutex<PresentTrust>>,
    running: Mutex<Vec<Node>>,
    _stopper: Stopper,
    runtime: Runtime,
}

impl World {
    /// A cluster with the node `web-1`.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.add_node("web-1", &["web-1", "web-1.test.example"]);
        world
    }

    pub(crate) fn empty() -> Self {
        let directory = TempDir::with_prefix("signet-").unwrap();
        let authorities = Arc::new(Authorities::new(directory.path()));
        let gate = Arc::new(OpenGate {
            authorities: vec![authorities.user_key()],
            changes: watch::Sender::new(0),
            cut: Arc::default(),
        });
        let nodes = Arc::new(Nodes::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let faces = Arc::new(Faces::new(Arc::clone(&clock)));
        let told = Arc::new(Mutex::new(auth::present(&authorities)));
        let (chain, key) = authorities.proxy_tls(&[CLUSTER, "127.0.0.1"]);
        faces.install_web(&WebCredential { chain, key }).unwrap();
        let tunnels = Arc::new(Tunnels::new(TunnelLimits::DEFAULT, Arc::clone(&clock)));
        let ssh = Arc::new(SshProxy::new(SshParts {
            gate: gate.clone(),
            resolver: nodes.clone(),
            dialer: Arc::new(Dialer::new(tunnels, Duration::from_secs(60))),
            events: Arc::new(NoEvents),
            clock,
            entropy: Arc::new(SystemEntropy),
            limits: SshLimits {
                login_grace: Duration::from_secs(300),
                ..SshLimits::DEFAULT
            },
        }));
        let (key, certificate) = authorities.host("proxy", &["127.0.0.1"]);
        ssh.install(&SshIdentity::from_openssh(&key, &[&certificate]).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (stopper, stop) = Stopper::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = runtime.block_on(Listener::bind(loopback)).unwrap();
        let address = listener.address();
        let limits = ConnectionLimits {
            handshake: Duration::from_secs(120),
            address: None,
            ..ConnectionLimits::WEB
        };
        let parts = Public {
            faces,
            auth: Some(Arc::new(auth::Auth::new(
                &authorities,
                CLUSTER,
                Arc::clone(&told),
            ))),
            ssh: Some(ssh),
            tunnels: None,
            web: web::router(Arc::clone(&authorities)),
            entropy: Arc::new(SystemEntropy),
        };
        runtime.spawn(listener.run_public(parts, limits, stop));
        Self {
            directory,
            authorities,
            address,
            gate,
            nodes,
            told,
            running: Mutex::default(),
            _stopper: stopper,
            runtime,
        }
    }

    /// A node of ours whose certificate has these principals; none is no certificate.
    pub(crate) fn add_node(&self, name: &str, principals: &[&str]) {
        let key = if principals.is_empty() {
            HostKey::from_openssh(&self.authorities.bare(name), None)
        } else {
            let (key, certificate) = self.authorities.host(name, principals);
            HostKey::from_openssh(&key, Some(&certificate))
        };
        self.add_node_with(name, key.unwrap());
    }

    pub(crate) fn add_node_with(&self, name: &str, key: HostKey) {
        let node = Node::new(
            NodeConfig::new(name),
            ssh_node::Parts {
                gate: self.gate.clone(),
                events: Arc::new(NoEvents),
                tee: Arc::new(NoTee),
                target: Arc::new(LocalTarget {
                    helper: Helper {
                        program: std::env::current_exe().unwrap(),
                        arguments: vec![crate::HELPER.into()],
                    },
                    accounts: Arc::new(SystemAccounts::new(Arc::new(SystemClock))),
                    socket_directory: std::env::temp_dir(),
                    gateway_ports: false,
                }),
                host_keys: Arc::new(HostKeys::new(vec![key]).unwrap()),
                clock: Arc::new(SystemClock),
                entropy: Arc::new(SystemEntropy),
            },
        );
        let listener = self
            .runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        self.nodes.0.lock().unwrap().insert(name.to_owned(), address);
        let serving = node.clone();
        self.runtime.spawn(async move { serving.serve(listener).await });
        self.running.lock().unwrap().push(node);
    }

    /// Changes what the auth service tells of whom to trust.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut PresentTrust)) {
        change(&mut self.told.lock().unwrap());
    }

    /// Cuts everybody off who is on a node.
    pub(crate) fn cut(&self, why: &str) {
        *self.gate.cut.lock().unwrap() = Some(why.to_owned());
        self.gate.changes.send_modify(|revision| *revision += 1);
    }

    pub(crate) fn proxy(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the program keeps things.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The directory of this proxy there.
    pub(crate) fn place(&self) -> PathBuf {
        self.home().join("proxies").join(self.proxy().replace(':', "_"))
    }

    /// The program, with nothing of the surroundings but what a test gives it.
    pub(crate) fn signet(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signet"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.directory.path())
            .env("SIGNET_HOME", self.home())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.signet(arguments))
    }

    /// Runs it with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        run_with(&mut self.signet(arguments), input)
    }

    /// Logs alice in.
    pub(crate) fn log_in(&self) {
        let outcome = self.log_in_with(&[]);
        assert!(outcome.success(), "{outcome:?}");
    }

    pub(crate) fn log_in_with(&self, more: &[&str]) -> Outcome {
        let (proxy, pin) = (
            format!("--proxy={}", self.proxy()),
            format!("--ca-pin={}", self.authorities.pin()),
        );
        let mut arguments = vec!["login", &proxy, &pin, "--user=alice"];
        arguments.extend(more);
        self.run_with(&arguments, format!("{PASSWORD}\n{CODE}\n").as_bytes())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for node in self.running.lock().unwrap().drain(..) {
            self.runtime.block_on(node.stop());
        }
    }
}

pub(crate) fn run(command: &mut Command) -> Outcome {
    run_within(command, PATIENCE).unwrap()
}

/// Runs a program with something on standard input, and ends it when it takes too long.
pub(crate) fn run_with(command: &mut Command, input: &[u8]) -> Outcome {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // A program need not read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if is_done.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    watch.join().unwrap();
    writer.join().unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Permission bits.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
