use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::TransactionBehavior;
use rusqlite::config::DbConfig;
use state::StateError;

use crate::fault::classify;
use crate::fault::damaged;
use crate::fault::unwritable;

/// "SIGS": marks the file as ours (`PRAGMA application_id`).
const APPLICATION_ID: u32 = 0x5349_4753;
/// The version of the tables (`PRAGMA user_version`).
const SCHEMA_VERSION: u32 = 1;
const SCHEMA: &str = include_str!("schema.sql");

/// The longest a statement waits for another process's lock. Locks are held for as long as a flush to disk takes, which on a disk
/// that others use can be seconds, and SQLite hands them out by luck, not in turn.
const BUSY: Duration = Duration::from_secs(30);
/// Up to this size the whole file is checked when it is opened: some milliseconds.
const CHECK_BYTES_MAX: u64 = 1 << 21;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// Opens the connection that writes, and makes the file when there is none. A file that is not ours is not changed.
pub(crate) fn open(path: &Path, pages_max: Option<u32>) -> Result<Connection, StateError> {
    let is_unfinished = has_journal(path);
    let size = prepare(path, is_unfinished)?;
    let mut connection = connect(path)?;
    let fault = |error| classify(path, error);
    if size == 0 || is_unfinished {
        initialise(path, &mut connection)?;
    }
    check_version(path, &connection)?;
    use_wal(path, &connection)?;
    if size > 0 {
        check_whole(path, &connection, size)?;
    }
    if let Some(pages) = pages_max {
        connection
            .pragma_update(None, "max_page_count", pages)
            .map_err(fault)?;
    }
    Ok(connection)
}

/// What a connection that reads keeps of the file, as SQLite wants it: KiB, negative. The system keeps the rest, once for all of them.
const READER_CACHE: i32 = -256;
/// The same for the one that writes: all that a usual transaction changes.
const WRITER_CACHE: i32 = -512;

/// Opens a connection that reads.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: the last connection to close must be able to fold the log into the file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    keep_plans(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", READER_CACHE)?;
    Ok(connection)
}

/// A statement keeps its plan whatever is bound to it; otherwise it is compiled anew for each value that an index with a condition might
/// depend on, which takes longer than the query.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(|_| ())
}

/// Makes sure of a regular file with mode 0600 that is not obviously something else. Its size in bytes.
fn prepare(path: &Path, is_unfinished: bool) -> Result<u64, StateError> {
    let io = |error: std::io::Error| unwritable(path, &error.to_string());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(unwritable(path, "it is not a regular file"));
    }
    // With a journal beside it the header may be half-written; SQLite completes or undoes it, and is asked afterwards.
    if !is_unfinished {
        check_header(path, &mut file, facts.size())?;
    }
    if facts.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(io)?;
    }
    Ok(facts.size())
}

/// Whether making the file was interrupted: it is the only time a rollback journal is in use.
fn has_journal(path: &Path) -> bool {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    std::fs::metadata(journal).is_ok_and(|facts| facts.len() > 0)
}

/// Looks at the first bytes before SQLite does, which would already change the file of somebody else.
fn check_header(path: &Path, file: &mut File, size: u64) -> Result<(), StateError> {
    if size == 0 {
        return Ok(());
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header)
        .map_err(|_| damaged(path, "it is too short for a state file"))?;
    if !header.starts_with(MAGIC) {
        return Err(damaged(path, "it is not a SQLite database"));
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    check_numbers(path, number(68), number(60))
}

fn check_numbers(path: &Path, application_id: u32, version: u32) -> Result<(), StateError> {
    if application_id != APPLICATION_ID {
        return Err(StateError::Damaged(format!(
            "{}: this is a database of another program, it was not changed; choose another data directory, or move the file away",
            path.display()
        )));
    }
    if version != SCHEMA_VERSION {
        return Err(StateError::Damaged(format!(
            "{}: the file has schema version {version}, this release knows {SCHEMA_VERSION}; \
             start the release that wrote it, or restore a backup of this release's",
            path.display()
        )));
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let set_up = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        keep_plans(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
        // After a burst the log shrinks again.
        connection.pragma_update(None, "journal_size_limit", 8 << 20)?;
        Ok(connection)
    };
    set_up().map_err(|error| classify(path, error))
}

/// Makes the tables. Before the log is in use, so that the marks stand in the file's own header from the first.
fn initialise(path: &Path, connection: &mut Connection) -> Result<(), StateError> {
    let mut make = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        // Otherwise another process was first.
        if tables == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        transaction.commit()
    };
    make().map_err(|error| classify(path, error))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unwritable(path, &error.to_string()))
}

fn check_version(path: &Path, connection: &Connection) -> Result<(), StateError> {
    let number = |name| {
        let value: rusqlite::Result<u32> = connection.pragma_query_value(None, name, |row| row.get(0));
        value.map_err(|error| classify(path, error))
    };
    check_numbers(path, number("application_id")?, number("user_version")?)
}

fn use_wal(path: &Path, connection: &Connection) -> Result<(), StateError> {
    let mode: rusqlite::Result<String> =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
    let mode = mode.map_err(|error| classify(path, error))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(unwritable(
        path,
        &format!("the file system allows only journal mode {mode}; use a local disk"),
    ))
}

/// Checks as much as a quick start allows: everything of a small file, the tables of a large one.
fn check_whole(path: &Path, connection: &Connection, size: u64) -> Result<(), StateError> {
    let fault = |error| classify(path, error);
    if size <= CHECK_BYTES_MAX {
        let verdict: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(fault)?;
        if verdict != "ok" {
            return Err(damaged(path, &verdict));
        }
    }
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM meta", [], |row| row.get(0))
        .map_err(fault)?;
    if rows == 1 {
        Ok(())
    } else {
        Err(damaged(path, "its own description is missing"))
    }
}
