//! The contract every state backend passes: one suite of cases, run against each adapter through the [`State`] port alone.
//!
//! An adapter implements [`Bench`] and hands it to [`run`] in `tests/contract.rs` (with `harness = false`). Cases a backend cannot
//! run, by its declared [`Capabilities`], show as ignored, and their names must equal the adapter's `tests/skips-<bench>.txt`
//! (`UPDATE_GOLDEN=1` writes it).

mod changes;
mod commit;
mod concurrency;
mod expiry;
mod handles;
mod limits;
mod list;
mod restart;
mod stage;
mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use runtime::Clock;
use state::State;

pub use contract::BenchError;
pub use suite::failing;
pub use suite::run;
pub use suite::run_all;

/// Opens the backends of one adapter for the suite.
#[async_trait]
pub trait Bench: Send + Sync + 'static {
    /// What the bench is called: lower case, digits and hyphens. It names the file of skipped cases.
    fn name(&self) -> &str;

    /// What the backend can do; decides which cases run.
    fn capabilities(&self) -> Capabilities;

    /// Opens the store of that name (letters and digits; every case has its own), empty when it was never opened.
    /// Opened again while open, it is a second handle on the same store.
    ///
    /// # Errors
    /// When the backend does not open; the case fails with it.
    async fn open(&self, store: &str, clock: Arc<dyn Clock>) -> Result<Box<dyn State>, BenchError>;

    /// Closes a store and opens it anew, as after a restart.
    ///
    /// # Errors
    /// As [`Bench::open`].
    async fn reopen(
        &self,
        store: &str,
        clock: Arc<dyn Clock>,
        old: Box<dyn State>,
    ) -> Result<Box<dyn State>, BenchError> {
        drop(old);
        self.open(store, clock).await
    }

    /// Makes every write to a store fail, or succeed again. Called only when [`Capabilities::refuses_writes`].
    ///
    /// # Errors
    /// When it cannot.
    async fn refuse_writes(&self, store: &str, is_refusing: bool) -> Result<(), BenchError>;

    /// The longest a case may take, in seconds.
    fn case_seconds_max(&self) -> u64 {
        contract::CASE_SECONDS_MAX
    }
}

/// What a backend can do, as its adapter declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether documents survive [`Bench::reopen`].
    pub persists: bool,
    /// Whether a store may be open twice at the same time.
    pub opens_twice: bool,
    /// Whether [`Bench::refuse_writes`] works.
    pub refuses_writes: bool,
    /// How many removed documents a store of the bench remembers, when there is a limit. A small one keeps the cases quick.
    pub history_max: Option<usize>,
}
