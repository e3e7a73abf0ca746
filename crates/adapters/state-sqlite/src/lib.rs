//! Cluster state in one SQLite file: write-ahead log, full durability, removed data overwritten.
//!
//! One thread writes; commits that arrive while it is busy share one transaction and one flush to disk. Reads run on connections of
//! their own, away from the async executor. Several processes may have the file open (SQLite serialises their writes), but a
//! data directory belongs to one daemon: [`DataDirLock`].

mod documents;
mod fault;
mod file;
mod lock;
mod readers;
mod sqlite;
mod writer;

pub use lock::DataDirLock;
pub use lock::DataDirLockError;
pub use sqlite::Settings;
pub use sqlite::SqliteState;
