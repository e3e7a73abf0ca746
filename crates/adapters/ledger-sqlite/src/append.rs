//! One append inside a transaction of many: first everything that can be refused is decided, then everything is written.

use audit::Entry;
use audit::Envelope;
use audit::seal;
use authority::AuthorityType;
use authority::KeyForm;
use ledger::IssuedCertificate;
use ledger::LedgerError;
use ledger::Record;
use rusqlite::Connection;
use rusqlite::Statement;
use rusqlite::params;

use crate::code::serial_key;
use crate::code::to_sql;
use crate::schema::Last;
use crate::serials::Serials;
use crate::serials::Taken;

/// Every statement of the writer, prepared once, and what it knows without asking the database.
pub(crate) struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    event: Statement<'c>,
    has_certificate: Statement<'c>,
    certificate: Statement<'c>,
    revocation: Statement<'c>,
    head: Statement<'c>,
    serials: Serials<'c>,
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

/// What will be written of a record.
enum Planned<'r> {
    Event {
        entry: Entry,
        envelope: &'r Envelope,
        latest_millis: i64,
    },
    Serial {
        key: Vec<u8>,
        number: i64,
    },
    Certificate {
        certificate: &'r IssuedCertificate,
        key: Vec<u8>,
        number: i64,
    },
    /// What cannot be refused is written as it is.
    Revocation(&'r Record),
}

