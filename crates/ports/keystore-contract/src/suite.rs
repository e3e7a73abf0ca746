use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use contract::Case;
use contract::Contract;
use contract::Failure;
use contract::Outcome;
use contract::Skip;
use contract::Terms;
use key::KeyAlgorithm;

use crate::Bench;
use crate::BenchError;
use crate::Capabilities;
use crate::attributes;
use crate::destroy;
use crate::generate;
use crate::lender::Lender;
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
    match benches.into_iter().map(lender).collect() {
        Ok(lenders) => contract::run::<KeystoreContract>(lenders),
        Err(Failure(text)) => {
            eprintln!("error: no bench for the contract: {text}");
            ExitCode::FAILURE
        }
    }
}

/// The cases that a bench fails, by name, for tests of the contract itself: a contract that nothing can fail promises nothing.
///
/// # Errors
/// When there is no runtime to run them on, or keys that cases shared are not destroyed.
pub fn failing(bench: Arc<dyn Bench>) -> Result<Vec<String>, BenchError> {
    let lender = lender(bench).map_err(|Failure(text)| text)?;
    contract::failing::<KeystoreContract>(lender)
}

fn lender(bench: Arc<dyn Bench>) -> Result<Arc<Lender>, Failure> {
    Ok(Arc::new(Lender::new(bench)?))
}

/// What [`KeyBackend`](keystore::KeyBackend) promises.
pub(crate) struct KeystoreContract;

#[async_trait]
impl Contract for KeystoreContract {
    type Bench = Lender;
    type Capabilities = Capabilities;
    type Stage = Stage;
    type Variety = KeyAlgorithm;

    fn terms(lender: &Lender) -> Terms {
        let bench = &lender.bench;
        Terms {
            name: bench.name().to_owned(),
            case_seconds_max: bench.case_seconds_max(),
            cases_at_once: bench.cases_at_once(),
        }
    }

    fn capabilities(lender: &Lender) -> Capabilities {
        lender.bench.capabilities()
    }

    fn cases() -> Vec<Case<Self>> {
        let themes = [
            generate::cases(),
            sign::cases(),
            references::cases(),
            list::cases(),
            destroy::cases(),
            restart::cases(),
            attributes::cases(),
        ];
        themes.into_iter().flatten().collect()
    }

    fn varieties() -> Vec<(&'static str, KeyAlgorithm)> {
        KeyAlgorithm::ALL
            .map(|algorithm| (slug(algorithm), algorithm))
            .into()
    }

    fn skip(lender: &Lender, case: &str, algorithm: Option<KeyAlgorithm>) -> Option<Skip> {
        let algorithms = lender.bench.capabilities().algorithms;
        if algorithm.is_some_and(|algorithm| !algorithms.contains(&algorithm)) {
            return Some(Skip::Incapable);
        }
        lender.bench.cannot(case, algorithm).map(Skip::Because)
    }

    async fn open(lender: Arc<Lender>) -> Result<Box<Stage>, Failure> {
        Ok(Box::new(Stage::new(lender)?))
    }

    async fn close(stage: Box<Stage>) -> Outcome {
        let left = |Failure(text)| Failure(format!("keys of the case were not destroyed: {text}"));
        stage.clear().await.map_err(left)
    }

    async fn end(lender: Arc<Lender>) -> Outcome {
        lender.clear().await
    }
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
