//! The check of the whole log: the database against its chain, the files and the list of revocations against the database, all against
//! a recorded head.

use std::path::Path;

use audit::AuditReport;
use audit::Break;
use audit::BreakKind;
use audit::Head;
use audit::Place;
use audit::Verifier;
use audit::time_text;
use ledger::LedgerError;
use ledger::RevocationCheck;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::Deserialize;

use crate::code::from_sql;
use crate::fault::read_fault;
use crate::query;
use crate::schema;
use crate::verify_files::Files;

/// Checks everything. `export` is the folder and the last entry whose line has to be there.
pub(crate) fn verify(
    connection: &Connection,
    path: &Path,
    export: Option<(&Path, u64)>,
    anchor: Option<Head>,
) -> Result<AuditReport, LedgerError> {
    let fault = |error: rusqlite::Error| read_fault(path, &error);
    // The files are measured before the database is read, so that every line measured is an entry by then.
    let mut files = match export {
        Some((dir, exported)) => Some(Files::list(dir, exported).map_err(|error| unreadable(dir, &error))?),
        None => None,
    };
    let snapshot = connection.unchecked_transaction().map_err(fault)?;
    let last = schema::last(&snapshot, path)?;
    let mut report = AuditReport::new();
    let mut verifier = Verifier::new(Head::EMPTY);
    let mut revocations = RevocationCheck::new(query::every_revocation(&snapshot, path)?);
    let mut anchored = None;
    let select = "SELECT sequence, line, code, user, unix_millis FROM event ORDER BY sequence";
    let mut statement = snapshot.prepare(select).map_err(fault)?;
    let mut rows = statement.query([]).map_err(fault)?;
    while let Some(row) = rows.next().map_err(fault)? {
        let line = bytes(row, 1).map_err(fault)?;
        let is_sound = check_row(row, line, &mut verifier, &mut report).map_err(fault)?;
        revocations.note(verifier.head.sequence, line);
        if anchor.is_some_and(|anchor| anchor.sequence == verifier.head.sequence) {
            anchored = Head::of_line(line);
        }
        if let Some(files) = &mut files {
            files
                .compare(verifier.head.sequence, line, is_sound, &mut report)
                .map_err(|error| unreadable(path, &error))?;
        }
    }
    if let Err(found) = verifier.finish(last.head) {
        report.add(Place::Ledger, found);
    }
    report.head = verifier.head;
    revocations.finish(&mut report);
    if let Some(files) = files {
        files
            .finish(verifier.head.sequence, &mut report)
            .map_err(|error| unreadable(path, &error))?;
    }
    if let Some(anchor) = anchor {
        report.compare_anchor(anchor, anchored);
    }
    Ok(report)
}

fn unreadable(path: &Path, error: &std::io::Error) -> LedgerError {
    LedgerError::Unavailable(format!("{}: {error}", path.display()).into())
}

/// Checks one entry; whether it is what was written.
fn check_row(
    row: &Row<'_>,
    line: &[u8],
    verifier: &mut Verifier,
    report: &mut AuditReport,
) -> rusqlite::Result<bool> {
    report.entries += 1;
    let sequence = from_sql(row.get(0)?);
    if let Err(found) = verifier.check(line) {
        let is_edited = found.kind == BreakKind::Edited;
        report.add(Place::Ledger, found);
        verifier.skip(line);
        return Ok(!is_edited);
    }
    // Queries go by the columns, so a column that was edited hides an entry.
    if sequence != verifier.head.sequence || !agree(row, line)? {
        let reason = "the columns it is found by do not say what its line says".to_owned();
        report.add(
            Place::Ledger,
            Break {
                sequence: verifier.head.sequence,
                kind: BreakKind::Edited,
                reason,
            },
        );
    }
    Ok(true)
}

/// The fields of a line that queries go by.
#[derive(Deserialize)]
struct Indexed {
    code: String,
    user: Option<String>,
    time: String,
}

fn agree(row: &Row<'_>, line: &[u8]) -> rusqlite::Result<bool> {
    let Ok(Indexed { code, user, time }) = serde_json::from_slice(line) else {
        return Ok(false);
    };
    let user_column = if row.get_ref(3)? == ValueRef::Null {
        None
    } else {
        Some(bytes(row, 3)?)
    };
    let time_column = row.get::<_, i64>(4).map(time_text);
    Ok(bytes(row, 2)? == code.as_bytes()
        && user_column == user.as_deref().map(str::as_bytes)
        && time_column.is_ok_and(|column| column == time))
}

/// A text column, which may hold anything after an edit.
fn bytes<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => b"",
    })
}
