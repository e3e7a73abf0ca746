//! The contract every ledger passes: one suite of cases, run against each adapter through the [`Ledger`] port alone.
//!
//! An adapter implements [`Bench`] and hands it to [`run`] in `tests/contract.rs` (with `harness = false`). The chain is judged by
//! [`audit::Verifier`], not by the ledger. Cases a ledger cannot run, by its declared [`Capabilities`], show as ignored, and
//! their names must equal the adapter's `tests/skips-<bench>.txt` (`UPDATE_GOLDEN=1` writes it).
#![expect(
    clippy::panic,
    reason = "a case is a test: it fails by panicking, which the suite reports under the case's name"
)]

mod append;
mod certificates;
mod concurrency;
mod events;
mod facts;
mod faults;
mod restart;
mod revocations;
mod serials;
mod suite;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use ledger::Ledger;

pub use contract::BenchError;
pub use suite::run;

/// Opens the ledgers of one adapter for the suite.
#[async_trait]
pub trait Bench: Send + Sync + 'static {
    /// What the bench is called: lower case, digits and hyphens. It names the file of skipped cases.
    fn name(&self) -> &str;

    /// What the ledger can do; decides which cases run.
    fn capabilities(&self) -> Capabilities;

    /// Opens an empty ledger in a place of its own.
    ///
    /// # Errors
    /// When it does not open; the case fails with it.
    async fn open(&self) -> Result<Box<dyn Opened>, BenchError>;
}

/// An open ledger and its place, which is removed on drop.
#[async_trait]
pub trait Opened: Send + Sync {
    /// The ledger. No case keeps it over [`Opened::reopen`].
    fn ledger(&self) -> Arc<dyn Ledger>;

    /// Closes the ledger and opens it anew, as after a restart. Only called when [`Capabilities::persists`].
    ///
    /// # Errors
    /// When it does not open again; the case fails with it.
    async fn reopen(&mut self) -> Result<(), BenchError>;

    /// Makes every write fail from outside, or lets writes succeed again. Only called when [`Capabilities::refuses_writes`].
    ///
    /// # Errors
    /// When the place does not allow it; the case fails with it.
    async fn refuse_writes(&mut self, refuse: bool) -> Result<(), BenchError>;
}

/// What a ledger and its bench can do, as the adapter declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether what was appended survives [`Opened::reopen`].
    pub persists: bool,
    /// Whether the bench can make writes fail.
    pub refuses_writes: bool,
}
