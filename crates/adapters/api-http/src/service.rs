//! What the endpoints work on.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::time::Duration;

use api_types::Alert;
use api_types::AuditVerdict;
use api_types::Finding;
use async_trait::async_trait;
use audit::Actor;
use audit::AuditEvent;
use audit::AuditReport;
use audit::Envelope;
use audit::Outcome;
use cluster::Cluster;
use cluster::ClusterError;
use key::KeyId;
use ledger::LedgerError;
use ledger::Record;
use runtime::Clock;
use runtime::Entropy;

use crate::Peer;
use crate::attempts::AttemptLimits;
use crate::attempts::Attempts;
use crate::caller::Caller;
use crate::denials::Denial;
use crate::denials::Denials;
use crate::documents::alerts;
use crate::problem::Problem;
use crate::reauthentication::Locked;
use crate::reauthentication::Reauthentication;
use crate::tls::Front;

/// Checks the audit log as a whole.
#[async_trait]
pub trait CheckLog: Send + Sync {
    /// Compares the log with its chain of hashes, its recorded head and its copies in files.
    ///
    /// # Errors
    /// When the log does not read; that it does not fit is an answer.
    async fn check_log(&self) -> Result<AuditReport, LedgerError>;

    /// Looks whether the log is one that was restored from a backup, and what was lost with that. Changes nothing.
    ///
    /// # Errors
    /// [`RestoreError::NotRestored`] when the log is whole, or not whole in a way that no restore explains.
    async fn look_at_restore(&self) -> Result<Restore, RestoreError>;

    /// Goes on from the restored log: copies of what it lacks are put aside, and how far it goes is written down anew. What was accepted
    /// is in the log already.
    ///
    /// # Errors
    /// When something cannot be moved or written; asked again, it goes on.
    async fn complete_restore(&self, restore: &Restore) -> Result<(), RestoreError>;
}

/// The id of the alert about a log that is not the one that was written.
pub const LOG_ALERT: &str = "audit-log/anchor";

/// What a restored log lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The first entry that is lost.
    pub first: u64,
    /// The last entry that is known to be lost.
    pub last: u64,
    /// The hash of the entry written down last, in hexadecimal; empty when none was.
    pub written_hash: String,
    /// The folder that copies of lost entries are put into.
    pub set_aside: String,
}

/// Why a restore is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is none, or not only that.
    #[error("{0}")]
    NotRestored(String),
    /// The log or the state failed.
    #[error("the restored log could not be gone on from")]
    Failed(#[source] LedgerError),
}

/// Looks for the usual faults before they bite.
#[async_trait]
pub trait Examine: Send + Sync {
    /// Everything looked at, in the order to show.
    async fn examine(&self) -> Vec<Finding>;
}

/// Limits on what one caller may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// How long a read may take.
    pub read: Duration,
    /// How long a change is waited for. It goes on beyond that: keys of large algorithms take slow tokens minutes.
    pub change: Duration,
    /// How often one address may try to get in.
    pub attempts: AttemptLimits,
}

impl RequestLimits {
    /// The limits in use unless a test chooses others.
    pub const DEFAULT: Self = Self {
        body_bytes_max: 1 << 20,
        read: Duration::from_secs(30),
        change: Duration::from_secs(300),
        attempts: AttemptLimits::DEFAULT,
    };
}

/// What the endpoints work on.
pub struct Service {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) front: Arc<Front>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) log: Arc<dyn CheckLog>,
    pub(crate) doctor: Arc<dyn Examine>,
    pub(crate) limits: RequestLimits,
    pub(crate) web_url: String,
    pub(crate) api_address: String,
    pub(crate) attempts: Attempts,
    denials: Denials,
    reauthentication: OnceLock<Weak<dyn Reauthentication>>,
}

/// The parts of a [`Service`].
pub struct ServiceParts {
    /// The use cases.
    pub cluster: Arc<Cluster>,
    /// What the TLS listeners run with.
    pub front: Arc<Front>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// The check of the log.
    pub log: Arc<dyn CheckLog>,
    /// The examination of the server.
    pub doctor: Arc<dyn Examine>,
    /// Limits.
    pub limits: RequestLimits,
    /// Where everybody reads revocation lists: a URL without a slash at its end.
    pub web_url: String,
    /// Where operators from elsewhere reach the API, `host:port`, as well as it is known.
    pub api_address: String,
}

impl Service {
    /// A service of its parts.
    pub fn new(parts: ServiceParts) -> Self {
        let ServiceParts {
            cluster,
            front,
            clock,
            entropy,
            log,
            doctor,
            limits,
            web_url,
            api_address,
        } = parts;
        Self {
            cluster,
            front,
            clock,
            entropy,
            log,
            doctor,
            limits,
            web_url,
            api_address,
            attempts: Attempts::new(limits.attempts),
            denials: Denials::default(),
            reauthentication: OnceLock::new(),
        }
    }

    /// Asks people for a proof before privileged acts, from now on. The first to be set stays; whoever it is holds on to this service, and
    /// is therefore not held on to by it. Once it is gone, nobody's proof is good.
    pub fn ask_for_proof(&self, reauthentication: &Arc<dyn Reauthentication>) {
        let _ = self.reauthentication.set(Arc::downgrade(reauthentication));
    }

