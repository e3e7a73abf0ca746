//! The SSH service of this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;

use agent::Agent;
use agent::HostIdentity;
use agent::NodeEvents;
use agent::NodeGate;
use agent::Spool;
use api_http::Stop;
use async_trait::async_trait;
use config::PublicAddr;
use config::SshConfig;
use proxy::Here;
use ssh_node::Helper;
use ssh_node::HostKey;
use ssh_node::HostKeys;
use ssh_node::LocalTarget;
use ssh_node::NoTee;
use ssh_node::Node;
use ssh_node::NodeConfig;
use ssh_node::Parts;
use ssh_node::Peer;
use ssh_node::SystemAccounts;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tunnel::AgentCredential;
use tunnel::Backoff;
use tunnel::Incoming;
use tunnel::OpenRequest;
use tunnel::ProxyTrust;
use tunnel::Refused;
use tunnel::Service;
use tunnel::TcpConnector;
use tunnel::TunnelClient;
use tunnel::TunnelClientParts;
use tunnel::TunnelLimits;

use crate::failure::Failure;
use crate::failure::chain;
use crate::open_files;
use crate::services::Machine;

/// The hidden command by which this program becomes a session's program.
pub(crate) const HELPER: &str = "exec-child";

/// The SSH service with its address bound.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    public_addr: Option<PublicAddr>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Bound {
    pub(crate) async fn bind(config: &SshConfig) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(
                format!(
                    "ssh_service.listen_addr: cannot listen on {}: {error}",
                    config.listen_addr
                ),
                "choose another with `ssh_service.listen_addr`, or set `ssh_service.enabled: false`",
            )
        };
        let listener = TcpListener::bind(config.listen_addr).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            public_addr: config.public_addr.clone(),
            labels: config.labels.clone(),
        })
    }

    /// The address that was bound.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the proxy reaches it: where it is said to be, else where it listens; a machine with a tunnel that listens on every interface
    /// is reached by its tunnel only.
    pub(crate) fn reached_at(&self, has_tunnel: bool) -> String {
        match &self.public_addr {
            Some(address) => address.to_string(),
            None if has_tunnel || self.address.ip().is_unspecified() => String::new(),
            None => self.address.to_string(),
        }
    }
}

/// The SSH service of this machine, once it serves, for the proxy in the same process: so it learns where clients come from.
#[derive(Clone, Default)]
pub(crate) struct OwnNode(Arc<OnceLock<ToNode>>);

/// Bytes under way between the proxy and the SSH service to whoever does not read: as many as in a tunnel.
const UNDER_WAY_MAX: usize = 256 * 1_024;

impl Here for OwnNode {
    fn open(&self, source: SocketAddr) -> Option<DuplexStream> {
        let ToNode { node, address } = self.0.get()?;
        let peer = Peer {
            remote: source,
            local: *address,
        };
        let (near, far) = tokio::io::duplex(UNDER_WAY_MAX);
        let node = node.clone();
        // On its own, so that the ends of sessions are recorded when the client's connection to the proxy is over before.
        tokio::spawn(async move { node.serve_stream(far, peer).await });
        Some(near)
    }
}

/// Serves SSH until asked to stop.
pub(crate) async fn run(
    bound: Bound,
    (machine, own): (Machine, OwnNode),
    agent: Arc<Agent>,
    spool: Arc<Spool>,
    mut stop: Stop,
) {
    let identity = Arc::clone(&agent.identity().borrow());
    let host_keys = match host_key(&identity).and_then(|key| HostKeys::new(vec![key])) {
        Ok(keys) => Arc::new(keys),
        Err(error) => {
            tracing::error!(error = %chain(&error), "the SSH service has no host key it can use, and does not serve");
            return;
        }
    };
    let node = node(&bound, &machine, &agent, spool, Arc::clone(&host_keys));
    let _first = own.0.set(ToNode {
        node: node.clone(),
        address: bound.address,
    });
    let renewing = tokio::spawn(follow_identity(agent.identity(), host_keys));
    let tunnel = tokio::spawn(keep_tunnel(
        machine,
        Arc::clone(&agent),
        node.clone(),
        bound.address,
        stop.clone(),
    ));
    tokio::select! {
        () = node.serve(bound.listener) => {}
        () = stop.requested() => {}
    }
    node.stop().await;
    renewing.abort();
    let _ = tunnel.await;
}

fn host_key(identity: &HostIdentity) -> Result<HostKey, ssh_node::HostKeyError> {
    HostKey::from_openssh(identity.ssh_key(), Some(identity.ssh_certificate()))
}

