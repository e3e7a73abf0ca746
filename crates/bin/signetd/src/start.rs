//! Running the services of a configuration, from the first look at the data directory to the last connection.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use api_http::AttemptLimits;
use api_http::AttemptRate;
use api_http::ConnectionLimits;
use api_http::Face;
use api_http::Front;
use api_http::LocalListener;
use api_http::RequestLimits;
use api_http::Service;
use api_http::ServiceParts;
use api_http::Stopper;
use api_http::TlsListener;
use cluster::Cluster;
use cluster::Parts;
use cluster::Settings;
use config::AuthConfig;
use config::CaKeyConfig;
use config::Config;
use config::LimitsConfig;
use config::StorageConfig;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use names::ClusterName;
use names::HostName;
use names::Principal;
use runtime::Clock;
use runtime::Entropy;
use serde::Deserialize;
use state::State;
use state::StateKey;
use state_sqlite::SqliteState;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::access;
use crate::agent_only;
use crate::backends;
use crate::data_dir::DataDir;
use crate::doctor::Doctor;
use crate::failure::Failure;
use crate::failure::chain;
use crate::greeting::Places;
use crate::greeting::greeting;
use crate::host::SystemClock;
use crate::host::SystemEntropy;
use crate::host::VERSION;
use crate::host::host_name;
use crate::local;
use crate::log_check;
use crate::log_check::AnchorError;
use crate::log_check::LogCheck;
use crate::logging;
use crate::open_files;
use crate::services;
use crate::services::Services;
use crate::services::node;
use crate::services::proxy;
use crate::services::proxy::Listeners;
use crate::services::public_certificate::PublicCertificate;
use crate::services::web_files::WebFiles;
use crate::tick::Ticker;

/// Threads for the network and the use cases. Signatures and storage have threads of their own.
const WORKERS: usize = 2;

/// Runs the services until a signal asks to stop.
///
/// # Errors
/// When something that is needed cannot be opened; nothing was made then that the next start would not go on with.
pub(crate) fn run(config: Config) -> Result<(), Failure> {
    logging::begin(&config.log)?;
    open_files::raise();
    // Whatever is made below the data directory is for this user alone.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("signetd")
        .enable_all()
        .build()
        .map_err(|error| Failure::of("cannot start threads", &error))?;
    if !config.auth.is_enabled {
        return runtime.block_on(agent_only::serve(&config));
    }
    let StorageConfig::Sqlite { directory } = &config.storage;
    let data_dir = DataDir::open(&config.data_dir, directory)?;
    runtime.block_on(serve(&config, &data_dir))
}

/// Everything that is open.
struct Opened {
    cluster: Arc<Cluster>,
    state: Arc<dyn State>,
    opened: cluster::Opened,
    log: Arc<LogCheck>,
    sealing_key: SealingKey,
}

