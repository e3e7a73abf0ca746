//! Facts to append, and what a ledger must make of them.

use std::sync::Arc;

use audit::Actor;
use audit::AuditEvent;
use audit::Entry;
use audit::Envelope;
use audit::Head;
use audit::Verifier;
use authority::AuthorityType;
use authority::KeyForm;
use contract::Failure;
use key::SpkiSha256;
use ledger::EventQuery;
use ledger::IssuedCertificate;
use ledger::Ledger;
use ledger::Record;
use names::ClusterName;
use names::UnixSeconds;

/// 2026-03-01T12:00:00Z.
pub(crate) const NOON: i64 = 1_772_366_400;

/// An event at noon by the service itself.
pub(crate) fn started(version: &str) -> Envelope {
    Envelope {
        uid: format!("uid-{version}"),
        unix_millis: NOON * 1_000,
        cluster_name: cluster(),
        actor: Actor::System,
        event: AuditEvent::Started {
            version: version.to_owned(),
        },
    }
}

/// An event by somebody at so many seconds after noon.
pub(crate) fn denied(user: &str, seconds: i64) -> Envelope {
    Envelope {
        uid: format!("uid-{user}-{seconds}"),
        unix_millis: (NOON + seconds) * 1_000,
        actor: Actor::Identity {
            user: user.to_owned(),
            remote: "127.0.0.1:1".to_owned(),
        },
        event: AuditEvent::denied("export".to_owned(), "not allowed".to_owned()),
        ..started("")
    }
}

fn cluster() -> ClusterName {
    match ClusterName::parse("contract.example.com") {
        Ok(name) => name,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn event(envelope: Envelope) -> Record {
    Record::Event(Box::new(envelope))
}

/// The serial of a user's TLS certificate.
pub(crate) fn serial(serial: &str) -> Record {
    Record::Serial {
        authority: AuthorityType::User,
        form: KeyForm::Tls,
        serial: serial.to_owned(),
    }
}

/// A user's TLS certificate for an hour from noon.
pub(crate) fn issued(serial: &str) -> IssuedCertificate {
    IssuedCertificate {
        authority: AuthorityType::User,
        form: KeyForm::Tls,
        serial: serial.to_owned(),
        subject: "alice".to_owned(),
        issuer_spki_sha256: SpkiSha256([1; 32]),
        not_before: UnixSeconds(NOON),
        not_after: UnixSeconds(NOON + 3_600),
        event_uid: format!("uid-{serial}"),
        bytes: serial.as_bytes().to_vec(),
    }
}

pub(crate) fn certificate(certificate: &IssuedCertificate) -> Record {
    Record::Certificate(Box::new(certificate.clone()))
}

/// Appends a certificate as issuing does: serial and event first, the certificate after.
pub(crate) async fn issue(ledger: &Arc<dyn Ledger>, issued: &IssuedCertificate) -> Result<(), Failure> {
    let IssuedCertificate {
        authority,
        form,
        serial,
        ..
    } = issued.clone();
    ledger
        .append(vec![
            event(started(&serial)),
            Record::Serial {
                authority,
                form,
                serial,
            },
        ])
        .await?;
    ledger.append(vec![certificate(issued)]).await?;
    Ok(())
}

/// Every entry, oldest first, read page by page.
pub(crate) async fn everything(ledger: &Arc<dyn Ledger>) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.head.sequence);
        let page = ledger
            .events(&EventQuery {
                after,
                ..EventQuery::default()
            })
            .await?;
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page);
    }
}

/// Checks with the verifier of `audit` that the log is one unbroken chain that ends in the ledger's head; answers its entries.
pub(crate) async fn chained(ledger: &Arc<dyn Ledger>) -> Result<Vec<Entry>, Failure> {
    let entries = everything(ledger).await?;
    let mut verifier = Verifier::new(Head::EMPTY);
    for entry in &entries {
        assert_eq!(verifier.check(&entry.line)?, entry.head);
    }
    verifier.finish(ledger.head().await?)?;
    Ok(entries)
}

/// The value of a field of an entry.
pub(crate) fn field(entry: &Entry, name: &str) -> Result<String, Failure> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&entry.line)?;
    match fields.get(name) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        other => Err(Failure(format!("{name} is {other:?} in {}", entry.line))),
    }
}

/// The versions of the `instance.start` events among entries.
pub(crate) fn versions(entries: &[Entry]) -> Result<Vec<String>, Failure> {
    entries.iter().map(|entry| field(entry, "version")).collect()
}

pub(crate) fn sequences(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.head.sequence).collect()
}
