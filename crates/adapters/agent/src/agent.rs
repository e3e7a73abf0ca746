use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use api_client::Client;
use api_client::Endpoint;
use api_types::AgentView;
use runtime::Clock;
use runtime::Entropy;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::AgentError;
use crate::Freshness;
use crate::HostIdentity;
use crate::Joiner;
use crate::Known;
use crate::Nearby;
use crate::admission::Admission;
use crate::freshness::Confirmed;
use crate::shut_out::out_of_the_cluster;
use crate::shut_out::shut_out;
use crate::store::Store;

/// The file of the identity, in the agent's folder.
pub(crate) const IDENTITY: &str = "identity.json";
/// The file of the view that was last seen.
pub(crate) const VIEW: &str = "view.json";

/// What a machine says of itself.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What it calls itself.
    pub node_name: String,
    /// Its system roles.
    pub roles: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Names and addresses it is reached by.
    pub public_addresses: Vec<String>,
    /// Where it serves SSH, `host:port`; empty when it is reached through its tunnel only, or serves none.
    pub addr: String,
    /// Whether it keeps a tunnel to the proxy.
    pub use_tunnel: bool,
    /// Signet's version.
    pub version: String,
}

/// What an agent is made of.
pub struct AgentParts {
    /// A folder of its own; made with mode 0700.
    pub folder: PathBuf,
    /// Where the auth service is reached, directly or through a proxy: `host:port`.
    pub address: String,
    /// What the machine says of itself.
    pub profile: Profile,
    /// How it joins, when it has not yet.
    pub joiner: Option<Arc<dyn Joiner>>,
    /// Who knows the cluster without being asked over the network: what is true is then known before anybody is served, even while the
    /// API is away.
    pub nearby: Option<Arc<dyn Nearby>>,
    /// The cluster, where that is known beforehand.
    pub cluster: Option<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// A machine of the cluster.
pub struct Agent {
    pub(crate) store: Store,
    pub(crate) address: String,
    pub(crate) profile: Profile,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) identity: watch::Sender<Arc<HostIdentity>>,
    /// What it was shown last, as it is on the disk.
    pub(crate) view: watch::Sender<Arc<AgentView>>,
    pub(crate) known: watch::Sender<Arc<Known>>,
    /// When the auth service last said that what is known is so.
    pub(crate) confirmed: watch::Sender<Option<Confirmed>>,
    pub(crate) news: watch::Sender<Option<u64>>,
    /// Since when the auth service does not take the events of this machine, although it hears it.
    pub(crate) events_wait_since: watch::Sender<Option<Instant>>,
}

impl Agent {
    /// Loads who the machine is, or joins; then learns what it needs to decide, from the auth service or, while that is away, from what
    /// was last seen.
    ///
    /// # Errors
    /// When it has no identity and cannot join, or knows nothing and cannot ask.
    pub async fn start(parts: AgentParts) -> Result<Self, AgentError> {
        let AgentParts {
            folder,
            address,
            mut profile,
            joiner,
            nearby,
            cluster,
            clock,
            entropy,
        } = parts;
        let store = Store::open(&folder)?;
        let admission = Admission {
            store: &store,
            profile: &profile,
            joiner: joiner.as_deref(),
            nearby: nearby.as_deref(),
            cluster: cluster.as_deref(),
            entropy: entropy.as_ref(),
            now: clock.now(),
        };
        let identity = admission.identity().await?;
        // One name everywhere: what its certificates call it.
        if let Some(name) = identity.node_name() {
            profile.node_name = name;
        }
        let (view, is_confirmed) = first_view(&store, nearby.as_deref(), &address, &identity).await?;
        let known = Known::compile(&view)?;
        let now = clock.now();
        Ok(Self {
            store,
            address,
            profile,
            clock,
            identity: watch::channel(Arc::new(identity)).0,
            view: watch::channel(Arc::new(view)).0,
            known: watch::channel(Arc::new(known)).0,
            confirmed: watch::channel(is_confirmed.then(|| Confirmed::now(now))).0,
            news: watch::channel(None).0,
            events_wait_since: watch::channel(None).0,
        })
    }

