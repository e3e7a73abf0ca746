//! Making the keys of a generation, before the generation is known to anybody.
//!
//! What is about to be made is written down first, with the ids the keys will have. A crash in the middle leaves that record; whoever
//! prepares the same generation again finds the keys already made instead of making them twice.

use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use authority::KeyForm;
use authority::Suite;
use key::KeyAlgorithm;
use key::KeyId;
use keystore::GenerateKey;
use keystore::KeyLabel;
use rotation::Generation;
use state::Expect;
use state::StateKey;
use state::Write;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::documents;
use crate::documents::Stored;
use crate::journal::sixteen;
use crate::record::AuthorityKey;
use crate::record::KeySet;
use crate::record::PlannedKey;
use crate::record::PrepareRecord;

/// A generation whose keys exist.
pub(crate) struct Prepared {
    /// The keys.
    pub(crate) keys: KeySet,
    /// What must be written together with the authority's record: the end of the preparation, the keys' revocation lists.
    pub(crate) writes: Vec<Write>,
}

impl Cluster {
    /// Makes the keys of a generation, or finds those an interrupted preparation made.
    pub(crate) async fn prepare(
        &self,
        actor: &Actor,
        authority: AuthorityType,
        generation: Generation,
    ) -> Result<Prepared, ClusterError> {
        let path = documents::path("prepare", authority)?;
        let stored = self.planned(&path, authority, generation).await?;
        let mut keys = KeySet::default();
        let mut writes = vec![documents::delete(path, Expect::At(stored.revision))];
        for planned in &stored.value.keys {
            let mut key = self.make_key(actor, authority, generation, planned).await?;
            if planned.form == KeyForm::Tls {
                self.certify_authority(actor, authority, generation, &mut key)
                    .await?;
                writes.push(self.first_crl(authority, generation, &key).await?);
            }
            keys.keys.push(key);
        }
        Ok(Prepared { keys, writes })
    }

    /// The plan for the generation: the one an interrupted preparation left, if it is still what we would do, or a new one.
    /// What a plan given up had made is found by the inventory and quarantined.
    async fn planned(
        &self,
        path: &StateKey,
        authority: AuthorityType,
        generation: Generation,
    ) -> Result<Stored<PrepareRecord>, ClusterError> {
        let store = &self.custody.preferred().describe().store;
        let wanted = self.wanted(authority)?;
        let found = documents::load::<PrepareRecord>(self.state.as_ref(), path).await?;
        let expect = match found {
            None => Expect::Absent,
            Some(stored) => {
                let is_same = stored.value.generation == generation
                    && stored.value.store == *store
                    && stored
                        .value
                        .keys
                        .iter()
                        .map(|key| (key.form, key.algorithm))
                        .eq(wanted.iter().copied());
                if is_same {
                    return Ok(stored);
                }
                Expect::At(stored.revision)
            }
        };
        let mut keys = Vec::new();
        for (form, algorithm) in wanted {
            let id = KeyId::from_random(sixteen(self.entropy.as_ref())?);
            keys.push(PlannedKey { id, form, algorithm });
        }
        let value = PrepareRecord {
            generation,
            store: store.clone(),
            keys,
            at: self.now(),
        };
        let write = documents::put(path.clone(), expect, &value)?;
        let revision = documents::commit(self.state.as_ref(), "preparation of new keys", vec![write]).await?;
        Ok(Stored { value, revision })
    }

    /// The keys a new generation of an authority has, as far as the backend can make them.
    ///
    /// # Errors
    /// [`Refusal::Algorithm`] when it cannot: nothing was made then.
    pub(crate) fn wanted(
        &self,
        authority: AuthorityType,
    ) -> Result<Vec<(KeyForm, KeyAlgorithm)>, ClusterError> {
        let description = self.custody.preferred().describe();
        let mut wanted = Vec::new();
        for form in authority.forms() {
            let algorithm = self.suite.algorithm(authority, *form);
            let is_legacy =
                self.suite == Suite::Legacy && description.algorithms.contains(&KeyAlgorithm::Rsa2048);
            if description.algorithms.contains(&algorithm) {
                wanted.push((*form, algorithm));
            } else if is_legacy {
                // Tokens of the legacy suite often know RSA alone.
                wanted.push((*form, KeyAlgorithm::Rsa2048));
            } else {
                let storage = description.summary.clone();
                return Err(Refusal::Algorithm {
                    authority,
                    algorithm,
                    suite: self.suite,
                    storage,
                }
                .into());
            }
        }
        Ok(wanted)
    }

    async fn make_key(
        &self,
        actor: &Actor,
        authority: AuthorityType,
        generation: Generation,
        planned: &PlannedKey,
    ) -> Result<AuthorityKey, ClusterError> {
        let PlannedKey { id, form, algorithm } = *planned;
        let backend = self.custody.preferred();
        let description = backend.describe();
        let event = AuditEvent::KeyCreated {
            authority,
            form,
            generation: generation.number(),
            key_id: id,
            algorithm: algorithm.to_string(),
            storage: description.summary.clone(),
        };
        self.journal.record(actor, event).await?;
        let noun = match description.kind {
            key::BackendKind::Software => "software",
            key::BackendKind::Pkcs11 => "HSM",
            key::BackendKind::AwsKms => "AWS KMS",
        };
        tracing::info!(%authority, %form, key_id = %id, %algorithm, store = %description.summary, "Creating new {noun} key pair");
        let label = KeyLabel {
            cluster: self.name().clone(),
            authority,
            form,
            generation: generation.number(),
        };
        let made = match backend.generate(&GenerateKey { id, algorithm, label }).await {
            Ok(made) => made,
            Err(source) => {
                let failed = AuditEvent::KeyCreationFailed {
                    authority,
                    form,
                    generation: generation.number(),
                    key_id: id,
                    storage: description.summary.clone(),
                    error: source.to_string(),
                };
                self.journal.record(actor, failed).await?;
                return Err(ClusterError::key(
                    format!("making the {form} key of the {authority} authority"),
                    source,
                ));
            }
        };
        let attributes = backend
            .attributes(&made.reference)
            .await
            .map_err(|error| ClusterError::key(format!("reading back key {id}"), error))?;
        let event = AuditEvent::KeyMade {
            authority,
            form,
            generation: generation.number(),
            key_id: id,
            storage: description.summary.clone(),
            handle: made.reference.handle.clone(),
            spki_sha256: made.reference.spki_sha256,
            kept_by: attribute_words(attributes),
        };
        self.journal.record(actor, event).await?;
        Ok(AuthorityKey {
            form,
            reference: made.reference,
            public_key: made.public_key,
            owner: self.settings.server_id.clone(),
            made_at: self.now(),
            certificate: None,
        })
    }
}

/// What keeps a key in, in the words of its backend.
pub fn attribute_words(attributes: keystore::KeyAttributes) -> Vec<String> {
    match attributes {
        keystore::KeyAttributes::Sealed => vec!["sealed".into()],
        keystore::KeyAttributes::AssertedByApi => vec!["asserted by the API".into()],
        keystore::KeyAttributes::Token {
            sensitive,
            always_sensitive,
            extractable,
            never_extractable,
            local,
        } => {
            let told = |name: &str, value: Option<bool>| {
                format!(
                    "{name}={}",
                    value.map_or_else(|| "not told".to_owned(), |value| value.to_string())
                )
            };
            vec![
                told("sensitive", Some(sensitive)),
                told("always sensitive", always_sensitive),
                told("extractable", Some(extractable)),
                told("never extractable", never_extractable),
                told("local", local),
            ]
        }
    }
}
