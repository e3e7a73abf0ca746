//! Every target with every seed, with thousands of mutations of them, and with bytes from nowhere: the same on every run, on any
//! compiler.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz_targets::{Mutations, TARGETS, Target};

/// Mutations of its seeds that each target gets.
const MUTATIONS: usize = 4_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz")
}

/// The seeds of a target, by name.
fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz().join("corpus").join(target.name);
    let listed = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "{} has no seed", folder.display());
    seeds
}

/// Runs a target, and shows the input when it fails.
#[track_caller]
fn run(target: &Target, input: &[u8]) {
    if catch_unwind(|| (target.run)(input)).is_err() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!(
            "{} fails with {} bytes; see them by `xxd -r -p`:\n{hex}\nas text: {:?}",
            target.name,
            input.len(),
            String::from_utf8_lossy(input)
        );
    }
}

/// Runs every target as often as the inputs that this gives it.
fn run_all(inputs: impl Fn(&Target, &mut dyn FnMut(&[u8]))) {
    for target in TARGETS {
        let mut count = 0_usize;
        inputs(target, &mut |input| {
            run(target, input);
            count += 1;
        });
        assert!(count > 0, "{} got nothing", target.name);
        println!("{}: {count} inputs", target.name);
    }
}

#[test]
fn no_seed_fails_its_target() {
    run_all(|target, each| seeds(target).iter().for_each(|seed| each(seed)));
}

#[test]
fn no_seed_fails_the_target_of_others() {
    let all: Vec<Vec<u8>> = TARGETS.iter().flat_map(seeds).collect();
    run_all(|_, each| all.iter().for_each(|seed| each(seed)));
}

#[test]
fn no_mutation_fails_its_target() {
    run_all(|target, each| {
        let seeds = seeds(target);
        for mutation in Mutations::new(&seeds, 1).take(MUTATIONS) {
            each(&mutation);
        }
    });
}

#[test]
fn every_piece_of_a_seed_is_read_without_failing() {
    run_all(|target, each| {
        for seed in seeds(target) {
            // What is long is cut at a thousand places.
            let step = seed.len() / 1_000 + 1;
            for end in (0..seed.len()).step_by(step) {
                each(&seed[..end]);
                each(&seed[end..]);
            }
        }
    });
}

#[test]
fn nesting_is_bounded() {
    const DEPTH: usize = 50_000;
    for unit in [
        "[",
        "{\"a\":",
        "(",
        "a: ",
        "- ",
        "\n ",
        "&a [",
        "!!map {",
        "0\u{80}",
        "\u{30}\u{80}",
    ] {
        let input = unit.repeat(DEPTH);
        for target in TARGETS {
            run(target, input.as_bytes());
        }
    }
    for target in TARGETS {
        run(target, &[0x30, 0x80].repeat(DEPTH));
    }
}

#[test]
fn the_same_number_gives_the_same_mutations() {
    let seeds = [b"one".to_vec(), b"another".to_vec()];
    let row = |number| Mutations::new(&seeds, number).take(50).collect::<Vec<_>>();
    assert_eq!(row(7), row(7));
    assert_ne!(row(7), row(8));
    let different: BTreeSet<Vec<u8>> = row(7).into_iter().collect();
    assert!(different.len() > 40, "mutations change what they begin with");
}

#[test]
fn each_target_has_a_fuzzer_and_each_fuzzer_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let listed = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        entries
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(listed("fuzz_targets"), names);
    assert_eq!(listed("corpus"), names);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let program = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzz_targets::{name}(data)")), "{name}");
    }
}

mod from_nowhere {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{TARGETS, run};

    proptest! {
        #[test]
        fn bytes_fail_no_target(bytes in vec(any::<u8>(), 0..2_048)) {
            for target in TARGETS {
                run(target, &bytes);
            }
        }

        #[test]
        fn text_fails_no_target(text in "\\PC{0,400}") {
            for target in TARGETS {
                run(target, text.as_bytes());
            }
        }

        #[test]
        fn lines_of_words_fail_no_target(
            text in "((host|user|db|windows|workload|ssh-user|ssh-host|jwt|oidc|jwt-svid)\n)([a-z0-9.:/*@=-]{0,40}\n){0,6}",
        ) {
            for target in TARGETS {
                run(target, text.as_bytes());
            }
        }
    }
}
