use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use names::UnixSeconds;
use runtime::Clock;
use rusqlite::Connection;
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
use tokio::sync::Mutex;
use tokio::sync::watch;

use crate::documents;
use crate::fault::classify;
use crate::file;
use crate::readers::Readers;
use crate::writer::Writer;

/// How often a waiting reader looks for commits of other processes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a store is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Removed and expired documents remembered for [`State::changes`].
    pub history_max: usize,
    /// The most the file may grow to, in pages of 4 KiB; `None` is as far as the disk goes.
    pub pages_max: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            history_max: 10_000,
            pages_max: None,
        }
    }
}

/// State in a SQLite file. Its methods run inside a tokio runtime.
pub struct SqliteState {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    readers: Arc<Readers>,
    newest: Arc<watch::Sender<Newest>>,
    /// Held by the one waiter that looks for commits of other processes on behalf of all.
    looking: Mutex<()>,
    /// Last, so that the connection that closes last is the one that may write, and leaves no log behind.
    writer: Writer,
}

impl SqliteState {
    /// Opens a state file, or makes it (mode 0600). A file made before opens in milliseconds.
    ///
    /// # Errors
    /// [`StateError::Damaged`] when the file is damaged, of a newer release, or no state file: nothing of it is changed then.
    /// [`StateError::Unwritable`] when it cannot be made or written.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StateError> {
        Self::open_with(path, clock, Settings::default())
    }

    /// Opens a state file with settings other than the usual ones.
    ///
    /// # Errors
    /// As [`SqliteState::open`].
    pub fn open_with(path: &Path, clock: Arc<dyn Clock>, settings: Settings) -> Result<Self, StateError> {
        let connection = file::open(path, settings.pages_max)?;
        let revision = documents::revision(&connection).map_err(|error| classify(path, error))?;
        let (newest, _) = watch::channel(Newest::at(revision));
        let newest = Arc::new(newest);
        let writer = Writer::start(
            path,
            connection,
            settings.history_max,
            Arc::clone(&clock),
            Arc::clone(&newest),
        )?;
        let readers = Arc::new(Readers::new(path));
        Ok(Self {
            path: path.to_owned(),
            clock,
            readers,
            newest,
            looking: Mutex::new(()),
            writer,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection, UnixSeconds) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let clock = Arc::clone(&self.clock);
        Readers::read(&self.readers, move |connection| query(connection, clock.now())).await
    }

    /// Tells the waiters of commits made by other processes, for as long as it is polled.
    async fn look(&self) -> Result<Revision, StateError> {
        let _looking = self.looking.lock().await;
        loop {
            let seen = self.read(|connection, _| documents::revision(connection)).await?;
            self.newest.send_if_modified(|newest| newest.seen(seen));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[async_trait]
impl State for SqliteState {
    async fn get(&self, key: &StateKey) -> Result<Option<Entry>, StateError> {
        let key = key.clone();
        self.read(move |connection, now| documents::get(connection, &key, now))
            .await
    }

    async fn get_all(&self, keys: &[StateKey]) -> Result<Vec<Option<Entry>>, StateError> {
        let keys = keys.to_vec();
        self.read(move |connection, now| documents::get_all(connection, &keys, now))
            .await
    }

    async fn list(&self, folder: &str, after: Option<&StateKey>, limit: usize) -> Result<Page, StateError> {
        let (folder, after) = (folder.to_owned(), after.cloned());
        self.read(move |connection, now| documents::list(connection, &folder, after.as_ref(), limit, now))
            .await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Revision, CommitError> {
        check_commit(&writes)?;
        self.writer.commit(writes).await
    }

    async fn changes(&self, folder: &str, after: Revision, limit: usize) -> Result<Vec<Changed>, StateError> {
        let folder = folder.to_owned();
        let found = self
            .read(move |connection, _| documents::changes(connection, &folder, after, limit))
            .await?;
        found.ok_or(StateError::Compacted(after.0))
    }

    async fn wait_beyond(&self, folders: &[&str], revision: Revision) -> Result<Revision, StateError> {
        let mut newest = self.newest.subscribe();
        tokio::select! {
            biased;
            seen = newest.wait_for(|newest| newest.is_beyond(folders, revision)) => {
                seen.map(|newest| newest.revision()).map_err(|closed| StateError::Unavailable(closed.into()))
            }
            failed = self.look() => failed,
        }
    }
}
