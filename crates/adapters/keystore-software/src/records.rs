use std::sync::Arc;

use key::KeyId;
use keystore::KeyError;
use names::UnixSeconds;
use runtime::Clock;
use serde::Deserialize;
use serde::Serialize;
use state::Change;
use state::CommitError;
use state::Entry;
use state::Expect;
use state::PAGE_MAX;
use state::Revision;
use state::State;
use state::StateError;
use state::StateKey;
use state::Write;

use crate::SHOWN;
use crate::SealingKey;
use crate::record::KeyRecord;

const FOLDER: &str = "key/software";
const SEAL: &str = "key/sealing";

/// The documents of software keys in the cluster's state.
pub(crate) struct Records {
    state: Arc<dyn State>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

/// What recognises the sealing key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    version: u32,
    check_value: String,
}

/// Whether this state already belongs to a sealing key. If so, a missing sealing key file is a loss to be reported,
/// not a file to be made.
///
/// # Errors
/// When the state does not answer.
pub async fn is_sealed(state: &dyn State) -> Result<bool, KeyError> {
    Ok(read(state, &seal_key()?).await?.is_some())
}

impl Records {
    pub(crate) fn new(state: Arc<dyn State>) -> Self {
        Self { state, clock: None }
    }

    pub(crate) fn now(&self) -> Option<UnixSeconds> {
        self.clock.as_ref().map(|clock| clock.now())
    }

    /// Checks that the sealing key is the one this state belongs to; a state that belongs to none is given to this one.
    pub(crate) async fn check_seal(&self, sealing: &SealingKey) -> Result<(), KeyError> {
        let ours = sealing
            .check_value()
            .map_err(|error| KeyError::fault(SHOWN, "use the sealing key", error))?;
        let key = seal_key()?;
        if let Some(entry) = read(&*self.state, &key).await? {
            return compare_seals(&entry, &ours);
        }
        if !self.list().await?.is_empty() {
            return Err(KeyError::fault(
                SHOWN,
                "open",
                StateError::Damaged(format!(
                    "keys are stored but not what recognises their sealing key ({SEAL}); restore the state from its backup"
                )),
            ));
        }
        let seal = Seal {
            version: 1,
            check_value: ours.clone(),
        };
        let value = serde_json::to_vec(&seal).map_err(|error| KeyError::fault(SHOWN, "open", error))?;
        let write = Write {
            key: key.clone(),
            expect: Expect::Absent,
            change: Change::Put { value, expires: None },
        };
        match self.state.commit(vec![write]).await {
            Ok(_) => Ok(()),
            // Another handle was first; its sealing key must be ours.
            Err(CommitError::Conflict { .. }) => match read(&*self.state, &key).await? {
                Some(entry) => compare_seals(&entry, &ours),
                None => Err(unavailable("open", "the seal changes under us")),
            },
            Err(error @ (CommitError::Malformed(_) | CommitError::Store(_))) => {
                Err(not_committed("open", error))
            }
        }
    }

    /// The document of a handle, if there is one.
    pub(crate) async fn find(&self, handle: &str) -> Result<Option<(KeyRecord, Revision)>, KeyError> {
        let Ok(id) = handle.parse::<KeyId>() else {
            return Ok(None);
        };
        let Some(entry) = read(&*self.state, &record_key(id)?).await? else {
            return Ok(None);
        };
        let record = KeyRecord::decode(handle, &entry.value)
            .map_err(|error| KeyError::fault(SHOWN, "read a key", error))?;
        Ok(Some((record, entry.revision)))
    }

    /// Stores a new key; `false` when the id is taken.
    pub(crate) async fn insert(&self, id: KeyId, record: &KeyRecord) -> Result<bool, KeyError> {
        let value = record
            .encode()
            .map_err(|error| KeyError::fault(SHOWN, "encode a key", error))?;
        let change = Change::Put { value, expires: None };
        let write = Write {
            key: record_key(id)?,
            expect: Expect::Absent,
            change,
        };
        match self.state.commit(vec![write]).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error @ (CommitError::Malformed(_) | CommitError::Store(_))) => {
                Err(not_committed("store a key", error))
            }
        }
    }

    /// Removes a key as it was read; `false` when it changed since.
    pub(crate) async fn remove(&self, id: KeyId, revision: Revision) -> Result<bool, KeyError> {
        let write = Write {
            key: record_key(id)?,
            expect: Expect::At(revision),
            change: Change::Delete,
        };
        match self.state.commit(vec![write]).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error @ (CommitError::Malformed(_) | CommitError::Store(_))) => {
                Err(not_committed("destroy a key", error))
            }
        }
    }

    /// Every key, with its handle.
    pub(crate) async fn list(&self) -> Result<Vec<(String, KeyRecord)>, KeyError> {
        let mut found = Vec::new();
        let mut after: Option<StateKey> = None;
        loop {
            let page = self
                .state
                .list(FOLDER, after.as_ref(), PAGE_MAX)
                .await
                .map_err(|error| not_read("list the keys", error))?;
            for entry in page.entries {
                let handle = entry
                    .key
                    .as_str()
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let record = KeyRecord::decode(&handle, &entry.value)
                    .map_err(|error| KeyError::fault(SHOWN, "list the keys", error))?;
                found.push((handle, record));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}

fn compare_seals(entry: &Entry, ours: &str) -> Result<(), KeyError> {
    let damaged = |error| KeyError::fault(SHOWN, "read what recognises the sealing key", error);
    let Seal {
        version: _,
        check_value,
    } = serde_json::from_slice(&entry.value).map_err(damaged)?;
    if check_value == ours {
        return Ok(());
    }
    Err(KeyError::Denied {
        store: SHOWN.to_owned(),
        reason: format!(
            "this is not the sealing key of the stored keys (its check value is {ours}, theirs is {check_value}); \
             put back the sealing key file this data directory was created with"
        ),
    })
}

async fn read(state: &dyn State, key: &StateKey) -> Result<Option<Entry>, KeyError> {
    state
        .get(key)
        .await
        .map_err(|error| not_read("read the state", error))
}

fn not_read(operation: &'static str, error: StateError) -> KeyError {
    match error {
        StateError::Unavailable(source) => unavailable(operation, &source.to_string()),
        StateError::Unwritable(_) | StateError::Damaged(_) | StateError::Compacted(_) => {
            KeyError::fault(SHOWN, operation, error)
        }
    }
}

fn not_committed(operation: &'static str, error: CommitError) -> KeyError {
    match error {
        CommitError::Store(error) => not_read(operation, error),
        CommitError::Conflict { .. } | CommitError::Malformed(_) => KeyError::fault(SHOWN, operation, error),
    }
}

pub(crate) fn unavailable(operation: &'static str, reason: &str) -> KeyError {
    KeyError::Unavailable {
        store: SHOWN.to_owned(),
        operation,
        reason: reason.to_owned(),
    }
}

fn record_key(id: KeyId) -> Result<StateKey, KeyError> {
    state_key(&format!("{FOLDER}/{id}"))
}

fn seal_key() -> Result<StateKey, KeyError> {
    state_key(SEAL)
}

fn state_key(path: &str) -> Result<StateKey, KeyError> {
    StateKey::parse(path).map_err(|error| KeyError::fault(SHOWN, "name a document", error))
}