    /// Who the machine is that joined from this folder; nothing when none did yet.
    ///
    /// # Errors
    /// When the folder's identity does not read.
    pub fn stored_identity(folder: &Path) -> Result<Option<HostIdentity>, AgentError> {
        Store::open(folder)?.load::<HostIdentity>(IDENTITY)
    }

    /// The identity, and whenever it changes.
    pub fn identity(&self) -> watch::Receiver<Arc<HostIdentity>> {
        self.identity.subscribe()
    }

    /// What is known of the cluster, and whenever that changes.
    pub fn known(&self) -> watch::Receiver<Arc<Known>> {
        self.known.subscribe()
    }

    /// How long ago the auth service confirmed it.
    pub fn freshness(&self) -> Freshness {
        Freshness::new(self.confirmed.subscribe())
    }

    /// Where whoever keeps the machine's tunnel puts up to which revision the proxy knows the cluster. While there is something, the machine
    /// asks what changed when it is told another, and not again and again.
    pub fn news(&self) -> watch::Sender<Option<u64>> {
        self.news.clone()
    }

    /// The machine's id.
    pub fn host_id(&self) -> String {
        self.identity.borrow().host_id().to_owned()
    }

    /// What the machine says of itself.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A client of the auth service that is this machine.
    ///
    /// # Errors
    /// When the identity does not read.
    pub fn client(&self) -> Result<Client, AgentError> {
        let identity = Arc::clone(&self.identity.borrow());
        client(&self.address, &identity)
    }

    pub(crate) fn save_identity(&self, identity: HostIdentity) -> Result<(), AgentError> {
        self.store.save(IDENTITY, &identity)?;
        self.identity.send_replace(Arc::new(identity));
        Ok(())
    }

    pub(crate) fn save_view(&self, view: &AgentView) -> Result<(), AgentError> {
        let known = Known::compile(view)?;
        self.store.save(VIEW, view)?;
        self.view.send_replace(Arc::new(view.clone()));
        self.known.send_replace(Arc::new(known));
        Ok(())
    }
}

pub(crate) fn client(address: &str, identity: &HostIdentity) -> Result<Client, AgentError> {
    let endpoint = Endpoint::cluster(address, identity.cluster(), identity.client()?)?;
    Ok(Client::new(endpoint))
}

/// The view, and whether the auth service gave it just now. One that refuses to show it to a machine which is locked, or was removed, has
/// said what there is to know: the machine is locked from its first moment.
async fn first_view(
    store: &Store,
    nearby: Option<&dyn Nearby>,
    address: &str,
    identity: &HostIdentity,
) -> Result<(AgentView, bool), AgentError> {
    let asked = match nearby {
        Some(nearby) => nearby.view().await,
        None => match client(address, identity) {
            Ok(client) => client
                .agent_view(&api_types::AgentViewParameters::default())
                .await
                .map_err(AgentError::from),
            Err(error) => Err(error),
        },
    };
    let error = match asked {
        Ok(view) => {
            store.save(VIEW, &view)?;
            return Ok((view, true));
        }
        Err(error) => error,
    };
    let Some(view) = store.load(VIEW)? else {
        return Err(error);
    };
    let view = last_seen(view, identity.host_id(), &error)?;
    store.save(VIEW, &view)?;
    tracing::warn!(error = %crate::follow::chain(&error), "the auth service does not answer; going on with what was last seen");
    Ok((view, false))
}

/// What was last seen, with what follows from the answer of an auth service that shows nothing.
pub(crate) fn last_seen(
    mut view: AgentView,
    host_id: &str,
    answer: &AgentError,
) -> Result<AgentView, AgentError> {
    if let Some(words) = out_of_the_cluster(answer) {
        shut_out(&mut view, host_id, words)?;
    }
    Ok(view)
}

#[cfg(test)]
mod tests;
