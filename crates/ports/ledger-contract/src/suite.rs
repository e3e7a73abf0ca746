use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::append;
use crate::case::Case;
use crate::case::Failure;
use crate::case::Outcome;
use crate::certificates;
use crate::concurrency;
use crate::events;
use crate::faults;
use crate::restart;
use crate::revocations;
use crate::serials;
use crate::verify;

/// The longest a case may take, in seconds.
const CASE_SECONDS_MAX: u64 = 120;

/// Runs the contract against one bench, with the arguments of the process. For the `main` of an adapter's `tests/contract.rs`.
pub fn run(bench: impl Bench) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            eprintln!("error: no runtime for the contract: {error}");
            return ExitCode::FAILURE;
        }
    };
    libtest_mimic::run(&Arguments::from_args(), trials(&(Arc::new(bench) as Arc<dyn Bench>), &runtime)).exit_code()
}

fn trials(bench: &Arc<dyn Bench>, runtime: &Arc<Runtime>) -> Vec<Trial> {
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
    let mut trials = Vec::new();
    let mut skipped = String::new();
    for Case { name, applies, body } in themes.into_iter().flatten() {
        let name = name.strip_prefix("ledger_contract::").unwrap_or(name);
        let is_skipped = !applies(bench.capabilities());
        if is_skipped {
            skipped.push_str(name);
            skipped.push('\n');
        }
        let (bench, runtime) = (Arc::clone(bench), Arc::clone(runtime));
        let played = move || {
            let outcome = runtime.block_on(async {
                let mut opened = bench.open().await?;
                let limit = Duration::from_secs(CASE_SECONDS_MAX);
                let outcome = tokio::time::timeout(limit, body(opened.as_mut())).await;
                outcome.unwrap_or_else(|_| Err(Failure(format!("the case took longer than {CASE_SECONDS_MAX} s"))))
            });
            outcome.map_err(|Failure(text)| Failed::from(text))
        };
        trials.push(Trial::test(name, played).with_ignored_flag(is_skipped));
    }
    let golden = PathBuf::from(format!("tests/skips-{}.txt", bench.name()));
    trials.push(Trial::test("skipped_cases_are_the_known_ones", move || {
        compare_skips(&golden, &skipped).map_err(|Failure(text)| Failed::from(text))
    }));
    trials
}

/// The names of skipped cases are kept beside the adapter, so that coverage cannot shrink unseen.
fn compare_skips(golden: &PathBuf, skipped: &str) -> Outcome {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return Ok(std::fs::write(golden, skipped)?);
    }
    let known = std::fs::read_to_string(golden)
        .map_err(|error| Failure(format!("{}: {error}; UPDATE_GOLDEN=1 writes it", golden.display())))?;
    if known == skipped {
        return Ok(());
    }
    let shown = golden.display();
    Err(Failure(format!("{shown} differs from the cases skipped; known:\n{known}skipped:\n{skipped}")))
}
