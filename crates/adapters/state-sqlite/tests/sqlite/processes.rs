use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write as _;
use std::path::Path;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use state::CommitError;
use state::Expect;
use state::Revision;
use state::State;
use state::StateError;
use state_sqlite::SqliteState;

use crate::Fact;
use crate::at;
use crate::clock;
use crate::lock;
use crate::put;
use crate::set;
use crate::wait;

pub(crate) const FACTS: &[Fact] = &[
    (
        "every_acknowledged_commit_survives_kill_9",
        every_acknowledged_commit_survives_kill_9,
    ),
    ("two_processes_lose_nothing", two_processes_lose_nothing),
    (
        "a_commit_of_another_process_wakes_waiters",
        a_commit_of_another_process_wakes_waiters,
    ),
    (
        "a_writer_held_up_by_another_process_waits",
        a_writer_held_up_by_another_process_waits,
    ),
];

const KILLS: usize = 5;
const INCREMENTS: usize = 150;

/// This program in another role.
pub(crate) struct Child {
    child: std::process::Child,
    lines: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(role: &str, path: &Path, rest: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .arg(path)
            .args(rest)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints, without its end; `None` when it ended, or was killed within a line.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// By SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn finish(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Already ended when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a started process does.
pub(crate) fn play(role: &str, path: &Path, rest: &[String]) {
    match role {
        "role-commit" => wait(commit_for_ever(
            path,
            rest.first().expect("the number of the round"),
        )),
        "role-increment" => wait(increment(path)),
        "role-set" => wait(async {
            let state = SqliteState::open(path, clock()).unwrap();
            set(&state, "a", "from elsewhere").await.unwrap();
        }),
        "role-hold" => lock::hold(path),
        other => panic!("no role {other}"),
    }
}

/// Commits pairs and prints the number of each that was acknowledged.
async fn commit_for_ever(path: &Path, round: &str) {
    let state = SqliteState::open(path, clock()).unwrap();
    let mut out = std::io::stdout();
    for number in 0_u64.. {
        // Values of all sizes, so that some commits span many pages.
        let value = vec![0x5a; usize::try_from(number % 50).unwrap() * 1_000];
        let pair = ["left", "right"].map(|side| put(&format!("{side}/{round}-{number}"), value.clone()));
        state.commit(pair.into()).await.unwrap();
        writeln!(out, "{round}-{number}").unwrap();
    }
}

fn every_acknowledged_commit_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let mut acknowledged = BTreeSet::new();
    let mut newest = Revision(0);
    for round in 0..KILLS {
        let mut child = Child::start("role-commit", &path, &[&round.to_string()]);
        for _ in 0..20 + round * 31 {
            acknowledged.insert(child.line().expect("the process ended by itself"));
        }
        child.kill();
        acknowledged.extend(std::iter::from_fn(|| child.line()));
        wait(async {
            let state = SqliteState::open(&path, clock()).unwrap();
            let mut sides = Vec::new();
            for side in ["left", "right"] {
                let mut names = BTreeSet::new();
                let mut after = None;
                loop {
                    let page = state.list(side, after.as_ref(), 100).await.unwrap();
                    names.extend(
                        page.entries
                            .iter()
                            .map(|entry| entry.key.as_str().split('/').next_back().unwrap().to_owned()),
                    );
                    assert!(page.revision >= newest);
                    newest = page.revision;
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                sides.push(names);
            }
            let [left, right] = sides.as_slice() else {
                panic!("two sides")
            };
            assert_eq!(left, right);
            assert!(
                acknowledged.is_subset(left),
                "lost: {:?}",
                acknowledged.difference(left)
            );
        });
    }
    assert!(acknowledged.len() > 20 * KILLS);
}

async fn increment(path: &Path) {
    let state = SqliteState::open(path, clock()).unwrap();
    for _ in 0..INCREMENTS {
        loop {
            let entry = state.get(&at("counter")).await.unwrap();
            let number = entry.as_ref().map_or(0, |entry| {
                std::str::from_utf8(&entry.value)
                    .unwrap()
                    .parse::<usize>()
                    .unwrap()
            });
            let mut write = put("counter", (number + 1).to_string().into_bytes());
            write.expect = entry.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
            match state.commit(vec![write]).await {
                Ok(_) => break,
                // Somebody else was first, or held the lock for too long.
                Err(CommitError::Conflict { .. } | CommitError::Store(StateError::Unavailable(_))) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

fn two_processes_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    // They also make the file at the same time.
    let children = [(); 2].map(|()| Child::start("role-increment", &path, &[]));
    children.into_iter().for_each(Child::finish);
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        let counter = state.get(&at("counter")).await.unwrap().unwrap();
        assert_eq!(
            String::from_utf8(counter.value).unwrap(),
            (2 * INCREMENTS).to_string()
        );
    });
}

fn a_commit_of_another_process_wakes_waiters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        let before = set(&state, "a", "1").await.unwrap();
        let waiting = async {
            let waiters = tokio::join!(
                state.wait_beyond(&["a"], before),
                state.wait_beyond(&["b"], before)
            );
            assert!(waiters.0.unwrap() > before);
            assert!(waiters.1.unwrap() > before);
        };
        let other = tokio::task::spawn_blocking(move || Child::start("role-set", &path, &[]).finish());
        tokio::time::timeout(Duration::from_secs(300), waiting)
            .await
            .unwrap();
        other.await.unwrap();
    });
}

fn a_writer_held_up_by_another_process_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        set(&state, "a", "1").await.unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let held_up = set(&state, "a", "2");
        tokio::pin!(held_up);
        let early = tokio::time::timeout(Duration::from_millis(300), &mut held_up).await;
        assert!(early.is_err(), "{early:?}");
        // Readers are not held up.
        assert_eq!(state.get(&at("a")).await.unwrap().unwrap().value, b"1");
        other.execute_batch("ROLLBACK").unwrap();
        held_up.await.unwrap();
        assert_eq!(state.get(&at("a")).await.unwrap().unwrap().value, b"2");
    });
}
