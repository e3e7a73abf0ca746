use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

use access::LockSubject;
use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use cluster::Cluster;
use directory::Directory;
use names::HostName;
use names::Ttl;
use names::UnixSeconds;
use resource::AnyDocument;
use resource::Kind;
use resource::NodeSpec;
use runtime::Entropy;
use state::Revision;
use state::State;
use state::Write;
use tokio::sync::Mutex;
use tokio::sync::watch;

use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::Removals;
use crate::StaticToken;
use crate::host::HostRecord;
use crate::host_names::Reserved;
use crate::records;

/// A host not heard of for this long has given up what it was waited for, and its names: it may be away for a while.
pub const ONLINE: Ttl = Ttl::from_seconds(600);
/// A host not heard of for this long is shown as offline: it says every minute that it is here.
pub const HEARD: Ttl = Ttl::from_seconds(180);

/// Knows which hosts have a tunnel to the proxy now.
pub trait Tunnelled: Send + Sync {
    /// Whether a host has one.
    fn has_tunnel(&self, host_id: &str) -> bool;
}

/// What enrollment is made of.
pub struct Parts {
    /// Who issues.
    pub cluster: Arc<Cluster>,
    /// Where tokens, nodes and locks are.
    pub directory: Arc<Directory>,
    /// The cluster's state.
    pub state: Arc<dyn State>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// What an operator configures.
#[derive(Default)]
pub struct Settings {
    /// Tokens that do not end.
    pub static_tokens: Vec<StaticToken>,
    /// The names and addresses of the auth service and of its machine, which no other machine may have.
    pub reserved_names: Vec<HostName>,
    /// The public names and addresses of the proxies, which no other machines may have.
    pub proxy_names: Vec<HostName>,
}

impl Settings {
    pub(crate) fn reserved(&self) -> Reserved<'_> {
        Reserved {
            auth: &self.reserved_names,
            proxies: &self.proxy_names,
        }
    }
}

/// How machines join a cluster and stay in it.
pub struct Enrollment {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) state: Arc<dyn State>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
    /// Held while tokens are used and names are given: of a thousand that come at once each sees what the one before left. The commits
    /// compare revisions all the same.
    pub(crate) claiming: Mutex<()>,
    /// The host whose services run in this process.
    own: StdMutex<Option<HostId>>,
    /// When each host was last heard of.
    seen: StdMutex<BTreeMap<String, UnixSeconds>>,
    /// The tunnels of the proxy in the same process, where there is one.
    tunnels: OnceLock<Arc<dyn Tunnelled>>,
    /// Who was removed, and every change of that.
    pub(crate) removals: watch::Sender<Arc<Removals>>,
}

impl Enrollment {
    /// Opens it, and tells the cluster what every host last proved: rotations wait for those that are online. Recalls who was removed.
    ///
    /// # Errors
    /// When what is stored of a host does not read.
    pub async fn open(parts: Parts, settings: Settings) -> Result<Self, EnrollmentError> {
        let Parts {
            cluster,
            directory,
            state,
            entropy,
        } = parts;
        let enrollment = Self {
            cluster,
            directory,
            state,
            entropy,
            settings,
            claiming: Mutex::new(()),
            own: StdMutex::default(),
            seen: StdMutex::default(),
            tunnels: OnceLock::new(),
            removals: watch::channel(Arc::default()).0,
        };
        enrollment.recall().await?;
        Ok(enrollment)
    }

    /// Notes what every host proved before this server started, and who was removed.
    async fn recall(&self) -> Result<(), EnrollmentError> {
        let state = self.state.as_ref();
        let mut presences: BTreeMap<HostId, _> = records::load_presences(state).await?.into_iter().collect();
        for (id, stored) in records::load_hosts(state).await? {
            let presence = presences.remove(&id).map(|presence| presence.value);
            match &stored.value.removed {
                None => self.note_evidence(&id, &stored.value, presence.as_ref()),
                Some(_) => self.note_removal(&id, &stored.value),
            }
        }
        let mut after = None;
        loop {
            let page = self
                .directory
                .list(Kind::Node, after.as_ref(), state::PAGE_MAX)
                .await?;
            for document in &page.documents {
                if let AnyDocument::Node(node) = document {
                    self.note_openssh(node);
                }
            }
            match page.next {
                None => return Ok(()),
                next @ Some(_) => after = next,
            }
        }
    }

