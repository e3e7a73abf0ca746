//! The proxy of this machine: the public face of the cluster.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::Agent;
use agent::HostIdentity;
use agent::NodeResolver;
use agent::OpensshHosts;
use agent::ProxyEvents;
use agent::ProxyGate;
use agent::Spool;
use api_http::ConnectionLimits;
use api_http::Front;
use api_http::HandedOver;
use api_http::Stop;
use axum::Router;
use config::ProxyConfig;
use enrollment::Tunnelled;
use proxy::Balancers;
use proxy::Dialer;
use proxy::Faces;
use proxy::Gate;
use proxy::HandOver;
use proxy::Listener;
use proxy::Public;
use proxy::SshIdentity;
use proxy::SshLimits;
use proxy::SshParts;
use proxy::SshProxy;
use proxy::TunnelIdentity;
use proxy::Tunnelling;
use proxy::WebCredential;
use runtime::Clock;
use tokio::sync::mpsc;
use tunnel::HostId;
use tunnel::TunnelLimits;
use tunnel::Tunnels;

use crate::failure::Failure;
use crate::failure::chain;
use crate::services::Machine;
use crate::services::node::OwnNode;
use crate::services::public_certificate::PublicCertificate;
use crate::services::web_files::WebFiles;

/// How often it is looked whether another certificate is to be presented.
const FOLLOW: Duration = Duration::from_secs(5);
/// How long a direct connection to a node may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The most tunnels.
const TUNNELS_MAX: usize = 20_000;

/// The proxy with its addresses bound.
pub(crate) struct Bound {
    web: Listener,
    ssh: Listener,
    certificate: Certificate,
    tunnels: Arc<Tunnels>,
    front: Arc<Front>,
    api: mpsc::Sender<HandedOver>,
    router: Router,
}

/// The public certificate that is configured: by files, or by an ACME server, or neither.
pub(crate) struct Certificate {
    pub(crate) files: Option<WebFiles>,
    pub(crate) acme: Option<PublicCertificate>,
}

impl Bound {
    /// Who has a tunnel.
    pub(crate) fn tunnels(&self) -> Arc<dyn Tunnelled> {
        Arc::new(Live(Arc::clone(&self.tunnels)))
    }
}

struct Live(Arc<Tunnels>);

impl Tunnelled for Live {
    fn has_tunnel(&self, host_id: &str) -> bool {
        HostId::parse(host_id).is_ok_and(|host_id| self.0.has(&host_id))
    }
}

/// The proxy's listeners, before there is anything to serve.
pub(crate) struct Listeners {
    web: Listener,
    ssh: Listener,
}

impl Listeners {
    pub(crate) async fn bind(config: &ProxyConfig) -> Result<Self, Failure> {
        let balancers = config.balancers.as_ref().map(|balancers| Balancers {
            networks: balancers.networks.clone(),
        });
        let web = bind(config.web_listen_addr, "proxy_service.web_listen_addr").await?;
        let ssh = bind(config.ssh_listen_addr, "proxy_service.ssh_listen_addr").await?;
        Ok(Self {
            web: web.behind(balancers.clone()),
            ssh: ssh.behind(balancers),
        })
    }

    pub(crate) const fn web_address(&self) -> SocketAddr {
        self.web.address()
    }

    pub(crate) const fn ssh_address(&self) -> SocketAddr {
        self.ssh.address()
    }

    /// With what is served: the router for everybody, the public certificate that is wished for, the front whose certificate is presented
    /// otherwise, and where connections for the API go.
    pub(crate) fn serving(
        self,
        certificate: Certificate,
        clock: &Arc<dyn Clock>,
        front: Arc<Front>,
        api: mpsc::Sender<HandedOver>,
        router: Router,
    ) -> Bound {
        let Self { web, ssh } = self;
        Bound {
            web,
            ssh,
            certificate,
            tunnels: Arc::new(Tunnels::new(TunnelLimits::DEFAULT, Arc::clone(clock))),
            front,
            api,
            router,
        }
    }
}

async fn bind(address: SocketAddr, place: &str) -> Result<Listener, Failure> {
    Listener::bind(address).await.map_err(|error| {
        Failure::new(
            format!("{place}: cannot listen on {address}: {error}"),
            format!("choose another with `{place}`"),
        )
    })
}

