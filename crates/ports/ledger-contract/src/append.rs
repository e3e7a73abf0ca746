//! What one append does, and what it refuses.

use audit::AuditEvent;
use audit::Head;
use contract::Outcome;
use contract::cases;
use contract::refused;
use ledger::CERTIFICATE_BYTES_MAX;
use ledger::CertificateQuery;
use ledger::IssuedCertificate;
use ledger::LINE_BYTES_MAX;
use ledger::LedgerError;
use ledger::RECORDS_MAX;
use ledger::Record;
use ledger::SERIAL_BYTES_MAX;
use ledger::TEXT_BYTES_MAX;
use names::UnixSeconds;

use crate::facts::NOON;
use crate::facts::certificate;
use crate::facts::chained;
use crate::facts::event;
use crate::facts::field;
use crate::facts::issued;
use crate::facts::serial;
use crate::facts::started;
use crate::facts::versions;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    an_empty_ledger_is_empty if |_| true;
    entries_form_one_chain_in_the_order_they_were_appended if |_| true;
    an_append_answers_the_head_it_made if |_| true;
    the_records_of_one_append_keep_their_order if |_| true;
    a_refused_append_leaves_nothing_of_itself if |_| true;
    the_most_records_fit_and_one_more_does_not if |_| true;
    none_is_refused if |_| true;
    malformed_records_are_refused if |_| true;
    the_longest_line_fits_and_a_longer_one_is_refused if |_| true;
    the_longest_texts_are_read_back if |_| true;
    hostile_texts_are_read_back_as_they_were if |_| true;
}

async fn an_empty_ledger_is_empty(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    assert_eq!(ledger.head().await?, Head::EMPTY);
    assert!(chained(&ledger).await?.is_empty());
    assert!(
        ledger
            .certificates(&CertificateQuery::default())
            .await?
            .is_empty()
    );
    assert_eq!(ledger.export_trouble(), None);
    Ok(())
}

async fn entries_form_one_chain_in_the_order_they_were_appended(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    for number in 0..25 {
        ledger.append(vec![event(started(&number.to_string()))]).await?;
    }
    let entries = chained(&ledger).await?;
    let expected: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    assert_eq!(versions(&entries)?, expected);
    Ok(())
}

async fn an_append_answers_the_head_it_made(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let first = ledger.append(vec![event(started("1"))]).await?;
    assert_eq!((first.sequence, first), (1, ledger.head().await?));
    let without_events = ledger.append(vec![serial("01")]).await?;
    assert_eq!(without_events, first);
    let third = ledger
        .append(vec![event(started("2")), event(started("3"))])
        .await?;
    assert_eq!((third.sequence, third), (3, ledger.head().await?));
    Ok(())
}

async fn the_records_of_one_append_keep_their_order(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let one = issued("01");
    let records = vec![
        event(started("a")),
        serial("01"),
        event(started("b")),
        certificate(&one),
        event(started("c")),
    ];
    ledger.append(records).await?;
    assert_eq!(versions(&chained(&ledger).await?)?, ["a", "b", "c"]);
    assert_eq!(ledger.certificates(&CertificateQuery::default()).await?, [one]);
    Ok(())
}

async fn a_refused_append_leaves_nothing_of_itself(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ledger.append(vec![event(started("kept")), serial("01")]).await?;
    let kept = ledger.head().await?;
    let revocation = Record::Revocation {
        authority: authority::AuthorityType::User,
        serial: "01".to_owned(),
        revoked_at: UnixSeconds(NOON),
        reason: "unspecified".to_owned(),
        not_after: UnixSeconds(NOON + 60),
    };
    let taken = vec![
        event(started("lost")),
        serial("02"),
        certificate(&issued("02")),
        revocation,
        serial("01"),
    ];
    refused!(ledger.append(taken).await, LedgerError::SerialTaken { .. });
    let too_long = vec![serial("03"), event(started(&"x".repeat(LINE_BYTES_MAX)))];
    refused!(ledger.append(too_long).await, LedgerError::Malformed(_));
    let not_taken = vec![event(started("lost")), serial("04"), certificate(&issued("05"))];
    refused!(ledger.append(not_taken).await, LedgerError::Malformed(_));

    assert_eq!(ledger.head().await?, kept);
    assert_eq!(versions(&chained(&ledger).await?)?, ["kept"]);
    assert!(
        ledger
            .certificates(&CertificateQuery::default())
            .await?
            .is_empty()
    );
    assert!(
        ledger
            .revocations(authority::AuthorityType::User, UnixSeconds(0))
            .await?
            .is_empty()
    );
    // The serials of the refused appends are free.
    ledger
        .append(vec![
            serial("02"),
            serial("03"),
            serial("04"),
            event(started("next")),
        ])
        .await?;
    assert_eq!(versions(&chained(&ledger).await?)?, ["kept", "next"]);
    Ok(())
}

