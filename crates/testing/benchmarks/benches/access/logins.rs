//! Whole log-ins – password, one-time code, certificates: what of the server's time its argon2 takes, beside bare argon2 with the same
//! parameters on as many threads.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use api_client::Client;
use api_client::Endpoint;
use api_client::ServerTrust;
use api_types::ExportParameters;
use api_types::InviteFinishRequest;
use api_types::InviteRequest;
use api_types::LoginFinishRequest;
use api_types::NewSecondFactor;
use api_types::NewSecondFactorRequest;
use api_types::SecondFactorProof;
use api_types::SecretText;
use authn::HashMemory;
use authn::Password;
use authn::PasswordHash;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use benchmarks::Cost;
use benchmarks::Stopwatch;
use benchmarks::cpu_of;
use benchmarks::cpu_of_threads;
use e2e::PASSWORD;
use e2e::Settings;
use e2e::Signet;
use parts::oathtool::STEP_SECONDS;
use parts::oathtool::totp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::addresses::forward_to;

/// Log-ins of one turn, each of another user: a code is good once.
const TURN: u32 = 80;
/// Turns; each is taken by the log-ins and by bare argon2.
const TURNS: usize = 6;
/// Users: each logs in twice.
const USERS: u32 = TURN * 3;
/// How many log in at once.
const AT_ONCE: usize = 32;
/// What the server calls the threads on which it does nothing but argon2.
const HASHING: &str = "passwords";
/// The longest that a request for a sign-up waits for its turn, in seconds.
const PATIENCE: u64 = 5;
/// The log-ins in a second that are to be had.
const AIM: f64 = 50.0;

/// A user who signed up.
struct Guest {
    name: String,
    secret: String,
    /// The time step of the code that was used last.
    used: u64,
}

/// A turn of log-ins.
struct Turn {
    /// CPU of the server, and wall time.
    server: Cost,
    /// CPU of its threads that hash.
    hashing: Duration,
    /// CPU of the clients.
    clients: Duration,
}

pub(crate) fn run() {
    let signet = Signet::start(Settings::whole());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("threads");
    let (mut turns, mut bare) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let clients = Clients::new(&signet).await;
        let mut guests = clients.sign_up().await;
        let keys = Arc::new(public_keys());
        for turn in 0..TURNS {
            bare.push(argon2(threads));
            let first = turn * TURN as usize % USERS as usize;
            let some = guests.get_mut(first..first + TURN as usize).expect("guests");
            turns.push(clients.log_in(some, &keys).await);
        }
    });
    report(&turns, &bare, threads);
}

/// Who asks the server what.
struct Clients {
    operator: Client,
    everybody: Everybody,
    pid: u32,
}

/// People, each with a program of their own.
#[derive(Clone)]
struct Everybody {
    address: String,
    trust: ServerTrust,
}

impl Everybody {
    /// A program that starts: it knows the cluster, and has no connection and no session of TLS to resume.
    fn client(&self) -> Client {
        Client::new(Endpoint::public(&self.address, &self.trust).expect("an address"))
    }
}

impl Clients {
    async fn new(signet: &Signet) -> Self {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, signet.web_port()));
        let address = forward_to(server).await.to_string();
        let stranger = Everybody {
            address: address.clone(),
            trust: ServerTrust::Unverified,
        };
        let stranger = stranger.client();
        let export = ExportParameters {
            kind: "tls-host".to_owned(),
            ..ExportParameters::default()
        };
        let export = stranger.web_export(&export).await.expect("the authorities");
        let authorities = CertificateDer::pem_slice_iter(export.as_bytes());
        let trust = ServerTrust::Cluster {
            name: stranger.ping().await.expect("the cluster").cluster_name,
            authorities: authorities.collect::<Result<_, _>>().expect("certificates"),
        };
        Self {
            operator: Client::new(Endpoint::socket(signet.data().join("signet.sock"))),
            everybody: Everybody { address, trust },
            pid: signet.pid(),
        }
    }

    async fn sign_up(&self) -> Vec<Guest> {
        let mut all = JoinSet::new();
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for number in 0..USERS {
            let (operator, everybody) = (self.operator.clone(), self.everybody.clone());
            let turns = Arc::clone(&turns);
            all.spawn(async move {
                let _turn = turns.acquire_owned().await.expect("a turn");
                sign_up_one(&operator, &everybody.client(), format!("guest-{number}")).await
            });
        }
        all.join_all().await
    }

    async fn log_in(&self, guests: &mut [Guest], keys: &Arc<(String, String)>) -> Turn {
        // Making codes is the business of nobody's server.
        let codes: Vec<(String, String)> = guests
            .iter_mut()
            .map(|guest| (guest.name.clone(), guest.code(now_step())))
            .collect();
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let used = || {
            let server = cpu_of(self.pid).expect("the server's time");
            let hashing = cpu_of_threads(self.pid, HASHING).expect("its threads' time");
            assert!(
                hashing > Duration::ZERO,
                "no thread of the server is called {HASHING}"
            );
            (server, hashing)
        };
        let (before, watch) = (used(), Stopwatch::start());
        let mut all = JoinSet::new();
        for (name, code) in codes {
            let (everybody, turns, keys) = (self.everybody.clone(), Arc::clone(&turns), Arc::clone(keys));
            all.spawn(async move {
                let _turn = turns.acquire_owned().await.expect("a turn");
                log_in_one(&everybody.client(), name, code, &keys).await;
            });
        }
        all.join_all().await;
        let Cost { cpu: clients, wall } = watch.cost(TURN);
        let after = used();
        Turn {
            server: Cost {
                cpu: after.0.saturating_sub(before.0) / TURN,
                wall,
            },
            hashing: after.1.saturating_sub(before.1) / TURN,
            clients,
        }
    }
}