fn node(
    bound: &Bound,
    machine: &Machine,
    agent: &Agent,
    spool: Arc<Spool>,
    host_keys: Arc<HostKeys>,
) -> Node {
    let hostname = agent.profile().node_name.clone();
    let gate = NodeGate::new(
        agent.known(),
        agent.host_id(),
        hostname.clone(),
        bound.labels.clone(),
        agent.freshness(),
        Arc::clone(&machine.clock),
    );
    let target = LocalTarget {
        helper: Helper {
            program: PathBuf::from("/proc/self/exe"),
            arguments: vec![OsString::from(HELPER), open_files::of_sessions()],
        },
        accounts: Arc::new(SystemAccounts::new(Arc::clone(&machine.clock))),
        socket_directory: std::env::temp_dir(),
        gateway_ports: false,
    };
    let networking = agent.known().borrow().networking.clone();
    let config = NodeConfig {
        keep_alive_interval: Some(std::time::Duration::from_secs(
            networking.keep_alive_interval.seconds(),
        )),
        keep_alive_count_max: networking.keep_alive_count_max,
        ..NodeConfig::new(agent.host_id())
    };
    Node::new(
        config,
        Parts {
            gate: Arc::new(gate),
            events: Arc::new(NodeEvents::new(spool, hostname, Arc::clone(&machine.entropy))),
            tee: Arc::new(NoTee),
            target: Arc::new(target),
            host_keys,
            clock: Arc::clone(&machine.clock),
            entropy: Arc::clone(&machine.entropy),
        },
    )
}

/// Presents the new certificate after each renewal; sessions that live go on.
async fn follow_identity(mut identity: watch::Receiver<Arc<HostIdentity>>, host_keys: Arc<HostKeys>) {
    while identity.changed().await.is_ok() {
        let now = Arc::clone(&identity.borrow_and_update());
        let replaced = host_key(&now).and_then(|key| host_keys.replace(vec![key]));
        if let Err(error) = replaced {
            tracing::error!(error = %chain(&error), "the renewed host certificate cannot be used; the old one stays");
        }
    }
}

/// Keeps the machine's tunnel to the proxy, when it has one.
async fn keep_tunnel(machine: Machine, agent: Arc<Agent>, node: Node, address: SocketAddr, stop: Stop) {
    let Some(proxy) = machine.tunnel else { return };
    let identity = Arc::clone(&agent.identity().borrow());
    let first = match credential(&identity, &proxy) {
        Ok(credential) => credential,
        Err(error) => {
            tracing::error!(error, "the tunnel cannot be opened");
            return;
        }
    };
    let (sender, receiver) = watch::channel(Arc::new(first));
    let mut changes = agent.identity();
    let name = proxy.clone();
    let following = tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            let now = Arc::clone(&changes.borrow_and_update());
            match credential(&now, &name) {
                Ok(credential) => {
                    sender.send_replace(Arc::new(credential));
                }
                Err(error) => tracing::error!(error, "the tunnel goes on with its old certificate"),
            }
        }
    });
    let client = TunnelClient::new(TunnelClientParts {
        connector: Arc::new(TcpConnector(proxy)),
        credential: receiver,
        handler: Arc::new(ToNode { node, address }),
        news: agent.news(),
        limits: TunnelLimits::DEFAULT,
        backoff: Backoff::DEFAULT,
        clock: machine.clock,
        entropy: machine.entropy,
    });
    client.run(stop).await;
    following.abort();
}

fn credential(identity: &HostIdentity, proxy: &str) -> Result<AgentCredential, String> {
    let unreadable = |error: agent::AgentError| error.to_string();
    let host = proxy.rsplit_once(':').map_or(proxy, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let trust = ProxyTrust {
        name: host
            .clone()
            .try_into()
            .map_err(|_| format!("{host:?} is no host name"))?,
        host_authorities: identity.authorities(identity.trust()).map_err(unreadable)?,
        web_roots: Vec::new(),
    };
    let chain = identity.client_chain().map_err(unreadable)?;
    let key = identity.tls_key().map_err(unreadable)?;
    Ok(AgentCredential::new(chain, key, trust))
}

/// Connections that come through the tunnel are served as those that come by the network.
struct ToNode {
    node: Node,
    address: SocketAddr,
}

#[async_trait]
impl Incoming for ToNode {
    async fn open(&self, request: OpenRequest) -> Result<Service, Refused> {
        let (node, local) = (self.node.clone(), self.address);
        let peer = Peer {
            remote: request.source,
            local,
        };
        Ok(Box::new(move |stream| {
            Box::pin(async move { node.serve_stream(stream, peer).await })
        }))
    }
}
