use authority::AuthorityType;
use key::KeyId;
use keystore::KeyError;
use ledger::LedgerError;
use state::StateError;

/// Why a use case did not do what it was asked. Nothing was half done; what a crash leaves is repaired by the next start.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The caller asked for what may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A key backend failed.
    #[error("{context}")]
    Key {
        /// What was being done.
        context: String,
        /// The failure.
        #[source]
        source: Box<KeyError>,
    },
    /// The state failed.
    #[error("the cluster's state could not be used")]
    State(#[source] StateError),
    /// The ledger failed; what was to be recorded was not done.
    #[error("the act could not be recorded and was not done")]
    Ledger(#[source] LedgerError),
    /// A stored document does not read.
    #[error("the stored document {key} does not read: {reason}; it was left alone")]
    Document {
        /// Its path.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that cannot be, was.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What may not be, why, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The rotation does not allow it.
    #[error("{authority} authority: {refusal}")]
    Rotation {
        /// The authority.
        authority: AuthorityType,
        /// Why.
        refusal: rotation::Refusal,
    },
    /// Somebody holds the rotation back.
    #[error("{authority} authority: {blocked}")]
    Blocked {
        /// The authority.
        authority: AuthorityType,
        /// Who, and what is missing.
        blocked: rotation::Blocked,
    },
    /// Somebody else changed the same thing at the same time.
    #[error("the {what} was changed by somebody else meanwhile; look with `signetctl status` and ask again")]
    Conflict {
        /// What was changed.
        what: String,
    },
    /// The data directory holds another cluster.
    #[error(
        "the data directory holds cluster {stored:?}, the configuration says {configured:?}; correct `auth_service.cluster_name` or choose another `signet.data_dir`"
    )]
    OtherCluster {
        /// The cluster in the data directory.
        stored: String,
        /// The cluster in the configuration.
        configured: String,
    },
    /// No key of the authority can sign here.
    #[error("no {form} key of the {authority} authority can sign on this server: {reason}")]
    NoUsableKey {
        /// The authority.
        authority: AuthorityType,
        /// SSH, TLS or JWT.
        form: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// The backend cannot make the keys that the suite asks for.
    #[error(
        "{storage} cannot make the {algorithm} key that suite {suite} asks for in the {authority} authority; set `auth_service.authentication.signature_algorithm_suite` to hsm-v1, or legacy where only RSA is known"
    )]
    Algorithm {
        /// The authority.
        authority: AuthorityType,
        /// The algorithm.
        algorithm: key::KeyAlgorithm,
        /// The suite.
        suite: authority::Suite,
        /// The backend.
        storage: String,
    },
    /// No key of that id.
    #[error("no key {0} is known; `signetctl keys ls` shows those that are")]
    UnknownKey(KeyId),
    /// The key is in a status that does not allow it.
    #[error("key {id} is {status}: {reason}")]
    KeyStatus {
        /// The key.
        id: KeyId,
        /// Its status.
        status: &'static str,
        /// What is allowed.
        reason: &'static str,
    },
    /// What was to be signed breaks a rule.
    #[error("not signed: {}", findings.join("; "))]
    Lint {
        /// The rules it breaks.
        findings: Vec<String>,
    },
    /// The request itself is malformed.
    #[error("{field}: {problem}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rotation { refusal, .. } => refusal.code(),
            Self::Blocked { .. } => "rotation_blocked",
            Self::Conflict { .. } => "conflict",
            Self::OtherCluster { .. } => "other_cluster",
            Self::NoUsableKey { .. } => "no_usable_key",
            Self::Algorithm { .. } => "algorithm_unsupported",
            Self::UnknownKey(_) => "unknown_key",
            Self::KeyStatus { .. } => "key_status",
            Self::Lint { .. } => "lint",
            Self::Malformed { .. } => "malformed",
        }
    }
}

impl ClusterError {
    /// A key backend's failure with what was being done.
    pub fn key(context: impl Into<String>, source: KeyError) -> Self {
        Self::Key {
            context: context.into(),
            source: Box::new(source),
        }
    }
}
