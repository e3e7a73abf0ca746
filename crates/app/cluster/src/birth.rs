//! The first start of a cluster, and every start after it.

use arc_swap::ArcSwap;
use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use authority::Suite;
use futures_util::future::try_join_all;
use key::KeyAlgorithm;
use rotation::Generation;
use rotation::Rotation;
use state::Expect;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::cluster::Parts;
use crate::cluster::Settings;
use crate::cluster::View;
use crate::documents;
use crate::journal::Journal;
use crate::key_use::KeyUse;
use crate::record::AuthorityRecord;
use crate::record::ClusterRecord;
use crate::record::Course;
use crate::watch::Watch;

/// What a start did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Whether the cluster is new.
    pub is_new: bool,
    /// The authorities made by this start, with their keys' algorithms: all for a new cluster, none usually.
    pub made: Vec<(AuthorityType, Vec<KeyAlgorithm>)>,
}

impl Cluster {
    /// Opens the cluster in the state, or makes it when the state is empty; makes whatever authority is missing.
    ///
    /// # Errors
    /// [`Refusal::OtherCluster`] when the state holds another; otherwise whatever failed. A start that failed half-way
    /// is continued by the next.
    pub async fn open(parts: Parts, settings: Settings) -> Result<(Self, Opened), ClusterError> {
        let Parts {
            state,
            ledger,
            custody,
            clock,
            entropy,
        } = parts;
        let journal = Journal::new(ledger, clock.clone(), entropy.clone(), settings.cluster.clone());
        let mut cluster = Self {
            state,
            journal,
            custody,
            clock,
            entropy,
            suite: Suite::BalancedV1,
            settings,
            view: ArcSwap::default(),
            key_use: KeyUse::default(),
            watch: Watch::default(),
        };
        let is_new = cluster.identify().await?;
        cluster.refresh().await?;
        cluster.close_interrupted().await?;
        let started = AuditEvent::Started {
            version: cluster.settings.version.clone(),
        };
        cluster.journal.record(&Actor::System, started).await?;
        let made = cluster.make_missing().await?;
        cluster.refresh().await?;
        cluster.load_key_use().await?;
        Ok((cluster, Opened { is_new, made }))
    }

    /// Reads who the cluster is, or writes it down. Answers whether the cluster is new.
    async fn identify(&mut self) -> Result<bool, ClusterError> {
        let key = documents::path("cluster", "identity")?;
        if let Some(stored) = documents::load::<ClusterRecord>(self.state.as_ref(), &key).await? {
            let ClusterRecord {
                cluster,
                suite,
                born_at,
                made_by,
            } = stored.value;
            if cluster != self.settings.cluster {
                let (stored, configured) = (cluster.to_string(), self.settings.cluster.to_string());
                return Err(Refusal::OtherCluster { stored, configured }.into());
            }
            self.suite = self.settings.suite.unwrap_or(suite);
            if self.suite != suite {
                let event = AuditEvent::SuiteChanged {
                    from: suite.to_string(),
                    to: self.suite.to_string(),
                };
                self.journal.record(&Actor::System, event).await?;
                let record = ClusterRecord {
                    cluster,
                    suite: self.suite,
                    born_at,
                    made_by,
                };
                let write = documents::put(key, Expect::At(stored.revision), &record)?;
                documents::commit(self.state.as_ref(), "cluster", vec![write]).await?;
            }
            return Ok(false);
        }
        let view: View = crate::cluster::read_view(self.state.as_ref()).await?;
        if !view.authorities.is_empty() {
            let reason = "the state holds authorities but not the cluster they belong to; restore the state from a backup";
            return Err(ClusterError::Document {
                key: key.to_string(),
                reason: reason.into(),
            });
        }
        self.suite = self
            .settings
            .suite
            .unwrap_or(Suite::default_for(self.custody.kind()));
        let record = ClusterRecord {
            cluster: self.settings.cluster.clone(),
            suite: self.suite,
            born_at: self.now(),
            made_by: self.settings.version.clone(),
        };
        let event = AuditEvent::ClusterCreated {
            version: self.settings.version.clone(),
            storage: self.custody.preferred().describe().summary.clone(),
            suite: self.suite.to_string(),
        };
        self.journal.record(&Actor::System, event).await?;
        let write = documents::put(key, Expect::Absent, &record)?;
        documents::commit(self.state.as_ref(), "cluster", vec![write]).await?;
        Ok(true)
    }

    async fn make_missing(&self) -> Result<Vec<(AuthorityType, Vec<KeyAlgorithm>)>, ClusterError> {
        let view = self.view();
        let missing = AuthorityType::ALL
            .into_iter()
            .filter(|kind| !view.authorities.contains_key(kind));
        try_join_all(missing.map(|authority| self.make_authority(authority))).await
    }

    async fn make_authority(
        &self,
        authority: AuthorityType,
    ) -> Result<(AuthorityType, Vec<KeyAlgorithm>), ClusterError> {
        let generation = Generation::FIRST;
        let prepared = self.prepare(&Actor::System, authority, generation).await?;
        let event = AuditEvent::AuthorityCreated {
            authority,
            generation: generation.number(),
            storage: self.custody.preferred().describe().summary.clone(),
        };
        let event_uid = self.journal.record(&Actor::System, event).await?;
        let algorithms = prepared
            .keys
            .keys
            .iter()
            .map(|key| key.reference.algorithm)
            .collect();
        let record = AuthorityRecord {
            authority,
            rotation: Rotation::born(generation),
            course: Course {
                rotation_id: None,
                mode: None,
                started: None,
                grace_period: None,
                schedule: None,
                last_rotated: None,
                event_uid,
            },
            generations: [(generation, prepared.keys)].into(),
        };
        let mut writes = vec![documents::put(
            documents::path("authority", authority)?,
            Expect::Absent,
            &record,
        )?];
        writes.extend(prepared.writes);
        documents::commit(self.state.as_ref(), "authority", writes).await?;
        Ok((authority, algorithms))
    }
}
