//! Typed documents in the state.

use serde::Serialize;
use serde::de::DeserializeOwned;
use state::Change;
use state::CommitError;
use state::Expect;
use state::Revision;
use state::State;
use state::StateKey;
use state::Write;

use crate::ClusterError;
use crate::Refusal;

/// A document with the revision it was read at.
#[derive(Debug, Clone)]
pub(crate) struct Stored<T> {
    pub(crate) value: T,
    pub(crate) revision: Revision,
}

/// A path of ours; the parts are names that cannot leave their segment.
pub(crate) fn path(folder: &str, name: impl std::fmt::Display) -> Result<StateKey, ClusterError> {
    StateKey::parse(&format!("{folder}/{name}")).map_err(|error| ClusterError::Internal(error.to_string()))
}

pub(crate) async fn load<T: DeserializeOwned>(
    state: &dyn State,
    key: &StateKey,
) -> Result<Option<Stored<T>>, ClusterError> {
    match state.get(key).await.map_err(ClusterError::State)? {
        None => Ok(None),
        Some(entry) => decode(&entry).map(Some),
    }
}

/// Every document of a folder. One that does not read is an error: a list with holes invites wrong conclusions.
pub(crate) async fn load_all<T: DeserializeOwned>(
    state: &dyn State,
    folder: &str,
) -> Result<Vec<(StateKey, Stored<T>)>, ClusterError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = state
            .list(folder, after.as_ref(), state::PAGE_MAX)
            .await
            .map_err(ClusterError::State)?;
        for entry in &page.entries {
            all.push((entry.key.clone(), decode(entry)?));
        }
        match page.next {
            None => return Ok(all),
            next @ Some(_) => after = next,
        }
    }
}

fn decode<T: DeserializeOwned>(entry: &state::Entry) -> Result<Stored<T>, ClusterError> {
    let value = serde_json::from_slice(&entry.value).map_err(|error| ClusterError::Document {
        key: entry.key.to_string(),
        reason: error.to_string(),
    })?;
    Ok(Stored {
        value,
        revision: entry.revision,
    })
}

pub(crate) fn put<T: Serialize>(key: StateKey, expect: Expect, value: &T) -> Result<Write, ClusterError> {
    let value = serde_json::to_vec(value)
        .map_err(|error| ClusterError::Internal(format!("encode {key}: {error}")))?;
    Ok(Write {
        key,
        expect,
        change: Change::Put { value, expires: None },
    })
}

pub(crate) fn delete(key: StateKey, expect: Expect) -> Write {
    Write {
        key,
        expect,
        change: Change::Delete,
    }
}

/// Commits, and tells a lost race as what it is.
pub(crate) async fn commit(
    state: &dyn State,
    what: &str,
    writes: Vec<Write>,
) -> Result<Revision, ClusterError> {
    state.commit(writes).await.map_err(|error| match error {
        CommitError::Conflict { .. } => Refusal::Conflict {
            what: what.to_owned(),
        }
        .into(),
        CommitError::Malformed(reason) => ClusterError::Internal(format!("commit of {what}: {reason}")),
        CommitError::Store(error) => ClusterError::State(error),
    })
}
