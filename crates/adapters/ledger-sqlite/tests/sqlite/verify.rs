//! Whatever is done to the files or the database shows, with the place where it was done.

use audit::AuditEvent;
use audit::BreakKind;
use audit::Head;
use authority::AuthorityType;
use authority::KeyForm;
use ledger::Ledger;
use ledger::Record;
use ledger_sqlite::SqliteLedger;
use names::UnixSeconds;

use crate::place;
use crate::place::EVENING;
use crate::place::Place;
use crate::place::append;
use crate::place::event;
use crate::place::found;

const FIRST: &str = "2026-03-01";
const SECOND: &str = "2026-03-02";

/// Twenty entries, ten on each of two days, closed.
async fn twenty() -> Place {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, 50..70).await;
    drop(ledger);
    assert!(place.verify().is_sound());
    place
}

/// What is found after the lines of the first day were changed.
async fn found_after(change: impl FnOnce(&mut Vec<String>)) -> Vec<(String, BreakKind, u64)> {
    let place = twenty().await;
    let mut lines = place.lines(FIRST);
    change(&mut lines);
    place.write_lines(FIRST, &lines);
    place.found()
}

fn one(place: &str, kind: BreakKind, sequence: u64) -> Vec<(String, BreakKind, u64)> {
    vec![(place.to_owned(), kind, sequence)]
}

#[tokio::test]
async fn an_edited_line_is_named() {
    let edited = found_after(|lines| lines[3] = lines[3].replace("export", "Export")).await;
    assert_eq!(edited, one("03-01:4", BreakKind::Edited, 4));
    let blanked = found_after(|lines| lines[3].clear()).await;
    assert_eq!(blanked, one("03-01:4", BreakKind::Edited, 4));
    let unsealed = found_after(|lines| lines[9] = "{\"ei\":10}".to_owned()).await;
    assert_eq!(unsealed, one("03-01:10", BreakKind::Edited, 10));
    let inserted = found_after(|lines| lines.insert(3, "garbage".to_owned())).await;
    assert_eq!(inserted, one("03-01:4", BreakKind::Edited, 4));
}

#[tokio::test]
async fn removed_lines_are_named() {
    let removed = found_after(|lines| drop(lines.remove(3))).await;
    assert_eq!(removed, one("03-01:4", BreakKind::Removed, 4));
    let range = found_after(|lines| drop(lines.drain(2..6))).await;
    assert_eq!(range, one("03-01:3", BreakKind::Removed, 3));
    let first = found_after(|lines| drop(lines.remove(0))).await;
    assert_eq!(first, one("03-01:1", BreakKind::Removed, 1));
}

#[tokio::test]
async fn reordered_and_repeated_lines_are_named() {
    let swapped = found_after(|lines| lines.swap(3, 4)).await;
    assert_eq!(swapped, one("03-01:5", BreakKind::Reordered, 4));
    let moved_back = found_after(|lines| {
        let line = lines.remove(1);
        lines.insert(7, line);
    });
    assert_eq!(moved_back.await, one("03-01:8", BreakKind::Reordered, 2));
    let repeated = found_after(|lines| lines.insert(5, lines[2].clone())).await;
    assert_eq!(repeated, one("03-01:6", BreakKind::Reordered, 3));
    let at_the_end = found_after(|lines| lines.push(lines[0].clone())).await;
    assert_eq!(at_the_end, one("03-01:11", BreakKind::Reordered, 1));
}

#[tokio::test]
async fn truncated_and_missing_files_are_named() {
    let truncated = found_after(|lines| lines.truncate(7)).await;
    assert_eq!(truncated, one("03-01", BreakKind::Truncated, 8));
    let emptied = found_after(Vec::clear).await;
    assert_eq!(emptied, one("03-01", BreakKind::Truncated, 1));
    let place = twenty().await;
    std::fs::remove_file(place.day(SECOND)).unwrap();
    assert_eq!(place.found(), one("03-02", BreakKind::Removed, 11));
    let text = place.verify().findings[0].to_string();
    assert!(
        text.contains("2026-03-02.jsonl: removed: entry 11: 10 entries, 11 to 20, are missing"),
        "{text}"
    );
    let half_a_line = twenty().await;
    let mut bytes = std::fs::read(half_a_line.day(SECOND)).unwrap();
    bytes.truncate(bytes.len() - 10);
    std::fs::write(half_a_line.day(SECOND), bytes).unwrap();
    assert_eq!(half_a_line.found(), one("03-02", BreakKind::Truncated, 20));
}

