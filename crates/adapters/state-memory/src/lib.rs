//! Cluster state in memory: a full backend of [`State`] that passes the whole contract, and the fake that other tests use.
//!
//! Clones are handles on one store. Nothing outlives the last of them.

mod documents;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use async_trait::async_trait;
use runtime::Clock;
use state::Changed;
use state::CommitError;
use state::Entry;
use state::Newest;
use state::Page;
use state::Revision;
use state::State;
use state::StateError;
use state::StateKey;
use state::Write;
use state::check_commit;
use tokio::sync::watch;

use documents::Documents;

/// Removed and expired documents remembered for [`State::changes`], unless told otherwise.
pub const HISTORY_MAX: usize = 10_000;

/// State in memory.
#[derive(Clone)]
pub struct MemoryState {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    newest: watch::Sender<Newest>,
}

struct Inner {
    documents: Documents,
    /// Commits that still succeed; `None` is no limit.
    commits_left: Option<u64>,
}

impl MemoryState {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_history(clock, HISTORY_MAX)
    }

    /// An empty store that remembers so many removed documents before it forgets the oldest
    /// and answers [`StateError::Compacted`].
    pub fn with_history(clock: Arc<dyn Clock>, history_max: usize) -> Self {
        let (newest, _) = watch::channel(Newest::default());
        let inner = Mutex::new(Inner {
            documents: Documents::new(history_max),
            commits_left: None,
        });
        Self {
            shared: Arc::new(Shared { clock, inner, newest }),
        }
    }

    /// For tests: from now on every commit fails as on a full disk, or no longer does.
    pub fn fail_writes(&self, is_failing: bool) {
        self.inner().commits_left = is_failing.then_some(0);
    }

    /// For tests: so many commits still succeed, all later ones fail as on a full disk.
    pub fn fail_writes_after(&self, commits: u64) {
        self.inner().commits_left = Some(commits);
    }

    /// No change to the documents can stop half-way in a panic, so a poisoned lock guards nothing broken.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl State for MemoryState {
    async fn get(&self, key: &StateKey) -> Result<Option<Entry>, StateError> {
        Ok(self.inner().documents.get(key, self.shared.clock.now()))
    }

    async fn get_all(&self, keys: &[StateKey]) -> Result<Vec<Option<Entry>>, StateError> {
        let (inner, now) = (self.inner(), self.shared.clock.now());
        Ok(keys.iter().map(|key| inner.documents.get(key, now)).collect())
    }

    async fn list(&self, folder: &str, after: Option<&StateKey>, limit: usize) -> Result<Page, StateError> {
        Ok(self
            .inner()
            .documents
            .list(folder, after, limit, self.shared.clock.now()))
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Revision, CommitError> {
        check_commit(&writes)?;
        let mut inner = self.inner();
        let Inner {
            documents,
            commits_left,
        } = &mut *inner;
        let now = self.shared.clock.now();
        documents.check(&writes, now)?;
        if let Some(left) = commits_left {
            *left = left.checked_sub(1).ok_or_else(|| {
                StateError::Unwritable("no space left in memory (a test said so)".to_owned())
            })?;
        }
        let revision = documents.apply(&writes, now);
        // Under the lock, so that the channel never goes back.
        self.shared
            .newest
            .send_modify(|newest| newest.committed(&writes, revision));
        Ok(revision)
    }

    async fn changes(&self, folder: &str, after: Revision, limit: usize) -> Result<Vec<Changed>, StateError> {
        self.inner().documents.changes(folder, after, limit)
    }

    async fn wait_beyond(&self, folders: &[&str], revision: Revision) -> Result<Revision, StateError> {
        let mut newest = self.shared.newest.subscribe();
        let seen = newest
            .wait_for(|newest| newest.is_beyond(folders, revision))
            .await;
        seen.map(|newest| newest.revision())
            .map_err(|closed| StateError::Unavailable(closed.into()))
    }
}
