//! The port to small, mutable cluster state: documents under keys, with revisions, expiry, paging, and writes that carry the
//! revisions they were decided on. The contract every adapter passes is in `state-contract`.

mod newest;

use std::collections::BTreeSet;

use async_trait::async_trait;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

pub use newest::Newest;

/// The largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// The most writes in one [`State::commit`].
pub const WRITES_MAX: usize = 128;
/// The most entries of one [`State::list`] page.
pub const PAGE_MAX: usize = 1_000;

/// The path of a document: 1 to 8 segments of `[A-Za-z0-9._@:-]`, joined by `/`, at most 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateKey(String);

/// The text is no path of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path of 1 to 8 segments of letters, digits and ._@:-")]
pub struct BadStateKey(pub String);

impl StateKey {
    /// Parses a path.
    ///
    /// # Errors
    /// When it is not of the form the type describes.
    pub fn parse(text: &str) -> Result<Self, BadStateKey> {
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._@:-".contains(&b))
        };
        if text.len() <= 256 && text.split('/').count() <= 8 && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadStateKey(text.chars().take(256).collect()))
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the document lies in the folder: `a/b` and `a/b/c` lie in `a`, `ab` does not. Everything lies in the empty folder.
    pub fn is_in(&self, folder: &str) -> bool {
        folder.is_empty()
            || self
                .0
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl std::borrow::Borrow<str> for StateKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StateKey {
    type Error = BadStateKey;
    fn try_from(text: String) -> Result<Self, BadStateKey> {
        Self::parse(&text)
    }
}

impl From<StateKey> for String {
    fn from(key: StateKey) -> Self {
        key.0
    }
}

/// The number of a commit; grows by at least one with each, over the whole store and across restarts. 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// A document as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub key: StateKey,
    /// What.
    pub value: Vec<u8>,
    /// The commit that wrote it last.
    pub revision: Revision,
    /// When it ceases to exist by itself.
    pub expires: Option<UnixSeconds>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            key,
            value,
            revision,
            expires,
        } = self;
        write!(
            f,
            "Entry({key}, {} bytes, revision {}, expires {expires:?})",
            value.len(),
            revision.0
        )
    }
}

/// What must be true of a document for a commit to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It does not exist.
    Absent,
    /// It exists, last written by this commit.
    At(Revision),
    /// Nothing.
    Anything,
}

/// What a commit does to a document.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes it.
    Put {
        /// The document.
        value: Vec<u8>,
        /// When it ceases to exist by itself.
        expires: Option<UnixSeconds>,
    },
    /// Removes it; removing what is not there is no error.
    Delete,
    /// Leaves it: only the expectation counts.
    Keep,
}

/// One part of a commit.
#[derive(Clone, PartialEq, Eq)]
pub struct Write {
    /// Which document. A commit names each at most once.
    pub key: StateKey,
    /// What must be true.
    pub expect: Expect,
    /// What happens.
    pub change: Change,
}

/// Refuses commits that no store takes; every adapter calls it first.
///
/// # Errors
/// [`CommitError::Malformed`] when there is nothing or too much to do, a value is too large, or a document is named twice.
pub fn check_commit(writes: &[Write]) -> Result<(), CommitError> {
    if writes.is_empty() {
        return Err(CommitError::Malformed("it has no writes"));
    }
    if writes.len() > WRITES_MAX {
        return Err(CommitError::Malformed("it has more than 128 writes"));
    }
    let mut seen = BTreeSet::new();
    for Write {
        key,
        expect: _,
        change,
    } in writes
    {
        if !seen.insert(key) {
            return Err(CommitError::Malformed("it names a document twice"));
        }
        match change {
            Change::Put { value, expires: _ } if value.len() > VALUE_BYTES_MAX => {
                return Err(CommitError::Malformed("a value is larger than 1 MiB"));
            }
            Change::Put { .. } | Change::Delete | Change::Keep => {}
        }
    }
    Ok(())
}

/// A page of documents, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The documents.
    pub entries: Vec<Entry>,
    /// Where the next page begins (exclusive), when there is one.
    pub next: Option<StateKey>,
    /// The store's revision when the page was read.
    pub revision: Revision,
}

/// A document that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which one.
    pub key: StateKey,
    /// The last commit that changed it.
    pub revision: Revision,
    /// Whether that commit removed it.
    pub is_deleted: bool,
}

/// Why a commit did not happen. Nothing of it did.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// An expectation did not hold: somebody else was first.
    #[error("{key} was changed by somebody else meanwhile")]
    Conflict {
        /// The first document whose expectation failed.
        key: StateKey,
    },
    /// The commit is too large, empty, or names a document twice.
    #[error("the commit is malformed: {0}")]
    Malformed(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StateError),
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is full, or may not be written.
    #[error("the state cannot be written: {0}; free space or fix permissions, nothing was changed")]
    Unwritable(String),
    /// What is stored is damaged or of another version.
    #[error("the state cannot be read: {0}")]
    Damaged(String),
    /// The store does not answer.
    #[error("the state does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// History was compacted beyond the revision asked for: list again.
    #[error("changes after revision {0} are no longer known; list again")]
    Compacted(u64),
}

/// Small, mutable state. Expired documents do not exist for any method. All methods see every commit acknowledged before they began.
#[async_trait]
pub trait State: Send + Sync {
    /// Reads one document.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn get(&self, key: &StateKey) -> Result<Option<Entry>, StateError>;

    /// Reads documents as they are at one moment, in the order asked for.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn get_all(&self, keys: &[StateKey]) -> Result<Vec<Option<Entry>>, StateError>;

    /// Lists the documents in a folder (empty: all), after a key, at most `limit` (taken as 1 to [`PAGE_MAX`]).
    ///
    /// # Errors
    /// When the store does not answer.
    async fn list(&self, folder: &str, after: Option<&StateKey>, limit: usize) -> Result<Page, StateError>;

    /// Does all the writes or none; durable on return.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when an expectation does not hold; nothing was written after any error.
    async fn commit(&self, writes: Vec<Write>) -> Result<Revision, CommitError>;

    /// What changed in a folder after a revision, each document once, in the order of revisions, at most `limit` (taken as 1 to
    /// [`PAGE_MAX`]) and then the rest of the last commit: asking again after the last revision told misses nothing.
    /// Expiry is not a change: the last commit of an expired document is told as it was.
    ///
    /// # Errors
    /// [`StateError::Compacted`] when that far back is no longer known.
    async fn changes(&self, folder: &str, after: Revision, limit: usize) -> Result<Vec<Changed>, StateError>;

    /// Returns when a document in one of the folders (empty: any document) may have been committed after `revision`, with the
    /// store's revision. Commits elsewhere hardly ever wake anybody, so that following what seldom changes costs little; only of
    /// commits by other processes a store may know no more than that there were some.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn wait_beyond(&self, folders: &[&str], revision: Revision) -> Result<Revision, StateError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_climb() {
        for good in [
            "a",
            "authority/host",
            "key/software/abc-1",
            "node/web@example.com:22",
        ] {
            assert!(StateKey::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "..",
            "a/../b",
            "a b",
            "a\0",
            &"a".repeat(257),
            "1/2/3/4/5/6/7/8/9",
        ] {
            assert!(StateKey::parse(bad).is_err(), "{bad}");
        }
        assert!(StateKey::parse("a/b").unwrap().is_in("a"));
        assert!(!StateKey::parse("ab/c").unwrap().is_in("a"));
    }
}