#[tokio::test]
async fn a_resealed_line_is_named() {
    let place = twenty().await;
    let lines = place.lines(FIRST);
    let previous = Head::of_line(lines[2].as_bytes()).unwrap();
    let ledger::Record::Event(envelope) = event("forged", 3) else {
        panic!("an event")
    };
    let forged = audit::seal(&envelope, previous).unwrap().line;
    let changed: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| if at == 3 { forged.clone() } else { line.clone() })
        .collect();
    place.write_lines(FIRST, &changed);
    assert_eq!(place.found(), one("03-01:4", BreakKind::Replaced, 4));
}

#[tokio::test]
async fn lines_in_the_file_of_another_day_are_named() {
    let place = twenty().await;
    let (mut first, mut second) = (place.lines(FIRST), place.lines(SECOND));
    second.insert(0, first.pop().unwrap());
    place.write_lines(FIRST, &first);
    place.write_lines(SECOND, &second);
    let found = place.found();
    assert_eq!(
        found,
        [
            ("03-02:1".to_owned(), BreakKind::Reordered, 10),
            ("03-01".to_owned(), BreakKind::Truncated, 10)
        ]
    );
    std::fs::write(place.day("2025-12-31"), "hello\n").unwrap();
    assert_eq!(place.found()[1].0, "2025-12-31:1");
}

#[tokio::test]
async fn several_changes_are_all_named() {
    let place = twenty().await;
    let mut lines = place.lines(FIRST);
    lines[1] = lines[1].replace("root", "toor");
    lines.remove(5);
    place.write_lines(FIRST, &lines);
    let mut lines = place.lines(SECOND);
    lines.swap(0, 1);
    lines.truncate(8);
    place.write_lines(SECOND, &lines);
    let expected = [
        ("03-01:2".to_owned(), BreakKind::Edited, 2),
        ("03-02:2".to_owned(), BreakKind::Reordered, 11),
        ("03-01:6".to_owned(), BreakKind::Removed, 6),
        ("03-02".to_owned(), BreakKind::Truncated, 19),
    ];
    assert_eq!(place.found(), expected);
}

#[tokio::test]
async fn an_edited_database_is_told_from_an_edited_file() {
    let place = twenty().await;
    place.sql("UPDATE event SET line = replace(line, 'export', 'Export') WHERE sequence = 7");
    assert_eq!(place.found(), one("ledger", BreakKind::Edited, 7));
    let place = twenty().await;
    place.sql("DELETE FROM event WHERE sequence IN (7, 8)");
    let found = place.found();
    assert_eq!(found[0], ("ledger".to_owned(), BreakKind::Removed, 7));
    assert!(
        found[1..]
            .iter()
            .all(|(at, kind, _)| at.starts_with("03-01:") && *kind == BreakKind::Reordered),
        "{found:?}"
    );
}

#[tokio::test]
async fn edited_columns_do_not_hide_an_entry() {
    for change in [
        "code = 'SI000I'",
        "user = 'alice'",
        "user = NULL",
        "unix_millis = 0",
        "sequence = 99",
    ] {
        let place = twenty().await;
        place.sql(&format!("UPDATE event SET {change} WHERE sequence = 20"));
        let report = SqliteLedger::verify_at(place.db(), None, None).unwrap();
        assert_eq!(
            found(&report)[0],
            ("ledger".to_owned(), BreakKind::Edited, 20),
            "{change}"
        );
    }
}

/// A certificate was issued, and revoked.
async fn one_revoked() -> Place {
    let place = Place::new();
    let ledger = place.open();
    let end = UnixSeconds(EVENING + 3_600);
    let told = |event| {
        let Record::Event(mut envelope) = place::event("", 0) else {
            panic!("an event")
        };
        envelope.event = event;
        Record::Event(envelope)
    };
    let created = AuditEvent::CertificateCreated {
        authority: AuthorityType::User,
        form: KeyForm::Tls,
        cert_type: "user".to_owned(),
        serial: "0a".to_owned(),
        subject: "ana".to_owned(),
        principals: Vec::new(),
        not_before: UnixSeconds(EVENING),
        not_after: end,
        key_id: "00000000-0000-4000-8000-000000000000".parse().unwrap(),
        allowed_by: "a test".to_owned(),
    };
    let (authority, serial, reason) = (AuthorityType::User, "0a".to_owned(), "superseded".to_owned());
    let revoked = AuditEvent::CertificateRevoked {
        authority,
        serial: serial.clone(),
        reason: reason.clone(),
    };
    let listed = Record::Revocation {
        authority,
        serial,
        revoked_at: UnixSeconds(EVENING),
        reason,
        not_after: end,
    };
    ledger.append(vec![told(created)]).await.unwrap();
    ledger.append(vec![told(revoked), listed]).await.unwrap();
    drop(ledger);
    assert!(place.verify().is_sound());
    place
}

