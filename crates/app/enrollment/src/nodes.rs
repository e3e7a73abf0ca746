//! The nodes there are, for whoever may reach them, and servers without an agent.

use std::collections::BTreeSet;

use access::AccessSet;
use access::NodeView;
use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use directory::Put;
use names::Principal;
use names::UnixSeconds;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::NodeSpec;
use resource::Problem;
use resource::ResourceName;
use resource::SubKind;
use resource::SystemRole;
use serde::Serialize;
use state::Expect;
use state::Revision;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::claims::Claim;
use crate::host::HostRecord;
use crate::host_names;
use crate::host_names::Wish;
use crate::records;

/// A node as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// Its document, with when it was last heard of.
    pub node: Document<NodeSpec>,
    /// Whether it has its tunnel, when nothing else leads to it, or else its agent was heard of in the last three minutes; `None` for a
    /// server without one.
    pub is_online: Option<bool>,
    /// The logins that whoever asks may use there; empty when nobody in particular asks.
    pub logins: BTreeSet<Principal>,
}

/// A page of nodes, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodePage {
    /// The nodes.
    pub nodes: Vec<NodeStatus>,
    /// After which id the next page begins, when there is one.
    pub next: Option<ResourceName>,
}

/// A host that joined, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// Its id.
    pub host_id: HostId,
    /// What it calls itself.
    pub node_name: String,
    /// Its system roles.
    pub roles: Vec<SystemRole>,
    /// When it joined.
    pub joined_at: UnixSeconds,
    /// The first digits of the hash of the token it joined by.
    pub joined_by: String,
    /// When it was last heard of.
    pub seen_at: Option<UnixSeconds>,
    /// Whether that was in the last three minutes.
    pub is_online: bool,
    /// When it was removed.
    pub removed_at: Option<UnixSeconds>,
}

impl Enrollment {
    /// Nodes after an id, at most `limit` (taken as 1 to [`state::PAGE_MAX`]): those on which somebody with this access may log in, or
    /// all.
    ///
    /// # Errors
    /// When a document does not read.
    pub async fn nodes(
        &self,
        visible_to: Option<&AccessSet>,
        after: Option<&ResourceName>,
        limit: usize,
    ) -> Result<NodePage, EnrollmentError> {
        let limit = limit.clamp(1, state::PAGE_MAX);
        let mut nodes = Vec::new();
        let mut after = after.cloned();
        loop {
            let page = self
                .directory
                .list(Kind::Node, after.as_ref(), state::PAGE_MAX)
                .await?;
            for document in page.documents {
                let AnyDocument::Node(node) = document else {
                    continue;
                };
                let Some(status) = self.status_for(node, visible_to) else {
                    continue;
                };
                if nodes.len() == limit {
                    let next = nodes
                        .last()
                        .map(|last: &NodeStatus| last.node.metadata.name.clone());
                    return Ok(NodePage { nodes, next });
                }
                nodes.push(status);
            }
            match page.next {
                None => return Ok(NodePage { nodes, next: None }),
                next @ Some(_) => after = next,
            }
        }
    }

    /// One node by its host id or by its hostname, when it is visible. Of several with one hostname an online one comes first.
    ///
    /// # Errors
    /// When a document does not read.
    pub async fn node(
        &self,
        visible_to: Option<&AccessSet>,
        name: &str,
    ) -> Result<Option<NodeStatus>, EnrollmentError> {
        if let Ok(id) = ResourceName::parse(name)
            && let Some(AnyDocument::Node(node)) = self.directory.find(Kind::Node, &id).await?
        {
            return Ok(self.status_for(node, visible_to));
        }
        let cluster = format!(".{}", self.cluster.name());
        let short = name.strip_suffix(&cluster).unwrap_or(name).to_ascii_lowercase();
        let mut found: Option<NodeStatus> = None;
        let mut after = None;
        loop {
            let page = self.nodes(visible_to, after.as_ref(), state::PAGE_MAX).await?;
            for status in page.nodes {
                let hostname = status.node.spec.hostname.to_ascii_lowercase();
                let is_better = found
                    .as_ref()
                    .is_none_or(|found| found.is_online == Some(false) && status.is_online != Some(false));
                if (hostname == short || hostname == name) && is_better {
                    found = Some(status);
                }
            }
            match page.next {
                None => return Ok(found),
                next @ Some(_) => after = next,
            }
        }
    }

