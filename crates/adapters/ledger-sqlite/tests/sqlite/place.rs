//! A folder with a ledger and its export.

use std::path::PathBuf;

use audit::Actor;
use audit::AuditEvent;
use audit::AuditReport;
use audit::BreakKind;
use audit::Envelope;
use audit::Place as FoundAt;
use ledger::Ledger;
use ledger::LedgerError;
use ledger::Record;
use ledger_sqlite::Options;
use ledger_sqlite::SqliteLedger;
use names::ClusterName;
use rusqlite::Connection;
use tempfile::TempDir;

/// 2026-03-01T23:59:00Z, a minute before midnight.
pub(crate) const EVENING: i64 = 1_772_409_540;

pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn day(&self, day: &str) -> PathBuf {
        self.log().join(format!("{day}.jsonl"))
    }

    pub(crate) fn open(&self) -> SqliteLedger {
        SqliteLedger::open(self.db(), Some(self.log())).unwrap()
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            export_dir: Some(self.log()),
            ..Options::default()
        }
    }

    pub(crate) fn refusal(&self) -> LedgerError {
        match SqliteLedger::open(self.db(), Some(self.log())) {
            Ok(_) => panic!("the ledger opened"),
            Err(error) => error,
        }
    }

    /// Changes the closed database behind the ledger's back.
    pub(crate) fn sql(&self, statements: &str) {
        Connection::open(self.db())
            .unwrap()
            .execute_batch(statements)
            .unwrap();
    }

    pub(crate) fn lines(&self, day: &str) -> Vec<String> {
        std::fs::read_to_string(self.day(day))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn write_lines(&self, day: &str, lines: &[String]) {
        std::fs::write(
            self.day(day),
            lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap();
    }

    /// What the check of the closed ledger finds.
    pub(crate) fn verify(&self) -> AuditReport {
        SqliteLedger::verify_at(self.db(), Some(&self.log()), None).unwrap()
    }

    pub(crate) fn found(&self) -> Vec<(String, BreakKind, u64)> {
        found(&self.verify())
    }
}

/// What a report found: the place in short (`ledger`, `anchor`, `03-01:2`), the kind, the entry.
pub(crate) fn found(report: &AuditReport) -> Vec<(String, BreakKind, u64)> {
    let short = |place: &FoundAt| match place {
        FoundAt::Ledger => "ledger".to_owned(),
        FoundAt::Anchor => "anchor".to_owned(),
        FoundAt::File { path, line } => {
            let day = path
                .rsplit('/')
                .next()
                .unwrap()
                .trim_start_matches("2026-")
                .trim_end_matches(".jsonl");
            line.map_or_else(|| day.to_owned(), |line| format!("{day}:{line}"))
        }
    };
    report
        .findings
        .iter()
        .map(|finding| (short(&finding.place), finding.kind, finding.sequence))
        .collect()
}

/// An event so many seconds after [`EVENING`].
pub(crate) fn event(text: &str, seconds: i64) -> Record {
    Record::Event(Box::new(Envelope {
        uid: format!("uid-{text}"),
        unix_millis: (EVENING + seconds) * 1_000,
        cluster_name: ClusterName::parse("test.example.com").unwrap(),
        actor: Actor::Local {
            user: "root".to_owned(),
            uid: 0,
        },
        event: AuditEvent::denied("export".to_owned(), text.to_owned()),
    }))
}

/// Appends `count` events, a second apart, from the evening on.
pub(crate) async fn append(ledger: &SqliteLedger, numbers: std::ops::Range<i64>) {
    for number in numbers {
        ledger
            .append(vec![event(&number.to_string(), number)])
            .await
            .unwrap();
    }
}

/// Waits for the export to be complete, as a check does before it begins.
pub(crate) async fn exported(ledger: &SqliteLedger) {
    ledger.verify(None).await.unwrap();
}
