/// The last entry of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Its number; the first is 1, 0 is the empty log.
    pub sequence: u64,
    /// Its hash; 32 zeros for the empty log.
    pub hash: [u8; 32],
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub head: Head,
    /// The line, without its line feed.
    pub line: String,
}

/// Why a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {sequence}: {reason}")]
pub struct Break {
    /// The number of the first entry that does not fit.
    pub sequence: u64,
    /// What does not fit, in words.
    pub reason: String,
}

/// Checks entries one after the other.
#[derive(Debug)]
pub struct Verifier {
    /// The last entry that fitted.
    pub head: Head,
}
