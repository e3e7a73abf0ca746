//! Removing a host, for good.

use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use authority::KeyForm;
use resource::AnyDocument;
use resource::Kind;
use resource::ResourceName;
use resource::SubKind;
use state::Expect;
use state::Revision;
use state::Write;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::host::HostRecord;
use crate::host::Removed;
use crate::records;
use crate::records::Stored;

impl Enrollment {
    /// Refuses the machine whose services run in the auth service's process: ask before anything is done towards its removal.
    ///
    /// # Errors
    /// [`Refusal::OwnMachine`].
    pub fn check_removable(&self, name: &ResourceName) -> Result<(), Refusal> {
        match HostId::parse(name.as_str()) {
            Ok(id) if self.is_served_here(&id) => Err(Refusal::OwnMachine(id)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Removes a host by its id, or a server without an agent by its name. A host's certificates are revoked and refused, its names are
    /// free, and its id never comes back. Asking again for a host that was removed finishes what a crash left.
    ///
    /// # Errors
    /// [`directory::Refusal::NotFound`] when there is none; [`Refusal::OwnMachine`] for the machine whose services run in the auth service's
    /// process; otherwise whatever failed.
    pub async fn remove(
        &self,
        actor: &Actor,
        name: &ResourceName,
        reason: Option<String>,
    ) -> Result<(), EnrollmentError> {
        let _one_at_a_time = self.claiming.lock().await;
        if let Ok(id) = HostId::parse(name.as_str()) {
            let key = records::host_key(&id)?;
            if let Some(stored) = records::load::<HostRecord>(self.state.as_ref(), &key).await? {
                self.check_removable(name)?;
                return self.remove_host(actor, &id, stored, reason).await;
            }
        }
        let document = self.directory.get(Kind::Node, name).await?;
        let AnyDocument::Node(node) = document else {
            return Err(EnrollmentError::Internal(format!("the node {name} is no node")));
        };
        let expect = Expect::At(Revision(node.metadata.revision.unwrap_or_default()));
        let mut writes = vec![records::delete(directory::key_of(Kind::Node, name)?, expect)];
        match node.spec.sub_kind {
            SubKind::Agent => {}
            SubKind::Openssh => {
                let names = self.openssh_names(&node)?;
                writes.extend(self.release(name.as_str(), &names).await?);
            }
        }
        self.take_out(actor, name.as_str(), &node.spec.hostname, reason, writes)
            .await
    }

    pub(crate) async fn remove_host(
        &self,
        actor: &Actor,
        id: &HostId,
        stored: Stored<HostRecord>,
        reason: Option<String>,
    ) -> Result<(), EnrollmentError> {
        let Stored {
            value: mut record,
            revision,
        } = stored;
        let host = id.to_string();
        if record.removed.is_none() {
            let names = self.names_of(&record)?;
            record.removed = Some(Removed {
                at: self.cluster.now(),
                by: cluster::actor_name(actor),
                reason: reason.clone(),
            });
            let node_key = directory::key_of(Kind::Node, &id.resource_name()?)?;
            let mut writes = vec![
                records::put(records::host_key(id)?, Expect::At(revision), &record)?,
                records::delete(records::presence_key(id)?, Expect::Anything),
                records::delete(node_key, Expect::Anything),
            ];
            writes.extend(self.release(&host, &names).await?);
            self.take_out(actor, &host, record.node_name.as_str(), reason, writes)
                .await?;
        }
        self.note_removal(id, &record);
        self.revoke_all(actor, &record).await
    }

    async fn take_out(
        &self,
        actor: &Actor,
        host: &str,
        hostname: &str,
        reason: Option<String>,
        writes: Vec<Write>,
    ) -> Result<(), EnrollmentError> {
        let event = |outcome| AuditEvent::NodeRemoved {
            outcome,
            host_id: host.to_owned(),
            hostname: hostname.to_owned(),
            reason: reason.clone(),
        };
        self.act(actor, host, event, writes).await?;
        self.cluster.forget_remote(host);
        self.cluster.settle_alert(&crate::events_wait_alert(host));
        self.forget_seen(host);
        Ok(())
    }

    /// Revokes every TLS certificate of a host that has not ended and is not revoked.
    async fn revoke_all(&self, actor: &Actor, record: &HostRecord) -> Result<(), EnrollmentError> {
        let now = self.cluster.now();
        let revoked = self
            .cluster
            .journal()
            .ledger()
            .revocations(AuthorityType::Host, now)
            .await
            .map_err(|error| EnrollmentError::Cluster(cluster::ClusterError::Ledger(error)))?;
        for issued in &record.certificates {
            let is_revoked = revoked.iter().any(|revoked| revoked.serial == issued.serial);
            if issued.form == KeyForm::Tls && issued.not_after > now && !is_revoked {
                self.cluster
                    .revoke(actor, AuthorityType::Host, &issued.serial, "cessationOfOperation")
                    .await?;
            }
        }
        Ok(())
    }
}
