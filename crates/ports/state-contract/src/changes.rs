use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::Failure;
use contract::Outcome;
use contract::cases;
use state::Expect;
use state::Revision;
use state::State;
use tokio::task::JoinSet;

use crate::stage::Stage;
use crate::stage::delete;
use crate::stage::is_compacted;
use crate::stage::keep;
use crate::stage::put;
use crate::stage::set;
use crate::stage::told;
use crate::suite::StateContract;

cases! {
    for StateContract;
    each_document_is_told_once_at_its_last_change if |_| true;
    only_changes_in_the_folder_are_told if |_| true;
    a_page_of_changes_never_ends_inside_a_commit if |_| true;
    waiting_ends_at_once_when_it_happened_already if |_| true;
    waiting_ends_with_the_next_commit if |_| true;
    waiting_for_a_far_revision_goes_on if |_| true;
    every_waiter_is_woken if |_| true;
    commits_elsewhere_hardly_ever_wake_anybody if |_| true;
    a_follower_misses_nothing if |_| true;
    forgotten_history_is_told if |has| has.history_max.is_some();
    live_documents_are_never_forgotten if |has| has.history_max.is_some();
}

async fn each_document_is_told_once_at_its_last_change(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for (path, value) in [("a", "1"), ("b", "1"), ("c", "1"), ("a", "2")] {
        set(&*state, path, value).await?;
    }
    state
        .commit(vec![
            delete("b", Expect::Anything)?,
            delete("missing", Expect::Anything)?,
        ])
        .await?;
    state.commit(vec![keep("c", Expect::Anything)?]).await?;
    let all = state.changes("", Revision(0), 10).await?;
    let numbers: Vec<u64> = all.iter().map(|changed| changed.revision.0).collect();
    assert!(numbers.is_sorted());
    let [c, a, b] = numbers.as_slice() else {
        return Err(Failure(format!("{all:?}")));
    };
    assert_eq!(
        told(&all),
        [format!("c@{c}"), format!("a@{a}"), format!("-b@{b}")]
    );
    assert_eq!(
        told(&state.changes("", Revision(*c), 10).await?),
        [format!("a@{a}"), format!("-b@{b}")]
    );
    assert_eq!(state.changes("", Revision(*b), 10).await?, []);
    // Written again, it is no removal any more.
    let again = set(&*state, "b", "2").await?;
    assert_eq!(
        told(&state.changes("", Revision(*a), 10).await?),
        [format!("b@{}", again.0)]
    );
    Ok(())
}

async fn only_changes_in_the_folder_are_told(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    set(&*state, "ab/c", "1").await?;
    let first = set(&*state, "a/b", "1").await?;
    set(&*state, "a", "1").await?;
    let second = set(&*state, "a/c/d", "1").await?;
    let changes = state.changes("a", Revision(0), 10).await?;
    assert_eq!(
        told(&changes),
        [format!("a/b@{}", first.0), format!("a/c/d@{}", second.0)]
    );
    Ok(())
}

async fn a_page_of_changes_never_ends_inside_a_commit(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let mut wanted = Vec::new();
    for commit in 0..6 {
        let names: Vec<String> = (0..5).map(|number| format!("a/{commit}-{number}")).collect();
        let writes = names.iter().map(|path| put(path, Expect::Absent, "1"));
        let revision = state.commit(writes.collect::<Result<_, _>>()?).await?;
        wanted.extend(names.into_iter().map(|path| format!("{path}@{}", revision.0)));
    }
    for limit in [0, 1, 4, 5, 6, 1_000] {
        let mut found = Vec::new();
        let mut after = Revision(0);
        loop {
            let page = state.changes("a", after, limit).await?;
            let Some(last) = page.last() else { break };
            assert_eq!(page.len() % 5, 0);
            assert!(page.len() < limit.max(1) + 5);
            after = last.revision;
            let mut told = told(&page);
            told.sort();
            found.extend(told);
        }
        assert_eq!(found, wanted, "in pages of {limit}");
    }
    Ok(())
}

async fn waiting_ends_at_once_when_it_happened_already(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let revision = set(&*state, "a", "1").await?;
    assert_eq!(state.wait_beyond(&[""], Revision(0)).await?, revision);
    Ok(())
}

async fn waiting_ends_with_the_next_commit(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let before = set(&*state, "a", "1").await?;
    let waiter = {
        let state = Arc::clone(&state);
        tokio::spawn(async move { state.wait_beyond(&[""], before).await })
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!waiter.is_finished());
    let revision = set(&*state, "a", "2").await?;
    assert_eq!(waiter.await??, revision);
    Ok(())
}

