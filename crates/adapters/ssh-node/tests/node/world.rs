//! A node on loopback, with authorities and certificates by `ssh-keygen`, and OpenSSH's programs as its clients.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use key::PublicKey;
use parts::process::Outcome;
use parts::process::run_ok;
use parts::process::run_within;
use parts::ssh::ssh_keygen;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use ssh_node::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How long a condition may take to become true on a machine that others use as well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client may take. Machines that run tests are busy.
const CLIENT: Duration = Duration::from_secs(300);

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

pub(crate) struct SystemClock {
    /// Added to the system's time, in milliseconds.
    pub(crate) ahead: Mutex<i64>,
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates of foreign make are checked against the real time"
    )]
    fn unix_millis(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        i64::try_from(since.unwrap().as_millis()).unwrap() + *self.ahead.lock().unwrap()
    }
}

pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        aws_lc_rs::rand::fill(buffer).map_err(|_| EntropyFault)
    }
}

/// Decides as the test says.
pub(crate) struct TestGate {
    pub(crate) authorities: Mutex<Vec<PublicKey>>,
    pub(crate) grant: Mutex<Grant>,
    pub(crate) denied_users: Mutex<Vec<String>>,
    /// What somebody is told who lacks a second factor; everybody does, when it is said.
    pub(crate) lacks_second_factor: Mutex<Option<String>>,
    changes: watch::Sender<u64>,
}

impl TestGate {
    pub(crate) fn deny(&self, user: &str) {
        self.deny_silently(user);
        self.changes.send_modify(|revision| *revision += 1);
    }

    /// The same, while nobody is told of the change yet.
    pub(crate) fn deny_silently(&self, user: &str) {
        self.denied_users.lock().unwrap().push(user.to_owned());
    }

