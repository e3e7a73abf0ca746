//! Typed documents in the state.

use names::UnixSeconds;
use serde::Serialize;
use serde::de::DeserializeOwned;
use state::Change;
use state::CommitError;
use state::Expect;
use state::Revision;
use state::State;
use state::StateKey;
use state::Write;

use crate::IdentityError;

/// A document as read: where, and what was there.
#[derive(Debug, Clone)]
pub(crate) struct Stored<T> {
    pub(crate) key: StateKey,
    pub(crate) value: Option<T>,
    revision: Option<Revision>,
}

impl<T> Stored<T> {
    /// What must still be true when a change decided on this is made.
    pub(crate) fn expect(&self) -> Expect {
        self.revision.map_or(Expect::Absent, Expect::At)
    }

    /// Removes it, when it is still what was read.
    pub(crate) fn delete(&self) -> Write {
        Write {
            key: self.key.clone(),
            expect: self.expect(),
            change: Change::Delete,
        }
    }

    /// The document as a commit left it: with this in it, or removed.
    pub(crate) fn after(&self, value: Option<T>, revision: Revision) -> Self {
        Self {
            key: self.key.clone(),
            revision: value.as_ref().map(|_| revision),
            value,
        }
    }

    /// Leaves it, and wants it to be what was read.
    pub(crate) fn keep(&self) -> Write {
        Write {
            key: self.key.clone(),
            expect: self.expect(),
            change: Change::Keep,
        }
    }
}

impl<T: Serialize> Stored<T> {
    /// Replaces it, when it is still what was read.
    pub(crate) fn put(&self, value: &T, expires: Option<UnixSeconds>) -> Result<Write, IdentityError> {
        put(self.key.clone(), self.expect(), value, expires)
    }
}

/// A path of ours; the parts are names that cannot leave their segment.
pub(crate) fn path(text: &str) -> Result<StateKey, IdentityError> {
    StateKey::parse(text).map_err(|error| IdentityError::Internal(error.to_string()))
}

pub(crate) async fn load<T: DeserializeOwned>(
    state: &dyn State,
    key: StateKey,
) -> Result<Stored<T>, IdentityError> {
    let entry = state.get(&key).await.map_err(IdentityError::State)?;
    Unread { key, entry }.read()
}

/// A document as it was found.
pub(crate) struct Unread {
    key: StateKey,
    entry: Option<state::Entry>,
}

impl Unread {
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<Stored<T>, IdentityError> {
        let (value, revision) = match &self.entry {
            None => (None, None),
            Some(entry) => (Some(decode(entry)?), Some(entry.revision)),
        };
        let key = self.key;
        Ok(Stored { key, value, revision })
    }
}

/// Documents of different types as they are at one moment.
pub(crate) async fn find<const N: usize>(
    state: &dyn State,
    keys: [StateKey; N],
) -> Result<[Unread; N], IdentityError> {
    let wrong =
        |_| IdentityError::Internal("the state told of more or fewer documents than asked".to_owned());
    let found = state.get_all(&keys).await.map_err(IdentityError::State)?;
    let found: [Option<state::Entry>; N] = found.try_into().map_err(wrong)?;
    let mut found = found.into_iter();
    Ok(keys.map(|key| Unread {
        key,
        entry: found.next().flatten(),
    }))
}

/// Every document of a folder. One that does not read is an error: a list with holes invites wrong conclusions.
pub(crate) async fn load_all<T: DeserializeOwned>(
    state: &dyn State,
    folder: &StateKey,
) -> Result<Vec<Stored<T>>, IdentityError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = state
            .list(folder.as_str(), after.as_ref(), state::PAGE_MAX)
            .await
            .map_err(IdentityError::State)?;
        for entry in &page.entries {
            all.push(Stored {
                key: entry.key.clone(),
                value: Some(decode(entry)?),
                revision: Some(entry.revision),
            });
        }
        match page.next {
            None => return Ok(all),
            next @ Some(_) => after = next,
        }
    }
}

fn decode<T: DeserializeOwned>(entry: &state::Entry) -> Result<T, IdentityError> {
    serde_json::from_slice(&entry.value).map_err(|error| IdentityError::Document {
        key: entry.key.to_string(),
        // What serde says may quote the document, which holds hashes and sealed seeds.
        reason: format!("line {}, column {}", error.line(), error.column()),
    })
}

pub(crate) fn put<T: Serialize>(
    key: StateKey,
    expect: Expect,
    value: &T,
    expires: Option<UnixSeconds>,
) -> Result<Write, IdentityError> {
    let value = serde_json::to_vec(value)
        .map_err(|error| IdentityError::Internal(format!("encode {key}: {error}")))?;
    Ok(Write {
        key,
        expect,
        change: Change::Put { value, expires },
    })
}

/// Commits; `false` when somebody else was first, and nothing was changed.
pub(crate) async fn commit(state: &dyn State, writes: Vec<Write>) -> Result<bool, IdentityError> {
    committed(state, writes).await.map(|revision| revision.is_some())
}

/// Commits; answers the revision of what was written. `None` when somebody else was first, and nothing was changed.
pub(crate) async fn committed(
    state: &dyn State,
    writes: Vec<Write>,
) -> Result<Option<Revision>, IdentityError> {
    match state.commit(writes).await {
        Ok(revision) => Ok(Some(revision)),
        Err(CommitError::Conflict { .. }) => Ok(None),
        Err(CommitError::Malformed(reason)) => Err(IdentityError::Internal(format!("commit: {reason}"))),
        Err(CommitError::Store(error)) => Err(IdentityError::State(error)),
    }
}
