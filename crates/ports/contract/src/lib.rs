//! What the contract suites of the ports are made of: cases from one table, run as trials against each bench of an adapter.
//!
//! A port's suite implements [`Contract`], lists its cases theme by theme with [`cases!`], and offers [`run`] to the adapters and
//! [`failing`] to tests of the suite itself. Here is what all suites share: which cases a bench cannot show, that these show as
//! ignored and equal the golden file beside the adapter, that every case has a time limit and a stage of its own. What a bench
//! opens and what the cases promise is the port's.

mod case;
mod plan;
mod run;
mod skips;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

pub use case::Body;
pub use case::Case;
pub use case::Failure;
pub use case::Outcome;
pub use case::Running;
pub use run::failing;
pub use run::run;
pub use skips::Skip;

/// Why a bench could not open its backend, with the chain of causes.
pub type BenchError = Box<dyn std::error::Error + Send + Sync>;

/// The contract of one port.
#[async_trait]
pub trait Contract: Sized + Send + 'static {
    /// What opens the backends of an adapter.
    type Bench: ?Sized + Send + Sync + 'static;
    /// What decides which cases a bench shows.
    type Capabilities;
    /// Where one case plays.
    type Stage: ?Sized + Send;
    /// What some cases are shown with, once for each, such as the algorithms of keys; [`Infallible`](std::convert::Infallible)
    /// where there is nothing of the kind.
    type Variety: Copy + Send + Sync + 'static;

    /// How the bench wants to be run.
    fn terms(bench: &Self::Bench) -> Terms;

    /// What the bench declares.
    fn capabilities(bench: &Self::Bench) -> Self::Capabilities;

    /// The cases, theme by theme.
    fn cases() -> Vec<Case<Self>>;

    /// All varieties, each with the end of the name of the cases shown with it: lower case, digits and underscores.
    fn varieties() -> Vec<(&'static str, Self::Variety)> {
        Vec::new()
    }

    /// Why the bench cannot show a case, `theme::promise`, that its capabilities allow.
    fn skip(_bench: &Self::Bench, _case: &str, _variety: Option<Self::Variety>) -> Option<Skip> {
        None
    }

    /// Sets the stage for a case.
    ///
    /// # Errors
    /// The case fails with them.
    async fn open(bench: Arc<Self::Bench>) -> Result<Box<Self::Stage>, Failure>;

    /// Clears the stage, after a case that failed too, unless it panicked.
    ///
    /// # Errors
    /// A case that went well fails with them.
    async fn close(stage: Box<Self::Stage>) -> Outcome {
        drop(stage);
        Ok(())
    }

    /// Clears away what all cases of a bench shared, after the last one.
    ///
    /// # Errors
    /// The run fails with them.
    async fn end(_bench: Arc<Self::Bench>) -> Outcome {
        Ok(())
    }
}

/// How the cases of a bench are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What the bench is called: lower case, digits and hyphens. It names the file of skipped cases.
    pub name: String,
    /// The longest a case may take, in seconds.
    pub case_seconds_max: u64,
    /// Cases that may run at the same time; `None` is one per processor.
    pub cases_at_once: Option<usize>,
}

/// The longest a case may take where the bench does not say, in seconds: enough for any case on a machine that is busy with other
/// things, since it is for cases that hang.
pub const CASE_SECONDS_MAX: u64 = 600;