/// Serves the public face until asked to stop.
pub(crate) async fn run(
    bound: Bound,
    (machine, own): (Machine, OwnNode),
    agent: Arc<Agent>,
    spool: Arc<Spool>,
    stop: Stop,
) {
    let Bound {
        web,
        ssh: ssh_listener,
        certificate,
        tunnels,
        front,
        api,
        router,
    } = bound;
    let gate: Arc<dyn Gate> = Arc::new(ProxyGate::new(
        agent.known(),
        agent.freshness(),
        Arc::clone(&machine.clock),
    ));
    let openssh_hosts = Arc::new(OpensshHosts::new(
        Arc::clone(&agent),
        Arc::clone(&spool),
        Arc::clone(&machine.clock),
        Arc::clone(&machine.entropy),
    ));
    let events = Arc::new(ProxyEvents::new(
        spool,
        agent.host_id(),
        Arc::clone(&machine.clock),
        Arc::clone(&machine.entropy),
    ));
    let ssh = Arc::new(SshProxy::new(SshParts {
        gate: Arc::clone(&gate),
        resolver: Arc::new(NodeResolver::new(
            Arc::clone(&agent),
            Some(Arc::clone(&openssh_hosts)),
        )),
        dialer: Arc::new(Dialer::new(Arc::clone(&tunnels), CONNECT).with_here(Arc::new(own))),
        events: Arc::clone(&events) as Arc<dyn proxy::Events>,
        clock: Arc::clone(&machine.clock),
        entropy: Arc::clone(&machine.entropy),
        limits: SshLimits::DEFAULT,
    }));
    let tunnelling = Arc::new(Tunnelling::new(Arc::clone(&tunnels), gate, events, TUNNELS_MAX));
    let faces = Arc::new(Faces::new(Arc::clone(&machine.clock)));
    install(&agent.identity().borrow(), &front, &faces, &ssh);
    let presenting = tokio::spawn(present(
        Arc::clone(&agent),
        Arc::clone(&front),
        Arc::clone(&faces),
        Arc::clone(&ssh),
    ));
    let following = tokio::spawn(follow_public(
        certificate,
        Arc::clone(&faces),
        machine.clone(),
        stop.clone(),
    ));
    let changing = tokio::spawn(follow_changes(
        Arc::clone(&agent),
        Arc::clone(&ssh),
        Arc::clone(&tunnelling),
    ));
    let public = Public {
        faces,
        auth: Some(Arc::new(HandOver(api))),
        ssh: Some(Arc::clone(&ssh)),
        tunnels: Some(tunnelling),
        web: router,
        entropy: Arc::clone(&machine.entropy),
    };
    tokio::join!(
        web.run_public(public, ConnectionLimits::WEB, stop.clone()),
        ssh_listener.run_ssh(ssh, ConnectionLimits::WEB, stop)
    );
    openssh_hosts.stop().await;
    for task in [presenting, changing, following] {
        task.abort();
    }
}

/// Presents what the machine has: its SSH certificate, the certificate of the listeners, and the same to agents with the authorities of
/// hosts.
fn install(identity: &HostIdentity, front: &Front, faces: &Faces, ssh: &SshProxy) {
    match SshIdentity::from_openssh(identity.ssh_key(), &[identity.ssh_certificate()]) {
        Ok(identity) => ssh.install(&identity),
        Err(error) => tracing::error!(error = %chain(&error), "the SSH proxy has no host key it can use"),
    }
    let Some((chain, key)) = front.presented() else {
        return;
    };
    let own = WebCredential {
        chain: chain.clone(),
        key: key.clone_key(),
    };
    if let Err(error) = faces.install_own(&own) {
        tracing::error!(error = %crate::failure::chain(&error), "the cluster's own certificate is not presented");
    }
    let authorities = match identity.authorities(identity.trust()) {
        Ok(authorities) => authorities,
        Err(error) => {
            tracing::error!(error = %crate::failure::chain(&error), "the authorities of hosts do not read");
            return;
        }
    };
    let tunnel = TunnelIdentity {
        chain,
        key,
        authorities,
    };
    if let Err(error) = faces.install_tunnel(&tunnel) {
        tracing::error!(error = %crate::failure::chain(&error), "tunnels are not served");
    }
}

/// Keeps the public certificate, where there is to be one, and presents it.
async fn follow_public(
    Certificate { files, acme }: Certificate,
    faces: Arc<Faces>,
    machine: Machine,
    stop: Stop,
) {
    if let Some(files) = files {
        let source = files.followed(Arc::clone(&machine.clock));
        faces.follow(Arc::new(source), FOLLOW, stop).await;
    } else if let Some((keeper, source)) = acme.and_then(|public| public.open(&faces, &machine)) {
        tokio::select! {
            () = keeper.run() => {}
            () = faces.follow(source, FOLLOW, stop) => {}
        }
    }
}

/// Follows renewals and rotations.
async fn present(agent: Arc<Agent>, front: Arc<Front>, faces: Arc<Faces>, ssh: Arc<SshProxy>) {
    let mut identity = agent.identity();
    let mut presented = front.presented().map(|(chain, _)| chain);
    loop {
        let is_new = tokio::select! {
            changed = identity.changed() => changed.is_ok(),
            () = tokio::time::sleep(FOLLOW) => {
                let now = front.presented().map(|(chain, _)| chain);
                let is_new = now != presented;
                presented = now;
                is_new
            }
        };
        if is_new {
            let now = Arc::clone(&identity.borrow_and_update());
            install(&now, &front, &faces, &ssh);
        }
    }
}

/// At each change, cuts off at once whom it locks out, and tells everybody else that there is one.
async fn follow_changes(agent: Arc<Agent>, ssh: Arc<SshProxy>, tunnelling: Arc<Tunnelling>) {
    let mut known = agent.known();
    loop {
        let revision = known.borrow_and_update().revision;
        ssh.recheck();
        tunnelling.recheck();
        tunnelling.tunnels().tell(revision);
        if known.changed().await.is_err() {
            return;
        }
    }
}