    /// Whether the caller may do a privileged act now.
    pub(crate) async fn is_proved(
        &self,
        caller: &Caller,
        peer: Option<&Peer>,
        proof: Option<&str>,
        act: &'static str,
    ) -> Result<bool, ClusterError> {
        match (caller, self.reauthentication.get()) {
            (Caller::Identity { user, .. }, Some(asked)) => match (asked.upgrade(), peer) {
                (Some(asked), Some(peer)) => asked.is_proved(user, peer, proof, act).await,
                (Some(_) | None, _) => Ok(false),
            },
            (Caller::Identity { .. } | Caller::Local { .. } | Caller::Host { .. }, _) => Ok(true),
        }
    }

    /// The kinds of second factor that log-ins are accepted with; none where nobody logs in.
    pub(crate) fn second_factors(&self) -> Vec<String> {
        let asked = self.reauthentication.get().and_then(Weak::upgrade);
        asked.map(|asked| asked.second_factors()).unwrap_or_default()
    }

    /// Refuses whom a lock is on, and records that.
    pub(crate) async fn refuse_locked(&self, caller: &Caller, peer: &Peer) -> Result<(), Problem> {
        let Some(asked) = self.reauthentication.get() else {
            return Ok(());
        };
        let Some(asked) = asked.upgrade() else {
            return Err(Problem::Internal(
                "whoever knows the locks is gone: the server is stopping".to_owned(),
            ));
        };
        match asked.locked(caller, peer).await? {
            None => Ok(()),
            Some(Locked { lock, message }) => {
                let reason = format!("the lock {lock} is on it");
                crate::router::deny(self, caller, "connect".to_owned(), reason).await?;
                Err(Problem::Locked { message })
            }
        }
    }

    /// The use cases of authorities.
    pub const fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Random bytes.
    pub fn entropy(&self) -> &dyn Entropy {
        self.entropy.as_ref()
    }

    /// Limits on what one caller may ask.
    pub const fn limits(&self) -> RequestLimits {
        self.limits
    }

    /// Where everybody reads what is public: a URL without a slash at its end.
    pub fn web_url(&self) -> &str {
        &self.web_url
    }

    /// What needs attention now, the most severe first.
    pub fn alerts(&self) -> Vec<Alert> {
        let now = self.cluster.now();
        self.cluster
            .alerts()
            .into_iter()
            .map(|alert| alerts::alert(alert, now))
            .collect()
    }

    /// Records that somebody was refused. The first refusal of a kind is recorded at once; those like it within the next minute are
    /// counted, and recorded as one.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub(crate) async fn record_denied(&self, denial: Denial) -> Result<(), ClusterError> {
        match self.denials.note(denial, self.clock.now()) {
            Some(denial) => self.record_denial(denial).await,
            None => Ok(()),
        }
    }

    /// Records the refusals that were counted and whose minute is over; with `all`, the others as well.
    ///
    /// # Errors
    /// When one cannot be recorded; it stays counted.
    pub async fn record_counted_denials(&self, all: bool) -> Result<(), ClusterError> {
        for denial in self.denials.due(self.clock.now(), all) {
            self.record_denial(denial).await?;
        }
        Ok(())
    }

    async fn record_denial(&self, denial: Denial) -> Result<(), ClusterError> {
        let Denial {
            actor,
            action,
            kind: _,
            reason,
        } = denial;
        self.record(actor, AuditEvent::denied(action, reason)).await
    }

    /// Records that the log was checked, and with what result.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub(crate) async fn record_verified(
        &self,
        actor: Actor,
        verdict: &AuditVerdict,
    ) -> Result<(), ClusterError> {
        let outcome = match &verdict.reason {
            None => Outcome::Success,
            Some(reason) => Outcome::Failure(reason.clone()),
        };
        self.record(
            actor,
            AuditEvent::LogVerified {
                outcome,
                entries: verdict.entries,
            },
        )
        .await
    }

    /// Records that a restore is accepted.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub(crate) async fn record_restore_accepted(
        &self,
        actor: Actor,
        restore: &Restore,
        reason: String,
    ) -> Result<(), ClusterError> {
        let Restore {
            first,
            last,
            written_hash,
            set_aside,
        } = restore.clone();
        let event = AuditEvent::LogRestoreAccepted {
            first,
            last,
            written_hash,
            set_aside,
            reason,
        };
        self.record(actor, event).await
    }

    /// Records that the service stops in good order.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn record_stopped(&self, reason: &str) -> Result<(), ClusterError> {
        self.record(
            Actor::System,
            AuditEvent::Stopped {
                reason: reason.to_owned(),
            },
        )
        .await
    }

    async fn record(&self, actor: Actor, event: AuditEvent) -> Result<(), ClusterError> {
        let random = runtime::sixteen(self.entropy.as_ref())
            .map_err(|fault| ClusterError::Internal(fault.to_string()))?;
        let envelope = Envelope {
            uid: KeyId::from_random(random).to_string(),
            unix_millis: self.clock.unix_millis(),
            cluster_name: self.cluster.name().clone(),
            actor,
            event,
        };
        let records = vec![Record::Event(Box::new(envelope))];
        self.cluster
            .journal()
            .ledger()
            .append(records)
            .await
            .map(|_| ())
            .map_err(ClusterError::Ledger)
    }
}
