use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use contract::Case;
use contract::Contract;
use contract::Failure;
use contract::Terms;

use crate::Bench;
use crate::BenchError;
use crate::Capabilities;
use crate::changes;
use crate::commit;
use crate::concurrency;
use crate::expiry;
use crate::handles;
use crate::limits;
use crate::list;
use crate::restart;
use crate::stage::Stage;

/// Runs the contract against one bench, with the arguments of the process. For the `main` of an adapter's `tests/contract.rs`.
pub fn run(bench: impl Bench) -> ExitCode {
    run_all(vec![Arc::new(bench)])
}

/// Runs the contract against several benches of one adapter.
pub fn run_all(benches: Vec<Arc<dyn Bench>>) -> ExitCode {
    contract::run::<StateContract>(benches)
}

/// The cases that a bench fails, by name, for tests of the contract itself: a contract that nothing can fail promises nothing.
///
/// # Errors
/// When there is no runtime to run them on.
pub fn failing(bench: Arc<dyn Bench>) -> Result<Vec<String>, BenchError> {
    contract::failing::<StateContract>(bench)
}

/// What [`State`](state::State) promises.
pub(crate) struct StateContract;

#[async_trait]
impl Contract for StateContract {
    type Bench = dyn Bench;
    type Capabilities = Capabilities;
    type Stage = Stage;
    type Variety = Infallible;

    fn terms(bench: &dyn Bench) -> Terms {
        Terms {
            name: bench.name().to_owned(),
            case_seconds_max: bench.case_seconds_max(),
            cases_at_once: None,
        }
    }

    fn capabilities(bench: &dyn Bench) -> Capabilities {
        bench.capabilities()
    }

    fn cases() -> Vec<Case<Self>> {
        let themes = [
            commit::cases(),
            limits::cases(),
            list::cases(),
            expiry::cases(),
            changes::cases(),
            concurrency::cases(),
            handles::cases(),
            restart::cases(),
        ];
        themes.into_iter().flatten().collect()
    }

    async fn open(bench: Arc<dyn Bench>) -> Result<Box<Stage>, Failure> {
        Ok(Box::new(Stage::new(bench)))
    }
}
