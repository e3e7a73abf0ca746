//! What SQLite's errors mean to whoever appends and reads.

use std::path::Path;

use ledger::LedgerError;
use rusqlite::ErrorCode;

/// An error of a write: nothing was written.
pub(crate) fn write_fault(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let is_refused = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
        )
    );
    if is_refused {
        LedgerError::Unwritable(format!("{}: {error}", path.display()))
    } else {
        read_fault(path, error)
    }
}

/// An error of a read.
pub(crate) fn read_fault(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let code = error.sqlite_error_code();
    // Our statements are right for our tables, so an error in one of them says that the tables are others.
    if matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
    ) {
        return damaged(path, &error.to_string());
    }
    let advice = match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another program holds it, such as a backup"
        }
        Some(_) | None => "",
    };
    LedgerError::Unavailable(format!("{}: {error}{advice}", path.display()).into())
}

/// The file holds what no ledger holds.
pub(crate) fn damaged(path: &Path, what: &str) -> LedgerError {
    LedgerError::Damaged(format!(
        "{} is damaged: {what}; stop the service, keep the file for examination and restore it from a backup",
        path.display()
    ))
}

/// Whether the disk may hold something else than the database believes, so that nothing more may be written until it is opened anew.
pub(crate) fn is_flush_failure(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        extended,
        Some(rusqlite::ffi::SQLITE_IOERR_FSYNC | rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}
