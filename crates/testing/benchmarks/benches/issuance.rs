//! Issuing an SSH and a P-256 X.509 certificate through the authority – plan, lint, ledger record, audit event, durable – against the raw
//! signature of the same key, with the breakdown.
//!
//! `cargo bench -p benchmarks --bench issuance [-- WORDS]`: with words only the cases that have one of them in their names.
//!
//! Every case runs in turn, several times over, and the cheapest turn of each counts, of the raw signature as of everything else: what
//! other programs do to the caches and the clock only ever adds. A turn is long enough to hold the work that comes now and then, such
//! as moving the journal into the database and settling serials.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::path::Path;
use std::sync::Arc;

use audit::Actor;
use authority::AuthorityType;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;
use benchmarks::Cost;
use benchmarks::Stopwatch;
use benchmarks::line;
use cluster::Cluster;
use cluster::Custody;
use cluster::IssueSsh;
use cluster::IssueX509;
use cluster::Parts;
use cluster::Settings;
use key::PublicKey;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use ledger::Ledger;
use ledger_memory::MemoryLedger;
use ledger_sqlite::SqliteLedger;
use names::ClusterName;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use profile::SshProfile;
use profile::SshRequest;
use profile::X509Request;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use ssh_cert::CriticalOptions;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;
use state::State;
use state_memory::MemoryState;
use state_sqlite::SqliteState;

/// As in signetd: issuance is many small allocations passed between threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many callers wait for a certificate at once: few, and as many as share a commit well.
const CALLERS: [u32; 2] = [64, 256];
/// Certificates of one turn: serials are settled, and the journal is moved, at least once.
const TURN: u32 = 20_480;
/// Turns of each case.
const TURNS: usize = 8;

struct FixedClock;

impl Clock for FixedClock {
    fn unix_millis(&self) -> i64 {
        1_772_323_200_000
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        aws_lc_rs::rand::fill(buffer).map_err(|_| EntropyFault)
    }
}

fn settings() -> Settings {
    Settings {
        cluster: ClusterName::parse("bench.example.com").expect("a name"),
        suite: Some(authority::Suite::HsmV1),
        server_id: "bench".into(),
        version: "0".into(),
        quarantine: Ttl::from_days(7),
        public_url: None,
    }
}

async fn open(state: Arc<dyn State>, ledger: Arc<dyn Ledger>) -> Arc<Cluster> {
    let entropy = Arc::new(SystemEntropy);
    let sealing = SealingKey::from_bytes([7; 32]);
    let software = SoftwareBackend::open(state.clone(), sealing, entropy.clone(), settings().cluster)
        .await
        .expect("software keys");
    let custody = Custody::new(Arc::new(software), Vec::new());
    let parts = Parts {
        state,
        ledger,
        custody,
        clock: Arc::new(FixedClock),
        entropy,
    };
    Arc::new(Cluster::open(parts, settings()).await.expect("a cluster").0)
}

fn subject() -> PublicKey {
    let pair = lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    PublicKey::from_ec_point(pair.public_key().as_ref()).expect("a point")
}

fn x509_issue(subject_key: &PublicKey) -> IssueX509 {
    IssueX509 {
        request: X509Request::User {
            user: UserName::parse("alice").expect("a name"),
            roles: Vec::new(),
            logins: Vec::new(),
            traits: std::collections::BTreeMap::new(),
            mfa_device: None,
            pinned_to: None,
        },
        subject_key: subject_key.clone(),
        ttl: None,
        allowed_by: "benchmark".into(),
    }
}

fn ssh_issue(subject_key: &PublicKey) -> IssueSsh {
    IssueSsh {
        request: SshRequest::User {
            profile: SshProfile::User,
            user: UserName::parse("alice").expect("a name"),
            logins: Vec::new(),
            roles: Vec::new(),
            critical_options: CriticalOptions::default(),
            facts: Default::default(),
            permits: vec![Permit::Pty],
        },
        subject_key: SubjectKey::from_public_key(subject_key).expect("a key"),
        ttl: None,
        allowed_by: "benchmark".into(),
    }
}

/// The raw signature: a message as long as a certificate, nothing else.
fn raw(count: u32, pair: &lc::EcdsaKeyPair) -> Cost {
    let random = SystemRandom::new();
    let message = [0x5a; 600];
    let watch = Stopwatch::start();
    for _ in 0..count {
        std::hint::black_box(
            pair.sign(&random, std::hint::black_box(&message))
                .expect("a signature"),
        );
    }
    watch.cost(count)
}