async fn waiting_for_a_far_revision_goes_on(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let far = Revision(1_000_000);
    set(&*state, "a", "1").await?;
    let waiting = tokio::time::timeout(Duration::from_millis(50), state.wait_beyond(&[""], far)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    // A wait given up leaves the store usable.
    set(&*state, "a", "2").await?;
    Ok(())
}

async fn every_waiter_is_woken(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let waiters: Vec<_> = (0..32)
        .map(|_| {
            let state = Arc::clone(&state);
            tokio::spawn(async move { state.wait_beyond(&["elsewhere", "a/b"], Revision(0)).await })
        })
        .collect();
    let revision = set(&*state, "a/b/c", "1").await?;
    for waiter in waiters {
        assert_eq!(waiter.await??, revision);
    }
    Ok(())
}

async fn commits_elsewhere_hardly_ever_wake_anybody(stage: &Stage) -> Outcome {
    const COMMITS: usize = 40;
    let state = stage.open().await?;
    let mut seen = set(&*state, "a/1", "1").await?;
    let mut woken = 0;
    for number in 0..COMMITS {
        let mut waiting = state.wait_beyond(&["a"], seen);
        let is_early = tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_ok();
        assert!(!is_early);
        set(&*state, "b/1", &number.to_string()).await?;
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(10), waiting).await {
            woken += 1;
            seen = done?;
        }
    }
    assert!(woken < COMMITS / 4, "woken {woken} times");
    Ok(())
}

/// Follows a folder as a cache would: what it knows at the end is what is there.
async fn follow(state: Arc<dyn State>, until: &str) -> Result<BTreeMap<String, Revision>, Failure> {
    let mut known = BTreeMap::new();
    let mut seen = Revision(0);
    while !known.contains_key(until) {
        state.wait_beyond(&["a"], seen).await?;
        // A store that wakes in vain must not keep the case from being given up.
        tokio::task::yield_now().await;
        for changed in state.changes("a", seen, 3).await? {
            assert!(changed.revision >= seen);
            seen = seen.max(changed.revision);
            if changed.is_deleted {
                known.remove(changed.key.as_str());
            } else {
                known.insert(String::from(changed.key), changed.revision);
            }
        }
    }
    Ok(known)
}

async fn a_follower_misses_nothing(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let mut followers: JoinSet<_> = (0..3).map(|_| follow(Arc::clone(&state), "a/end")).collect();
    // As few names as a small history holds, changed over and over.
    for round in 0..300_u32 {
        let path = format!("a/{}", round % 7);
        let write = if round % 3 == 0 {
            delete(&path, Expect::Anything)?
        } else {
            put(&path, Expect::Anything, &round.to_string())?
        };
        state.commit(vec![write]).await?;
        if round % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    set(&*state, "a/end", "1").await?;
    let there: BTreeMap<String, Revision> = state
        .list("a", None, 100)
        .await?
        .entries
        .into_iter()
        .map(|entry| (String::from(entry.key), entry.revision))
        .collect();
    while let Some(known) = followers.join_next().await {
        assert_eq!(known??, there);
    }
    Ok(())
}

async fn forgotten_history_is_told(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let history = stage.has.history_max.unwrap_or_default();
    let first = set(&*state, "a/first", "1").await?;
    let mut newest = first;
    for number in 0..=history {
        let path = format!("a/{number}");
        set(&*state, &path, "1").await?;
        newest = state.commit(vec![delete(&path, Expect::Anything)?]).await?;
    }
    is_compacted(&state.changes("a", first, 10).await)?;
    is_compacted(&state.changes("a", Revision(0), 10).await)?;
    // Listing again gives a revision from which to go on.
    let page = state.list("a", None, 10).await?;
    assert_eq!(page.revision, newest);
    let next = set(&*state, "a/next", "1").await?;
    assert_eq!(
        told(&state.changes("a", page.revision, 10).await?),
        [format!("a/next@{}", next.0)]
    );
    Ok(())
}

async fn live_documents_are_never_forgotten(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let history = stage.has.history_max.unwrap_or_default();
    for number in 0..history * 3 {
        set(&*state, &format!("a/{number}"), "1").await?;
    }
    assert_eq!(state.changes("a", Revision(0), 1_000).await?.len(), history * 3);
    Ok(())
}
