//! The ledger in memory: a full backend that passes the whole contract, and so the fake that everything else is tested with.
//!
//! It forgets everything when it is dropped. [`MemoryLedger::fail_writes`] shows what happens when an event cannot be recorded.

mod store;

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use audit::AuditReport;
use audit::Entry;
use audit::Head;
use authority::AuthorityType;
use ledger::CertificateQuery;
use ledger::EventQuery;
use ledger::ExportTrouble;
use ledger::IssuedCertificate;
use ledger::Ledger;
use ledger::LedgerError;
use ledger::Record;
use ledger::Revoked;
use names::UnixSeconds;

use crate::store::Store;

/// Append-only facts in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    store: Mutex<Store>,
    is_failing: AtomicBool,
}

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every append fails with [`LedgerError::Unwritable`], or succeeds again.
    pub fn fail_writes(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::SeqCst);
    }

    /// Every event's line so far, in order: for tests that look at what was recorded.
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines()
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A store is changed as a whole or not at all, so a panic elsewhere leaves it whole.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn append(&self, records: Vec<Record>) -> Result<Head, LedgerError> {
        Record::check(&records)?;
        let mut store = self.lock();
        if self.is_failing.load(Ordering::SeqCst) {
            return Err(LedgerError::Unwritable("writes were made to fail".to_owned()));
        }
        store.append(records)
    }

    async fn head(&self) -> Result<Head, LedgerError> {
        Ok(self.lock().head())
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, LedgerError> {
        Ok(self.lock().events(query))
    }

    async fn certificates(&self, query: &CertificateQuery) -> Result<Vec<IssuedCertificate>, LedgerError> {
        Ok(self.lock().certificates(query))
    }

    async fn revocations(
        &self,
        authority: AuthorityType,
        unexpired_at: UnixSeconds,
    ) -> Result<Vec<Revoked>, LedgerError> {
        Ok(self.lock().revocations(authority, unexpired_at))
    }

    async fn verify(&self, anchor: Option<Head>) -> Result<AuditReport, LedgerError> {
        Ok(self.lock().verify(anchor))
    }

    fn export_trouble(&self) -> Option<ExportTrouble> {
        // It keeps no copies.
        None
    }
}
