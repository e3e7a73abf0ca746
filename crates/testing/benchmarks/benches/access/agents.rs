//! What idle machines cost the auth service: they joined by a token, follow the cluster, say that they are here, and keep a tunnel open.
//!
//! The machines are the agents that `signetd` is made of, many in this process: the crates `agent` and `tunnel`, with an identity of its
//! own and an address of its own for each. What is measured is the other side, the real `signetd`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use agent::Agent;
use agent::AgentParts;
use agent::HttpJoiner;
use agent::Profile;
use api_http::Stop;
use api_http::Stopper;
use api_types::SecretText;
use async_trait::async_trait;
use benchmarks::Memory;
use benchmarks::cpu_of;
use benchmarks::memory_of;
use e2e::Joining;
use e2e::Settings;
use e2e::Signet;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tunnel::AgentCredential;
use tunnel::Backoff;
use tunnel::Connector;
use tunnel::ForwardTo;
use tunnel::Io;
use tunnel::ProxyTrust;
use tunnel::TunnelClient;
use tunnel::TunnelClientParts;
use tunnel::TunnelLimits;
use tunnel::TunnelState;

use crate::addresses::connect_from;
use crate::addresses::forward_to;

/// The machines whose cost is measured.
const MACHINES: u32 = 1_000;
/// Machines that are there before: what the first one costs is not what one costs.
const FIRST: u32 = 25;
/// How many come at once.
const AT_ONCE: usize = 16;
/// How long the server rests before its memory is read: every machine has said twice that it is here by then.
const SETTLE: Duration = Duration::from_secs(130);
/// How long CPU is counted.
const COUNTED: Duration = Duration::from_secs(60);
/// How long everybody may take to be there.
const PATIENCE: Duration = Duration::from_secs(600);

struct SystemClock;

impl Clock for SystemClock {
    fn unix_millis(&self) -> i64 {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
        i64::try_from(since.as_millis()).expect("a time")
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        aws_lc_rs::rand::fill(buffer).map_err(|_| EntropyFault)
    }
}

/// Everybody's way to the server.
#[derive(Clone)]
struct Way {
    /// Where the agents' API calls go in; they come out at the server from another address each.
    forwarder: SocketAddr,
    server: SocketAddr,
    /// Where the machines keep who they are.
    folder: PathBuf,
    token: String,
    pins: Vec<api_client::CaPin>,
    stop: Stop,
}

/// A machine that is there.
struct Machine {
    following: JoinHandle<()>,
}

pub(crate) fn run() {
    raise_limit();
    let signet = Signet::start(Settings::whole());
    let uses = format!("--uses={}", FIRST + MACHINES);
    let joining = Joining::new(&signet, &[&uses, "--ttl=1h"]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(measure(&signet, &joining));
    runtime.shutdown_background();
}

/// Every machine is two connections here, each with an end on either side of the forwarder.
fn raise_limit() {
    use nix::sys::resource::Resource;
    let (_, hard) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of open files");
    nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("a higher limit of open files");
    if hard < 8 * u64::from(MACHINES) {
        e2e::fail(format!("{MACHINES} machines need more than {hard} open files"));
    }
}

async fn measure(signet: &Signet, joining: &Joining) {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, signet.web_port()));
    let (stopper, stop) = Stopper::new();
    let way = Way {
        forwarder: forward_to(server).await,
        server,
        folder: signet.directory().join("machines"),
        token: joining.value("SIGNET_TOKEN").to_owned(),
        pins: vec![joining.value("--ca-pin").parse().expect("a pin")],
        stop,
    };
    let mut report = Report::begin(signet);
    let mut all = come(&way, 0..FIRST).await;
    report.idle(0).await;
    println!("{FIRST} machines are there; {MACHINES} more come");
    report.begin_count();
    all.append(&mut come(&way, FIRST..FIRST + MACHINES).await);
    report.line("all are there");
    report.settle("… and idle").await;
    report.idle(MACHINES).await;
    let online = signet.json(&["nodes", "ls"]);
    let online = online.as_array().map_or(0, |rows| {
        let is_online = |row: &&serde_json::Value| row.get("online") == Some(&serde_json::Value::Bool(true));
        rows.iter().filter(is_online).count()
    });
    println!("{online} machines are online, this one among them");
    stopper.stop();
    for Machine { following } in all {
        let _ = following.await;
    }
}