async fn the_most_records_fit_and_one_more_does_not(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let records = |count: usize| {
        (0..count)
            .map(|number| event(started(&number.to_string())))
            .collect::<Vec<_>>()
    };
    refused!(
        ledger.append(records(RECORDS_MAX + 1)).await,
        LedgerError::Malformed(_)
    );
    assert_eq!(ledger.head().await?, Head::EMPTY);
    ledger.append(records(RECORDS_MAX)).await?;
    assert_eq!(chained(&ledger).await?.len(), RECORDS_MAX);
    Ok(())
}

async fn none_is_refused(opened: &mut Stage) -> Outcome {
    refused!(
        opened.ledger().append(Vec::new()).await,
        LedgerError::Malformed(_)
    );
    Ok(())
}

async fn malformed_records_are_refused(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let revocation = |serial: &str, reason: String| Record::Revocation {
        authority: authority::AuthorityType::User,
        serial: serial.to_owned(),
        revoked_at: UnixSeconds(NOON),
        reason,
        not_after: UnixSeconds(NOON),
    };
    let changed = |change: fn(&mut IssuedCertificate)| {
        let mut one = issued("01");
        change(&mut one);
        certificate(&one)
    };
    let malformed = [
        serial(""),
        serial(&"1".repeat(SERIAL_BYTES_MAX + 1)),
        serial("0 1"),
        serial("01\n"),
        serial("0é"),
        revocation("", String::new()),
        revocation("01", "x".repeat(TEXT_BYTES_MAX + 1)),
        changed(|one| one.serial.clear()),
        changed(|one| one.subject = "x".repeat(TEXT_BYTES_MAX + 1)),
        changed(|one| one.event_uid = "x".repeat(TEXT_BYTES_MAX + 1)),
        changed(|one| one.bytes = vec![0; CERTIFICATE_BYTES_MAX + 1]),
        changed(|one| one.not_after = UnixSeconds(one.not_before.0 - 1)),
    ];
    for record in malformed {
        refused!(
            ledger
                .append(vec![serial("01"), event(started("x")), record])
                .await,
            LedgerError::Malformed(_)
        );
    }
    assert_eq!(ledger.head().await?, Head::EMPTY);
    ledger.append(vec![serial("01")]).await?;
    Ok(())
}

async fn the_longest_line_fits_and_a_longer_one_is_refused(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let denied = |reason: String| {
        let mut envelope = started("");
        envelope.event = AuditEvent::denied("a".to_owned(), reason);
        event(envelope)
    };
    ledger.append(vec![denied(String::new())]).await?;
    let overhead = chained(&ledger)
        .await?
        .iter()
        .map(|entry| entry.line.len())
        .sum::<usize>();
    let longest = "x".repeat(LINE_BYTES_MAX - overhead);
    refused!(
        ledger.append(vec![denied(format!("{longest}x"))]).await,
        LedgerError::Malformed(_)
    );
    refused!(
        ledger.append(vec![denied("\n".repeat(1 << 20))]).await,
        LedgerError::Malformed(_)
    );
    ledger.append(vec![denied(longest)]).await?;
    let lengths: Vec<usize> = chained(&ledger)
        .await?
        .iter()
        .map(|entry| entry.line.len())
        .collect();
    assert_eq!(lengths, [overhead, LINE_BYTES_MAX]);
    Ok(())
}

async fn the_longest_texts_are_read_back(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let longest = IssuedCertificate {
        serial: "~".repeat(SERIAL_BYTES_MAX),
        subject: "s".repeat(TEXT_BYTES_MAX),
        event_uid: "u".repeat(TEXT_BYTES_MAX),
        bytes: (0..=u8::MAX).cycle().take(CERTIFICATE_BYTES_MAX).collect(),
        ..issued("")
    };
    ledger
        .append(vec![serial(&longest.serial), certificate(&longest)])
        .await?;
    assert_eq!(
        ledger.certificates(&CertificateQuery::default()).await?,
        [longest]
    );
    Ok(())
}

async fn hostile_texts_are_read_back_as_they_were(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let hostile = [
        "'; DROP TABLE event; --",
        "a\nb\r\n",
        "\0",
        "\u{202e}",
        "\",\"hash\":\"",
        "日本語",
        "%s{}\\",
    ];
    for (number, text) in hostile.into_iter().enumerate() {
        ledger.append(vec![event(started(text))]).await?;
        let one = IssuedCertificate {
            subject: text.to_owned(),
            ..issued(&format!("{number:02x}"))
        };
        ledger
            .append(vec![serial(&one.serial), certificate(&one)])
            .await?;
        let query = CertificateQuery {
            subject: Some(text.to_owned()),
            ..CertificateQuery::default()
        };
        assert_eq!(ledger.certificates(&query).await?, [one]);
    }
    let entries = chained(&ledger).await?;
    assert_eq!(entries.len(), hostile.len());
    for (entry, text) in entries.iter().zip(hostile) {
        assert_eq!(field(entry, "version")?, text);
    }
    Ok(())
}
