//! Recording what is about to happen. An act whose event cannot be written does not happen.

use std::sync::Arc;

use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use authority::AuthorityType;
use ledger::Ledger;
use ledger::Record;
use names::ClusterName;
use runtime::Clock;
use runtime::Entropy;

use crate::ClusterError;

/// Writes audit events.
pub struct Journal {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cluster: ClusterName,
}

impl Journal {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        cluster: ClusterName,
    ) -> Self {
        Self {
            ledger,
            clock,
            entropy,
            cluster,
        }
    }

    /// Writes one event; durable on return. Answers its `uid`.
    ///
    /// # Errors
    /// When the ledger cannot be written: what the event tells of must not happen then.
    pub async fn record(&self, actor: &Actor, event: AuditEvent) -> Result<String, ClusterError> {
        let (uid, record) = self.event(actor, event)?;
        self.append(vec![record]).await?;
        Ok(uid)
    }

    /// An event as a record, to be appended with others.
    ///
    /// # Errors
    /// When there is no randomness for its `uid`.
    pub fn event(&self, actor: &Actor, event: AuditEvent) -> Result<(String, Record), ClusterError> {
        Ok(self.event_as(sixteen(self.entropy.as_ref())?, actor, event))
    }

    /// An event as a record, with a `uid` of these random bytes.
    pub(crate) fn event_as(&self, random: [u8; 16], actor: &Actor, event: AuditEvent) -> (String, Record) {
        let uid = event_id(random);
        let envelope = Envelope {
            uid: uid.clone(),
            unix_millis: self.clock.unix_millis(),
            cluster_name: self.cluster.clone(),
            actor: actor.clone(),
            event,
        };
        (uid, Record::Event(Box::new(envelope)))
    }

    /// Appends records, all or none; durable on return.
    ///
    /// # Errors
    /// When the ledger cannot be written: nothing was appended.
    pub async fn append(&self, records: Vec<Record>) -> Result<(), ClusterError> {
        self.ledger
            .append(records)
            .await
            .map(|_| ())
            .map_err(ClusterError::Ledger)
    }

    /// The ledger, for reading.
    pub fn ledger(&self) -> &dyn Ledger {
        self.ledger.as_ref()
    }
}

/// The latest change of an authority's phase that was announced.
pub(crate) struct Announced {
    pub(crate) uid: String,
    pub(crate) rotation_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) mode: String,
    pub(crate) is_success: bool,
}

/// The fields of a phase change's line that are read back.
#[derive(serde::Deserialize)]
struct PhaseLine {
    uid: String,
    success: bool,
    authority: AuthorityType,
    rotation_id: String,
    from: String,
    to: String,
    mode: String,
}

/// How far back the latest phase change of an authority is looked for, in phase changes.
const LOOK_BACK: usize = 200;

impl crate::Cluster {
    /// The latest announced change of an authority's phase.
    pub(crate) async fn last_announced(
        &self,
        authority: AuthorityType,
    ) -> Result<Option<Announced>, ClusterError> {
        let query = ledger::EventQuery {
            limit: LOOK_BACK,
            kinds: vec!["authority.rotation.phase".into()],
            newest_first: true,
            ..ledger::EventQuery::default()
        };
        let entries = self
            .journal
            .ledger()
            .events(&query)
            .await
            .map_err(ClusterError::Ledger)?;
        for entry in entries {
            let line: PhaseLine =
                serde_json::from_str(&entry.line).map_err(|error| ClusterError::Document {
                    key: format!("audit event {}", entry.head.sequence),
                    reason: error.to_string(),
                })?;
            if line.authority == authority {
                let PhaseLine {
                    uid,
                    success,
                    authority: _,
                    rotation_id,
                    from,
                    to,
                    mode,
                } = line;
                return Ok(Some(Announced {
                    uid,
                    rotation_id,
                    from,
                    to,
                    mode,
                    is_success: success,
                }));
            }
        }
        Ok(None)
    }
}

/// The `uid` of an event, of random bytes.
pub(crate) fn event_id(random: [u8; 16]) -> String {
    key::KeyId::from_random(random).to_string()
}

pub(crate) fn sixteen(entropy: &dyn Entropy) -> Result<[u8; 16], ClusterError> {
    runtime::sixteen(entropy).map_err(|fault| ClusterError::Internal(fault.to_string()))
}

/// Random bytes for everything an act needs, drawn at once: each draw seeds the generator anew, which costs more than the bytes.
pub(crate) fn sixteens<const COUNT: usize>(entropy: &dyn Entropy) -> Result<[[u8; 16]; COUNT], ClusterError> {
    let mut bytes = [[0; 16]; COUNT];
    entropy
        .fill(bytes.as_flattened_mut())
        .map_err(|fault| ClusterError::Internal(fault.to_string()))?;
    Ok(bytes)
}
