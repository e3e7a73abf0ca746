//! A ledger whose end is not what was written is not appended to.

use ledger::Ledger;
use ledger::LedgerError;

use crate::place::Place;
use crate::place::append;

#[tokio::test]
async fn nothing_is_appended_behind_a_damaged_end() {
    let damages = [
        "DELETE FROM event WHERE sequence = 5",
        "DELETE FROM event",
        "DELETE FROM head",
        "UPDATE event SET line = replace(line, 'export', 'Export') WHERE sequence = 5",
        "UPDATE event SET line = '' WHERE sequence = 5",
        "UPDATE event SET sequence = 6 WHERE sequence = 5",
        "UPDATE head SET hash = zeroblob(32)",
        "UPDATE head SET hash = zeroblob(3)",
        "UPDATE head SET sequence = 4",
        "INSERT INTO event SELECT 6, unix_millis, latest_millis, code, user, line FROM event WHERE sequence = 5",
        "DROP TABLE event",
    ];
    for damage in damages {
        let place = Place::new();
        append(&place.open(), 0..5).await;
        place.sql(damage);
        let refusal = place.refusal();
        let is_clear = matches!(&refusal, LedgerError::Damaged(text) if text.contains("ledger.db") && text.contains("backup"));
        assert!(is_clear, "{damage}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_damaged_middle_is_no_reason_to_stop() {
    let place = Place::new();
    append(&place.open(), 0..5).await;
    place.sql("DELETE FROM event WHERE sequence = 2");
    let ledger = place.open();
    append(&ledger, 5..6).await;
    assert!(!ledger.verify(None).await.unwrap().is_sound());
}
