//! The contract catches stores that break it: each planted defect fails the case that names it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use runtime::Clock;
use state::Change;
use state::Changed;
use state::CommitError;
use state::Entry;
use state::Expect;
use state::Page;
use state::Revision;
use state::State;
use state::StateError;
use state::StateKey;
use state::Write;
use state_contract::Bench;
use state_contract::BenchError;
use state_contract::Capabilities;
use state_memory::MemoryState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    IgnoresExpectations,
    /// The check and the write are not one step.
    ChecksThenWrites,
    WritesOneByOne,
    ReadsOneByOne,
    SleepsThroughOthers,
    WakesForEverything,
    KeepWrites,
    NeverExpires,
    ExpiresASecondLate,
    LosesTheLastOfAPage,
    SaysThereIsAnotherPage,
    FoldersArePrefixes,
    ForgetsRemovals,
    SplitsCommits,
    NeverCompacts,
    WakesAtOnce,
    ForgetsOnReopen,
    CountsAnewOnReopen,
}

const HISTORY: usize = 12;

struct Broken {
    inner: MemoryState,
    defect: Defect,
}

impl Broken {
    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }
}

#[async_trait]
impl State for Broken {
    async fn get(&self, key: &StateKey) -> Result<Option<Entry>, StateError> {
        self.inner.get(key).await
    }

    async fn get_all(&self, keys: &[StateKey]) -> Result<Vec<Option<Entry>>, StateError> {
        if !self.has(Defect::ReadsOneByOne) {
            return self.inner.get_all(keys).await;
        }
        let mut all = Vec::new();
        for key in keys {
            all.push(self.inner.get(key).await?);
            tokio::task::yield_now().await;
        }
        Ok(all)
    }

    async fn list(&self, folder: &str, after: Option<&StateKey>, limit: usize) -> Result<Page, StateError> {
        if self.has(Defect::FoldersArePrefixes) && !folder.is_empty() {
            let mut page = self.inner.list("", after, 1_000).await?;
            page.entries
                .retain(|entry| entry.key.as_str().starts_with(folder) && entry.key.as_str() != folder);
            return Ok(page);
        }
        let mut page = self.inner.list(folder, after, limit).await?;
        if self.has(Defect::LosesTheLastOfAPage) && page.next.is_some() {
            page.entries.pop();
        }
        if self.has(Defect::SaysThereIsAnotherPage) && page.entries.len() == limit {
            page.next = page.entries.last().map(|entry| entry.key.clone());
        }
        Ok(page)
    }

    async fn commit(&self, mut writes: Vec<Write>) -> Result<Revision, CommitError> {
        if self.has(Defect::IgnoresExpectations) {
            writes
                .iter_mut()
                .for_each(|write| write.expect = Expect::Anything);
        }
        for write in &mut writes {
            match &mut write.change {
                Change::Put { value: _, expires } if self.has(Defect::NeverExpires) => *expires = None,
                Change::Put {
                    value: _,
                    expires: Some(moment),
                } if self.has(Defect::ExpiresASecondLate) => {
                    moment.0 += 1;
                }
                change @ Change::Keep if self.has(Defect::KeepWrites) => {
                    *change = Change::Put {
                        value: b"kept".to_vec(),
                        expires: None,
                    };
                }
                Change::Put { .. } | Change::Delete | Change::Keep => {}
            }
        }
        if self.has(Defect::ChecksThenWrites) {
            let checks = writes.iter().cloned().map(|write| Write {
                change: Change::Keep,
                ..write
            });
            self.inner.commit(checks.collect()).await?;
            tokio::task::yield_now().await;
            writes
                .iter_mut()
                .for_each(|write| write.expect = Expect::Anything);
        }
        if self.has(Defect::WritesOneByOne) {
            state::check_commit(&writes)?;
            let mut revision = Revision(0);
            for write in writes {
                revision = self.inner.commit(vec![write]).await?;
                tokio::task::yield_now().await;
            }
            return Ok(revision);
        }
        self.inner.commit(writes).await
    }

    async fn changes(&self, folder: &str, after: Revision, limit: usize) -> Result<Vec<Changed>, StateError> {
        let mut changes = match self.inner.changes(folder, after, limit).await {
            Err(StateError::Compacted(_)) if self.has(Defect::NeverCompacts) => Vec::new(),
            other => other?,
        };
        if self.has(Defect::ForgetsRemovals) {
            changes.retain(|changed| !changed.is_deleted);
        }
        if self.has(Defect::SplitsCommits) {
            changes.truncate(limit.max(1));
        }
        Ok(changes)
    }

    async fn wait_beyond(&self, folders: &[&str], revision: Revision) -> Result<Revision, StateError> {
        if self.has(Defect::WakesAtOnce) {
            return Ok(revision);
        }
        if self.has(Defect::SleepsThroughOthers) {
            return self
                .inner
                .wait_beyond(folders.get(..1).unwrap_or_default(), revision)
                .await;
        }
        if self.has(Defect::WakesForEverything) {
            return self.inner.wait_beyond(&[""], revision).await;
        }
        self.inner.wait_beyond(folders, revision).await
    }
}

struct BrokenBench {
    stores: Mutex<BTreeMap<String, MemoryState>>,
    defect: Defect,
}

