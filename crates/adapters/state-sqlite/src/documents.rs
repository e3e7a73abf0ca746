use names::UnixSeconds;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::types::Type;
use state::Change;
use state::Changed;
use state::Entry;
use state::Expect;
use state::PAGE_MAX;
use state::Page;
use state::Revision;
use state::StateKey;
use state::WRITES_MAX;
use state::Write;

type Result<T> = rusqlite::Result<T>;

/// The store's revision.
pub(crate) fn revision(connection: &Connection) -> Result<Revision> {
    Ok(meta(connection)?.0)
}

/// The store's revision, and the revision up to which removed documents may be forgotten.
fn meta(connection: &Connection) -> Result<(Revision, Revision)> {
    let mut statement = connection.prepare_cached("SELECT revision, compacted FROM meta")?;
    statement.query_row([], |row| Ok((revision_in(row, 0)?, revision_in(row, 1)?)))
}

/// One document.
pub(crate) fn get(connection: &Connection, key: &StateKey, now: UnixSeconds) -> Result<Option<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT path, value, revision, expires FROM document
         WHERE path = :path AND value IS NOT NULL AND (expires IS NULL OR expires > :now)",
    )?;
    statement
        .query_row(named_params! {":path": key.as_str(), ":now": now.0}, entry)
        .optional()
}

/// Documents of one moment, in the order asked for.
pub(crate) fn get_all(
    connection: &mut Connection,
    keys: &[StateKey],
    now: UnixSeconds,
) -> Result<Vec<Option<Entry>>> {
    let snapshot = connection.transaction()?;
    keys.iter().map(|key| get(&snapshot, key, now)).collect()
}

/// A page of a folder.
pub(crate) fn list(
    connection: &mut Connection,
    folder: &str,
    after: Option<&StateKey>,
    limit: usize,
    now: UnixSeconds,
) -> Result<Page> {
    let limit = limit.clamp(1, PAGE_MAX);
    let (first, end) = bounds(folder);
    let start = after.map_or(first.as_str(), |after| after.as_str().max(&first));
    // Entries and revision of one moment.
    let snapshot = connection.transaction()?;
    let mut entries: Vec<Entry> = {
        let mut statement = snapshot.prepare_cached(
            "SELECT path, value, revision, expires FROM document
             WHERE path > :start AND path < :end
               AND value IS NOT NULL AND (expires IS NULL OR expires > :now)
             ORDER BY path LIMIT :limit",
        )?;
        let limit = as_i64(limit.saturating_add(1));
        let found = statement.query_map(
            named_params! {":start": start, ":end": end, ":now": now.0, ":limit": limit},
            entry,
        )?;
        found.collect::<Result<_>>()?
    };
    let revision = revision(&snapshot)?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|entry| entry.key.clone());
    Ok(Page {
        entries,
        next,
        revision,
    })
}

/// What changed in a folder; `None` when that far back is forgotten.
pub(crate) fn changes(
    connection: &mut Connection,
    folder: &str,
    after: Revision,
    limit: usize,
) -> Result<Option<Vec<Changed>>> {
    let limit = limit.clamp(1, PAGE_MAX);
    let (first, end) = bounds(folder);
    let snapshot = connection.transaction()?;
    let (_, compacted) = meta(&snapshot)?;
    if after < compacted {
        return Ok(None);
    }
    let mut statement = snapshot.prepare_cached(
        "SELECT path, revision, is_deleted FROM document
         WHERE revision > :after AND path > :first AND path < :end
         ORDER BY revision, path LIMIT :limit",
    )?;
    // Enough to finish the last commit, however large.
    let parameters = named_params! {
        ":after": number(after), ":first": first, ":end": end, ":limit": as_i64(limit + WRITES_MAX),
    };
    let found = statement.query_map(parameters, |row| {
        Ok(Changed {
            key: key_in(row, 0)?,
            revision: revision_in(row, 1)?,
            is_deleted: row.get(2)?,
        })
    })?;
    let mut found: Vec<Changed> = found.collect::<Result<_>>()?;
    if let Some(last) = found.get(limit - 1).map(|changed| changed.revision) {
        found.retain(|changed| changed.revision <= last);
    }
    Ok(Some(found))
}

