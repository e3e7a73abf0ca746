//! What the contract cannot see: the file, full disks, other processes, sudden death.
//!
//! Run with the name of a role, this program plays it: a process to be killed, or one of two at work on one file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod file;
mod full;
mod lock;
mod processes;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;
use libtest_mimic::Trial;
use runtime::Clock;
use state::Change;
use state::CommitError;
use state::Expect;
use state::Revision;
use state::State;
use state::StateKey;
use state::Write;

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        1_767_268_800_000
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(Noon)
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn at(path: &str) -> StateKey {
    StateKey::parse(path).unwrap()
}

pub(crate) fn put(path: &str, value: Vec<u8>) -> Write {
    Write {
        key: at(path),
        expect: Expect::Anything,
        change: Change::Put { value, expires: None },
    }
}

pub(crate) async fn set(state: &dyn State, path: &str, value: &str) -> Result<Revision, CommitError> {
    state.commit(vec![put(path, value.into())]).await
}

type Fact = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, path, rest @ ..] = arguments.as_slice()
        && role.starts_with("role-")
    {
        processes::play(role, path.as_ref(), rest);
        return ExitCode::SUCCESS;
    }
    let facts: Vec<Fact> = [file::FACTS, full::FACTS, lock::FACTS, processes::FACTS]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let trials = facts.into_iter().map(|(name, fact)| {
        Trial::test(name, move || {
            fact();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
