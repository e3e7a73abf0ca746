//! The database file: whose it is, who may read it, what happens when it is full.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ledger::Ledger;
use ledger::LedgerError;
use ledger::Record;
use ledger_sqlite::Options;
use ledger_sqlite::SqliteLedger;

use crate::place::Place;
use crate::place::append;
use crate::place::event;

/// Of a new database.
const PAGE_BYTES: usize = 8_192;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, 0..3).await;
    crate::place::exported(&ledger).await;
    for name in [
        "ledger.db",
        "ledger.db-wal",
        "ledger.db-shm",
        "ledger.db.lock",
        "log/2026-03-01.jsonl",
    ] {
        assert_eq!(mode(&place.folder.path().join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&place.log()), 0o700);
    drop(ledger);
    std::fs::set_permissions(place.db(), std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(place.open());
    assert_eq!(mode(&place.db()), 0o600);
}

#[tokio::test]
async fn two_processes_cannot_have_it_open() {
    let place = Place::new();
    let ledger = place.open();
    let LedgerError::Unavailable(source) = place.refusal() else {
        panic!("it is not damaged")
    };
    assert!(source.to_string().contains("another process has"), "{source}");
    append(&ledger, 0..1).await;
    drop(ledger);
    drop(place.open());
}

#[tokio::test]
async fn a_newer_ledger_is_refused_and_left_as_it_is() {
    let place = Place::new();
    append(&place.open(), 0..3).await;
    place.sql("PRAGMA user_version = 2");
    let LedgerError::Damaged(text) = place.refusal() else {
        panic!("a newer version is not transient")
    };
    assert!(
        text.contains("ledger.db") && text.contains("format 2") && text.contains("backup"),
        "{text}"
    );
    place.sql("PRAGMA user_version = 1");
    assert_eq!(place.open().head().await.unwrap().sequence, 3);
}

#[test]
fn files_that_are_no_ledger_are_refused_and_left_as_they_are() {
    let place = Place::new();
    for content in [
        b"PNG".to_vec(),
        vec![0; 5_000],
        b"SQLite format 2\0".repeat(300),
        b"x".repeat(100_000),
    ] {
        std::fs::write(place.db(), &content).unwrap();
        let LedgerError::Damaged(text) = place.refusal() else {
            panic!("it is no ledger")
        };
        assert!(
            text.contains("ledger.db is damaged: it is no SQLite database") && text.contains("backup"),
            "{text}"
        );
        assert_eq!(std::fs::read(place.db()).unwrap(), content);
    }
    std::fs::remove_file(place.db()).unwrap();
    place.sql("CREATE TABLE recipe (name TEXT)");
    let LedgerError::Damaged(text) = place.refusal() else {
        panic!("it is another program's")
    };
    assert!(text.contains("of another program"), "{text}");
    std::fs::remove_file(place.db()).unwrap();
    std::fs::create_dir(place.db()).unwrap();
    assert!(matches!(
        place.refusal(),
        LedgerError::Unwritable(_) | LedgerError::Damaged(_)
    ));
}

#[tokio::test]
async fn a_corrupted_file_is_refused() {
    let place = Place::new();
    let ledger = place.open();
    for number in 0..40 {
        let records: Vec<Record> = (0..50)
            .map(|part| event(&format!("{number} {part}"), number))
            .collect();
        ledger.append(records).await.unwrap();
    }
    drop(ledger);
    let good = std::fs::read(place.db()).unwrap();
    let pages = good.len() / PAGE_BYTES;
    let mut refused = 0;
    for page in 0..pages {
        let mut bad = good.clone();
        bad[page * PAGE_BYTES + 16..(page + 1) * PAGE_BYTES].fill(0xa5);
        std::fs::write(place.db(), bad).unwrap();
        match SqliteLedger::open(place.db(), None) {
            Err(LedgerError::Damaged(text)) => {
                assert!(text.contains("ledger.db"), "{text}");
                refused += 1;
            }
            Err(other) => panic!("page {page}: {other:?}"),
            // A page that opening does not read: the check reads all of them.
            Ok(ledger) => match ledger.verify(None).await {
                Ok(report) => assert!(
                    !report.is_sound() || is_index(page, &good),
                    "page {page} is not missed"
                ),
                Err(LedgerError::Damaged(_)) => {}
                Err(other) => panic!("page {page}: {other:?}"),
            },
        }
    }
    assert!(refused >= 3, "{refused}");
    std::fs::write(place.db(), &good[..good.len() / 2]).unwrap();
    assert!(matches!(place.refusal(), LedgerError::Damaged(_)));
}

/// Whether a page belongs to an index or an empty table, which hold nothing of the log.
fn is_index(page: usize, database: &[u8]) -> bool {
    let kind = database[page * PAGE_BYTES];
    let is_table_leaf = kind == 13 && database[page * PAGE_BYTES + 3..page * PAGE_BYTES + 5] != [0, 0];
    !is_table_leaf && kind != 5
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let path = Path::new("/nonexistent/signet/ledger.db");
    let Err(LedgerError::Unwritable(text)) = SqliteLedger::open(path, None) else {
        panic!("it cannot be made")
    };
    assert!(text.contains("/nonexistent/signet/ledger.db"), "{text}");
}

#[tokio::test]
async fn a_full_ledger_refuses_and_keeps_what_it_has() {
    let place = Place::new();
    let options = Options {
        pages_max: Some(60),
        ..place.options()
    };
    let ledger = SqliteLedger::open_with(place.db(), options).unwrap();
    let mut kept = 0;
    let refusal = loop {
        let serial = Record::Serial {
            authority: authority::AuthorityType::User,
            form: authority::KeyForm::Tls,
            serial: format!("{kept:08x}"),
        };
        match ledger.append(vec![serial, event(&"x".repeat(3_000), kept)]).await {
            Ok(head) => {
                kept += 1;
                assert_eq!(head.sequence, kept.unsigned_abs());
            }
            Err(refusal) => break refusal,
        }
    };
    let LedgerError::Unwritable(text) = refusal else {
        panic!("{refusal:?}")
    };
    assert!(text.contains("ledger.db") && text.contains("full"), "{text}");
    assert!(kept > 20, "{kept}");
    // Nothing of the refused append is there, however often it is tried, and reading works.
    for _ in 0..3 {
        assert!(ledger.append(vec![event(&"x".repeat(30_000), 0)]).await.is_err());
    }
    let report = ledger.verify(None).await.unwrap();
    assert!(
        report.is_sound() && report.entries == kept.unsigned_abs(),
        "{report:?}"
    );
    drop(ledger);
    // With room again the chain goes on, and the serial of the refused append is free.
    let ledger = place.open();
    let free = Record::Serial {
        authority: authority::AuthorityType::User,
        form: authority::KeyForm::Tls,
        serial: format!("{kept:08x}"),
    };
    let head = ledger.append(vec![free, event("room", kept)]).await.unwrap();
    assert_eq!(head.sequence, kept.unsigned_abs() + 1);
    assert!(ledger.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_full_ledger_refuses_every_append_of_a_group() {
    let place = Place::new();
    let options = Options {
        pages_max: Some(40),
        ..place.options()
    };
    let ledger = std::sync::Arc::new(SqliteLedger::open_with(place.db(), options).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            ledger
                .append(vec![event(&format!("{number} {}", "x".repeat(2_000)), number)])
                .await
        });
    }
    let (mut kept, mut refused) = (0, 0);
    while let Some(joined) = tasks.join_next().await {
        match joined.unwrap() {
            Ok(_) => kept += 1,
            Err(LedgerError::Unwritable(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refused > 0);
    let report = ledger.verify(None).await.unwrap();
    assert!(report.is_sound());
    assert_eq!(report.entries, kept);
}