impl Guest {
    /// A code that was not used yet, and which one it is.
    fn code(&mut self, now: u64) -> String {
        while now_step() + 1 < self.used + 1 {
            std::thread::sleep(Duration::from_millis(200));
        }
        self.used = now.max(self.used + 1);
        totp(&self.secret, self.used).expect("a code")
    }
}

async fn sign_up_one(operator: &Client, everybody: &Client, name: String) -> Guest {
    let document = serde_json::json!({
        "kind": "user", "version": "v1", "metadata": {"name": name},
        "spec": {"roles": ["access"], "traits": {"logins": ["root"]}},
    });
    operator.create_resource("user", &document).await.expect("a user");
    let invited = operator.invite_user(&name, &InviteRequest::default()).await;
    let token = invited.expect("a link").token;
    let kind = NewSecondFactorRequest {
        kind: "totp".to_owned(),
    };
    let offered = everybody.invite_begin(&token, &kind).await.expect("a secret");
    let secret = offered.totp.expect("a secret").secret;
    let mut guest = Guest {
        name,
        secret: secret.expose().to_owned(),
        used: 0,
    };
    // The code before this moment's is good as well, and leaves this one's for the first log-in. It is not shown when this moment ends soon.
    while seconds_left() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let code = guest.code(now_step() - 1);
    let finish = InviteFinishRequest {
        challenge_id: offered.challenge_id,
        password: SecretText::new(PASSWORD.to_owned()),
        second_factor: NewSecondFactor::Totp(SecretText::new(code)),
        device_name: None,
    };
    everybody.invite_finish(&token, &finish).await.expect("a sign-up");
    guest
}

/// As `signet login` does it for somebody who types: it recognises the server and hears what to ask for, and connects again to log in.
async fn log_in_one(client: &Client, user: String, code: String, keys: &(String, String)) {
    let said = client.ping().await.expect("the cluster");
    assert!(said.second_factors.iter().any(|kind| kind == "totp"));
    let (ssh_public_key, tls_public_key) = keys.clone();
    let finish = LoginFinishRequest {
        challenge_id: None,
        user,
        password: SecretText::new(PASSWORD.to_owned()),
        second_factor: SecondFactorProof::Totp(SecretText::new(code)),
        ssh_public_key,
        tls_public_key,
        ttl_seconds: None,
    };
    client.login_finish(&finish).await.expect("a log-in");
}

/// How much of this moment's step is left, in seconds.
fn seconds_left() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    STEP_SECONDS - now % STEP_SECONDS
}

/// An SSH key's line and a TLS key's PEM.
fn public_keys() -> (String, String) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key");
    let tls = x509::pem::encode("PUBLIC KEY", spki.as_ref());
    let key = key::PublicKey::from_ec_point(pair.public_key().as_ref()).expect("a point");
    let ssh = ssh_cert::public_key_line(&key, "guest").expect("a line");
    (ssh, tls)
}

/// As many hashes as a turn has log-ins, each thread one after the other.
fn argon2(threads: usize) -> Cost {
    let password = || Password::new(PASSWORD.to_owned());
    let hash = PasswordHash::make(&password(), &[7; 16], &mut HashMemory::default()).expect("a hash");
    let each = TURN as usize / threads;
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut memory = HashMemory::default();
                for _ in 0..each {
                    let is_right = hash.verify(&password(), &mut memory);
                    assert!(is_right.expect("memory"));
                }
            });
        }
    });
    watch.cost(u32::try_from(each * threads).expect("a count"))
}

fn report(turns: &[Turn], bare: &[Cost], threads: usize) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let rate = |cost: &Cost| 1.0 / cost.wall.as_secs_f64();
    let fastest = |costs: &mut dyn Iterator<Item = f64>| costs.fold(0.0, f64::max);
    let hash = Cost::cheapest(bare).expect("turns");
    let cheapest = turns.iter().min_by_key(|turn| turn.server.cpu).expect("turns");
    let Turn {
        server,
        hashing,
        clients,
    } = cheapest;
    println!(
        "{TURNS} turns of {TURN}, {AT_ONCE} at once; the cheapest and the fastest turn of each\n\
         bare argon2 on {threads} threads: {:.1} ms CPU, {:.1}/s\n\
         log-in: {:.1} ms CPU of the server, {:.1}/s; its client {:.1} ms CPU on the same cores",
        millis(hash.cpu),
        fastest(&mut bare.iter().map(rate)),
        millis(server.cpu),
        fastest(&mut turns.iter().map(|turn| rate(&turn.server))),
        millis(*clients),
    );
    let whole = |part: fn(&Turn) -> Duration| turns.iter().map(part).sum::<Duration>();
    let share = whole(|turn| turn.hashing).as_secs_f64() / whole(|turn| turn.server.cpu).as_secs_f64();
    let rest = server.cpu.saturating_sub(*hashing);
    println!(
        "of that the server's argon2: {:.1} ms; {:.1} % of its CPU over all turns\n\
         {AIM} log-ins/s need {:.2} cores for argon2 and {:.2} for everything else, which alone would make {:.0}/s on {threads} cores",
        millis(*hashing),
        share * 100.0,
        AIM * hashing.as_secs_f64(),
        AIM * rest.as_secs_f64(),
        threads as f64 / rest.as_secs_f64(),
    );
}

fn now_step() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs() / STEP_SECONDS
}