    /// Whether the services of a host run in this process.
    pub(crate) fn is_served_here(&self, host: &HostId) -> bool {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.as_ref() == Some(host)
    }

    pub(crate) fn note_served_here(&self, host: &HostId) {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(host.clone());
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, UnixSeconds>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a host was last heard of.
    pub(crate) fn seen_at(&self, host: &str) -> Option<UnixSeconds> {
        self.seen().get(host).copied()
    }

    pub(crate) fn note_seen(&self, host: &str, at: UnixSeconds) {
        self.seen().insert(host.to_owned(), at);
    }

    pub(crate) fn forget_seen(&self, host: &str) {
        self.seen().remove(host);
    }

    /// Has the tunnels of the proxy in the same process say who is here: the first that are given.
    pub fn follow_tunnels(&self, tunnels: Arc<dyn Tunnelled>) {
        let _ = self.tunnels.set(tunnels);
    }

    /// Whether a host is here, as lists show it. One that is reached through its tunnel alone is, while it has one: nothing else leads
    /// there. Any other was heard of lately.
    pub(crate) fn is_here(&self, host: &str, node: Option<&NodeSpec>) -> bool {
        let by_tunnel = node.filter(|node| node.use_tunnel && node.dialled().is_empty());
        match (by_tunnel, self.tunnels.get()) {
            (Some(_), Some(tunnels)) => tunnels.has_tunnel(host),
            (None, _) | (_, None) => self
                .seen_at(host)
                .is_some_and(|seen| self.cluster.now() <= seen.plus(HEARD)),
        }
    }

    /// Whether a host was heard of so lately that its names are kept for it.
    pub(crate) fn is_online(&self, host: &str) -> bool {
        self.seen_at(host)
            .is_some_and(|seen| self.cluster.now() <= seen.plus(ONLINE))
    }

    /// The record of a host that may still be here: not removed, not locked.
    pub(crate) async fn member(&self, id: &HostId) -> Result<records::Stored<HostRecord>, EnrollmentError> {
        let key = records::host_key(id)?;
        let stored = records::load::<HostRecord>(self.state.as_ref(), &key).await?;
        let stored = stored
            .filter(|stored| stored.value.removed.is_none())
            .ok_or_else(|| Refusal::NotAMember(id.clone()))?;
        self.refuse_locked(id, &stored.value)?;
        Ok(stored)
    }

    fn refuse_locked(&self, id: &HostId, record: &HostRecord) -> Result<(), Refusal> {
        let view = self.directory.view();
        let id_text = id.to_string();
        let subject = LockSubject {
            node: Some((&id_text, record.node_name.as_str())),
            ..LockSubject::default()
        };
        match access::lock_hits(&view.locks, &subject, self.cluster.now()) {
            None => Ok(()),
            Some(lock) => Err(Refusal::Locked {
                host_id: id.clone(),
                message: lock.spec.message.clone(),
            }),
        }
    }

    /// Records an event, before what it tells of is done or after it was not.
    pub(crate) async fn record(&self, actor: &Actor, event: AuditEvent) -> Result<(), EnrollmentError> {
        let recorded = self.cluster.journal().record(actor, event).await;
        recorded.map(|_| ()).map_err(EnrollmentError::Cluster)
    }

    /// Records an act, then does it; when it could not be done, that is recorded, too.
    pub(crate) async fn act(
        &self,
        actor: &Actor,
        whom: &str,
        event: impl Fn(Outcome) -> AuditEvent + Send,
        writes: Vec<Write>,
    ) -> Result<Revision, EnrollmentError> {
        self.record(actor, event(Outcome::Success)).await?;
        match records::commit(self.state.as_ref(), whom, writes).await {
            Ok(revision) => Ok(revision),
            Err(error) => {
                self.record(actor, event(Outcome::Failure(error.to_string())))
                    .await?;
                Err(error)
            }
        }
    }
}
