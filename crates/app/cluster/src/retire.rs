//! The end of a key: quarantine, restoration, destruction. Destruction comes last and only when nothing doubts it.

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authority::AuthorityType;
use key::KeyId;
use names::UnixSeconds;
use rotation::Fact;
use rotation::Generation;
use state::Expect;
use state::Revision;
use state::Write;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::documents;
use crate::documents::Stored;
use crate::record::AuthorityKey;
use crate::record::AuthorityRecord;
use crate::record::Fate;
use crate::record::PrepareRecord;
use crate::record::RetiredRecord;
use crate::rotator::reason_retired;

/// What a sweep did, or would do, with a retired key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The key.
    pub id: KeyId,
    /// Whose it was.
    pub authority: AuthorityType,
    /// In which generation.
    pub generation: Generation,
    /// Where it lives.
    pub locator: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What becomes of a retired key in a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its quarantine lasts until this moment.
    Waits(UnixSeconds),
    /// It is kept until it is retired again.
    Held,
    /// It was destroyed.
    Destroyed,
    /// It would be destroyed by a sweep that is no dry run.
    WouldBeDestroyed,
    /// It was kept for this reason.
    Kept(String),
}

impl Cluster {
    /// Takes the generations no longer trusted out of a record and answers the documents that put their keys in quarantine.
    pub(crate) async fn retire_untrusted(
        &self,
        actor: &Actor,
        record: &mut AuthorityRecord,
        facts: &[Fact],
    ) -> Result<Vec<Write>, ClusterError> {
        let trusted = record.desired().trusts;
        let untrusted: Vec<Generation> =
            record.generations.keys().copied().filter(|generation| !trusted.contains(generation)).collect();
        let mut writes = Vec::new();
        for generation in untrusted {
            let Some(set) = record.generations.remove(&generation) else { continue };
            for key in set.keys {
                let reason = reason_retired(facts, generation);
                writes.push(self.quarantine(actor, record.authority, generation, key, reason).await?);
            }
        }
        Ok(writes)
    }

    async fn quarantine(
        &self,
        actor: &Actor,
        authority: AuthorityType,
        generation: Generation,
        key: AuthorityKey,
        reason: &str,
    ) -> Result<Write, ClusterError> {
        let now = self.now();
        let destroy_after = now.plus(self.settings.quarantine);
        let event = AuditEvent::KeyQuarantined {
            authority,
            form: key.form,
            generation: generation.number(),
            key_id: key.reference.id,
            destroy_after,
            reason: reason.to_owned(),
        };
        self.journal.record(actor, event).await?;
        let path = documents::path("retired", key.reference.id)?;
        let record = RetiredRecord {
            authority,
            generation,
            key,
            retired_at: now,
            reason: reason.to_owned(),
            fate: Fate::Quarantined { destroy_after },
        };
        documents::put(path, Expect::Anything, &record)
    }

    /// Destroys the retired keys whose quarantine has passed, and says what becomes of the others.
    ///
    /// A key is destroyed only when every document that could name it was read and none does (invariant I5).
    ///
    /// # Errors
    /// When the documents cannot be read completely; nothing is destroyed then.
    pub async fn sweep(&self, actor: &Actor, dry_run: bool) -> Result<Vec<Swept>, ClusterError> {
        let retired = documents::load_all::<RetiredRecord>(self.state.as_ref(), "retired").await?;
        let mut swept = Vec::new();
        for (_, stored) in retired {
            let RetiredRecord { authority, generation, key, fate, .. } = &stored.value;
            let verdict = match *fate {
                Fate::Destroyed { .. } => continue,
                Fate::Held { .. } => Verdict::Held,
                Fate::Quarantined { destroy_after } if destroy_after > self.now() => Verdict::Waits(destroy_after),
                Fate::Quarantined { .. } => match self.doubt(key).await? {
                    Some(doubt) => Verdict::Kept(doubt),
                    None if dry_run => Verdict::WouldBeDestroyed,
                    None => self.destroy(actor, &stored).await,
                },
            };
            swept.push(Swept {
                id: key.reference.id,
                authority: *authority,
                generation: *generation,
                locator: key.reference.locator(),
                verdict,
            });
        }
        Ok(swept)
    }

    /// Why a key must not be destroyed: somebody still names it, or its backend is not here.
    async fn doubt(&self, key: &AuthorityKey) -> Result<Option<String>, ClusterError> {
        let view = crate::cluster::read_view(self.state.as_ref()).await?;
        if view.authorities.len() != AuthorityType::ALL.len() {
            return Ok(Some("not every authority could be read".into()));
        }
        let names = |other: &AuthorityKey| {
            other.public_key == key.public_key
                || other.reference.id == key.reference.id
                || (other.reference.store == key.reference.store && other.reference.handle == key.reference.handle)
        };
        for authority in view.authorities.values() {
            if authority.record.generations.values().any(|set| set.keys.iter().any(names)) {
                return Ok(Some(format!("the {} authority still uses it", authority.record.authority)));
            }
        }
        for (_, stored) in documents::load_all::<PrepareRecord>(self.state.as_ref(), "prepare").await? {
            if stored.value.keys.iter().any(|planned| planned.id == key.reference.id) {
                return Ok(Some("it is being prepared for use".into()));
            }
        }
        if self.custody.holder(&key.reference).is_none() {
            let store = &key.reference.store;
            return Ok(Some(format!("its backend {store} is not configured here")));
        }
        Ok(None)
    }

