use std::collections::BTreeMap;
use std::collections::HashMap;

use audit::AuditReport;
use audit::Entry;
use audit::Envelope;
use audit::Head;
use audit::Place;
use audit::Verifier;
use audit::seal;
use authority::AuthorityType;
use authority::KeyForm;
use ledger::CertificateQuery;
use ledger::EventQuery;
use ledger::IssuedCertificate;
use ledger::LedgerError;
use ledger::Record;
use ledger::RevocationCheck;
use ledger::Revoked;
use ledger::page_size;
use names::UnixSeconds;

type SerialKey = (AuthorityType, KeyForm, String);

/// Everything appended.
#[derive(Debug, Default)]
pub(crate) struct Store {
    events: Vec<Event>,
    /// The number each serial was taken under.
    serials: HashMap<SerialKey, u64>,
    /// By the number of the serial.
    certificates: BTreeMap<u64, IssuedCertificate>,
    revocations: Vec<(AuthorityType, Revoked)>,
}

#[derive(Debug)]
struct Event {
    entry: Entry,
    name: &'static str,
    code: &'static str,
    user: Option<String>,
    unix_millis: i64,
}

/// What one append adds, complete before any of it is added.
#[derive(Default)]
struct Addition {
    events: Vec<Event>,
    serials: HashMap<SerialKey, u64>,
    certificates: BTreeMap<u64, IssuedCertificate>,
    revocations: Vec<(AuthorityType, Revoked)>,
}

impl Store {
    pub(crate) fn head(&self) -> Head {
        self.events.last().map_or(Head::EMPTY, |event| event.entry.head)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.events.iter().map(|event| event.entry.line.clone()).collect()
    }

    pub(crate) fn append(&mut self, records: Vec<Record>) -> Result<Head, LedgerError> {
        let mut addition = Addition::default();
        for record in records {
            match record {
                Record::Event(envelope) => self.add_event(&mut addition, &envelope)?,
                Record::Serial {
                    authority,
                    form,
                    serial,
                } => {
                    self.add_serial(&mut addition, (authority, form, serial))?;
                }
                Record::Certificate(certificate) => self.add_certificate(&mut addition, *certificate)?,
                Record::Revocation {
                    authority,
                    serial,
                    revoked_at,
                    reason,
                    not_after,
                } => {
                    addition.revocations.push((
                        authority,
                        Revoked {
                            serial,
                            revoked_at,
                            reason,
                            not_after,
                        },
                    ));
                }
            }
        }
        let Addition {
            events,
            serials,
            certificates,
            revocations,
        } = addition;
        self.events.extend(events);
        self.serials.extend(serials);
        self.certificates.extend(certificates);
        for (authority, revoked) in revocations {
            let is_known = |(other, known): &(AuthorityType, Revoked)| {
                *other == authority && known.serial == revoked.serial
            };
            if !self.revocations.iter().any(is_known) {
                self.revocations.push((authority, revoked));
            }
        }
        Ok(self.head())
    }

    fn add_event(&self, addition: &mut Addition, envelope: &Envelope) -> Result<(), LedgerError> {
        let previous = addition
            .events
            .last()
            .map_or_else(|| self.head(), |event| event.entry.head);
        let entry = seal(envelope, previous)
            .map_err(|_| LedgerError::Malformed("an event's line is longer than 65,536 bytes"))?;
        addition.events.push(Event {
            entry,
            name: envelope.event.name(),
            code: envelope.event.code(),
            user: envelope.actor.user().map(str::to_owned),
            unix_millis: envelope.unix_millis,
        });
        Ok(())
    }

    fn add_serial(&self, addition: &mut Addition, key: SerialKey) -> Result<(), LedgerError> {
        if self.serials.contains_key(&key) || addition.serials.contains_key(&key) {
            let (authority, _, serial) = key;
            return Err(LedgerError::SerialTaken { authority, serial });
        }
        let taken = self.serials.len() + addition.serials.len();
        addition
            .serials
            .insert(key, u64::try_from(taken).unwrap_or(u64::MAX));
        Ok(())
    }

