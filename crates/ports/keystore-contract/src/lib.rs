//! The contract every key backend passes: one suite of cases, run against each adapter through the [`KeyBackend`] port alone.
//!
//! An adapter implements [`Bench`] and hands it to [`run`] in `tests/contract.rs` (with `harness = false`). Results are judged by
//! [`key::PublicKey::verify`], not by the backend. Cases a backend cannot run, by its declared [`Capabilities`], show as
//! ignored, and their names must equal the adapter's `tests/skips-<bench>.txt` (`UPDATE_GOLDEN=1` writes it).

mod attributes;
mod destroy;
mod generate;
mod lender;
mod list;
mod references;
mod restart;
mod sign;
mod stage;
mod suite;

use std::collections::BTreeSet;

use async_trait::async_trait;
use key::KeyAlgorithm;
use keystore::KeyBackend;
use names::ClusterName;

pub use contract::BenchError;
pub use suite::failing;
pub use suite::run;
pub use suite::run_all;

/// Opens the backends of one adapter for the suite.
///
/// A bench may keep one store (a token, an account, a database) for the whole process: every case works under a cluster name of
/// its own, so cases do not see each other's keys, and they run at the same time.
#[async_trait]
pub trait Bench: Send + Sync + 'static {
    /// What the bench is called: lower case, digits and hyphens. It names the file of skipped cases.
    fn name(&self) -> &str;

    /// What the backend can do; decides which cases run.
    fn capabilities(&self) -> Capabilities;

    /// Opens the backend for a cluster. A cluster opened before finds its keys, if the backend persists.
    ///
    /// # Errors
    /// When the backend does not open; the case fails with it.
    async fn open(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError>;

    /// Closes a backend and opens it anew, as after a restart. What a process can do only once (loading a PKCS#11 module) stays.
    ///
    /// # Errors
    /// As [`Bench::open`].
    async fn reopen(
        &self,
        cluster: &ClusterName,
        old: Box<dyn KeyBackend>,
    ) -> Result<Box<dyn KeyBackend>, BenchError> {
        drop(old);
        self.open(cluster).await
    }

    /// Why the backend cannot show a case, `theme::promise`, with a key of an algorithm (`None` for cases shown once), where its
    /// capabilities do not tell. The reason stands in the file of skipped cases.
    fn cannot(&self, _case: &str, _algorithm: Option<KeyAlgorithm>) -> Option<&'static str> {
        None
    }

    /// Cases that may run at the same time; `None` is one per processor.
    fn cases_at_once(&self) -> Option<usize> {
        None
    }

    /// The longest a case may take, in seconds.
    fn case_seconds_max(&self) -> u64 {
        contract::CASE_SECONDS_MAX
    }
}

/// What a backend can do, as its adapter declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The algorithms it makes and signs with, neither more nor less.
    pub algorithms: BTreeSet<KeyAlgorithm>,
    /// What keeps its keys in.
    pub custody: Custody,
    /// Whether keys survive [`Bench::reopen`].
    pub persists: bool,
    /// Whether a destroyed key is gone at once.
    pub destroys_at_once: bool,
    /// Whether two backends of one cluster may be open at the same time.
    pub opens_twice: bool,
    /// Whether making some hundred keys is quick and harmless.
    pub makes_many_keys: bool,
}

/// What keeps keys in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custody {
    /// Encryption under a sealing key.
    Sealed,
    /// A token's attributes.
    Token,
    /// The word of a cloud's API.
    Cloud,
}
