//! The ledger's own check of itself. That it finds damage is for each adapter's tests, which know where to damage it.

use audit::AuditEvent;
use audit::BreakKind;
use audit::Head;
use authority::AuthorityType;
use contract::Outcome;
use contract::cases;
use ledger::Record;
use names::UnixSeconds;

use crate::facts::NOON;
use crate::facts::event;
use crate::facts::started;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    an_untouched_ledger_is_sound if |_| true;
    recorded_heads_are_compared if |_| true;
    revocations_are_compared_with_the_events_that_tell_of_them if |_| true;
}

async fn an_untouched_ledger_is_sound(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let report = ledger.verify(None).await?;
    assert!(
        report.is_sound() && report.entries == 0 && report.head == Head::EMPTY,
        "{report:?}"
    );
    for number in 0..50 {
        ledger.append(vec![event(started(&number.to_string()))]).await?;
    }
    let report = ledger.verify(None).await?;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.head), (50, ledger.head().await?));
    Ok(())
}

async fn recorded_heads_are_compared(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let first = ledger.append(vec![event(started("1"))]).await?;
    let second = ledger.append(vec![event(started("2"))]).await?;
    for sound in [Head::EMPTY, first, second] {
        assert!(ledger.verify(Some(sound)).await?.is_sound());
    }
    let beyond = Head {
        sequence: 4,
        hash: [1; 32],
    };
    let other = Head {
        hash: [1; 32],
        ..first
    };
    for (anchor, kind, sequence) in [(beyond, BreakKind::Truncated, 3), (other, BreakKind::Replaced, 1)] {
        let findings = ledger.verify(Some(anchor)).await?.findings;
        let found: Vec<_> = findings
            .iter()
            .map(|finding| (finding.kind, finding.sequence))
            .collect();
        assert_eq!(found, [(kind, sequence)]);
    }
    Ok(())
}

async fn revocations_are_compared_with_the_events_that_tell_of_them(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let told = |serial: &str| {
        let (authority, reason) = (AuthorityType::User, "keyCompromise".to_owned());
        let mut envelope = started("");
        envelope.event = AuditEvent::CertificateRevoked {
            authority,
            serial: serial.to_owned(),
            reason,
        };
        event(envelope)
    };
    let listed = |serial: &str, reason: &str| Record::Revocation {
        authority: AuthorityType::User,
        serial: serial.to_owned(),
        revoked_at: UnixSeconds(NOON),
        reason: reason.to_owned(),
        not_after: UnixSeconds(NOON + 3_600),
    };
    ledger
        .append(vec![told("01"), listed("01", "keyCompromise")])
        .await?;
    // Revoking again changes nothing but the log.
    ledger
        .append(vec![told("01"), listed("01", "keyCompromise")])
        .await?;
    assert!(ledger.verify(None).await?.is_sound());
    ledger.append(vec![told("02")]).await?;
    ledger.append(vec![listed("03", "keyCompromise")]).await?;
    ledger
        .append(vec![told("04"), listed("04", "superseded")])
        .await?;
    let findings = ledger.verify(None).await?.findings;
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.kind, finding.sequence))
        .collect();
    assert_eq!(
        found,
        [
            (BreakKind::Removed, 3),
            (BreakKind::Edited, 4),
            (BreakKind::Edited, 4)
        ],
        "{findings:?}"
    );
    Ok(())
}