#[tokio::test]
async fn an_edited_list_of_revocations_is_named() {
    for (edit, kind, sequence) in [
        ("DELETE FROM revocation", BreakKind::Removed, 2),
        ("UPDATE revocation SET serial = '0b'", BreakKind::Removed, 2),
        ("UPDATE revocation SET authority = 'host'", BreakKind::Removed, 2),
        ("UPDATE revocation SET not_after = 0", BreakKind::Edited, 1),
        (
            "UPDATE revocation SET reason = 'unspecified'",
            BreakKind::Edited,
            2,
        ),
        (
            "INSERT INTO revocation SELECT 9, authority, '0b', revoked_at, reason, not_after FROM revocation",
            BreakKind::Edited,
            2,
        ),
    ] {
        let place = one_revoked().await;
        place.sql(edit);
        assert_eq!(place.found()[0], ("ledger".to_owned(), kind, sequence), "{edit}");
    }
}

#[tokio::test]
async fn a_truncated_database_shows_against_its_head_its_files_and_a_recorded_head() {
    let place = twenty().await;
    let recorded = place.open().head().await.unwrap();
    place.sql("DELETE FROM event WHERE sequence > 18");
    let without_files = SqliteLedger::verify_at(place.db(), None, None).unwrap();
    assert_eq!(found(&without_files), one("ledger", BreakKind::Truncated, 19));
    // Whoever knows the tables sets the head back, too, and truncates the files.
    let hash = place.lines(SECOND)[7].rsplit("\"hash\":\"").next().unwrap()[..64].to_owned();
    place.sql(&format!(
        "UPDATE head SET sequence = 18, hash = x'{hash}', exported = 18"
    ));
    assert_eq!(
        place
            .found()
            .iter()
            .map(|(at, kind, _)| (at.as_str(), *kind))
            .collect::<Vec<_>>(),
        [
            ("03-02:9", BreakKind::Truncated),
            ("03-02:10", BreakKind::Truncated),
        ]
    );
    let lines = place.lines(SECOND);
    place.write_lines(SECOND, &lines[..8]);
    assert!(place.verify().is_sound(), "nothing on this machine knows better");
    let report = SqliteLedger::verify_at(place.db(), Some(&place.log()), Some(recorded)).unwrap();
    assert_eq!(found(&report), one("anchor", BreakKind::Truncated, 19));
    let ledger = place.open();
    assert_eq!(
        found(&ledger.verify(Some(recorded)).await.unwrap()),
        one("anchor", BreakKind::Truncated, 19)
    );
}

#[tokio::test]
async fn a_rewritten_log_shows_against_a_recorded_head() {
    let place = twenty().await;
    let recorded = Head::of_line(place.lines(FIRST)[9].as_bytes()).unwrap();
    let other = Place::new();
    let ledger = other.open();
    append(&ledger, 0..1).await;
    append(&ledger, 51..70).await;
    let report = ledger.verify(Some(recorded)).await.unwrap();
    assert_eq!(found(&report), one("anchor", BreakKind::Replaced, 10));
    drop(ledger);
    let report = SqliteLedger::verify_at(place.db(), Some(&place.log()), Some(recorded)).unwrap();
    assert!(report.is_sound());
}

#[tokio::test]
async fn a_check_while_appends_go_on_finds_nothing() {
    let place = Place::new();
    let ledger = std::sync::Arc::new(place.open());
    let appends = {
        let ledger = ledger.clone();
        tokio::spawn(async move { append(&ledger, 0..300).await })
    };
    while !appends.is_finished() {
        let report = ledger.verify(None).await.unwrap();
        assert!(report.is_sound(), "{report:?}");
        let outside = SqliteLedger::verify_at(place.db(), Some(&place.log()), None).unwrap();
        assert!(outside.is_sound(), "{outside:?}");
    }
    appends.await.unwrap();
}
