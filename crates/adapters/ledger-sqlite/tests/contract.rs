//! The ledger contract, on SQLite with an export.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use ledger::Ledger;
use ledger_contract::Bench;
use ledger_contract::BenchError;
use ledger_contract::Capabilities;
use ledger_contract::Opened;
use ledger_sqlite::Options;
use ledger_sqlite::SqliteLedger;
use rusqlite::Connection;
use tempfile::TempDir;

struct SqliteBench;

#[async_trait]
impl Bench for SqliteBench {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persists: true,
            refuses_writes: true,
        }
    }

    async fn open(&self) -> Result<Box<dyn Opened>, BenchError> {
        let folder = TempDir::new()?;
        let ledger = Some(open(&folder)?);
        Ok(Box::new(InFolder {
            ledger,
            holder: None,
            folder,
        }))
    }
}

struct InFolder {
    ledger: Option<Arc<SqliteLedger>>,
    /// Another program that holds the database.
    holder: Option<Mutex<Connection>>,
    folder: TempDir,
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger.db")
}

fn open(folder: &TempDir) -> Result<Arc<SqliteLedger>, BenchError> {
    let export_dir = Some(folder.path().join("log"));
    let options = Options {
        export_dir,
        busy_timeout: Duration::from_secs(2),
        ..Options::default()
    };
    Ok(Arc::new(SqliteLedger::open_with(path(folder), options)?))
}

#[async_trait]
impl Opened for InFolder {
    fn ledger(&self) -> Arc<dyn Ledger> {
        match &self.ledger {
            Some(ledger) => ledger.clone(),
            None => unreachable!("a ledger that did not open again is not asked for"),
        }
    }

    async fn reopen(&mut self) -> Result<(), BenchError> {
        drop(self.ledger.take());
        self.ledger = Some(open(&self.folder)?);
        Ok(())
    }

    async fn refuse_writes(&mut self, refuse: bool) -> Result<(), BenchError> {
        self.holder = None;
        if refuse {
            let holder = Connection::open(path(&self.folder))?;
            holder.execute_batch("BEGIN IMMEDIATE")?;
            self.holder = Some(Mutex::new(holder));
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    ledger_contract::run(SqliteBench)
}