    fn add_certificate(
        &self,
        addition: &mut Addition,
        certificate: IssuedCertificate,
    ) -> Result<(), LedgerError> {
        let key = (
            certificate.authority,
            certificate.form,
            certificate.serial.clone(),
        );
        let number = self
            .serials
            .get(&key)
            .or_else(|| addition.serials.get(&key))
            .copied();
        let Some(number) = number else {
            return Err(LedgerError::Malformed(
                "a certificate's serial was not taken before",
            ));
        };
        if self.certificates.contains_key(&number)
            || addition.certificates.insert(number, certificate).is_some()
        {
            return Err(LedgerError::Malformed(
                "a certificate with this serial is recorded already",
            ));
        }
        Ok(())
    }

    pub(crate) fn events(&self, query: &EventQuery) -> Vec<Entry> {
        let EventQuery {
            after,
            limit,
            kinds,
            user,
            since,
            until,
            newest_first,
        } = query;
        let fits = |event: &&Event| {
            let sequence = event.entry.head.sequence;
            after.is_none_or(|after| {
                if *newest_first {
                    sequence < after
                } else {
                    sequence > after
                }
            }) && (kinds.is_empty() || kinds.iter().any(|kind| kind == event.name || kind == event.code))
                && user.as_ref().is_none_or(|user| event.user.as_ref() == Some(user))
                && since.is_none_or(|since| event.unix_millis >= millis(since))
                && until.is_none_or(|until| event.unix_millis < millis(until))
        };
        let limit = page_size(*limit);
        let entry = |event: &Event| event.entry.clone();
        if *newest_first {
            self.events
                .iter()
                .rev()
                .filter(fits)
                .take(limit)
                .map(entry)
                .collect()
        } else {
            self.events.iter().filter(fits).take(limit).map(entry).collect()
        }
    }

    pub(crate) fn certificates(&self, query: &CertificateQuery) -> Vec<IssuedCertificate> {
        let CertificateQuery {
            authority,
            issuer,
            unexpired_at,
            serial,
            subject,
            offset,
            limit,
        } = query;
        let fits = |certificate: &&IssuedCertificate| {
            authority.is_none_or(|authority| certificate.authority == authority)
                && issuer.is_none_or(|issuer| certificate.issuer_spki_sha256 == issuer)
                && unexpired_at.is_none_or(|moment| certificate.not_after > moment)
                && serial.as_ref().is_none_or(|serial| certificate.serial == *serial)
                && subject
                    .as_ref()
                    .is_none_or(|subject| certificate.subject == *subject)
        };
        self.certificates
            .values()
            .rev()
            .filter(fits)
            .skip(*offset)
            .take(page_size(*limit))
            .cloned()
            .collect()
    }

    pub(crate) fn revocations(&self, authority: AuthorityType, unexpired_at: UnixSeconds) -> Vec<Revoked> {
        let fits =
            |(of, revoked): &&(AuthorityType, Revoked)| *of == authority && revoked.not_after > unexpired_at;
        self.revocations
            .iter()
            .filter(fits)
            .map(|(_, revoked)| revoked.clone())
            .collect()
    }

    pub(crate) fn verify(&self, anchor: Option<Head>) -> AuditReport {
        let mut report = AuditReport::new();
        let mut verifier = Verifier::new(Head::EMPTY);
        let mut revocations = RevocationCheck::new(self.revocations.iter().cloned());
        for Event { entry, .. } in &self.events {
            report.entries += 1;
            revocations.note(entry.head.sequence, entry.line.as_bytes());
            if let Err(found) = verifier.check(&entry.line) {
                report.add(Place::Ledger, found);
                verifier.skip(&entry.line);
            }
        }
        report.head = self.head();
        revocations.finish(&mut report);
        if let Some(anchor) = anchor {
            let of_number = |event: &&Event| event.entry.head.sequence == anchor.sequence;
            report.compare_anchor(
                anchor,
                self.events.iter().find(of_number).map(|event| event.entry.head),
            );
        }
        report
    }
}

const fn millis(moment: UnixSeconds) -> i64 {
    moment.0.saturating_mul(1_000)
}
