use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use contract::CASE_SECONDS_MAX;
use contract::Case;
use contract::Contract;
use contract::Failure;
use contract::Terms;

use crate::Bench;
use crate::Capabilities;
use crate::Opened;
use crate::append;
use crate::certificates;
use crate::concurrency;
use crate::events;
use crate::faults;
use crate::restart;
use crate::revocations;
use crate::serials;
use crate::verify;

/// Runs the contract against one bench, with the arguments of the process. For the `main` of an adapter's `tests/contract.rs`.
pub fn run(bench: impl Bench) -> ExitCode {
    contract::run::<LedgerContract>(vec![Arc::new(bench)])
}

/// Where one case plays: an empty ledger.
pub(crate) type Stage = dyn Opened;

/// What [`Ledger`](ledger::Ledger) promises.
pub(crate) struct LedgerContract;

#[async_trait]
impl Contract for LedgerContract {
    type Bench = dyn Bench;
    type Capabilities = Capabilities;
    type Stage = Stage;
    type Variety = Infallible;

    fn terms(bench: &dyn Bench) -> Terms {
        Terms {
            name: bench.name().to_owned(),
            case_seconds_max: CASE_SECONDS_MAX,
            cases_at_once: None,
        }
    }

    fn capabilities(bench: &dyn Bench) -> Capabilities {
        bench.capabilities()
    }

    fn cases() -> Vec<Case<Self>> {
        let themes = [
            append::cases(),
            concurrency::cases(),
            serials::cases(),
            events::cases(),
            certificates::cases(),
            revocations::cases(),
            restart::cases(),
            faults::cases(),
            verify::cases(),
        ];
        themes.into_iter().flatten().collect()
    }

    async fn open(bench: Arc<dyn Bench>) -> Result<Box<Stage>, Failure> {
        Ok(bench.open().await?)
    }
}
