//! Records of hosts in the state, and commits that can be taken back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use state::Change;
use state::CommitError;
use state::Entry;
use state::Expect;
use state::Revision;
use state::State;
use state::StateKey;
use state::Write;

use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::host::HostRecord;
use crate::host::PresenceRecord;

/// A record with the revision it was read at.
#[derive(Debug, Clone)]
pub(crate) struct Stored<T> {
    pub value: T,
    pub revision: Revision,
}

pub(crate) fn host_key(id: &HostId) -> Result<StateKey, EnrollmentError> {
    path("enrollment/host", id)
}

pub(crate) fn presence_key(id: &HostId) -> Result<StateKey, EnrollmentError> {
    path("enrollment/presence", id)
}

pub(crate) fn name_key(name: impl std::fmt::Display) -> Result<StateKey, EnrollmentError> {
    path("enrollment/name", name)
}

fn path(folder: &str, name: impl std::fmt::Display) -> Result<StateKey, EnrollmentError> {
    StateKey::parse(&format!("{folder}/{name}")).map_err(|error| EnrollmentError::Internal(error.to_string()))
}

pub(crate) async fn load<T: DeserializeOwned>(
    state: &dyn State,
    key: &StateKey,
) -> Result<Option<Stored<T>>, EnrollmentError> {
    let entry = state.get(key).await.map_err(EnrollmentError::State)?;
    entry.as_ref().map(decode).transpose()
}

/// Every host that ever joined.
pub(crate) async fn load_hosts(
    state: &dyn State,
) -> Result<Vec<(HostId, Stored<HostRecord>)>, EnrollmentError> {
    load_by_host(state, "enrollment/host").await
}

/// What every host last proved.
pub(crate) async fn load_presences(
    state: &dyn State,
) -> Result<Vec<(HostId, Stored<PresenceRecord>)>, EnrollmentError> {
    load_by_host(state, "enrollment/presence").await
}

async fn load_by_host<T: DeserializeOwned>(
    state: &dyn State,
    folder: &str,
) -> Result<Vec<(HostId, Stored<T>)>, EnrollmentError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = state
            .list(folder, after.as_ref(), state::PAGE_MAX)
            .await
            .map_err(EnrollmentError::State)?;
        for entry in &page.entries {
            let id = entry.key.as_str().rsplit('/').next().unwrap_or_default();
            let id = HostId::parse(id).map_err(|refusal| damaged(&entry.key, refusal.to_string()))?;
            all.push((id, decode(entry)?));
        }
        match page.next {
            None => return Ok(all),
            next @ Some(_) => after = next,
        }
    }
}

fn decode<T: DeserializeOwned>(entry: &Entry) -> Result<Stored<T>, EnrollmentError> {
    let value =
        serde_json::from_slice(&entry.value).map_err(|error| damaged(&entry.key, error.to_string()))?;
    Ok(Stored {
        value,
        revision: entry.revision,
    })
}

fn damaged(key: &StateKey, reason: String) -> EnrollmentError {
    EnrollmentError::Record {
        key: key.to_string(),
        reason,
    }
}

pub(crate) fn put<T: Serialize>(key: StateKey, expect: Expect, value: &T) -> Result<Write, EnrollmentError> {
    let value = serde_json::to_vec(value)
        .map_err(|error| EnrollmentError::Internal(format!("encode {key}: {error}")))?;
    let change = Change::Put { value, expires: None };
    Ok(Write { key, expect, change })
}

pub(crate) const fn delete(key: StateKey, expect: Expect) -> Write {
    Write {
        key,
        expect,
        change: Change::Delete,
    }
}

/// Commits, and tells a lost race as what it is.
pub(crate) async fn commit(
    state: &dyn State,
    whom: impl std::fmt::Display,
    writes: Vec<Write>,
) -> Result<Revision, EnrollmentError> {
    state.commit(writes).await.map_err(|error| match error {
        CommitError::Conflict { key: _ } => Refusal::Conflict(whom.to_string()).into(),
        CommitError::Malformed(reason) => EnrollmentError::Internal(reason.to_owned()),
        CommitError::Store(error) => EnrollmentError::State(error),
    })
}

/// What was there before a commit, to put it back when what the commit was for could not be done.
pub(crate) struct TakenBack {
    before: Vec<(StateKey, Option<Entry>, bool)>,
}

impl TakenBack {
    /// Notes what the writes will change; they must expect what is noted.
    pub(crate) async fn note(state: &dyn State, writes: &[Write]) -> Result<Self, EnrollmentError> {
        let mut before = Vec::new();
        for Write {
            key,
            expect: _,
            change,
        } in writes
        {
            let is_deleted = match change {
                Change::Keep => continue,
                Change::Delete => true,
                Change::Put { .. } => false,
            };
            let entry = state.get(key).await.map_err(EnrollmentError::State)?;
            before.push((key.clone(), entry, is_deleted));
        }
        Ok(Self { before })
    }

    /// The writes that undo a commit of this revision, as long as nothing was changed since.
    pub(crate) fn undo(self, committed: Revision) -> Vec<Write> {
        let undo = |(key, entry, is_deleted): (StateKey, Option<Entry>, bool)| Write {
            key,
            expect: if is_deleted {
                Expect::Absent
            } else {
                Expect::At(committed)
            },
            change: match entry {
                None => Change::Delete,
                Some(Entry { value, expires, .. }) => Change::Put { value, expires },
            },
        };
        self.before.into_iter().map(undo).collect()
    }
}
