//! The end of a key: quarantine, restoration, destruction. Destruction comes last and only when nothing doubts it.

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authority::AuthorityType;
use key::KeyId;
use ledger::Record;
use names::Ttl;
use names::UnixSeconds;
use rotation::Fact;
use rotation::Generation;
use state::Expect;
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

/// How long a key that could not be destroyed is left alone.
const RETRY_AFTER: Ttl = Ttl::from_hours(1);

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
    /// Takes the generations no longer trusted out of a record; answers the documents that put their keys in quarantine, and the
    /// events to be recorded before they are written.
    pub(crate) fn retire_untrusted(
        &self,
        actor: &Actor,
        record: &mut AuthorityRecord,
        facts: &[Fact],
    ) -> Result<Vec<(Write, Record)>, ClusterError> {
        let trusted = record.desired().trusts;
        let untrusted: Vec<Generation> = record
            .generations
            .keys()
            .copied()
            .filter(|generation| !trusted.contains(generation))
            .collect();
        let mut writes = Vec::new();
        for generation in untrusted {
            let Some(set) = record.generations.remove(&generation) else {
                continue;
            };
            for key in set.keys {
                let reason = reason_retired(facts, generation);
                writes.push(self.quarantine(actor, record.authority, generation, key, reason)?);
            }
        }
        Ok(writes)
    }

    fn quarantine(
        &self,
        actor: &Actor,
        authority: AuthorityType,
        generation: Generation,
        key: AuthorityKey,
        reason: &str,
    ) -> Result<(Write, Record), ClusterError> {
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
        let (_, event) = self.journal.event(actor, event)?;
        let path = documents::path("retired", key.reference.id)?;
        let record = RetiredRecord {
            authority,
            generation,
            key,
            retired_at: now,
            reason: reason.to_owned(),
            fate: Fate::Quarantined { destroy_after },
        };
        Ok((documents::put(path, Expect::Anything, &record)?, event))
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
            let RetiredRecord {
                authority,
                generation,
                key,
                fate,
                ..
            } = &stored.value;
            let verdict = match *fate {
                Fate::Destroyed { .. } => continue,
                Fate::Held { .. } => Verdict::Held,
                Fate::Quarantined { destroy_after } if destroy_after > self.now() => {
                    Verdict::Waits(destroy_after)
                }
                Fate::Quarantined { .. } | Fate::Destroying { .. } => match self.doubt(key).await? {
                    Some(doubt) => Verdict::Kept(doubt),
                    None if dry_run => Verdict::WouldBeDestroyed,
                    None => Verdict::Destroyed,
                },
            };
            let mut entry = Swept {
                id: key.reference.id,
                authority: *authority,
                generation: *generation,
                locator: key.reference.locator(),
                verdict,
            };
            if entry.verdict == Verdict::Destroyed {
                entry.verdict = self.destroy(actor, stored).await;
            }
            swept.push(entry);
        }
        Ok(swept)
    }

    /// Why a key must not be destroyed: somebody still names it, or its backend is not here.
    async fn doubt(&self, key: &AuthorityKey) -> Result<Option<String>, ClusterError> {
        if let Some(doubt) = self.clock_doubt() {
            return Ok(Some(doubt));
        }
        let view = crate::cluster::read_view(self.state.as_ref()).await?;
        if view.authorities.len() != AuthorityType::ALL.len() {
            return Ok(Some("not every authority could be read".into()));
        }
        let names = |other: &AuthorityKey| {
            other.public_key == key.public_key
                || other.reference.id == key.reference.id
                || (other.reference.store == key.reference.store
                    && other.reference.handle == key.reference.handle)
        };
        for authority in view.authorities.values() {
            if authority
                .record
                .generations
                .values()
                .any(|set| set.keys.iter().any(names))
            {
                return Ok(Some(format!(
                    "the {} authority still uses it",
                    authority.record.authority
                )));
            }
        }
        for (_, stored) in documents::load_all::<PrepareRecord>(self.state.as_ref(), "prepare").await? {
            if stored
                .value
                .keys
                .iter()
                .any(|planned| planned.id == key.reference.id)
            {
                return Ok(Some("it is being prepared for use".into()));
            }
        }
        if self.custody.holder(&key.reference).is_none() {
            let store = &key.reference.store;
            return Ok(Some(format!("its backend {store} is not configured here")));
        }
        Ok(None)
    }

    async fn destroy(&self, actor: &Actor, stored: Stored<RetiredRecord>) -> Verdict {
        let id = stored.value.key.reference.id;
        match self.try_destroy(actor, stored).await {
            Ok(()) => Verdict::Destroyed,
            Err(error) => {
                tracing::warn!(key_id = %id, error = %error, "a retired key was kept");
                Verdict::Kept(error.to_string())
            }
        }
    }

    /// Destroys a key. Its record says so first, by compare-and-swap: from then on nobody can restore it, and whoever did so
    /// in this moment is not overtaken.
    async fn try_destroy(
        &self,
        actor: &Actor,
        mut stored: Stored<RetiredRecord>,
    ) -> Result<(), ClusterError> {
        if let Fate::Quarantined { .. } = stored.value.fate {
            stored = self
                .decide(stored, Fate::Destroying { since: self.now() })
                .await?;
        }
        let RetiredRecord {
            authority,
            generation,
            key,
            ..
        } = &stored.value;
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
            self.journal
                .record(actor, announce(Outcome::Failure(source.to_string())))
                .await?;
            let error = ClusterError::key(format!("destroying key {}", key.reference.id), source);
            // Not again at once: a backend that fails would fill the log.
            let destroy_after = self.now().plus(RETRY_AFTER);
            self.decide(stored, Fate::Quarantined { destroy_after }).await?;
            return Err(error);
        }
        self.decide(stored, Fate::Destroyed { at: self.now() })
            .await
            .map(|_| ())
    }

    async fn decide(
        &self,
        stored: Stored<RetiredRecord>,
        fate: Fate,
    ) -> Result<Stored<RetiredRecord>, ClusterError> {
        let id = stored.value.key.reference.id;
        let value = RetiredRecord { fate, ..stored.value };
        let write = documents::put(
            documents::path("retired", id)?,
            Expect::At(stored.revision),
            &value,
        )?;
        let revision = documents::commit(self.state.as_ref(), &format!("key {id}"), vec![write]).await?;
        Ok(Stored { value, revision })
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
            Fate::Destroying { .. } => Some((
                "being destroyed",
                "its quarantine has passed, and its destruction has begun",
            )),
            Fate::Destroyed { .. } => Some((
                "destroyed",
                "a destroyed key cannot be restored; restore the token or cancel the deletion at the cloud",
            )),
        };
        if let Some((status, reason)) = refused {
            return Err(Refusal::KeyStatus { id, status, reason }.into());
        }
        let RetiredRecord {
            authority,
            generation,
            key,
            ..
        } = &stored.value;
        let event = AuditEvent::KeyRestored {
            authority: *authority,
            form: key.form,
            generation: generation.number(),
            key_id: id,
            reason: reason.to_owned(),
        };
        self.journal.record(actor, event).await?;
        self.decide(stored, Fate::Held { since: self.now() })
            .await
            .map(|_| ())
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
            Err(ClusterError::Refused(Refusal::UnknownKey(_))) => {
                return self.retire_orphan(actor, id, reason).await;
            }
            other => other?,
        };
        let RetiredRecord {
            authority,
            generation,
            key,
            fate,
            ..
        } = stored.value;
        match fate {
            Fate::Held { .. } => {}
            Fate::Quarantined { .. } | Fate::Destroying { .. } => {
                let reason = "it is in quarantine already; `signetctl keys sweep --dry-run` says until when";
                return Err(Refusal::KeyStatus {
                    id,
                    status: "quarantined",
                    reason,
                }
                .into());
            }
            Fate::Destroyed { .. } => {
                return Err(Refusal::KeyStatus {
                    id,
                    status: "destroyed",
                    reason: "nothing is left to retire",
                }
                .into());
            }
        }
        let (mut write, event) = self.quarantine(actor, authority, generation, key, reason)?;
        self.journal.append(vec![event]).await?;
        write.expect = Expect::At(stored.revision);
        documents::commit(self.state.as_ref(), &format!("key {id}"), vec![write])
            .await
            .map(|_| ())
    }

    /// Puts a key that no document names, but that its label says is ours, in quarantine.
    async fn retire_orphan(&self, actor: &Actor, id: KeyId, reason: &str) -> Result<(), ClusterError> {
        let orphan = self
            .orphans()
            .await?
            .into_iter()
            .find(|orphan| orphan.key.reference.id == id);
        let Some(orphan) = orphan else {
            return Err(Refusal::UnknownKey(id).into());
        };
        let (mut write, event) =
            self.quarantine(actor, orphan.authority, orphan.generation, orphan.key, reason)?;
        self.journal.append(vec![event]).await?;
        write.expect = Expect::Absent;
        documents::commit(self.state.as_ref(), &format!("key {id}"), vec![write])
            .await
            .map(|_| ())
    }

    pub(crate) async fn load_retired(&self, id: KeyId) -> Result<Stored<RetiredRecord>, ClusterError> {
        let path = documents::path("retired", id)?;
        Ok(documents::load(self.state.as_ref(), &path)
            .await?
            .ok_or(Refusal::UnknownKey(id))?)
    }
}
