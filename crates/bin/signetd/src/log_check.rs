//! The audit log of this server: how it is opened, and how it is checked.
//!
//! The chain of hashes shows an entry that was changed or removed, but not that the end of the log was cut off. The head is therefore
//! written down in the state as well, after the log and never backwards: a log that ends before it is not whole.

use std::sync::Arc;

use api_http::CheckLog;
use async_trait::async_trait;
use audit::AuditReport;
use audit::Head;
use ledger::Ledger;
use ledger::LedgerError;
use ledger_sqlite::SqliteLedger;
use state::Change;
use state::Expect;
use state::State;
use state::StateKey;
use state::Write;

use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::failure::chain;

/// Where the head is written down.
const ANCHOR: &str = "ledger/anchor";

/// Opens the ledger of a data directory.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open(data_dir: &DataDir) -> Result<Arc<dyn Ledger>, Failure> {
    let ledger = SqliteLedger::open(data_dir.ledger(), Some(data_dir.log()))
        .map_err(|error| Failure::of("cannot open the ledger", &error))?;
    Ok(Arc::new(ledger))
}

/// Checks the log, and writes down how far it goes.
pub(crate) struct LogCheck {
    ledger: Arc<dyn Ledger>,
    state: Arc<dyn State>,
}

impl LogCheck {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, state: Arc<dyn State>) -> Self {
        Self { ledger, state }
    }

    /// The head as written down last.
    async fn anchor(&self) -> Result<Option<Head>, String> {
        let key = StateKey::parse(ANCHOR).map_err(|error| error.to_string())?;
        let Some(entry) = self.state.get(&key).await.map_err(|error| chain(&error))? else {
            return Ok(None);
        };
        serde_json::from_slice(&entry.value)
            .map(Some)
            .map_err(|error| format!("{ANCHOR} does not read: {error}"))
    }

    /// Writes down how far the log goes.
    ///
    /// # Errors
    /// When the log ends before what was written down, or the state cannot be used.
    pub(crate) async fn write_anchor(&self) -> Result<(), String> {
        let head = self.ledger.head().await.map_err(|error| chain(&error))?;
        if let Some(anchor) = self.anchor().await? {
            if head.sequence < anchor.sequence {
                return Err(format!(
                    "the audit log ends with entry {}, and entry {} was written; run `signetctl audit verify`",
                    head.sequence, anchor.sequence
                ));
            }
            if head.sequence == anchor.sequence {
                return Ok(());
            }
        }
        let key = StateKey::parse(ANCHOR).map_err(|error| error.to_string())?;
        let value = serde_json::to_vec(&head).map_err(|error| error.to_string())?;
        let write = Write {
            key,
            expect: Expect::Anything,
            change: Change::Put { value, expires: None },
        };
        self.state
            .commit(vec![write])
            .await
            .map(|_| ())
            .map_err(|error| chain(&error))
    }
}

#[async_trait]
impl CheckLog for LogCheck {
    async fn check_log(&self) -> Result<AuditReport, LedgerError> {
        let anchor = self.anchor().await.map_err(LedgerError::Damaged)?;
        self.ledger.verify(anchor).await
    }
}