/// Machines come, several at once: each joins, follows the cluster from then on, and opens its tunnel.
async fn come(way: &Way, numbers: std::ops::Range<u32>) -> Vec<Machine> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut joining = JoinSet::new();
    for number in numbers {
        let (way, turns) = (way.clone(), Arc::clone(&turns));
        joining.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("a turn");
            comes(&way, number).await
        });
    }
    joining.join_all().await
}

async fn comes(way: &Way, number: u32) -> Machine {
    let address = way.forwarder.to_string();
    let parts = AgentParts {
        folder: way.folder.join(number.to_string()),
        address: address.clone(),
        profile: Profile {
            node_name: format!("machine-{number}"),
            roles: vec!["node".to_owned()],
            labels: BTreeMap::from([("env".to_owned(), "bench".to_owned())]),
            public_addresses: Vec::new(),
            addr: String::new(),
            use_tunnel: true,
            version: "0".to_owned(),
        },
        joiner: Some(Arc::new(HttpJoiner {
            address,
            pins: way.pins.clone(),
            secret: SecretText::new(way.token.clone()),
        })),
        nearby: None,
        cluster: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let agent = Arc::new(Agent::start(parts).await.expect("a machine that joins"));
    let following = tokio::spawn(Arc::clone(&agent).run(way.stop.clone()));
    let (sender, credential) = watch::channel(Arc::new(credential(&agent)));
    let client = TunnelClient::new(TunnelClientParts {
        connector: Arc::new(FromAddress(number, way.server)),
        credential,
        handler: Arc::new(ForwardTo::default()),
        news: agent.news(),
        limits: TunnelLimits::DEFAULT,
        backoff: Backoff::DEFAULT,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    });
    let mut state = client.state();
    let stop = way.stop.clone();
    tokio::spawn(async move {
        client.run(stop).await;
        drop(sender);
    });
    let open = state.wait_for(|state| matches!(state, TunnelState::Open { .. }));
    let open = tokio::time::timeout(PATIENCE, open).await;
    let _open = open.expect("a tunnel in time").expect("a tunnel that is kept");
    Machine { following }
}

fn credential(agent: &Agent) -> AgentCredential {
    let identity = agent.identity();
    let identity = identity.borrow();
    let trust = ProxyTrust {
        name: "localhost".try_into().expect("a name"),
        host_authorities: identity.authorities(identity.trust()).expect("authorities"),
        web_roots: Vec::new(),
    };
    let chain = identity.client_chain().expect("certificates");
    AgentCredential::new(chain, identity.tls_key().expect("a key"), trust)
}

/// Opens connections from an address of the machine's own.
struct FromAddress(u32, SocketAddr);

#[async_trait]
impl Connector for FromAddress {
    async fn connect(&self) -> std::io::Result<Box<dyn Io>> {
        let Self(number, server) = self;
        let stream = connect_from(*number, *server).await?;
        Ok(Box::new(stream))
    }
}

/// What the server is found to use.
struct Report {
    pid: u32,
    before: Memory,
    idle: Duration,
}

impl Report {
    fn begin(signet: &Signet) -> Self {
        Self {
            pid: signet.pid(),
            before: Memory::default(),
            idle: Duration::ZERO,
        }
    }

    fn begin_count(&mut self) {
        self.before = memory_of(self.pid).expect("the server's memory");
    }

    fn line(&self, what: &str) {
        let now = memory_of(self.pid).expect("the server's memory");
        let each = |bytes: fn(&Memory) -> u64| {
            (bytes(&now) as f64 - bytes(&self.before) as f64) / f64::from(MACHINES) / 1e3
        };
        println!(
            "{what:<22} {:>6.1} MB, {:>6.1} kB each; {:>6.1} kB each of no file",
            now.whole as f64 / 1e6,
            each(|memory| memory.whole),
            each(|memory| memory.anonymous),
        );
    }

    async fn settle(&self, what: &str) {
        tokio::time::sleep(SETTLE).await;
        self.line(what);
    }

    /// What the server spends while nothing happens, and of that what these machines are the reason for.
    async fn idle(&mut self, machines: u32) {
        let used = || cpu_of(self.pid).expect("the server's time");
        let (before, begun) = (used(), Instant::now());
        tokio::time::sleep(COUNTED).await;
        let spent = used().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
        if machines == 0 {
            self.idle = Duration::from_secs_f64(spent);
        } else {
            let more = (spent - self.idle.as_secs_f64()).max(0.0);
            println!(
                "idle: {:.1} % of a core; {:.2} ms CPU a minute for each machine",
                spent * 100.0,
                more * 60e3 / f64::from(machines)
            );
        }
    }
}