    fn check(&self, user: &str) -> Result<(), Denial> {
        if self
            .denied_users
            .lock()
            .unwrap()
            .iter()
            .any(|denied| denied == user)
        {
            return Err(Denial(format!("{user} is locked: on leave")));
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Gate for TestGate {
    fn authorities(&self) -> Arc<[PublicKey]> {
        self.authorities.lock().unwrap().clone().into()
    }

    async fn admit(&self, admission: &Admission) -> Result<Grant, NotAdmitted> {
        let user = admission.certificate.key_id();
        self.check(user).map_err(NotAdmitted::Told)?;
        if let Some(words) = self.lacks_second_factor.lock().unwrap().clone() {
            let reason = Denial("the session needs a second factor".to_owned());
            return Err(NotAdmitted::SecondFactor { reason, words });
        }
        Ok(Grant {
            user: user.to_owned(),
            ..self.grant.lock().unwrap().clone()
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn standing(&self, _admission: &Admission, grant: &Grant) -> Result<(), Fallen> {
        self.check(&grant.user).map_err(Fallen::Locked)
    }
}

/// Says which events are refused.
pub(crate) type Refuses = fn(&Happening) -> bool;

/// Keeps events, and refuses those the test says.
#[derive(Default)]
pub(crate) struct TestEvents {
    pub(crate) kept: Mutex<Vec<Event>>,
    pub(crate) refuses: Mutex<Option<Refuses>>,
}

#[async_trait::async_trait]
impl Events for TestEvents {
    async fn record(&self, event: Event) -> Result<(), NotRecorded> {
        if self
            .refuses
            .lock()
            .unwrap()
            .is_some_and(|refuses| refuses(&event.what))
        {
            return Err(NotRecorded("the disk is full".to_owned()));
        }
        self.kept.lock().unwrap().push(event);
        Ok(())
    }
}

/// Accounts of the system, some with another shell.
pub(crate) struct TestAccounts;

impl Accounts for TestAccounts {
    fn by_name(&self, name: &str) -> Result<Option<Account>, String> {
        let account = system_accounts().by_name(name)?;
        Ok(account.map(|account| match account.name.as_str() {
            "games" | "nobody" => Account {
                shell: "/bin/sh".into(),
                home: "/".into(),
                ..account
            },
            _ => account,
        }))
    }

    fn closed_for(&self, account: &Account) -> Result<Option<String>, String> {
        system_accounts().closed_for(account)
    }
}

pub(crate) fn system_accounts() -> SystemAccounts {
    SystemAccounts::new(Arc::new(SystemClock { ahead: Mutex::new(0) }))
}

/// A certificate to make.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) authority: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) principals: &'a str,
    pub(crate) validity: &'a str,
    pub(crate) options: &'a [&'a str],
    pub(crate) is_host: bool,
}

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) gate: Arc<TestGate>,
    pub(crate) events: Arc<TestEvents>,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) host_keys: Arc<HostKeys>,
    pub(crate) node: Node,
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Runtime,
    known_hosts: PathBuf,
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

/// Sessions on this host, by this helper.
pub(crate) fn local_target(helper: Helper) -> Arc<dyn Target> {
    Arc::new(LocalTarget {
        helper,
        accounts: Arc::new(TestAccounts),
        socket_directory: std::env::temp_dir(),
        gateway_ports: false,
    })
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        Self::build(change, Arc::new(NoTee), None)
    }

    pub(crate) fn build(
        change: impl FnOnce(&mut NodeConfig),
        tee: Arc<dyn Tee>,
        target: Option<Arc<dyn Target>>,
    ) -> Self {
        let directory = TempDir::with_prefix("ssh-node-").unwrap();
        for authority in ["user-ca", "other-ca", "host-ca"] {
            ssh_keygen("ed25519", &directory.path().join(authority)).unwrap();
        }
        let gate = Arc::new(TestGate {
            authorities: Mutex::new(vec![authority(&directory.path().join("user-ca.pub"))]),
            grant: Mutex::new(Grant::unlimited("")),
            denied_users: Mutex::default(),
            lacks_second_factor: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let events = Arc::new(TestEvents::default());
        let clock = Arc::new(SystemClock { ahead: Mutex::new(0) });
        let first = host_key(directory.path(), "host", "127.0.0.1,localhost,node-1");
        let host_keys = Arc::new(HostKeys::new(vec![first]).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let helper = || Helper {
            program: std::env::current_exe().unwrap(),
            arguments: vec![crate::HELPER.into()],
        };
        let target = target.unwrap_or_else(|| local_target(helper()));
        let mut config = NodeConfig::new("node-1");
        change(&mut config);
        let node = Node::new(
            config,
            Parts {
                gate: Arc::clone(&gate) as _,
                events: Arc::clone(&events) as _,
                tee,
                target,
                host_keys: Arc::clone(&host_keys),
                clock: Arc::clone(&clock) as _,
                entropy: Arc::new(SystemEntropy),
            },
        );
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let serving = node.clone();
        runtime.spawn(async move { serving.serve(listener).await });
        let known_hosts = directory.path().join("known_hosts");
        let host_ca = std::fs::read_to_string(directory.path().join("host-ca.pub")).unwrap();
        std::fs::write(&known_hosts, format!("@cert-authority * {host_ca}")).unwrap();
        Self {
            directory,
            gate,
            events,
            clock,
            host_keys,
            node,
            address,
            runtime,
            known_hosts,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a key and a certificate for it; the name is that of the private key's file.
    pub(crate) fn certificate(&self, name: &str, wanted: Wanted<'_>) -> PathBuf {
        let key = self.path(name);
        if !key.exists() {
            ssh_keygen("ed25519", &key).unwrap();
        }
        sign(self.directory.path(), name, wanted);
        key
    }

    /// The key of a user with everything a user needs to log in as the account of the test.
    pub(crate) fn user(&self, name: &str) -> PathBuf {
        self.certificate(name, good(name, own_account()))
    }

    /// Options for `ssh`, `scp` and `sftp` alike.
    pub(crate) fn options(&self, key: &Path) -> Vec<String> {
        let mut options: Vec<String> =
            vec!["-F".into(), "none".into(), "-i".into(), key.display().to_string()];
        for option in [
            format!("UserKnownHostsFile={}", self.known_hosts.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "UpdateHostKeys=no".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            "ConnectTimeout=60".to_owned(),
        ] {
            options.push("-o".into());
            options.push(option);
        }
        options
    }

    /// A command line of `ssh` up to the host, with more options before it.
    pub(crate) fn ssh(&self, key: &Path, login: &str, more: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(self.options(key))
            .args(["-p", &self.address.port().to_string(), "-l", login])
            .args(more)
            .arg("127.0.0.1")
            .env_remove("SSH_AUTH_SOCK")
            .env("LC_ALL", "C");
        command
    }

    /// Runs a command on the node as alice.
    pub(crate) fn run(&self, command: &str) -> Outcome {
        let key = self.user("alice");
        self.run_as(&key, own_account(), command)
    }

    pub(crate) fn run_as(&self, key: &Path, login: &str, command: &str) -> Outcome {
        run_within(self.ssh(key, login, &[]).arg(command), CLIENT).unwrap()
    }

    /// Everything recorded so far that `pick` picks.
    pub(crate) fn recorded<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events.kept.lock().unwrap().iter().filter_map(pick).collect()
    }

    /// Waits for an event.
    pub(crate) fn wait_for<T>(&self, what: &str, pick: impl Fn(&Happening) -> Option<T>) -> T {
        eventually(what, || {
            self.recorded(|event| pick(&event.what)).into_iter().next()
        })
    }

    pub(crate) fn failures(&self) -> Vec<AuthFailure> {
        self.recorded(|event| match &event.what {
            Happening::AuthFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }

    pub(crate) fn ends(&self) -> Vec<Exit> {
        self.recorded(|event| match &event.what {
            Happening::SessionEnd { exit, .. } => Some(exit.clone()),
            _ => None,
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.runtime.block_on(self.node.stop());
    }
}

pub(crate) fn run(command: &mut Command) -> Outcome {
    run_within(command, CLIENT).unwrap()
}

/// A certificate by the trusted authority.
pub(crate) fn good<'a>(key_id: &'a str, principals: &'a str) -> Wanted<'a> {
    Wanted {
        authority: "user-ca",
        key_id,
        principals,
        validity: "-1m:+1h",
        options: &[],
        is_host: false,
    }
}

pub(crate) fn sign(directory: &Path, name: &str, wanted: Wanted<'_>) {
    let mut command = Command::new("ssh-keygen");
    command.arg("-q").arg("-s").arg(directory.join(wanted.authority));
    command.args([
        "-I",
        wanted.key_id,
        "-n",
        wanted.principals,
        "-V",
        wanted.validity,
        "-z",
        "7",
    ]);
    for option in wanted.options {
        command.args(["-O", option]);
    }
    if wanted.is_host {
        command.arg("-h");
    }
    run_ok(command.arg(directory.join(format!("{name}.pub")))).unwrap();
}

/// A host key with a certificate.
pub(crate) fn host_key(directory: &Path, name: &str, principals: &str) -> HostKey {
    ssh_keygen("ed25519", &directory.join(name)).unwrap();
    sign(
        directory,
        name,
        Wanted {
            authority: "host-ca",
            is_host: true,
            ..good(name, principals)
        },
    );
    let key = std::fs::read_to_string(directory.join(name)).unwrap();
    let certificate = std::fs::read_to_string(directory.join(format!("{name}-cert.pub"))).unwrap();
    HostKey::from_openssh(&key, Some(&certificate)).unwrap()
}

pub(crate) fn authority(public_key: &Path) -> PublicKey {
    let line = std::fs::read_to_string(public_key).unwrap();
    let key = ssh_key::PublicKey::from_openssh(&line).unwrap();
    PublicKey::from_ed25519(&key.key_data().ed25519().unwrap().0).unwrap()
}

/// A directory anybody can enter, for accounts other than the test's.
pub(crate) fn open_directory() -> TempDir {
    let directory = TempDir::with_prefix("ssh-node-open-").unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    directory
}
