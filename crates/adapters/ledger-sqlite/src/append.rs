//! One append inside a transaction of many.

use audit::Entry;
use audit::Envelope;
use audit::seal;
use authority::AuthorityType;
use authority::KeyForm;
use ledger::IssuedCertificate;
use ledger::LedgerError;
use ledger::Record;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Statement;
use rusqlite::params;

use crate::code::serial_key;
use crate::code::to_sql;
use crate::schema::Last;

/// Every statement of the writer, prepared once.
pub(crate) struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    mark: Statement<'c>,
    back_to_mark: Statement<'c>,
    forget_mark: Statement<'c>,
    event: Statement<'c>,
    serial: Statement<'c>,
    number: Statement<'c>,
    certificate: Statement<'c>,
    revocation: Statement<'c>,
    head: Statement<'c>,
}

/// Why an append did not happen.
pub(crate) enum Stop {
    /// It is refused; the transaction goes on without it.
    Refused(LedgerError),
    /// The database failed; the transaction cannot go on.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl<'c> Statements<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            mark: connection.prepare("SAVEPOINT one")?,
            back_to_mark: connection.prepare("ROLLBACK TO one")?,
            forget_mark: connection.prepare("RELEASE one")?,
            event: connection.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            serial: connection.prepare("INSERT OR IGNORE INTO serial VALUES (?1, ?2)")?,
            number: connection.prepare("SELECT number FROM serial WHERE key = ?1")?,
            certificate: connection.prepare("INSERT OR IGNORE INTO certificate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?,
            revocation: connection.prepare(
                "INSERT OR IGNORE INTO revocation (authority, serial, revoked_at, reason, not_after) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            head: connection.prepare(
                "UPDATE head SET sequence = ?1, hash = ?2, serials = ?3, latest_millis = ?4, backstep_millis = ?5, exported = ?6",
            )?,
        })
    }

    pub(crate) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.execute([]).map(drop)
    }

    /// Saves where the ledger stands, and commits.
    pub(crate) fn commit(&mut self, last: &Last) -> rusqlite::Result<()> {
        let Last { head, serials, latest_millis, backstep_millis, exported } = last;
        let (sequence, exported) = (to_sql(head.sequence), to_sql(*exported));
        self.head.execute(params![sequence, head.hash, serials, latest_millis, backstep_millis, exported])?;
        self.commit.execute([]).map(drop)
    }

    pub(crate) fn rollback(&mut self) {
        // SQLite may have rolled back by itself, which makes this an error of no interest.
        drop(self.rollback.execute([]));
    }

    /// Adds one append to the transaction: `last` moves and `entries` grow, or neither.
    pub(crate) fn append(&mut self, records: &[Record], last: &mut Last, entries: &mut Vec<Entry>) -> Result<(), Stop> {
        let first = entries.len();
        let mut next = *last;
        let result = seal_all(records, &mut next, entries)
            .and_then(|()| self.write_refusable(records, &mut next))
            .and_then(|()| self.write_rest(records, last.latest_millis, entries.get(first..).unwrap_or_default()));
        match result {
            Ok(()) => *last = next,
            Err(_) => entries.truncate(first),
        }
        result
    }

    /// Writes what can be refused, all or nothing. A single record needs no mark to go back to.
    fn write_refusable(&mut self, records: &[Record], next: &mut Last) -> Result<(), Stop> {
        let is_refusable = |record: &&Record| matches!(record, Record::Serial { .. } | Record::Certificate(_));
        let is_marked = records.iter().filter(is_refusable).count() > 1;
        if is_marked {
            self.mark.execute([])?;
        }
        let result = records.iter().try_for_each(|record| match record {
            Record::Serial { authority, form, serial } => self.take_serial(*authority, *form, serial, next),
            Record::Certificate(certificate) => self.write_certificate(certificate),
            Record::Event(_) | Record::Revocation { .. } => Ok(()),
        });
        if is_marked {
            if matches!(result, Err(Stop::Refused(_))) {
                self.back_to_mark.execute([])?;
            }
            self.forget_mark.execute([])?;
        }
        result
    }

    fn take_serial(&mut self, authority: AuthorityType, form: KeyForm, serial: &str, next: &mut Last) -> Result<(), Stop> {
        let number = next.serials.saturating_add(1);
        if self.serial.execute(params![serial_key(authority, form, serial), number])? == 0 {
            return Err(Stop::Refused(LedgerError::SerialTaken { authority, serial: serial.to_owned() }));
        }
        next.serials = number;
        Ok(())
    }

    fn write_certificate(&mut self, certificate: &IssuedCertificate) -> Result<(), Stop> {
        let IssuedCertificate { authority, form, serial, subject, issuer_spki_sha256, not_before, not_after, event_uid, bytes } =
            certificate;
        let key = serial_key(*authority, *form, serial);
        let number: Option<i64> = self.number.query_row([key], |row| row.get(0)).optional()?;
        let Some(number) = number else {
            return Err(Stop::Refused(LedgerError::Malformed("a certificate's serial was not taken before")));
        };
        let written = self.certificate.execute(params![
            number,
            authority.as_str(),
            form.as_str(),
            serial,
            subject,
            issuer_spki_sha256.0,
            not_before.0,
            not_after.0,
            event_uid,
            bytes
        ])?;
        if written == 0 {
            return Err(Stop::Refused(LedgerError::Malformed("a certificate with this serial is recorded already")));
        }
        Ok(())
    }

    /// Writes what cannot be refused.
    fn write_rest(&mut self, records: &[Record], mut latest_millis: i64, entries: &[Entry]) -> Result<(), Stop> {
        let mut entries = entries.iter();
        for record in records {
            match record {
                Record::Event(envelope) => {
                    let Some(Entry { head, line }) = entries.next() else { continue };
                    let Envelope { unix_millis, actor, event, .. } = envelope.as_ref();
                    latest_millis = latest_millis.max(*unix_millis);
                    let sequence = to_sql(head.sequence);
                    self.event.execute(params![sequence, unix_millis, latest_millis, event.code(), actor.user(), line])?;
                }
                Record::Revocation { authority, serial, revoked_at, reason, not_after } => {
                    self.revocation.execute(params![authority.as_str(), serial, revoked_at.0, reason, not_after.0])?;
                }
                Record::Serial { .. } | Record::Certificate(_) => {}
            }
        }
        Ok(())
    }
}

/// Gives every event its place. Nothing is written yet.
fn seal_all(records: &[Record], next: &mut Last, entries: &mut Vec<Entry>) -> Result<(), Stop> {
    for record in records {
        if let Record::Event(envelope) = record {
            let too_large = |_| Stop::Refused(LedgerError::Malformed("an event's line is longer than 65,536 bytes"));
            let entry = seal(envelope, next.head).map_err(too_large)?;
            next.head = entry.head;
            next.latest_millis = next.latest_millis.max(envelope.unix_millis);
            let backstep = next.latest_millis.saturating_sub(envelope.unix_millis);
            next.backstep_millis = next.backstep_millis.max(backstep);
            entries.push(entry);
        }
    }
    Ok(())
}
