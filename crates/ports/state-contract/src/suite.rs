use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::BenchError;
use crate::case::Body;
use crate::case::Case;
use crate::case::Failure;
use crate::case::Outcome;
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            eprintln!("error: no runtime for the contract: {error}");
            return ExitCode::FAILURE;
        }
    };
    let trials = benches.iter().flat_map(|bench| trials(bench, &runtime)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trials(bench: &Arc<dyn Bench>, runtime: &Arc<Runtime>) -> Vec<Trial> {
    let has = bench.capabilities();
    let bench_name = bench.name().to_owned();
    let mut skipped = Vec::new();
    let mut trials = Vec::new();
    for Case { name, applies, body } in all() {
        let name = name.strip_prefix("state_contract::").unwrap_or(name);
        let is_skipped = !applies(&has);
        if is_skipped {
            skipped.push(name);
        }
        let (bench, runtime) = (Arc::clone(bench), Arc::clone(runtime));
        let trial = Trial::test(format!("{bench_name}/{name}"), move || {
            runtime
                .block_on(play(bench, body))
                .map_err(|Failure(text)| Failed::from(text))
        });
        trials.push(trial.with_ignored_flag(is_skipped));
    }
    let golden = PathBuf::from(format!("tests/skips-{bench_name}.txt"));
    trials.push(Trial::test(
        format!("{bench_name}/skipped_cases_are_the_known_ones"),
        move || compare_skips(&golden, &skipped).map_err(|Failure(text)| Failed::from(text)),
    ));
    trials
}

/// The cases that a bench fails, by name, for tests of the contract itself: a contract that nothing can fail promises nothing.
///
/// # Errors
/// When there is no runtime to run them on.
pub fn failing(bench: Arc<dyn Bench>) -> Result<Vec<String>, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let has = bench.capabilities();
    let mut failing = Vec::new();
    for Case {
        name,
        applies: _,
        body,
    } in all().filter(|case| (case.applies)(&has))
    {
        // On a task of its own, so that a failed assertion ends the case and nothing else.
        let played = runtime.block_on(runtime.spawn(play(Arc::clone(&bench), body)));
        if !matches!(played, Ok(Ok(()))) {
            failing.push(name.strip_prefix("state_contract::").unwrap_or(name).to_owned());
        }
    }
    Ok(failing)
}

async fn play(bench: Arc<dyn Bench>, body: Body) -> Outcome {
    let seconds = bench.case_seconds_max();
    let stage = Stage::new(bench);
    let outcome = tokio::time::timeout(Duration::from_secs(seconds), body(&stage)).await;
    outcome.unwrap_or_else(|_| Err(Failure(format!("the case took longer than {seconds} s"))))
}

fn all() -> impl Iterator<Item = Case> {
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
    themes.into_iter().flatten()
}

/// The names of skipped cases are kept beside the adapter, so that coverage cannot shrink unseen.
fn compare_skips(golden: &Path, skipped: &[&str]) -> Outcome {
    let found: String = skipped.iter().map(|name| format!("{name}\n")).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return Ok(std::fs::write(golden, found)?);
    }
    let known = std::fs::read_to_string(golden).map_err(|error| {
        Failure(format!(
            "{}: {error}; UPDATE_GOLDEN=1 writes it",
            golden.display()
        ))
    })?;
    if known == found {
        return Ok(());
    }
    Err(Failure(format!(
        "{} says\n{known}but skipped are\n{found}",
        golden.display()
    )))
}
