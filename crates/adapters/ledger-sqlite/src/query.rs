//! What is read, and how it is found.

use std::collections::BTreeSet;
use std::path::Path;

use audit::CATALOGUE;
use audit::Entry;
use audit::Head;
use authority::AuthorityType;
use authority::KeyForm;
use key::SpkiSha256;
use ledger::CertificateQuery;
use ledger::EventQuery;
use ledger::IssuedCertificate;
use ledger::LedgerError;
use ledger::Revoked;
use ledger::page_size;
use names::UnixSeconds;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::code::from_sql;
use crate::code::millis;
use crate::code::serial_key;
use crate::code::to_sql;
use crate::fault::damaged;
use crate::fault::read_fault;
use crate::schema;

/// The kind of which nearly every row is; the index leaves it out.
const COMMON_CODE: &str = "SC000I";

pub(crate) fn events(
    connection: &Connection,
    path: &Path,
    query: &EventQuery,
) -> Result<Vec<Entry>, LedgerError> {
    let fault = |error: rusqlite::Error| read_fault(path, &error);
    // Bounds and rows of one moment.
    let snapshot = connection.unchecked_transaction().map_err(fault)?;
    let (sql, values) = event_select(&snapshot, path, query)?;
    let mut statement = snapshot.prepare_cached(&sql).map_err(fault)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(fault)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        entries.push(entry(row, path)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>, path: &Path) -> Result<Entry, LedgerError> {
    let (sequence, line): (i64, String) = (row.get(0), row.get(1))
        .pair()
        .map_err(|error| read_fault(path, &error))?;
    let sequence = from_sql(sequence);
    match Head::of_line(line.as_bytes()) {
        Some(head) if head.sequence == sequence => Ok(Entry { head, line }),
        Some(_) | None => Err(damaged(
            path,
            &format!("entry {sequence} is no line of a log; `signetctl audit verify` tells more"),
        )),
    }
}

/// Two results as one.
trait Pair<A, B, E> {
    fn pair(self) -> Result<(A, B), E>;
}

impl<A, B, E> Pair<A, B, E> for (Result<A, E>, Result<B, E>) {
    fn pair(self) -> Result<(A, B), E> {
        Ok((self.0?, self.1?))
    }
}

fn event_select(
    snapshot: &Connection,
    path: &Path,
    query: &EventQuery,
) -> Result<(String, Vec<Value>), LedgerError> {
    let EventQuery {
        after,
        limit,
        kinds,
        user,
        since,
        until,
        newest_first,
    } = query;
    let mut sql = "SELECT sequence, line FROM event WHERE 1".to_owned();
    let mut values = Vec::new();
    let mut and = |condition: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(after) = after {
        and(
            if *newest_first {
                "sequence < ?"
            } else {
                "sequence > ?"
            },
            to_sql(*after).into(),
        );
    }
    if since.is_some() || until.is_some() {
        let last = schema::last(snapshot, path)?;
        if let Some(since) = since.map(millis) {
            and(
                "sequence >= ?",
                first_at(snapshot, path, last.head.sequence, since)?.into(),
            );
            and("unix_millis >= ?", since.into());
        }
        if let Some(until) = until.map(millis) {
            // From the first entry after which no clock went back so far, none is before `until`.
            let settled = until.saturating_add(last.backstep_millis);
            and(
                "sequence < ?",
                first_at(snapshot, path, last.head.sequence, settled)?.into(),
            );
            and("unix_millis < ?", until.into());
        }
    }
    if let Some(user) = user {
        and("user = ?", user.clone().into());
    }
    if !kinds.is_empty() {
        let codes = codes(kinds);
        if !codes.contains(COMMON_CODE) {
            sql.push_str(" AND code <> 'SC000I'");
        }
        sql.push_str(" AND code IN (");
        sql.push_str(&vec!["?"; codes.len()].join(","));
        sql.push(')');
        values.extend(codes.into_iter().map(|code| Value::from(code.to_owned())));
    }
    sql.push_str(if *newest_first {
        " ORDER BY sequence DESC LIMIT ?"
    } else {
        " ORDER BY sequence LIMIT ?"
    });
    values.push(i64::try_from(page_size(*limit)).unwrap_or(i64::MAX).into());
    Ok((sql, values))
}

/// The codes of kinds given by name or code.
fn codes(kinds: &[String]) -> BTreeSet<&str> {
    let mut codes: BTreeSet<&str> = kinds.iter().map(String::as_str).collect();
    for kind in CATALOGUE
        .iter()
        .filter(|known| kinds.iter().any(|kind| kind == known.name))
    {
        codes.extend(kind.codes);
    }
    codes
}

/// The first entry up to which some event's time reached a moment; one beyond the last when none did. Entries are numbered
/// without gaps and `latest_millis` never falls, so halving finds it.
fn first_at(snapshot: &Connection, path: &Path, last: u64, unix_millis: i64) -> Result<i64, LedgerError> {
    let fault = |error: rusqlite::Error| read_fault(path, &error);
    let select = "SELECT latest_millis FROM event WHERE sequence = ?1";
    let mut statement = snapshot.prepare_cached(select).map_err(fault)?;
    let (mut low, mut high) = (1, to_sql(last).saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let latest: Option<i64> = statement
            .query_row([middle], |row| row.get(0))
            .optional()
            .map_err(fault)?;
        let Some(latest) = latest else {
            return Err(damaged(
                path,
                &format!("entry {middle} is missing; `signetctl audit verify` tells more"),
            ));
        };
        if latest < unix_millis {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

pub(crate) fn certificates(
    connection: &Connection,
    path: &Path,
    query: &CertificateQuery,
) -> Result<Vec<IssuedCertificate>, LedgerError> {
    let fault = |error: rusqlite::Error| read_fault(path, &error);
    let CertificateQuery {
        authority,
        issuer,
        unexpired_at,
        serial,
        subject,
        offset,
        limit,
    } = query;
    let snapshot = connection.unchecked_transaction().map_err(fault)?;
    let mut sql = "SELECT authority, form, serial, subject, issuer, not_before, not_after, event_uid, bytes \
                   FROM certificate WHERE 1"
        .to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(authority) = authority {
        and("authority = ?", authority.as_str().to_owned().into());
    }
    if let Some(issuer) = issuer {
        and("issuer = ?", issuer.0.to_vec().into());
    }
    if let Some(moment) = unexpired_at {
        and("not_after > ?", moment.0.into());
    }
    if let Some(subject) = subject {
        and("subject = ?", subject.clone().into());
    }
    if let Some(serial) = serial {
        let numbers = numbers(&snapshot, *authority, serial).map_err(fault)?;
        let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
        sql.push_str(&format!(" AND number IN ({})", numbers.join(",")));
    }
    sql.push_str(" ORDER BY number DESC LIMIT ? OFFSET ?");
    values.push(i64::try_from(page_size(*limit)).unwrap_or(i64::MAX).into());
    values.push(i64::try_from(*offset).unwrap_or(i64::MAX).into());

    let mut statement = snapshot.prepare_cached(&sql).map_err(fault)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(fault)?;
    let mut certificates = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        certificates.push(certificate(row).map_err(|error| match error.sqlite_error_code() {
            Some(_) => fault(error),
            None => damaged(path, &format!("a certificate cannot be read ({error})")),
        })?);
    }
    Ok(certificates)
}

/// The numbers under which a serial was taken, by one authority or by any.
fn numbers(
    snapshot: &Connection,
    authority: Option<AuthorityType>,
    serial: &str,
) -> rusqlite::Result<Vec<i64>> {
    let authorities = AuthorityType::ALL
        .into_iter()
        .filter(|one| authority.is_none_or(|wanted| wanted == *one));
    let forms = [KeyForm::Ssh, KeyForm::Tls, KeyForm::Jwt];
    let keys: Vec<Vec<u8>> = authorities
        .flat_map(|one| forms.map(|form| serial_key(one, form, serial)))
        .collect();
    let marks = vec!["?"; keys.len()].join(",");
    let select = format!(
        "SELECT number FROM serial WHERE key IN ({marks}) UNION \
         SELECT number FROM taken WHERE number > (SELECT settled FROM head) AND key IN ({marks})"
    );
    let mut statement = snapshot.prepare_cached(&select)?;
    let rows = statement.query_map(params_from_iter(keys.iter().chain(&keys)), |row| row.get(0))?;
    rows.collect()
}

fn certificate(row: &Row<'_>) -> rusqlite::Result<IssuedCertificate> {
    Ok(IssuedCertificate {
        authority: word(row, 0)?,
        form: word(row, 1)?,
        serial: row.get(2)?,
        subject: row.get(3)?,
        issuer_spki_sha256: SpkiSha256(row.get(4)?),
        not_before: UnixSeconds(row.get(5)?),
        not_after: UnixSeconds(row.get(6)?),
        event_uid: row.get(7)?,
        bytes: row.get(8)?,
    })
}

fn word<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(crate) fn revocations(
    connection: &Connection,
    path: &Path,
    authority: AuthorityType,
    unexpired_at: UnixSeconds,
) -> Result<Vec<Revoked>, LedgerError> {
    let fault = |error: rusqlite::Error| read_fault(path, &error);
    let select = "SELECT serial, revoked_at, reason, not_after FROM revocation \
                  WHERE authority = ?1 AND not_after > ?2 ORDER BY number";
    let mut statement = connection.prepare_cached(select).map_err(fault)?;
    let revoked = |row: &Row<'_>| {
        Ok(Revoked {
            serial: row.get(0)?,
            revoked_at: UnixSeconds(row.get(1)?),
            reason: row.get(2)?,
            not_after: UnixSeconds(row.get(3)?),
        })
    };
    let rows = statement
        .query_map(params![authority.as_str(), unexpired_at.0], revoked)
        .map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}

/// The revocations of every authority, those of expired certificates included.
pub(crate) fn every_revocation(
    connection: &Connection,
    path: &Path,
) -> Result<Vec<(AuthorityType, Revoked)>, LedgerError> {
    let select = "SELECT authority, serial, revoked_at, reason, not_after FROM revocation ORDER BY number";
    let revoked = |row: &Row<'_>| {
        let [revoked_at, not_after] = [row.get(2)?, row.get(4)?].map(UnixSeconds);
        Ok((
            word(row, 0)?,
            Revoked {
                serial: row.get(1)?,
                revoked_at,
                reason: row.get(3)?,
                not_after,
            },
        ))
    };
    let mut statement = connection
        .prepare(select)
        .map_err(|error| read_fault(path, &error))?;
    let rows = statement
        .query_map([], revoked)
        .map_err(|error| read_fault(path, &error))?;
    rows.collect::<rusqlite::Result<_>>()
        .map_err(|error| match error.sqlite_error_code() {
            Some(_) => read_fault(path, &error),
            None => damaged(path, &format!("a revocation cannot be read ({error})")),
        })
}
