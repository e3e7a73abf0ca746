use key::KeyAlgorithm;
use key::SpkiSha256;

/// Why a backend did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key stands under the handle.
    #[error(
        "no key {handle:?} in {store}; restore the token or account it was made in, or rotate the authority that used it"
    )]
    NotFound {
        /// The backend's store.
        store: String,
        /// The handle asked for.
        handle: String,
    },
    /// Something else stands under the handle.
    #[error(
        "the key {handle:?} in {store} has public key {found}, not {expected}: it is another key and was not used"
    )]
    Mismatch {
        /// The backend's store.
        store: String,
        /// The handle asked for.
        handle: String,
        /// The public key referred to.
        expected: SpkiSha256,
        /// The public key found, or what stood there instead.
        found: String,
    },
    /// The reference belongs to another store.
    #[error("the key lives in {expected}, this backend is {store}")]
    OtherStore {
        /// This backend's store.
        store: String,
        /// The reference's store.
        expected: String,
    },
    /// The backend cannot make or use such keys.
    #[error("{store} cannot make or use {algorithm} keys: {reason}")]
    Unsupported {
        /// The backend's store.
        store: String,
        /// The algorithm asked for.
        algorithm: KeyAlgorithm,
        /// Why not, and what to choose instead.
        reason: String,
    },
    /// The backend refused the credentials or the right to do this. Trying again makes it worse.
    #[error("{store} refused access: {reason}")]
    Denied {
        /// The backend's store.
        store: String,
        /// The refusal, and what to change.
        reason: String,
    },
    /// The backend does not answer, or said to come back later; trying again may help.
    #[error("{store} is unavailable while trying to {operation}: {reason}")]
    Unavailable {
        /// The backend's store.
        store: String,
        /// What was tried.
        operation: &'static str,
        /// What was seen.
        reason: String,
    },
    /// The deadline passed; the call may still be running in the backend.
    #[error("{store} did not {operation} within {seconds} s")]
    Timeout {
        /// The backend's store.
        store: String,
        /// What was tried.
        operation: &'static str,
        /// The deadline, in seconds.
        seconds: u64,
    },
    /// The backend made a key that does not stay in it; the key was removed again.
    #[error("{store} made a key that could leave it ({reason}); it was removed and nothing else was tried")]
    NotKept {
        /// The backend's store.
        store: String,
        /// Which attribute says so.
        reason: String,
    },
    /// The backend's answer makes no sense.
    #[error("{store} failed to {operation}")]
    Fault {
        /// The backend's store.
        store: String,
        /// What was tried.
        operation: &'static str,
        /// What was seen.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl KeyError {
    /// A fault with its cause.
    pub fn fault(
        store: impl Into<String>,
        operation: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Fault {
            store: store.into(),
            operation,
            source: source.into(),
        }
    }

    /// Whether trying again, later, may help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Timeout { .. } => true,
            Self::NotFound { .. }
            | Self::Mismatch { .. }
            | Self::OtherStore { .. }
            | Self::Unsupported { .. }
            | Self::Denied { .. }
            | Self::NotKept { .. }
            | Self::Fault { .. } => false,
        }
    }
}
