use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::Agent;
use agent::AgentError;
use agent::AgentParts;
use agent::Joiner;
use agent::Nearby;
use agent::Profile;
use agent::Spool;
use api_http::Stop;
use config::ProxyConfig;
use config::SshConfig;
use names::HostName;
use runtime::Clock;
use runtime::Entropy;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::failure::chain;
use crate::host::VERSION;
use crate::host::host_name;
use crate::services::node;
use crate::services::proxy;

/// How long a start rests after a failure, at first and at most.
const REST: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));

/// What a machine is made of.
#[derive(Clone)]
pub(crate) struct Machine {
    /// The folder of the agent.
    pub(crate) folder: PathBuf,
    /// Where the auth service is reached.
    pub(crate) address: String,
    pub(crate) cluster: Option<String>,
    pub(crate) joiner: Option<Arc<dyn Joiner>>,
    /// The auth service, where it is in this process.
    pub(crate) nearby: Option<Arc<dyn Nearby>>,
    pub(crate) node_name: Option<String>,
    /// Names and addresses it is reached by, besides its own.
    pub(crate) public_addresses: Vec<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// System roles that it joins in besides those of its services.
    pub(crate) further_roles: Vec<String>,
    /// Where the machine's tunnel leads, when it keeps one.
    pub(crate) tunnel: Option<String>,
}

/// The services of a machine, with their listeners bound.
pub(crate) struct Services {
    pub(crate) ssh: Option<node::Bound>,
    pub(crate) proxy: Option<proxy::Bound>,
}

impl Services {
    /// Binds what is configured: an address in use is told before anything is made.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub(crate) async fn bind_ssh(config: &SshConfig) -> Result<Option<node::Bound>, Failure> {
        if !config.is_enabled {
            return Ok(None);
        }
        node::Bound::bind(config).await.map(Some)
    }

    /// The system roles that these services stand for.
    pub(crate) fn roles(&self) -> Vec<String> {
        let of = |is_there, role: &str| if is_there { Some(role.to_owned()) } else { None };
        let roles = [of(self.ssh.is_some(), "node"), of(self.proxy.is_some(), "proxy")];
        roles.into_iter().flatten().collect()
    }
}

/// Runs the services of a machine until asked to stop. The first start joins the cluster; what passes is tried again.
///
/// # Errors
/// When the machine has not joined, and cannot as it was told to.
pub(crate) async fn run(machine: Machine, services: Services, stop: Stop) -> Result<(), Failure> {
    let profile = profile(&machine, &services);
    let mut first_stop = stop.clone();
    let started = tokio::select! {
        started = start(&machine, &profile) => started,
        () = first_stop.requested() => return Ok(()),
    };
    let (agent, spool) = started.map_err(|error| {
        let failure = Failure::said(chain(&error));
        match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })?;

    let mut running = JoinSet::new();
    running.spawn(Arc::clone(&agent).run(stop.clone()));
    let Services { ssh, proxy } = services;
    let own = node::OwnNode::default();
    let uploading = tokio::spawn(Arc::clone(&agent).upload(Arc::clone(&spool), stop.clone()));
    if let Some(bound) = ssh {
        running.spawn(node::run(
            bound,
            (machine.clone(), own.clone()),
            Arc::clone(&agent),
            Arc::clone(&spool),
            stop.clone(),
        ));
    }
    if let Some(bound) = proxy {
        running.spawn(proxy::run(
            bound,
            (machine, own),
            Arc::clone(&agent),
            Arc::clone(&spool),
            stop.clone(),
        ));
    }
    running.join_all().await;
    // After the last session has ended: its end is to be sent as well.
    let last = Arc::clone(&agent).upload_last(&spool).await;
    if let Err(error) = last {
        tracing::warn!(error = %chain(&error), "events are left for the next start");
    }
    let _ = uploading.await;
    Ok(())
}

/// What the proxy of this machine is reached by, for its certificates. What every machine calls itself is in none.
pub(crate) fn public_addresses(proxy: &ProxyConfig) -> Vec<String> {
    let here = |host: &HostName| {
        let address = host.address().map(|address| address.to_canonical());
        host.as_str() == "localhost" || address.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified())
    };
    let address = proxy.public_addr.as_ref().filter(|_| proxy.is_enabled);
    let host = address.map(|address| &address.host).filter(|host| !here(host));
    host.map(ToString::to_string).into_iter().collect()
}

/// Starts the machine as soon as that can be: whoever it asks may be away, or busy, and one that has joined waits for them for ever.
async fn start(machine: &Machine, profile: &Profile) -> Result<(Arc<Agent>, Arc<Spool>), AgentError> {
    let mut rest = REST.0;
    loop {
        match try_start(machine, profile).await {
            Ok(started) => return Ok(started),
            Err(error @ AgentError::CannotJoin(_)) => return Err(error),
            Err(error) => {
                tracing::error!(error = %chain(&error), "this machine does not serve yet; it is tried again");
                sleep(rest).await;
                rest = rest.saturating_mul(2).min(REST.1);
            }
        }
    }
}

async fn try_start(machine: &Machine, profile: &Profile) -> Result<(Arc<Agent>, Arc<Spool>), AgentError> {
    let agent = Agent::start(AgentParts {
        folder: machine.folder.clone(),
        address: machine.address.clone(),
        profile: profile.clone(),
        joiner: machine.joiner.clone(),
        nearby: machine.nearby.clone(),
        cluster: machine.cluster.clone(),
        clock: Arc::clone(&machine.clock),
        entropy: Arc::clone(&machine.entropy),
    })
    .await?;
    let spool = Spool::open(
        &machine.folder.join("spool"),
        machine.clock.as_ref(),
        machine.entropy.as_ref(),
    )?;
    Ok((Arc::new(agent), Arc::new(spool)))
}

fn profile(machine: &Machine, services: &Services) -> Profile {
    let node_name = machine.node_name.clone().unwrap_or_else(host_name);
    let ssh = services.ssh.as_ref();
    Profile {
        node_name: node_name.to_ascii_lowercase(),
        roles: services
            .roles()
            .into_iter()
            .chain(machine.further_roles.iter().cloned())
            .collect(),
        labels: ssh.map_or_else(BTreeMap::new, |ssh| ssh.labels.clone()),
        public_addresses: machine.public_addresses.clone(),
        addr: ssh.map_or_else(String::new, |ssh| ssh.reached_at(machine.tunnel.is_some())),
        use_tunnel: machine.tunnel.is_some(),
        version: VERSION.to_owned(),
    }
}
