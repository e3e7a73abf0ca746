use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use key::KeyAlgorithm;
use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::Bench;
use crate::BenchError;
use crate::attributes;
use crate::case::Body;
use crate::case::Case;
use crate::case::Failure;
use crate::case::Outcome;
use crate::destroy;
use crate::generate;
use crate::list;
use crate::references;
use crate::restart;
use crate::sign;
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
    let mut arguments = Arguments::from_args();
    let at_once = benches.iter().filter_map(|bench| bench.cases_at_once()).min();
    arguments.test_threads = arguments.test_threads.or(at_once);
    let trials = benches.iter().flat_map(|bench| trials(bench, &runtime)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The cases that a bench fails, by name, for tests of the contract itself: a contract that nothing can fail promises nothing.
///
/// # Errors
/// When there is no runtime to run them on.
pub fn failing(bench: Arc<dyn Bench>) -> Result<Vec<String>, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut failing = Vec::new();
    for Planned {
        name,
        body,
        algorithm,
        is_skipped,
    } in plan(bench.as_ref())
    {
        // On a task of its own, so that a failed assertion ends the case and nothing else.
        if is_skipped {
            continue;
        }
        let played = runtime.block_on(runtime.spawn(play(Arc::clone(&bench), body, algorithm)));
        if !matches!(played, Ok(Ok(()))) {
            failing.push(name);
        }
    }
    Ok(failing)
}

/// A case with its algorithm chosen.
struct Planned {
    name: String,
    body: Body,
    algorithm: Option<KeyAlgorithm>,
    is_skipped: bool,
}

fn trials(bench: &Arc<dyn Bench>, runtime: &Arc<Runtime>) -> Vec<Trial> {
    let planned = plan(bench.as_ref());
    let skipped: Vec<String> = planned
        .iter()
        .filter(|case| case.is_skipped)
        .map(|case| case.name.clone())
        .collect();
    let bench_name = bench.name().to_owned();
    let golden = PathBuf::from(format!("tests/skips-{bench_name}.txt"));
    let golden = Trial::test(
        format!("{bench_name}/skipped_cases_are_the_known_ones"),
        move || compare_skips(&golden, &skipped).map_err(|Failure(text)| Failed::from(text)),
    );
    let cases = planned.into_iter().map(|case| {
        let (bench, runtime) = (Arc::clone(bench), Arc::clone(runtime));
        let Planned {
            name,
            body,
            algorithm,
            is_skipped,
        } = case;
        Trial::test(format!("{bench_name}/{name}"), move || {
            runtime
                .block_on(play(bench, body, algorithm))
                .map_err(|Failure(text)| Failed::from(text))
        })
        .with_ignored_flag(is_skipped)
    });
    cases.chain([golden]).collect()
}

fn plan(bench: &dyn Bench) -> Vec<Planned> {
    let has = bench.capabilities();
    let themes = [
        generate::cases(),
        sign::cases(),
        references::cases(),
        list::cases(),
        destroy::cases(),
        restart::cases(),
        attributes::cases(),
    ];
    let mut planned = Vec::new();
    for Case { name, applies, body } in themes.into_iter().flatten() {
        let name = name.strip_prefix("keystore_contract::").unwrap_or(name);
        let applies = applies(&has);
        match body {
            Body::Once(_) => {
                planned.push(Planned {
                    name: name.to_owned(),
                    body,
                    algorithm: None,
                    is_skipped: !applies,
                });
            }
            Body::Each(_) => planned.extend(KeyAlgorithm::ALL.into_iter().map(|algorithm| Planned {
                name: format!("{name}::{}", slug(algorithm)),
                body,
                algorithm: Some(algorithm),
                is_skipped: !applies || !has.algorithms.contains(&algorithm),
            })),
        }
    }
    planned
}

const fn slug(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rsa2048 => "rsa_2048",
        KeyAlgorithm::Rsa3072 => "rsa_3072",
        KeyAlgorithm::Rsa4096 => "rsa_4096",
        KeyAlgorithm::EcdsaP256 => "ecdsa_p256",
        KeyAlgorithm::EcdsaP384 => "ecdsa_p384",
        KeyAlgorithm::Ed25519 => "ed25519",
    }
}

async fn play(bench: Arc<dyn Bench>, body: Body, algorithm: Option<KeyAlgorithm>) -> Outcome {
    let seconds = bench.case_seconds_max();
    let stage = Stage::new(bench)?;
    let running = match (body, algorithm) {
        (Body::Once(case), _) => case(&stage),
        (Body::Each(case), Some(algorithm)) => case(&stage, algorithm),
        (Body::Each(_), None) => return Err(Failure("the case needs an algorithm".to_owned())),
    };
    let outcome = tokio::time::timeout(Duration::from_secs(seconds), running).await;
    let outcome = outcome.unwrap_or_else(|_| Err(Failure(format!("the case took longer than {seconds} s"))));
    match (outcome, stage.clear().await) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(failure), _) => Err(failure),
        (Ok(()), Err(Failure(text))) => Err(Failure(format!("keys of the case were not destroyed: {text}"))),
    }
}

/// The names of skipped cases are kept beside the adapter, so that coverage cannot shrink unseen.
fn compare_skips(golden: &PathBuf, skipped: &[String]) -> Outcome {
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
    let lines = |text: &str, other: &str, sign: &str| -> String {
        let is_new = |line: &&str| !other.lines().any(|known| known == *line);
        text.lines()
            .filter(is_new)
            .map(|line| format!("\n{sign} {line}"))
            .collect()
    };
    let fewer = lines(&known, &found, "-");
    let more = lines(&found, &known, "+");
    Err(Failure(format!(
        "{} differs from the cases skipped:{fewer}{more}",
        golden.display()
    )))
}
