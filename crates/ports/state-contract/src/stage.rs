use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use contract::Failure;
use names::UnixSeconds;
use runtime::Clock;
use state::BadStateKey;
use state::Change;
use state::Changed;
use state::CommitError;
use state::Entry;
use state::Expect;
use state::Revision;
use state::State;
use state::StateError;
use state::StateKey;
use state::Write;

use crate::Bench;
use crate::BenchError;
use crate::Capabilities;

/// The moment at which the clock of every case stands at first.
pub(crate) const START: UnixSeconds = UnixSeconds(1_767_268_800);

/// Where one case runs: a bench, a store and a clock of its own.
pub(crate) struct Stage {
    bench: Arc<dyn Bench>,
    store: String,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) has: Capabilities,
}

/// A clock that goes when told.
pub(crate) struct VirtualClock(AtomicI64);

impl VirtualClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn unix_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst).saturating_mul(1_000)
    }
}

impl Stage {
    pub(crate) fn new(bench: Arc<dyn Bench>) -> Self {
        let has = bench.capabilities();
        let store = format!("case{}", uuid::Uuid::new_v4().simple());
        Self {
            bench,
            store,
            clock: Arc::new(VirtualClock(AtomicI64::new(START.0))),
            has,
        }
    }

    /// Opens the case's store, or another handle on it.
    pub(crate) async fn open(&self) -> Result<Arc<dyn State>, BenchError> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Ok(Arc::from(self.bench.open(&self.store, clock).await?))
    }

    /// Opens the case's store for [`Stage::reopen`].
    pub(crate) async fn open_alone(&self) -> Result<Box<dyn State>, BenchError> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.bench.open(&self.store, clock).await
    }

    /// Closes the case's store and opens it anew.
    pub(crate) async fn reopen(&self, old: Box<dyn State>) -> Result<Box<dyn State>, BenchError> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.bench.reopen(&self.store, clock, old).await
    }

    /// Makes writes fail, or succeed again.
    pub(crate) async fn refuse_writes(&self, is_refusing: bool) -> Result<(), BenchError> {
        self.bench.refuse_writes(&self.store, is_refusing).await
    }
}

/// A path.
pub(crate) fn at(path: &str) -> Result<StateKey, BadStateKey> {
    StateKey::parse(path)
}

/// A write of a value that does not expire.
pub(crate) fn put(path: &str, expect: Expect, value: &str) -> Result<Write, BadStateKey> {
    let change = Change::Put {
        value: value.as_bytes().to_vec(),
        expires: None,
    };
    Ok(Write {
        key: at(path)?,
        expect,
        change,
    })
}

/// A write of a value that expires so many seconds after [`START`].
pub(crate) fn lease(path: &str, expect: Expect, seconds: i64) -> Result<Write, BadStateKey> {
    let expires = Some(UnixSeconds(START.0 + seconds));
    Ok(Write {
        key: at(path)?,
        expect,
        change: Change::Put {
            value: b"lease".to_vec(),
            expires,
        },
    })
}

/// A removal.
pub(crate) fn delete(path: &str, expect: Expect) -> Result<Write, BadStateKey> {
    Ok(Write {
        key: at(path)?,
        expect,
        change: Change::Delete,
    })
}

/// An expectation alone.
pub(crate) fn keep(path: &str, expect: Expect) -> Result<Write, BadStateKey> {
    Ok(Write {
        key: at(path)?,
        expect,
        change: Change::Keep,
    })
}

/// Writes one document, whatever stands there.
pub(crate) async fn set(state: &dyn State, path: &str, value: &str) -> Result<Revision, Failure> {
    Ok(state.commit(vec![put(path, Expect::Anything, value)?]).await?)
}

/// The value of a document as text.
pub(crate) async fn value(state: &dyn State, path: &str) -> Result<Option<String>, Failure> {
    Ok(state.get(&at(path)?).await?.map(|entry| text(&entry)))
}

/// The value of a document as text.
pub(crate) fn text(entry: &Entry) -> String {
    String::from_utf8_lossy(&entry.value).into_owned()
}

/// The paths of documents.
pub(crate) fn paths(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

/// Changes as `path@revision`, removals with a minus sign before.
pub(crate) fn told(changes: &[Changed]) -> Vec<String> {
    let sign = |changed: &Changed| if changed.is_deleted { "-" } else { "" };
    changes
        .iter()
        .map(|changed| format!("{}{}@{}", sign(changed), changed.key, changed.revision.0))
        .collect()
}

/// Fails the case unless the commit was refused for this document.
pub(crate) fn conflicts(result: Result<Revision, CommitError>, path: &str) -> Result<(), Failure> {
    match result {
        Err(CommitError::Conflict { key }) if key.as_str() == path => Ok(()),
        other => Err(Failure(format!("wanted a conflict on {path}, got {other:?}"))),
    }
}

/// Fails the case unless the commit was refused as malformed.
pub(crate) fn is_malformed(result: &Result<Revision, CommitError>) -> Result<(), Failure> {
    match result {
        Err(CommitError::Malformed(_)) => Ok(()),
        other => Err(Failure(format!("wanted a malformed commit, got {other:?}"))),
    }
}

/// Fails the case unless history is forgotten.
pub(crate) fn is_compacted(result: &Result<Vec<Changed>, StateError>) -> Result<(), Failure> {
    match result {
        Err(StateError::Compacted(_)) => Ok(()),
        other => Err(Failure(format!("wanted compacted history, got {other:?}"))),
    }
}