    fn status_for(&self, mut node: Document<NodeSpec>, visible_to: Option<&AccessSet>) -> Option<NodeStatus> {
        let mut logins = BTreeSet::new();
        if let Some(access) = visible_to {
            logins = access.logins_on(&NodeView {
                host_id: node.metadata.name.as_str(),
                hostname: &node.spec.hostname,
                labels: &node.metadata.labels,
            });
            if logins.is_empty() {
                return None;
            }
        }
        let host = node.metadata.name.as_str();
        let is_online = match node.spec.sub_kind {
            SubKind::Agent => Some(self.is_here(host, Some(&node.spec))),
            SubKind::Openssh => None,
        };
        node.spec.seen_at = self.seen_at(host);
        Some(NodeStatus {
            node,
            is_online,
            logins,
        })
    }

    /// Every host that ever joined, in the order of their ids.
    ///
    /// # Errors
    /// When a record does not read.
    pub async fn hosts(&self) -> Result<Vec<HostStatus>, EnrollmentError> {
        let hosts = records::load_hosts(self.state.as_ref()).await?;
        let status = |(host_id, stored): (HostId, records::Stored<HostRecord>)| {
            let HostRecord {
                node_name,
                roles,
                joined_at,
                joined_by,
                removed,
                ..
            } = stored.value;
            let host = host_id.to_string();
            let seen_at = self.seen_at(&host);
            HostStatus {
                node_name: node_name.to_string(),
                roles,
                joined_at,
                joined_by,
                seen_at,
                is_online: self.is_here(&host, None),
                removed_at: removed.map(|removed| removed.at),
                host_id,
            }
        };
        Ok(hosts.into_iter().map(status).collect())
    }

    /// Writes a node, as far as an operator may. A server without an agent – OpenSSH that trusts the `openssh` authority – is registered: its
    /// name in the metadata may be any that no host has; labels and address may be changed by writing it again. Of a host with an agent
    /// [`NodeSpec::dial_addr`] and the description may be set; a document that says anything else of what the agent says is refused.
    ///
    /// # Errors
    /// A [`Refusal`]; otherwise whatever failed.
    pub async fn write_node(
        &self,
        actor: &Actor,
        document: Document<NodeSpec>,
        put: Put,
    ) -> Result<Document<NodeSpec>, EnrollmentError> {
        if self.is_of_agent(&document).await? {
            self.set_dial_addr(actor, document, put).await
        } else {
            self.register_openssh(actor, document, put).await
        }
    }