/// What the process takes from the machine.
struct Machine {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

async fn serve(config: &Config, data_dir: &DataDir) -> Result<(), Failure> {
    let machine = Machine {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
    };
    // Addresses first: an address in use is no reason to make a cluster.
    let api = bind(config.auth.listen_addr, "auth_service.listen_addr").await?;
    // A proxy in this process serves what is for everybody, and hands over what is for the API.
    let (proxy, web) = if config.proxy.is_enabled {
        (Some(Listeners::bind(&config.proxy).await?), None)
    } else {
        let web = bind(config.auth.web_listen_addr, "auth_service.web_listen_addr").await?;
        (None, Some(web))
    };
    let web_address = match (&proxy, &web) {
        (Some(proxy), _) => proxy.web_address(),
        (None, Some(web)) => web.address(),
        (None, None) => config.auth.web_listen_addr,
    };
    let ssh = Services::bind_ssh(&config.ssh).await?;
    let socket_path = config.socket_path();
    let socket = LocalListener::bind(&socket_path).map_err(|error| Failure::said(chain(&error)))?;

    let Opened {
        cluster,
        state,
        opened,
        log,
        sealing_key,
    } = open(config, data_dir, &machine).await?;
    let hosts = hosts(config, cluster.name());
    let front = Front::new(
        Arc::clone(&cluster),
        Arc::clone(&machine.clock),
        Arc::clone(&machine.entropy),
        hosts.clone(),
    )
    .with_roles(front_roles(proxy.is_some()));
    let front = Arc::new(front);
    // Without a certificate, such as while the host authority's token is away, the local socket still serves: that is where an operator
    // finds out why. Every tick tries again.
    if let Err(error) = front.reload().await {
        tracing::error!(error = %chain(&error), "the API and the web listener have no certificate yet; only the local socket serves");
    }
    let doctor = Doctor {
        cluster: Arc::clone(&cluster),
        clock: Arc::clone(&machine.clock),
        configured: configured(&config.auth),
        data_dir: config.data_dir.clone(),
        proxy: config.proxy.clone(),
        private_files: vec![data_dir.state(), data_dir.ledger(), data_dir.sealing_key()],
    };
    let service = Arc::new(Service::new(ServiceParts {
        cluster: Arc::clone(&cluster),
        front: Arc::clone(&front),
        clock: Arc::clone(&machine.clock),
        entropy: Arc::clone(&machine.entropy),
        log: Arc::clone(&log) as Arc<dyn api_http::CheckLog>,
        doctor: Arc::new(doctor),
        limits: RequestLimits {
            attempts: attempts(&config.auth),
            ..RequestLimits::DEFAULT
        },
        web_url: web_url(&config.auth, web_address),
        api_address: if proxy.is_some() {
            shown_proxy(config, web_address)
        } else {
            shown(api.address())
        },
    }));
    let access = access::open(access::Opening {
        config,
        cluster: Arc::clone(&cluster),
        state: Arc::clone(&state),
        service: Arc::clone(&service),
        sealing_key: &sealing_key,
        clock: Arc::clone(&machine.clock),
        entropy: Arc::clone(&machine.entropy),
        hosts,
        web_port: web_address.port(),
    })
    .await?;
    drop(sealing_key);
    let proofs: Arc<dyn api_http::Reauthentication> = Arc::clone(&access) as _;
    service.ask_for_proof(&proofs);
    drop(proofs);

    let places = Places {
        data_dir: config.data_dir.clone(),
        socket: socket_path,
        api: api.address(),
        web: web_address,
        proxy_ssh: proxy.as_ref().map(Listeners::ssh_address),
        ssh: ssh.as_ref().map(node::Bound::address),
    };
    // Before anybody is answered: whoever sees that the server is up may ask it to stop, and must not kill it by that.
    let signals = Signals::listen()?;
    let (stopper, stop) = Stopper::new();
    let mut running = JoinSet::new();
    let router =
        api_http::api_router(Arc::clone(&service)).merge(api_access::access_router(Arc::clone(&access)));
    let pages = web::router(web::WebParts {
        identity: Arc::clone(access.identity()),
        directory: Arc::clone(access.directory()),
        enrollment: Arc::clone(access.enrollment()),
        cluster: Arc::clone(&cluster),
        entropy: Arc::clone(&machine.entropy),
        proxy_address: shown_proxy(config, web_address),
        has_relying_party: access::relying_party(config, &cluster, web_address.port()).is_some(),
    });
    let web_router = api_http::web_router(Arc::clone(&service))
        .merge(api_access::public_router(Arc::clone(&access)))
        .merge(api_access::limit_pages(pages, Arc::clone(&access)));
    let (hand_over, handed_over) = mpsc::channel(HANDED_OVER_MAX);
    let api_address = api.address();
    let api = api.with_handed_over(handed_over);
    running.spawn(socket.run(
        Arc::clone(&service),
        router.clone(),
        ConnectionLimits::LOCAL,
        stop.clone(),
    ));
    running.spawn(api.run(
        Face::Api,
        Arc::clone(&front),
        router,
        ConnectionLimits::API,
        stop.clone(),
    ));
    if let Some(web) = web {
        running.spawn(web.run(
            Face::Web,
            Arc::clone(&front),
            web_router.clone(),
            ConnectionLimits::WEB,
            stop.clone(),
        ));
    }
    let (services_stopper, services_stop) = Stopper::new();
    let services = Services {
        ssh,
        proxy: proxy.map(|proxy| {
            let certificate = proxy::Certificate {
                files: WebFiles::configured(config, &cluster),
                acme: PublicCertificate::wished(config, &cluster),
            };
            proxy.serving(
                certificate,
                &machine.clock,
                Arc::clone(&front),
                hand_over,
                web_router,
            )
        }),
    };
    let is_any = services.ssh.is_some() || services.proxy.is_some();
    let folder = config.data_dir.join("agent");
    if is_any {
        local::note(&access, &folder).await;
        running.spawn(local::watch(
            Arc::clone(&cluster),
            Arc::clone(access.enrollment()),
            folder.clone(),
            stop.clone(),
        ));
    }
    if let Some(proxy) = &services.proxy {
        access.enrollment().follow_tunnels(proxy.tunnels());
    }
    let own = services::Machine {
        folder,
        address: reached_here(api_address).to_string(),
        cluster: Some(cluster.name().to_string()),
        nearby: Some(Arc::new(local::Beside(Arc::clone(&access)))),
        joiner: Some(Arc::new(local::LocalJoiner {
            access,
            roles: services.roles(),
        })),
        node_name: config.node_name.clone(),
        public_addresses: services::public_addresses(&config.proxy),
        clock: Arc::clone(&machine.clock),
        entropy: Arc::clone(&machine.entropy),
        further_roles: Vec::new(),
        tunnel: None,
    };
    let services = tokio::spawn(async move {
        if is_any && let Err(failure) = services::run(own, services, services_stop).await {
            tracing::error!(error = %failure, "the proxy and the SSH service of this machine do not serve");
        }
    });
    let ticker = Ticker {
        cluster: Arc::clone(&cluster),
        service: Arc::clone(&service),
        state,
        front,
        log: Arc::clone(&log),
        entropy: machine.entropy,
    };
    running.spawn(ticker.run(stop));

    greet(&greeting(&cluster, &opened, &places));
    for alert in cluster.alerts() {
        tracing::warn!(alert = %alert.id, hint = %alert.hint, "{}", alert.message);
    }
    let reason = signals.asked_to_stop().await;
    tracing::info!(reason, "stopping");
    // Sessions end first, while there is somebody to tell of their ends.
    services_stopper.stop();
    if tokio::time::timeout(SERVICES_STOP, services).await.is_err() {
        tracing::warn!(
            "the services of this machine take too long to stop; what they did not tell is told at the next start"
        );
    }
    stopper.stop();
    running.join_all().await;
    let recorded = match service.record_counted_denials(true).await {
        Ok(()) => service.record_stopped(reason).await,
        Err(error) => Err(error),
    };
    recorded.map_err(|error| Failure::of("the stop could not be recorded", &error))?;
    log.follow(&cluster).await;
    Ok(())
}

/// How long the machine's services may take to stop.
const SERVICES_STOP: std::time::Duration = std::time::Duration::from_secs(25);
/// Connections that wait to be taken over from the proxy.
const HANDED_OVER_MAX: usize = 64;

/// How often one address may try to get in.
const fn attempts(auth: &AuthConfig) -> AttemptLimits {
    let LimitsConfig {
        log_ins_per_minute,
        log_ins_burst,
        joins_per_minute,
        joins_burst,
    } = auth.limits;
    AttemptLimits {
        log_ins: AttemptRate {
            per_minute: log_ins_per_minute,
            burst: log_ins_burst,
        },
        joins: AttemptRate {
            per_minute: joins_per_minute,
            burst: joins_burst,
        },
    }
}

/// The system roles that the listeners' certificate names.
fn front_roles(has_proxy: bool) -> Vec<Principal> {
    let words: &[&str] = if has_proxy { &["auth", "proxy"] } else { &[] };
    words
        .iter()
        .filter_map(|word| Principal::parse(word).ok())
        .collect()
}

/// How a listener is reached from the same host.
fn reached_here(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// Where people reach the proxy, as commands show it.
fn shown_proxy(config: &Config, listens: SocketAddr) -> String {
    match &config.proxy.public_addr {
        Some(address) => address.to_string(),
        None => shown(listens),
    }
}

/// A listener's address for others: by this host's name when it listens on every address.
fn shown(listens: SocketAddr) -> String {
    if listens.ip().is_unspecified() {
        format!("{}:{}", host_name(), listens.port())
    } else {
        listens.to_string()
    }
}

/// Where everybody reads revocation lists.
fn web_url(auth: &AuthConfig, listens: SocketAddr) -> String {
    match &auth.public_addr {
        Some(address) => format!("https://{address}"),
        None => format!("https://{}", shown(listens)),
    }
}

async fn open(config: &Config, data_dir: &DataDir, machine: &Machine) -> Result<Opened, Failure> {
    let Machine { clock, entropy } = machine;
    data_dir.check_first()?;
    let opening =
        |what| move |error: &dyn std::error::Error| Failure::of(&format!("cannot open {what}"), error);
    let state: Arc<dyn State> = Arc::new(
        SqliteState::open(&data_dir.state(), Arc::clone(clock))
            .map_err(|error| opening("the state")(&error))?,
    );
    let stored = stored_name(state.as_ref()).await?;
    if stored.is_some() {
        data_dir.check_complete()?;
    }
    let ledger = log_check::open(data_dir)?;
    data_dir
        .check_agreement(stored.is_some(), ledger.as_ref())
        .await?;
    let log = Arc::new(LogCheck::new(&ledger, Arc::clone(&state)));
    let ledger: Arc<dyn ledger::Ledger> = ledger;
    // Looked at before anything is appended to it.
    let log_problem = match log.compare().await {
        Ok(_) => None,
        Err(AnchorError::Broken(how)) => Some(log_check::broken_alert(&how)),
        Err(error @ AnchorError::Unusable(_)) => return Err(opening("the audit log")(&error)),
    };
    let is_sealed = keystore_software::is_sealed(state.as_ref())
        .await
        .map_err(|error| opening("the software keys")(&error))?;
    let sealing_key = if stored.is_some() || is_sealed {
        // A file that is missing is lost: another would not open what was sealed.
        SealingKey::load(&data_dir.sealing_key())
    } else {
        SealingKey::load_or_create(&data_dir.sealing_key(), entropy.as_ref())
    };
    let sealing_key = sealing_key.map_err(|error| Failure::said(chain(&error)))?;
    let server_id = data_dir.server_id(entropy.as_ref())?;
    let auth = &config.auth;
    let cluster_name = match stored {
        // The name of the host is only a default for the birth: a host that is renamed keeps its cluster.
        Some(stored) if !auth.is_cluster_name_configured => stored,
        Some(_) | None => auth.cluster_name.clone(),
    };
    let software = SoftwareBackend::open(
        Arc::clone(&state),
        sealing_key,
        Arc::clone(entropy),
        cluster_name.clone(),
    )
    .await
    .map_err(|error| opening("the software keys")(&error))?
    .with_clock(Arc::clone(clock));
    let custody = backends::open(&auth.ca_keys, &auth.former_ca_keys, software, &cluster_name).await?;
    let parts = Parts {
        state: Arc::clone(&state),
        ledger: Arc::clone(&ledger),
        custody,
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
    };
    let settings = Settings {
        cluster: cluster_name,
        suite: auth.suite,
        server_id,
        version: VERSION.to_owned(),
        quarantine: auth.key_quarantine,
        public_url: auth
            .public_addr
            .as_ref()
            .map(|address| format!("https://{address}")),
    };
    let (cluster, opened) = Cluster::open(parts, settings)
        .await
        .map_err(|error| opening("the cluster")(&error))?;
    if let Some(alert) = log_problem {
        cluster.raise_alert(alert);
    }
    log.follow(&cluster).await;
    Ok(Opened {
        cluster: Arc::new(cluster),
        state,
        opened,
        log,
        sealing_key: SealingKey::load(&data_dir.sealing_key())
            .map_err(|error| Failure::said(chain(&error)))?,
    })
}

/// The part of the cluster's own document that a start needs before it opens the cluster.
#[derive(Deserialize)]
struct StoredIdentity {
    cluster: ClusterName,
}

/// The name of the cluster in the state; nothing when there is none yet.
async fn stored_name(state: &dyn State) -> Result<Option<ClusterName>, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::of("cannot read whose state this is", error);
    let key = StateKey::parse("cluster/identity").map_err(|error| failed(&error))?;
    let Some(entry) = state.get(&key).await.map_err(|error| failed(&error))? else {
        return Ok(None);
    };
    let identity: StoredIdentity = serde_json::from_slice(&entry.value).map_err(|error| failed(&error))?;
    Ok(Some(identity.cluster))
}

async fn bind(address: SocketAddr, place: &str) -> Result<TlsListener, Failure> {
    TlsListener::bind(address).await.map_err(|error| {
        Failure::new(
            format!("{place}: cannot listen on {address}: {error}"),
            format!("choose another with `{place}`"),
        )
    })
}

/// Everything that holds keys, with its place in the configuration, the preferred one first.
pub(crate) fn configured(auth: &AuthConfig) -> Vec<(String, CaKeyConfig)> {
    let former = auth.former_ca_keys.iter().enumerate();
    std::iter::once(("auth_service.ca_key_params".to_owned(), auth.ca_keys.clone()))
        .chain(former.map(|(index, config)| {
            (
                format!("auth_service.former_ca_key_params[{index}]"),
                config.clone(),
            )
        }))
        .collect()
}

/// The names and addresses that the certificate of the listeners, the proxy's among them, is good for.
fn hosts(config: &Config, cluster: &ClusterName) -> Vec<HostName> {
    let own = host_name();
    let fixed = [cluster.as_str(), "localhost", "127.0.0.1", "::1", own.as_str()];
    let mut hosts: Vec<HostName> = fixed.into_iter().filter_map(|name| name.parse().ok()).collect();
    let Config { auth, proxy, .. } = config;
    for address in [&auth.public_addr, &proxy.public_addr].into_iter().flatten() {
        hosts.push(address.host.clone());
    }
    for address in [auth.listen_addr, auth.web_listen_addr, proxy.web_listen_addr] {
        if !address.ip().is_unspecified() {
            hosts.extend(address.ip().to_string().parse::<HostName>());
        }
    }
    let mut seen = BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    hosts
}

/// The signals that ask to stop.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals from here on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::of("cannot wait for signals", &error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Waits for one of them; answers its name.
    pub(crate) async fn asked_to_stop(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn greet(text: &str) {
    // Whoever closed standard output does not want to know.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
