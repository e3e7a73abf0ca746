use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::BenchError;
use crate::Contract;
use crate::Failure;
use crate::Outcome;
use crate::Terms;
use crate::plan::Act;
use crate::plan::Planned;
use crate::plan::plan;
use crate::skips;

/// Runs a contract against benches of one adapter, with the arguments of the process.
pub fn run<C: Contract>(benches: Vec<Arc<C::Bench>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            eprintln!("error: no runtime for the contract: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut arguments = Arguments::from_args();
    let at_once = benches
        .iter()
        .filter_map(|bench| C::terms(bench).cases_at_once)
        .min();
    arguments.test_threads = arguments.test_threads.or(at_once);
    let trials = benches.iter().flat_map(|bench| trials::<C>(bench, &runtime));
    let mut code = libtest_mimic::run(&arguments, trials.collect()).exit_code();
    for bench in benches {
        let name = C::terms(&bench).name;
        if let Err(Failure(text)) = runtime.block_on(C::end(bench)) {
            eprintln!("error: what the cases of {name} shared was not cleared away: {text}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// The cases that a bench fails, by name, for tests of a contract: one that nothing can fail promises nothing.
///
/// # Errors
/// When there is no runtime to run them on, or what the cases shared is not cleared away.
pub fn failing<C: Contract>(bench: Arc<C::Bench>) -> Result<Vec<String>, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut failing = Vec::new();
    for Planned { name, act, skip } in plan::<C>(&bench) {
        if skip.is_some() {
            continue;
        }
        // On a task of its own, so that a failed assertion ends the case and nothing else.
        let played = runtime.block_on(runtime.spawn(play(Arc::clone(&bench), act)));
        if !matches!(played, Ok(Ok(()))) {
            failing.push(name);
        }
    }
    runtime
        .block_on(C::end(bench))
        .map_err(|Failure(text)| format!("what the cases shared was not cleared away: {text}"))?;
    Ok(failing)
}

/// A trial for each case, and one for the list of those skipped.
fn trials<C: Contract>(bench: &Arc<C::Bench>, runtime: &Arc<Runtime>) -> Vec<Trial> {
    let planned = plan::<C>(bench);
    let bench_name = C::terms(bench).name;
    let skipped = skips::listed(&planned);
    let golden = PathBuf::from(format!("tests/skips-{bench_name}.txt"));
    let golden = trial(&bench_name, "skipped_cases_are_the_known_ones", move || {
        skips::compare(&golden, &skipped)
    });
    let cases = planned.into_iter().map(|Planned { name, act, skip }| {
        let (bench, runtime) = (Arc::clone(bench), Arc::clone(runtime));
        trial(&bench_name, &name, move || runtime.block_on(play(bench, act)))
            .with_ignored_flag(skip.is_some())
    });
    cases.chain([golden]).collect()
}

fn trial(bench: &str, case: &str, body: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::test(format!("{bench}/{case}"), || {
        body().map_err(|Failure(text)| Failed::from(text))
    })
}

async fn play<C: Contract>(bench: Arc<C::Bench>, act: Act<C>) -> Outcome {
    let Terms {
        name: _,
        case_seconds_max: seconds,
        cases_at_once: _,
    } = C::terms(&bench);
    let mut stage = C::open(bench).await?;
    let outcome = tokio::time::timeout(Duration::from_secs(seconds), act.begin(&mut stage)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(Failure(format!("the case took longer than {seconds} s"))));
    outcome.and(C::close(stage).await)
}
