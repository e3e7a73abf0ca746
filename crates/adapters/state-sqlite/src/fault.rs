use std::path::Path;

use rusqlite::Error;
use rusqlite::ErrorCode;
use state::StateError;

/// What to do about a damaged file.
const RESTORE: &str = "stop, keep a copy of the file, and restore it from a backup";

/// Says which kind of trouble an error of SQLite is.
pub(crate) fn classify(path: &Path, error: Error) -> StateError {
    let Some(code) = error.sqlite_error_code() else {
        // A column of another type, a row that is not there: the tables are not as we made them.
        return damaged(path, &error.to_string());
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "codes of a library; what is not listed may pass"
    )]
    match code {
        ErrorCode::DiskFull
        | ErrorCode::ReadOnly
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::AuthorizationForStatementDenied
        | ErrorCode::FileLockingProtocolFailed => unwritable(path, &error.to_string()),
        ErrorCode::SystemIoFailure if is_write(&error) => unwritable(path, &error.to_string()),
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::SchemaChanged
        | ErrorCode::TypeMismatch
        | ErrorCode::ConstraintViolation => damaged(path, &error.to_string()),
        ErrorCode::Unknown if error.sqlite_error().is_some_and(|error| error.extended_code == 1) => {
            // SQLITE_ERROR: a statement of ours does not fit the tables.
            damaged(path, &error.to_string())
        }
        _ => StateError::Unavailable(Box::new(error)),
    }
}

pub(crate) fn damaged(path: &Path, reason: &str) -> StateError {
    StateError::Damaged(format!("{}: {reason}; {RESTORE}", path.display()))
}

pub(crate) fn unwritable(path: &Path, reason: &str) -> StateError {
    StateError::Unwritable(format!("{}: {reason}", path.display()))
}

/// Whether an input or output error came from writing, flushing or truncating.
fn is_write(error: &Error) -> bool {
    use rusqlite::ffi;
    let write_codes = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMOPEN,
    ];
    error
        .sqlite_error()
        .is_some_and(|error| write_codes.contains(&error.extended_code))
}