#[async_trait]
impl Bench for BrokenBench {
    fn name(&self) -> &str {
        "broken"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persists: true,
            opens_twice: true,
            refuses_writes: true,
            history_max: Some(HISTORY),
        }
    }

    async fn open(&self, store: &str, clock: Arc<dyn Clock>) -> Result<Box<dyn State>, BenchError> {
        let mut stores = self.stores.lock().unwrap();
        let made = stores
            .entry(store.to_owned())
            .or_insert_with(|| MemoryState::with_history(clock, HISTORY));
        Ok(Box::new(Broken {
            inner: made.clone(),
            defect: self.defect,
        }))
    }

    async fn reopen(
        &self,
        store: &str,
        clock: Arc<dyn Clock>,
        old: Box<dyn State>,
    ) -> Result<Box<dyn State>, BenchError> {
        if matches!(self.defect, Defect::ForgetsOnReopen | Defect::CountsAnewOnReopen) {
            let entries = old.list("", None, 1_000).await?.entries;
            let fresh = MemoryState::with_history(Arc::clone(&clock), HISTORY);
            if self.defect == Defect::CountsAnewOnReopen {
                for Entry {
                    key,
                    value,
                    revision: _,
                    expires,
                } in entries
                {
                    let change = Change::Put { value, expires };
                    fresh
                        .commit(vec![Write {
                            key,
                            expect: Expect::Anything,
                            change,
                        }])
                        .await?;
                }
            }
            self.stores.lock().unwrap().insert(store.to_owned(), fresh);
        }
        self.open(store, clock).await
    }

    async fn refuse_writes(&self, store: &str, is_refusing: bool) -> Result<(), BenchError> {
        let state = self.stores.lock().unwrap().get(store).cloned();
        state.ok_or("no such store")?.fail_writes(is_refusing);
        Ok(())
    }

    fn case_seconds_max(&self) -> u64 {
        // A store that never wakes its waiters, or wakes them in vain, must not hold up this test. A sound one has all the time
        // it needs.
        if self.defect == Defect::None {
            contract::CASE_SECONDS_MAX
        } else {
            5
        }
    }
}

fn failing(defect: Defect) -> BTreeSet<String> {
    let bench = BrokenBench {
        stores: Mutex::default(),
        defect,
    };
    state_contract::failing(Arc::new(bench))
        .unwrap()
        .into_iter()
        .collect()
}

#[test]
fn a_sound_store_fails_nothing() {
    assert_eq!(failing(Defect::None), BTreeSet::new());
}

#[test]
fn every_planted_defect_is_caught_by_the_case_that_names_it() {
    let caught = [
        (
            Defect::IgnoresExpectations,
            "commit::absent_holds_only_for_what_is_not_there",
        ),
        (
            Defect::IgnoresExpectations,
            "commit::at_holds_only_for_that_revision",
        ),
        (
            Defect::IgnoresExpectations,
            "concurrency::of_many_who_create_one_wins",
        ),
        (
            Defect::ChecksThenWrites,
            "concurrency::a_thousand_increments_at_once_lose_nothing",
        ),
        (
            Defect::WritesOneByOne,
            "commit::a_conflict_names_the_first_document_and_changes_nothing",
        ),
        (
            Defect::WritesOneByOne,
            "commit::every_document_of_a_commit_has_its_revision",
        ),
        (Defect::WritesOneByOne, "list::a_page_is_a_snapshot"),
        (
            Defect::WritesOneByOne,
            "concurrency::a_commit_given_up_is_whole_or_nothing",
        ),
        (
            Defect::ReadsOneByOne,
            "concurrency::documents_read_together_are_of_one_moment",
        ),
        (Defect::KeepWrites, "commit::keep_checks_and_changes_nothing"),
        (
            Defect::NeverExpires,
            "expiry::a_document_already_expired_never_exists",
        ),
        (
            Defect::ExpiresASecondLate,
            "expiry::a_document_ceases_to_exist_at_its_moment",
        ),
        (Defect::LosesTheLastOfAPage, "list::pages_show_everything_once"),
        (Defect::SaysThereIsAnotherPage, "list::pages_show_everything_once"),
        (
            Defect::FoldersArePrefixes,
            "list::a_folder_holds_what_lies_in_it_in_order",
        ),
        (
            Defect::ForgetsRemovals,
            "changes::each_document_is_told_once_at_its_last_change",
        ),
        (Defect::ForgetsRemovals, "changes::a_follower_misses_nothing"),
        (
            Defect::SplitsCommits,
            "changes::a_page_of_changes_never_ends_inside_a_commit",
        ),
        (Defect::NeverCompacts, "changes::forgotten_history_is_told"),
        (Defect::WakesAtOnce, "changes::waiting_ends_with_the_next_commit"),
        (Defect::WakesAtOnce, "changes::waiting_for_a_far_revision_goes_on"),
        (
            Defect::WakesForEverything,
            "changes::commits_elsewhere_hardly_ever_wake_anybody",
        ),
        (Defect::SleepsThroughOthers, "changes::every_waiter_is_woken"),
        (Defect::ForgetsOnReopen, "restart::documents_survive_a_restart"),
        (
            Defect::CountsAnewOnReopen,
            "restart::revisions_go_on_after_a_restart",
        ),
    ];
    for group in caught.chunk_by(|one, next| one.0 == next.0) {
        let failing = group
            .first()
            .map(|(defect, _)| failing(*defect))
            .unwrap_or_default();
        for (defect, case) in group {
            assert!(
                failing.contains(*case),
                "{defect:?} passes {case}; it fails {failing:?}"
            );
        }
    }
}