    async fn destroy(&self, actor: &Actor, stored: &Stored<RetiredRecord>) -> Verdict {
        match self.try_destroy(actor, stored).await {
            Ok(()) => Verdict::Destroyed,
            Err(error) => {
                tracing::warn!(key_id = %stored.value.key.reference.id, error = %error, "a retired key was kept");
                Verdict::Kept(error.to_string())
            }
        }
    }

    async fn try_destroy(&self, actor: &Actor, stored: &Stored<RetiredRecord>) -> Result<(), ClusterError> {
        let RetiredRecord { authority, generation, key, .. } = &stored.value;
        let Some(backend) = self.custody.holder(&key.reference) else {
            return Err(Refusal::UnknownKey(key.reference.id).into());
        };
        let announce = |outcome| AuditEvent::KeyDestroyed {
            authority: *authority,
            form: key.form,
            generation: generation.number(),
            key_id: key.reference.id,
            storage: backend.describe().summary.clone(),
            reason: format!("{}; its quarantine has passed", stored.value.reason),
            outcome,
        };
        self.journal.record(actor, announce(Outcome::Success)).await?;
        if let Err(source) = backend.destroy(&key.reference).await {
            self.journal.record(actor, announce(Outcome::Failure(source.to_string()))).await?;
            return Err(ClusterError::key(format!("destroying key {}", key.reference.id), source));
        }
        self.decide(stored, Fate::Destroyed { at: self.now() }).await
    }

    async fn decide(&self, stored: &Stored<RetiredRecord>, fate: Fate) -> Result<(), ClusterError> {
        let id = stored.value.key.reference.id;
        let record = RetiredRecord { fate, ..stored.value.clone() };
        let write = documents::put(documents::path("retired", id)?, Expect::At(stored.revision), &record)?;
        documents::commit(self.state.as_ref(), &format!("key {id}"), vec![write]).await.map(|_: Revision| ())
    }

    /// Takes a key out of quarantine: it is kept, though not trusted, until it is retired again.
    ///
    /// # Errors
    /// [`Refusal::KeyStatus`] when the key is not in quarantine.
    pub async fn restore_key(&self, actor: &Actor, id: KeyId, reason: &str) -> Result<(), ClusterError> {
        let stored = self.load_retired(id).await?;
        let refused = match stored.value.fate {
            Fate::Quarantined { .. } => None,
            Fate::Held { .. } => Some(("held", "it was restored already")),
            Fate::Destroyed { .. } => Some(("destroyed", "a destroyed key cannot be restored; restore the token or cancel the deletion at the cloud")),
        };
        if let Some((status, reason)) = refused {
            return Err(Refusal::KeyStatus { id, status, reason }.into());
        }
        let RetiredRecord { authority, generation, key, .. } = &stored.value;
        let event = AuditEvent::KeyRestored {
            authority: *authority,
            form: key.form,
            generation: generation.number(),
            key_id: id,
            reason: reason.to_owned(),
        };
        self.journal.record(actor, event).await?;
        self.decide(&stored, Fate::Held { since: self.now() }).await
    }

    /// Puts a restored key back in quarantine, or a key found in a backend that nothing uses into it.
    ///
    /// # Errors
    /// [`Refusal::KeyStatus`] when the key is in use: rotate its authority instead.
    pub async fn retire_key(&self, actor: &Actor, id: KeyId, reason: &str) -> Result<(), ClusterError> {
        let in_use = |status| Refusal::KeyStatus {
            id,
            status,
            reason: "a trusted key leaves use by a rotation: `signetctl auth rotate --type=<authority>`",
        };
        for view in self.view().authorities.values() {
            if view.record.trusted().any(|(_, key)| key.reference.id == id) {
                return Err(in_use("trusted").into());
            }
        }
        let stored = match self.load_retired(id).await {
            Err(ClusterError::Refused(Refusal::UnknownKey(_))) => return self.retire_orphan(actor, id, reason).await,
            other => other?,
        };
        let RetiredRecord { authority, generation, key, fate, .. } = stored.value;
        match fate {
            Fate::Held { .. } => {}
            Fate::Quarantined { .. } => {
                let reason = "it is in quarantine already; `signetctl keys sweep --dry-run` says until when";
                return Err(Refusal::KeyStatus { id, status: "quarantined", reason }.into());
            }
            Fate::Destroyed { .. } => {
                return Err(Refusal::KeyStatus { id, status: "destroyed", reason: "nothing is left to retire" }.into());
            }
        }
        let mut write = self.quarantine(actor, authority, generation, key, reason).await?;
        write.expect = Expect::At(stored.revision);
        documents::commit(self.state.as_ref(), &format!("key {id}"), vec![write]).await.map(|_| ())
    }

    /// Puts a key that no document names, but that its label says is ours, in quarantine.
    async fn retire_orphan(&self, actor: &Actor, id: KeyId, reason: &str) -> Result<(), ClusterError> {
        let orphan = self.orphans().await?.into_iter().find(|orphan| orphan.key.reference.id == id);
        let Some(orphan) = orphan else { return Err(Refusal::UnknownKey(id).into()) };
        let mut write = self.quarantine(actor, orphan.authority, orphan.generation, orphan.key, reason).await?;
        write.expect = Expect::Absent;
        documents::commit(self.state.as_ref(), &format!("key {id}"), vec![write]).await.map(|_| ())
    }

    pub(crate) async fn load_retired(&self, id: KeyId) -> Result<Stored<RetiredRecord>, ClusterError> {
        let path = documents::path("retired", id)?;
        Ok(documents::load(self.state.as_ref(), &path).await?.ok_or(Refusal::UnknownKey(id))?)
    }
}