fn plan_and_lint(count: u32, cluster: &Cluster, subject_key: &PublicKey) -> Cost {
    let view = cluster.authority(AuthorityType::User).expect("an authority");
    let key = view
        .record
        .trusted()
        .map(|(_, key)| key)
        .find(|key| key.certificate.is_some())
        .expect("a TLS key");
    let der = key.certificate.as_ref().expect("a certificate");
    let certificate = x509::Certificate::from_der(&der.0).expect("a certificate");
    let issuer = x509::Issuer::from_certificate(&certificate).expect("an issuer");
    let issue = x509_issue(subject_key);
    let now = UnixSeconds(1_772_323_200);
    let watch = Stopwatch::start();
    for number in 0..count {
        let mut random = [7; 16];
        random[12..].copy_from_slice(&number.to_be_bytes());
        let serial = Serial::from_random(random);
        let key = issue.subject_key.clone();
        let plan = profile::plan_x509(
            &issue.request,
            key,
            None,
            &issuer,
            cluster.name(),
            serial,
            now,
            None,
        )
        .expect("a plan");
        std::hint::black_box(profile::lint_x509(plan, &issuer).expect("clean"));
    }
    watch.cost(count)
}

#[derive(Clone, Copy)]
enum What {
    X509,
    Ssh,
}

async fn issue(
    count: u32,
    callers: u32,
    cluster: &Arc<Cluster>,
    subject_key: &PublicKey,
    what: What,
) -> Cost {
    let watch = Stopwatch::start();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (cluster, x509, ssh) = (cluster.clone(), x509_issue(subject_key), ssh_issue(subject_key));
        tasks.push(tokio::spawn(async move {
            for _ in 0..count / callers {
                match what {
                    What::X509 => drop(
                        cluster
                            .issue_x509(&Actor::System, &x509)
                            .await
                            .expect("a certificate"),
                    ),
                    What::Ssh => drop(
                        cluster
                            .issue_ssh(&Actor::System, &ssh)
                            .await
                            .expect("a certificate"),
                    ),
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task");
    }
    watch.cost(count / callers * callers)
}

#[derive(Clone, Copy)]
enum Work {
    Raw,
    Plan,
    /// With the ledger in memory, which forgets between the turns: what is left when the disk and the database are taken away.
    InMemory(What),
    Durable(What, u32),
}

/// A case and the cost of its turns so far.
struct Case {
    name: String,
    work: Work,
    turns: Vec<Cost>,
}

fn cases(words: &[String]) -> Vec<Case> {
    let mut works = vec![
        ("raw P-256 signature (aws-lc)".to_owned(), Work::Raw),
        ("X.509: plan and lint alone".to_owned(), Work::Plan),
    ];
    for (name, what) in [("X.509", What::X509), ("SSH", What::Ssh)] {
        works.push((format!("{name}: issued, ledger in memory"), Work::InMemory(what)));
        for callers in CALLERS {
            let name = format!("{name}: issued, recorded twice, durable, {callers} callers");
            works.push((name, Work::Durable(what, callers)));
        }
    }
    // The raw signature is what everything is compared with.
    works.retain(|(name, work)| {
        words.is_empty() || matches!(work, Work::Raw) || words.iter().any(|word| name.contains(word.as_str()))
    });
    works
        .into_iter()
        .map(|(name, work)| Case {
            name,
            work,
            turns: Vec::new(),
        })
        .collect()
}

struct Bench {
    pair: lc::EcdsaKeyPair,
    subject_key: PublicKey,
    durable: Arc<Cluster>,
}

impl Bench {
    async fn open(folder: &Path) -> Self {
        let state = SqliteState::open(&folder.join("state.db"), Arc::new(FixedClock)).expect("state");
        let ledger =
            SqliteLedger::open(folder.join("ledger.db"), Some(folder.join("log"))).expect("a ledger");
        Self {
            pair: lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
            subject_key: subject(),
            durable: open(Arc::new(state), Arc::new(ledger)).await,
        }
    }

    async fn turn(&self, work: Work, count: u32) -> Cost {
        match work {
            Work::Raw => raw(count, &self.pair),
            Work::Plan => plan_and_lint(count, &self.durable, &self.subject_key),
            Work::InMemory(what) => {
                let state = MemoryState::new(Arc::new(FixedClock));
                let cluster = open(Arc::new(state), Arc::new(MemoryLedger::new())).await;
                issue(count, CALLERS[0], &cluster, &self.subject_key, what).await
            }
            Work::Durable(what, callers) => {
                issue(count, callers, &self.durable, &self.subject_key, what).await
            }
        }
    }
}

fn main() {
    // `cargo test --benches` runs this too: then it only shows that it runs.
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with('-'));
    let is_bench = flags.iter().any(|flag| flag == "--bench");
    let (count, turns) = if is_bench { (TURN, TURNS) } else { (512, 1) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let mut cases = cases(&words);
    runtime.block_on(async {
        let bench = Bench::open(folder.path()).await;
        for _ in 0..turns {
            for case in &mut cases {
                case.turns.push(bench.turn(case.work, count).await);
            }
        }
    });
    let costs = cases.iter().map(|case| Cost::cheapest(&case.turns));
    let costs: Vec<Cost> = costs.collect::<Option<_>>().expect("a turn of each");
    let reference = *costs.first().expect("the raw signature is always measured");
    for (case, cost) in cases.iter().zip(&costs) {
        println!("{}", line(&case.name, *cost, reference));
    }
}