/// The first document whose expectation does not hold.
pub(crate) fn conflict(
    connection: &Connection,
    writes: &[Write],
    now: UnixSeconds,
) -> Result<Option<StateKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision FROM document
         WHERE path = :path AND value IS NOT NULL AND (expires IS NULL OR expires > :now)",
    )?;
    for Write {
        key,
        expect,
        change: _,
    } in writes
    {
        let found = statement
            .query_row(named_params! {":path": key.as_str(), ":now": now.0}, |row| {
                revision_in(row, 0)
            })
            .optional()?;
        let is_met = match expect {
            Expect::Absent => found.is_none(),
            Expect::At(revision) => found == Some(*revision),
            Expect::Anything => true,
        };
        if !is_met {
            return Ok(Some(key.clone()));
        }
    }
    Ok(None)
}

/// Does all the writes, which were checked, inside the caller's transaction.
pub(crate) fn apply(connection: &Connection, writes: &[Write], now: UnixSeconds) -> Result<Revision> {
    let revision = Revision(revision(connection)?.0.saturating_add(1));
    for Write {
        key,
        expect: _,
        change,
    } in writes
    {
        match change {
            Change::Put { value, expires } => {
                connection
                    .prepare_cached(
                        "INSERT INTO document (path, revision, value, expires, is_deleted)
                         VALUES (:path, :revision, :value, :expires, 0)
                         ON CONFLICT (path) DO UPDATE SET
                           revision = excluded.revision, value = excluded.value,
                           expires = excluded.expires, is_deleted = 0",
                    )?
                    .execute(named_params! {
                        ":path": key.as_str(), ":revision": number(revision),
                        ":value": value, ":expires": expires.map(|moment| moment.0),
                    })?;
            }
            Change::Delete => {
                connection
                    .prepare_cached(
                        "UPDATE document
                         SET revision = :revision, value = NULL, expires = NULL, is_deleted = 1
                         WHERE path = :path AND value IS NOT NULL AND (expires IS NULL OR expires > :now)",
                    )?
                    .execute(named_params! {
                        ":path": key.as_str(), ":revision": number(revision), ":now": now.0,
                    })?;
            }
            Change::Keep => {}
        }
    }
    connection
        .prepare_cached("UPDATE meta SET revision = ?1")?
        .execute([number(revision)])?;
    Ok(revision)
}

/// Drops the values of expired documents, and forgets the oldest documents gone.
pub(crate) fn sweep(connection: &Connection, now: UnixSeconds, history_max: usize) -> Result<()> {
    connection
        .prepare_cached("UPDATE document SET value = NULL, expires = NULL WHERE expires <= ?1")?
        .execute([now.0])?;
    let gone: i64 = connection
        .prepare_cached("SELECT count(*) FROM document INDEXED BY document_gone WHERE value IS NULL")?
        .query_row([], |row| row.get(0))?;
    let surplus = gone - as_i64(history_max);
    if surplus <= 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE meta SET compacted = max(compacted, (
               SELECT max(revision) FROM (
                 SELECT revision FROM document WHERE value IS NULL ORDER BY revision LIMIT ?1)))",
        )?
        .execute([surplus])?;
    // A commit is forgotten as a whole.
    connection
        .prepare_cached(
            "DELETE FROM document WHERE value IS NULL AND revision <= (SELECT compacted FROM meta)",
        )?
        .execute([])?;
    Ok(())
}

/// Between which paths the documents of a folder lie, both exclusive. No path has a character beyond `z`, and `0` follows `/`.
fn bounds(folder: &str) -> (String, String) {
    if folder.is_empty() {
        (String::new(), "~".to_owned())
    } else {
        (format!("{folder}/"), format!("{folder}0"))
    }
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    let expires: Option<i64> = row.get(3)?;
    Ok(Entry {
        key: key_in(row, 0)?,
        value: row.get(1)?,
        revision: revision_in(row, 2)?,
        expires: expires.map(UnixSeconds),
    })
}

fn key_in(row: &Row<'_>, column: usize) -> Result<StateKey> {
    let path: String = row.get(column)?;
    StateKey::parse(&path)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn revision_in(row: &Row<'_>, column: usize) -> Result<Revision> {
    let number: i64 = row.get(column)?;
    u64::try_from(number)
        .map(Revision)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// Revisions are counted up from 0 and never come near the end.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