impl<'c> Statements<'c> {
    pub(crate) fn prepare(connection: &'c Connection, last: &Last) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            event: connection.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            has_certificate: connection.prepare("SELECT 1 FROM certificate WHERE number = ?1")?,
            certificate: connection
                .prepare("INSERT INTO certificate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?,
            revocation: connection.prepare(
                "INSERT OR IGNORE INTO revocation (authority, serial, revoked_at, reason, not_after) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            head: connection.prepare(
                "UPDATE head SET sequence = ?1, hash = ?2, serials = ?3, settled = ?4, latest_millis = ?5, \
                 backstep_millis = ?6, exported = ?7",
            )?,
            serials: Serials::load(connection, last.settled)?,
        })
    }

    pub(crate) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.execute([]).map(drop)
    }

    /// Saves where the ledger stands, and commits.
    pub(crate) fn commit(&mut self, last: &mut Last) -> rusqlite::Result<()> {
        if let Some(settled) = self.serials.settle()? {
            last.settled = settled;
        }
        let Last {
            head,
            serials,
            settled,
            latest_millis,
            backstep_millis,
            exported,
        } = &*last;
        let (sequence, exported) = (to_sql(head.sequence), to_sql(*exported));
        self.head.execute(params![
            sequence,
            head.hash,
            serials,
            settled,
            latest_millis,
            backstep_millis,
            exported
        ])?;
        self.commit.execute([])?;
        self.serials.committed();
        Ok(())
    }

    /// Undoes everything since [`Statements::begin`], where the ledger stood at `last`.
    pub(crate) fn rollback(&mut self, last: &Last) {
        // SQLite may have rolled back by itself, which makes this an error of no interest.
        drop(self.rollback.execute([]));
        self.serials.rolled_back(last.serials);
    }

    /// Adds one append to the transaction: `last` moves and `entries` grow, or, when it is refused, neither.
    pub(crate) fn append(
        &mut self,
        records: &[Record],
        last: &mut Last,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Stop> {
        let mut next = *last;
        let mut plan = Vec::with_capacity(records.len());
        for record in records {
            let planned = self.decide(record, &plan, &mut next)?;
            plan.push(planned);
        }
        for planned in plan {
            self.write(planned, entries)?;
        }
        *last = next;
        Ok(())
    }

    /// Decides what becomes of a record after those planned before it. Writes nothing.
    fn decide<'r>(
        &mut self,
        record: &'r Record,
        plan: &[Planned<'_>],
        next: &mut Last,
    ) -> Result<Planned<'r>, Stop> {
        match record {
            Record::Event(envelope) => place(envelope, next),
            Record::Serial {
                authority,
                form,
                serial,
            } => self.reserve(*authority, *form, serial, plan, next),
            Record::Certificate(certificate) => self.match_serial(certificate, plan),
            Record::Revocation { .. } => Ok(Planned::Revocation(record)),
        }
    }

    fn reserve<'r>(
        &mut self,
        authority: AuthorityType,
        form: KeyForm,
        serial: &str,
        plan: &[Planned<'_>],
        next: &mut Last,
    ) -> Result<Planned<'r>, Stop> {
        let key = serial_key(authority, form, serial);
        if planned_number(plan, &key).is_some() || self.serials.find(&key)?.is_some() {
            return Err(Stop::Refused(LedgerError::SerialTaken {
                authority,
                serial: serial.to_owned(),
            }));
        }
        next.serials = next.serials.saturating_add(1);
        Ok(Planned::Serial {
            key,
            number: next.serials,
        })
    }

    fn match_serial<'r>(
        &mut self,
        certificate: &'r IssuedCertificate,
        plan: &[Planned<'_>],
    ) -> Result<Planned<'r>, Stop> {
        let key = serial_key(certificate.authority, certificate.form, &certificate.serial);
        let taken = match planned_number(plan, &key) {
            Some(number) => Some(Taken {
                number,
                is_unused: true,
            }),
            None => self.serials.find(&key)?,
        };
        let Some(Taken { number, is_unused }) = taken else {
            return Err(Stop::Refused(LedgerError::Malformed(
                "a certificate's serial was not taken before",
            )));
        };
        let is_same = |planned: &Planned<'_>| matches!(planned, Planned::Certificate { number: other, .. } if *other == number);
        if plan.iter().any(is_same) || (!is_unused && self.has_certificate.exists([number])?) {
            return Err(Stop::Refused(LedgerError::Malformed(
                "a certificate with this serial is recorded already",
            )));
        }
        Ok(Planned::Certificate {
            certificate,
            key,
            number,
        })
    }

    fn write(&mut self, planned: Planned<'_>, entries: &mut Vec<Entry>) -> rusqlite::Result<()> {
        match planned {
            Planned::Event {
                entry,
                envelope,
                latest_millis,
            } => {
                let Envelope {
                    unix_millis,
                    actor,
                    event,
                    ..
                } = envelope;
                let sequence = to_sql(entry.head.sequence);
                self.event.execute(params![
                    sequence,
                    unix_millis,
                    latest_millis,
                    event.code(),
                    actor.user(),
                    entry.line
                ])?;
                entries.push(entry);
            }
            Planned::Serial { key, number } => self.serials.take(key, number)?,
            Planned::Certificate {
                certificate,
                key,
                number,
            } => {
                self.write_certificate(certificate, number)?;
                self.serials.used(&key);
            }
            Planned::Revocation(Record::Revocation {
                authority,
                serial,
                revoked_at,
                reason,
                not_after,
            }) => {
                self.revocation.execute(params![
                    authority.as_str(),
                    serial,
                    revoked_at.0,
                    reason,
                    not_after.0
                ])?;
            }
            Planned::Revocation(Record::Event(_) | Record::Serial { .. } | Record::Certificate(_)) => {}
        }
        Ok(())
    }

    fn write_certificate(&mut self, certificate: &IssuedCertificate, number: i64) -> rusqlite::Result<()> {
        let IssuedCertificate {
            authority,
            form,
            serial,
            subject,
            issuer_spki_sha256,
            not_before,
            not_after,
            event_uid,
            bytes,
        } = certificate;
        self.certificate.execute(params![
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
        Ok(())
    }
}

/// Gives an event its place in the chain.
fn place<'r>(envelope: &'r Envelope, next: &mut Last) -> Result<Planned<'r>, Stop> {
    let too_large = |_| {
        Stop::Refused(LedgerError::Malformed(
            "an event's line is longer than 65,536 bytes",
        ))
    };
    let entry = seal(envelope, next.head).map_err(too_large)?;
    next.head = entry.head;
    next.latest_millis = next.latest_millis.max(envelope.unix_millis);
    let backstep = next.latest_millis.saturating_sub(envelope.unix_millis);
    next.backstep_millis = next.backstep_millis.max(backstep);
    Ok(Planned::Event {
        entry,
        envelope,
        latest_millis: next.latest_millis,
    })
}

/// The number a serial will have when the plan is carried out.
fn planned_number(plan: &[Planned<'_>], wanted: &[u8]) -> Option<i64> {
    plan.iter().find_map(|planned| match planned {
        Planned::Serial { key, number } if key == wanted => Some(*number),
        Planned::Serial { .. }
        | Planned::Event { .. }
        | Planned::Certificate { .. }
        | Planned::Revocation(_) => None,
    })
}
