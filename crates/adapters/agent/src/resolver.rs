//! Finding nodes for the proxy.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use access::LockSubject;
use access::NodeView;
use api_types::NodeRow;
use async_trait::async_trait;
use proxy::Hop;
use proxy::NoRoute;
use proxy::Resolver;
use proxy::Route;
use proxy::SshUser;
use proxy::Target;
use proxy::Via;
use ssh_cert::OwnFact;
use tokio::sync::Mutex;
use tunnel::HostId;

use crate::Agent;
use crate::OpensshHosts;
use crate::gate::access_set;

/// How long a list of nodes is good for; a name that is not in it is looked up anew, at most this often.
const FRESH: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(500));
/// The port at a node's end of its tunnel.
const SSH_PORT: u16 = 3022;

/// Finds nodes among those that the auth service knows.
pub struct NodeResolver {
    agent: Arc<Agent>,
    openssh_hosts: Option<Arc<OpensshHosts>>,
    read: Mutex<Option<(Instant, Arc<Vec<NodeRow>>)>>,
}

impl NodeResolver {
    /// Asks as this agent, which must be a proxy. Servers without an agent are reached only when there is somebody to speak for them.
    pub fn new(agent: Arc<Agent>, openssh_hosts: Option<Arc<OpensshHosts>>) -> Self {
        Self {
            agent,
            openssh_hosts,
            read: Mutex::default(),
        }
    }

    /// The nodes, read not longer ago than this.
    async fn nodes(&self, fresh: Duration) -> Result<Arc<Vec<NodeRow>>, NoRoute> {
        let mut read = self.read.lock().await;
        if let Some((at, nodes)) = read.as_ref()
            && at.elapsed() < fresh
        {
            return Ok(Arc::clone(nodes));
        }
        let unavailable = |error: &dyn std::fmt::Display| NoRoute::Unavailable(error.to_string());
        let client = self.agent.client().map_err(|error| unavailable(&error))?;
        match client.agent_nodes().await {
            Ok(nodes) => {
                let nodes = Arc::new(nodes);
                *read = Some((Instant::now(), Arc::clone(&nodes)));
                Ok(nodes)
            }
            // What was last seen is better than nothing while the auth service is away.
            Err(error) => match read.as_ref() {
                Some((_, nodes)) => Ok(Arc::clone(nodes)),
                None => Err(unavailable(&error)),
            },
        }
    }

    async fn find(&self, name: &str) -> Result<NodeRow, NoRoute> {
        for fresh in [FRESH.0, FRESH.1] {
            let nodes = self.nodes(fresh).await?;
            if let Some(node) = pick(&nodes, name, &self.agent.known().borrow().trust.cluster) {
                return Ok(node.clone());
            }
        }
        Err(NoRoute::Unknown)
    }
}

/// The node of this id or name; of several with one name, one that is online.
fn pick<'a>(nodes: &'a [NodeRow], name: &str, cluster: &str) -> Option<&'a NodeRow> {
    let short = name.strip_suffix(&format!(".{cluster}")).unwrap_or(name);
    let is_it = |node: &&NodeRow| node.host_id == short || node.hostname.eq_ignore_ascii_case(short);
    nodes
        .iter()
        .filter(is_it)
        .max_by_key(|node| (node.host_id == short, node.online.unwrap_or(true)))
}

#[async_trait]
impl Resolver for NodeResolver {
    async fn resolve(&self, user: &SshUser, target: &Target) -> Result<Route, NoRoute> {
        let node = self.find(&target.host).await?;
        let known = Arc::clone(&self.agent.known().borrow());
        let set = access_set(&known, &user.certificate).map_err(|denial| NoRoute::Denied(denial.0))?;
        let view = NodeView {
            host_id: &node.host_id,
            hostname: &node.hostname,
            labels: &node.labels,
        };
        if let Some(bound_to) = user.certificate.fact(OwnFact::SessionNode)
            && bound_to != node.host_id
        {
            let reason = "the certificate is for one session on another host".to_owned();
            return Err(NoRoute::Denied(reason));
        }
        if set.logins_on(&view).is_empty() {
            let reason = format!("no role of {} gives a login on {}", user.name, node.hostname);
            return Err(NoRoute::Denied(reason));
        }
        // After that: whether there is such a node is not for everybody.
        let subject = LockSubject {
            node: Some((&node.host_id, &node.hostname)),
            ..LockSubject::default()
        };
        if let Some(lock) = access::lock_hits(&known.locks, &subject, self.agent.clock.now()) {
            let said = lock.spec.message.as_deref().unwrap_or("access is locked");
            return Err(NoRoute::Locked(format!("the host is locked: {said}")));
        }
        let via = if node.sub_kind == "openssh" {
            match &self.openssh_hosts {
                Some(hosts) => Via::Terminate(hosts.terminator(&node)),
                None => {
                    return Err(NoRoute::Unavailable(
                        "this proxy does not serve servers without an agent".to_owned(),
                    ));
                }
            }
        } else {
            let mut hops = Vec::new();
            if node.use_tunnel {
                hops.push(Hop::Tunnel);
            }
            if !node.addr.is_empty() {
                // What another host says of itself does not lead to what listens beside this proxy.
                if self.agent.host_id() == node.host_id {
                    hops.extend([Hop::Here, Hop::Direct(node.addr.clone())]);
                } else {
                    hops.push(Hop::Elsewhere(node.addr.clone()));
                }
            }
            Via::Hops(hops)
        };
        Ok(Route {
            host: HostId::parse(&node.host_id).map_err(|error| NoRoute::Unavailable(error.to_string()))?,
            name: node.hostname,
            port: SSH_PORT,
            via,
        })
    }
}
