//! The file: whose it is, which version, what is in it.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::fs::TryLockError;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use audit::Head;
use audit::Verifier;
use ledger::LedgerError;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::Options;
use crate::code::from_sql;
use crate::fault::damaged;
use crate::fault::read_fault;
use crate::fault::write_fault;

/// `SIGL`, by which the file is known for a ledger.
const APPLICATION_ID: i32 = 0x5349_474c;
/// The version of the tables below.
const VERSION: i32 = 1;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// `latest_millis` is the latest time of all events up to the row, so that it never falls and moments can be searched for;
/// `backstep_millis` is the most by which any event's time lies before it. The index leaves out the one kind of which nearly
/// every row is: looking for that, reading along the rows is as fast, and writing costs nothing. `taken` has every serial, `serial`
/// is the index of those numbered up to `settled`.
const TABLES: &str = "
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY,
        unix_millis INTEGER NOT NULL,
        latest_millis INTEGER NOT NULL,
        code TEXT NOT NULL,
        user TEXT,
        line TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_by_code ON event (code) WHERE code <> 'SC000I';
    CREATE TABLE taken (number INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;
    CREATE TABLE serial (key BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE certificate (
        number INTEGER PRIMARY KEY,
        authority TEXT NOT NULL,
        form TEXT NOT NULL,
        serial TEXT NOT NULL,
        subject TEXT NOT NULL,
        issuer BLOB NOT NULL,
        not_before INTEGER NOT NULL,
        not_after INTEGER NOT NULL,
        event_uid TEXT NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE revocation (
        number INTEGER PRIMARY KEY,
        authority TEXT NOT NULL,
        serial TEXT NOT NULL,
        revoked_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        not_after INTEGER NOT NULL,
        UNIQUE (authority, serial)
    ) STRICT;
    CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sequence INTEGER NOT NULL,
        hash BLOB NOT NULL,
        serials INTEGER NOT NULL,
        settled INTEGER NOT NULL,
        latest_millis INTEGER NOT NULL,
        backstep_millis INTEGER NOT NULL,
        exported INTEGER NOT NULL
    ) STRICT;
    INSERT INTO head VALUES (1, 0, zeroblob(32), 0, 0, -9223372036854775808, 0, 0);
";

/// Where the ledger stands: the row of `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) head: Head,
    /// How many serials were taken.
    pub(crate) serials: i64,
    /// The number up to which every serial is in the index.
    pub(crate) settled: i64,
    pub(crate) latest_millis: i64,
    pub(crate) backstep_millis: i64,
    /// The last entry whose line is on the disk in the export.
    pub(crate) exported: u64,
}

/// Takes the ledger for this process, until the file is closed.
pub(crate) fn lock(path: &Path) -> Result<File, LedgerError> {
    let lock_path = lock_path(path);
    let unwritable = |error| LedgerError::Unwritable(format!("{}: {error}", lock_path.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let held = format!("another process has {} open; stop it first", path.display());
            Err(LedgerError::Unavailable(held.into()))
        }
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Opens the database for writing, making it when it is not there.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Connection, Last), LedgerError> {
    prepare_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| write_fault(path, &error))?;
    configure(&connection, options).map_err(|error| write_fault(path, &error))?;
    let is_new = is_blank(&connection).map_err(|error| read_fault(path, &error))?;
    if is_new {
        create(&connection).map_err(|error| write_fault(path, &error))?;
    }
    check_identity(&connection, path)?;
    let last = last(&connection, path)?;
    check_last_entry(&connection, path, last.head)?;
    Ok((connection, last))
}

/// Refuses what is no database before SQLite sees it, and closes the file to others.
fn prepare_file(path: &Path) -> Result<(), LedgerError> {
    let unwritable = |error: std::io::Error| LedgerError::Unwritable(format!("{}: {error}", path.display()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    let mut file = file.map_err(unwritable)?;
    let metadata = file.metadata().map_err(unwritable)?;
    if !metadata.is_file() {
        return Err(damaged(path, "it is no regular file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(unwritable)?;
    }
    if metadata.len() == 0 {
        return Ok(());
    }
    let mut first = [0; MAGIC.len()];
    match file.read_exact(&mut first) {
        Ok(()) if first == *MAGIC => Ok(()),
        Ok(()) | Err(_) => Err(damaged(path, "it is no SQLite database")),
    }
}

fn configure(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(options.busy_timeout)?;
    // The journal moves into the database after 32 MiB, so that pages written again and again are moved once.
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -2000;
         PRAGMA foreign_keys = OFF;
         PRAGMA trusted_schema = OFF;",
    )?;
    if let Some(pages_max) = options.pages_max {
        connection.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))?;
    }
    Ok(())
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(
        objects == 0
            && pragma(connection, "application_id")? == 0
            && pragma(connection, "user_version")? == 0,
    )
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// A commit adds some ten thousand bytes to the ends of two tables: pages of 8 KiB take half the system calls of SQLite's usual ones.
///
/// All in one transaction: a crash leaves a blank file or a ledger.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", 8_192)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    debug_assert_eq!(mode, "wal");
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Refuses a database of another program or of a newer version.
pub(crate) fn check_identity(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let read = |name| pragma(connection, name).map_err(|error| read_fault(path, &error));
    let (application, version) = (read("application_id")?, read("user_version")?);
    if application != APPLICATION_ID {
        return Err(LedgerError::Damaged(format!(
            "{} is a SQLite database of another program; move it away, or choose another data directory",
            path.display()
        )));
    }
    if version != VERSION {
        return Err(LedgerError::Damaged(format!(
            "{} was written by another version of Signet (format {version}, this version reads {VERSION}); run that version, \
             or restore a backup from before it ran",
            path.display()
        )));
    }
    Ok(())
}

/// Reads the row of `head`.
pub(crate) fn last(connection: &Connection, path: &Path) -> Result<Last, LedgerError> {
    const SELECT: &str =
        "SELECT sequence, hash, serials, settled, latest_millis, backstep_millis, exported FROM head";
    let read = connection.query_row(SELECT, [], |row| {
        Ok(Last {
            head: Head {
                sequence: from_sql(row.get(0)?),
                hash: row.get(1)?,
            },
            serials: row.get(2)?,
            settled: row.get(3)?,
            latest_millis: row.get(4)?,
            backstep_millis: row.get(5)?,
            exported: from_sql(row.get(6)?),
        })
    });
    match read {
        Ok(last) => Ok(last),
        Err(error) if error.sqlite_error_code().is_some() => Err(read_fault(path, &error)),
        Err(error) => Err(damaged(path, &format!("its head cannot be read ({error})"))),
    }
}

/// The last entry whose line is on the disk in the export.
pub(crate) fn exported(connection: &Connection, path: &Path) -> Result<u64, LedgerError> {
    last(connection, path).map(|last| last.exported)
}

/// Appending to a log whose end is not what was written would bury the evidence.
fn check_last_entry(connection: &Connection, path: &Path, head: Head) -> Result<(), LedgerError> {
    let broken = |what: &str| {
        let text = format!("{what}; `signetd doctor` tells more");
        Err(damaged(path, &text))
    };
    let select = "SELECT sequence, line FROM event ORDER BY sequence DESC LIMIT 2";
    let mut statement = connection
        .prepare(select)
        .map_err(|error| read_fault(path, &error))?;
    let rows = statement.query_map(params![], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    });
    let rows: Vec<(i64, String)> = rows
        .and_then(Iterator::collect)
        .map_err(|error| read_fault(path, &error))?;
    let Some((sequence, line)) = rows.first() else {
        return if head == Head::EMPTY {
            Ok(())
        } else {
            broken("its entries are gone")
        };
    };
    let previous = match rows.get(1) {
        Some((_, line)) => Head::of_line(line.as_bytes()).unwrap_or(Head::EMPTY),
        None => Head::EMPTY,
    };
    let mut verifier = Verifier::new(previous);
    match verifier.check(line) {
        Ok(found) if found == head && from_sql(*sequence) == head.sequence => Ok(()),
        Ok(found) => broken(&format!(
            "its last entry is {}, not the recorded {}",
            found.sequence, head.sequence
        )),
        Err(found) => broken(&format!("its last entry does not fit: {found}")),
    }
}

/// The line of an entry.
pub(crate) fn line(connection: &Connection, sequence: u64) -> rusqlite::Result<Option<String>> {
    let select = "SELECT line FROM event WHERE sequence = ?1";
    connection
        .query_row(select, [crate::code::to_sql(sequence)], |row| row.get(0))
        .optional()
}
