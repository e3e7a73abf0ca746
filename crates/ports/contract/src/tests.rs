use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::Case;
use crate::Contract;
use crate::Failure;
use crate::Outcome;
use crate::Skip;
use crate::Terms;
use crate::failing;
use crate::plan::plan;
use crate::skips;

/// A contract about nothing, whose cases go wrong in every way there is.
pub(crate) struct Toy;

#[derive(Default)]
pub(crate) struct ToyBench {
    is_able: bool,
    leaves_rubbish: bool,
    cannot: BTreeMap<&'static str, &'static str>,
    ended: AtomicUsize,
    closed: Mutex<Vec<u32>>,
}

pub(crate) struct ToyStage {
    bench: Arc<ToyBench>,
    number: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
}

#[async_trait]
impl Contract for Toy {
    type Bench = ToyBench;
    type Capabilities = bool;
    type Stage = ToyStage;
    type Variety = Colour;

    fn terms(_: &ToyBench) -> Terms {
        Terms {
            name: "toy".to_owned(),
            case_seconds_max: 1,
            cases_at_once: None,
        }
    }

    fn capabilities(bench: &ToyBench) -> bool {
        bench.is_able
    }

    fn cases() -> Vec<Case<Self>> {
        cases()
    }

    fn varieties() -> Vec<(&'static str, Colour)> {
        vec![("red", Colour::Red), ("green", Colour::Green)]
    }

    fn skip(bench: &ToyBench, case: &str, variety: Option<Colour>) -> Option<Skip> {
        let reason = bench.cannot.get(case)?;
        (variety != Some(Colour::Red)).then_some(Skip::Because(reason))
    }

    async fn open(bench: Arc<ToyBench>) -> Result<Box<ToyStage>, Failure> {
        Ok(Box::new(ToyStage { bench, number: 0 }))
    }

    async fn close(stage: Box<ToyStage>) -> Outcome {
        stage.bench.closed.lock().unwrap().push(stage.number);
        if stage.bench.leaves_rubbish {
            return Err(Failure("rubbish".to_owned()));
        }
        Ok(())
    }

    async fn end(bench: Arc<ToyBench>) -> Outcome {
        bench.ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

crate::cases! {
    for Toy;
    once it_goes_well if |_| true;
    once it_fails if |_| true;
    once it_panics if |_| true;
    once it_hangs if |_| true;
    once it_needs_a_power if |is_able| *is_able;
    each red_fails if |_| true;
}

async fn it_goes_well(stage: &mut ToyStage) -> Outcome {
    stage.number = 1;
    Ok(())
}

async fn it_fails(stage: &mut ToyStage) -> Outcome {
    stage.number = 2;
    crate::refused!(Err::<(), _>("other"), "wanted");
    Ok(())
}

async fn it_panics(_: &mut ToyStage) -> Outcome {
    assert_eq!(1, 2);
    Ok(())
}

async fn it_hangs(stage: &mut ToyStage) -> Outcome {
    stage.number = 4;
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(())
}

async fn it_needs_a_power(stage: &mut ToyStage) -> Outcome {
    stage.number = 5;
    Ok(())
}

async fn red_fails(stage: &mut ToyStage, colour: Colour) -> Outcome {
    stage.number = 6;
    match colour {
        Colour::Red => Err(Failure("red".to_owned())),
        Colour::Green => Ok(()),
    }
}

fn failing_of(bench: &Arc<ToyBench>) -> Vec<String> {
    failing::<Toy>(Arc::clone(bench)).unwrap()
}

#[test]
fn a_case_that_fails_panics_or_hangs_is_told_and_those_after_it_run() {
    let bench = Arc::new(ToyBench::default());
    let bad = [
        "tests::it_fails",
        "tests::it_panics",
        "tests::it_hangs",
        "tests::red_fails::red",
    ];
    assert_eq!(failing_of(&bench), bad);
    // Every stage was cleared but the one of the case that panicked, and what they shared once, at the end.
    assert_eq!(*bench.closed.lock().unwrap(), [1, 2, 4, 6, 6]);
    assert_eq!(bench.ended.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stage_that_cannot_be_cleared_fails_its_case() {
    let bench = Arc::new(ToyBench {
        leaves_rubbish: true,
        ..ToyBench::default()
    });
    let failing = failing_of(&bench);
    assert!(failing.contains(&"tests::it_goes_well".to_owned()), "{failing:?}");
}

#[test]
fn skipped_cases_do_not_run_and_are_listed_with_reasons_beyond_the_capabilities() {
    let bench = Arc::new(ToyBench {
        cannot: BTreeMap::from([
            ("tests::it_hangs", "it has no time"),
            ("tests::red_fails", "it is blind to green"),
            ("tests::it_needs_a_power", "it is not able anyway"),
        ]),
        ..ToyBench::default()
    });
    let listed = skips::listed(&plan::<Toy>(&bench));
    let expected = "\
tests::it_hangs: it has no time
tests::it_needs_a_power
tests::red_fails::green: it is blind to green
";
    assert_eq!(listed, expected);
    failing_of(&bench);
    assert_eq!(*bench.closed.lock().unwrap(), [1, 2, 6]);
}

#[test]
fn a_bench_that_is_able_skips_nothing() {
    let bench = ToyBench {
        is_able: true,
        ..ToyBench::default()
    };
    assert_eq!(skips::listed(&plan::<Toy>(&bench)), "");
}

#[test]
fn a_golden_file_that_differs_is_a_failure_that_shows_how() {
    let folder = tempfile::tempdir().unwrap();
    let golden = folder.path().join("skips-toy.txt");
    let Err(Failure(missing)) = skips::compare(&golden, "a\n") else {
        unreachable!("there is no such file");
    };
    assert!(missing.contains("UPDATE_GOLDEN=1"), "{missing}");
    std::fs::write(&golden, "a\nb\nc\n").unwrap();
    let same = skips::compare(&golden, "a\nb\nc\n");
    let other = skips::compare(&golden, "a\nd\nc\n");
    let order = skips::compare(&golden, "a\nc\nb\n");
    assert!(same.is_ok());
    assert!(matches!(other, Err(Failure(text)) if text.ends_with("skipped:\n- b\n+ d")));
    assert!(matches!(order, Err(Failure(text)) if text.contains("the order")));
}

#[test]
fn a_failure_tells_the_chain_of_causes() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the number is none")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let cause = "x".parse::<u8>().unwrap_err();
    let Failure(text) = Failure::from(Outer(cause));
    assert_eq!(text, "the number is none: invalid digit found in string");
}