    async fn register_openssh(
        &self,
        actor: &Actor,
        mut document: Document<NodeSpec>,
        put: Put,
    ) -> Result<Document<NodeSpec>, EnrollmentError> {
        let asked = document.metadata.revision.take();
        document.spec.rotation.clear();
        document.spec.seen_at = None;
        check_openssh(&document)?;
        let _one_at_a_time = self.claiming.lock().await;
        let name = document.metadata.name.clone();
        let stored = self.registered(&name).await?;
        let revision = stored.as_ref().and_then(|stored| stored.metadata.revision);
        let kind = Kind::Node;
        let refused = |refusal: directory::Refusal| directory::DirectoryError::Refused(refusal);
        match (&stored, put) {
            (Some(_), Put::Create) => {
                return Err(refused(directory::Refusal::AlreadyExists { kind, name }).into());
            }
            (None, Put::Update) => return Err(refused(directory::Refusal::NotFound { kind, name }).into()),
            (Some(_), Put::Update | Put::Upsert) if asked.is_some() && asked != revision => {
                return Err(refused(directory::Refusal::Conflict { kind, name }).into());
            }
            (Some(_), Put::Update | Put::Upsert) | (None, Put::Create | Put::Upsert) => {}
        }
        let hostname = host_names::parse("spec.hostname", &document.spec.hostname)?;
        let wish = Wish {
            node_name: &hostname,
            public_addresses: &[],
            roles: &[SystemRole::Node],
            is_own: false,
        };
        let held = host_names::held_names(wish, self.cluster.name(), self.settings.reserved())?;
        let expect = revision.map_or(Expect::Absent, |revision| Expect::At(Revision(revision)));
        let mut writes = vec![directory::encode(&AnyDocument::Node(document.clone()), expect)?];
        writes.extend(
            self.claim(Claim::ByWord, name.as_str(), wish.roles, &held)
                .await?,
        );
        if let Some(stored) = &stored {
            let mut left = self.openssh_names(stored)?;
            left.retain(|name| !held.contains(name));
            writes.extend(self.release(name.as_str(), &left).await?);
        }
        let event = |outcome| registration(&document, stored.is_none(), outcome);
        let revision = self.act(actor, name.as_str(), event, writes).await?;
        self.note_openssh(&document);
        document.metadata.revision = Some(revision.0);
        Ok(document)
    }

    /// The names that a server without an agent has to itself: its own, and that in the cluster.
    ///
    /// # Errors
    /// A [`Refusal`] when it has a name that none can have.
    pub fn openssh_names(&self, node: &Document<NodeSpec>) -> Result<Vec<names::HostName>, EnrollmentError> {
        let hostname = host_names::parse("spec.hostname", &node.spec.hostname)?;
        let wish = Wish {
            node_name: &hostname,
            public_addresses: &[],
            roles: &[SystemRole::Node],
            is_own: false,
        };
        Ok(host_names::wished_names(wish, self.cluster.name())?)
    }

    /// The server registered under a name; a host's id is no such name.
    async fn registered(&self, name: &ResourceName) -> Result<Option<Document<NodeSpec>>, EnrollmentError> {
        if let Ok(id) = HostId::parse(name.as_str()) {
            let key = records::host_key(&id)?;
            if records::load::<HostRecord>(self.state.as_ref(), &key)
                .await?
                .is_some()
            {
                let problem = "is the id of a host that joined; choose another name";
                return Err(Refusal::malformed("metadata.name", problem).into());
            }
        }
        match self.directory.find(Kind::Node, name).await? {
            Some(AnyDocument::Node(node)) => Ok(Some(node)),
            _ => Ok(None),
        }
    }
}

fn check_openssh(document: &Document<NodeSpec>) -> Result<(), Refusal> {
    let mut problems = document.check().err().unwrap_or_default();
    match document.spec.sub_kind {
        SubKind::Openssh => {}
        SubKind::Agent => problems.push(
            Problem::new(
                "spec.sub_kind",
                "is agent, and no machine of this name has joined: agents announce themselves (`signetctl nodes add`)",
            )
            .allowed("openssh"),
        ),
    }
    if document.metadata.expires.is_some() {
        problems.push(Problem::new(
            "metadata.expires",
            "is set, but a server does not end by itself",
        ));
    }
    let kind = Kind::Node;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Invalid { kind, problems })
    }
}

fn registration(document: &Document<NodeSpec>, is_new: bool, outcome: Outcome) -> AuditEvent {
    let host_id = document.metadata.name.to_string();
    let hostname = document.spec.hostname.clone();
    let addr = document.spec.addr.clone();
    if is_new {
        AuditEvent::NodeCreated {
            outcome,
            host_id,
            hostname,
            addr,
        }
    } else {
        AuditEvent::NodeUpdated {
            outcome,
            host_id,
            hostname,
            addr,
        }
    }
}
