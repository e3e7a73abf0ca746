use contract::Outcome;
use contract::cases;
use state::Expect;
use state::Revision;

use crate::stage::Stage;
use crate::stage::at;
use crate::stage::conflicts;
use crate::stage::delete;
use crate::stage::is_compacted;
use crate::stage::lease;
use crate::stage::put;
use crate::stage::set;
use crate::suite::StateContract;

cases! {
    for StateContract;
    documents_survive_a_restart if |has| has.persists;
    revisions_go_on_after_a_restart if |has| has.persists;
    changes_are_known_after_a_restart if |has| has.persists;
    documents_expire_over_a_restart if |has| has.persists;
    forgotten_history_stays_forgotten_over_a_restart if |has| has.persists && has.history_max.is_some();
}

async fn documents_survive_a_restart(stage: &Stage) -> Outcome {
    let state = stage.open_alone().await?;
    set(&*state, "a/1", "1").await?;
    state
        .commit(vec![
            put("a/2", Expect::Absent, "2")?,
            lease("a/3", Expect::Absent, 60)?,
        ])
        .await?;
    let before = state.list("", None, 10).await?;
    let state = stage.reopen(state).await?;
    assert_eq!(state.list("", None, 10).await?, before);
    Ok(())
}

async fn revisions_go_on_after_a_restart(stage: &Stage) -> Outcome {
    let mut state = stage.open_alone().await?;
    let mut newest = Revision(0);
    for _ in 0..3 {
        let put = set(&*state, "a", "1").await?;
        assert!(put > newest);
        // The last commit leaves no document behind; its number is taken all the same.
        newest = state.commit(vec![delete("a", Expect::At(put))?]).await?;
        state = stage.reopen(state).await?;
        assert_eq!(state.list("", None, 1).await?.revision, newest);
        conflicts(state.commit(vec![put_at(put)?]).await, "a")?;
    }
    Ok(())
}

fn put_at(revision: Revision) -> Result<state::Write, state::BadStateKey> {
    put("a", Expect::At(revision), "stale")
}

async fn changes_are_known_after_a_restart(stage: &Stage) -> Outcome {
    let state = stage.open_alone().await?;
    let first = set(&*state, "a", "1").await?;
    set(&*state, "b", "1").await?;
    state.commit(vec![delete("a", Expect::Anything)?]).await?;
    let before = state.changes("", first, 10).await?;
    assert_eq!(before.len(), 2);
    let state = stage.reopen(state).await?;
    assert_eq!(state.changes("", first, 10).await?, before);
    Ok(())
}

async fn documents_expire_over_a_restart(stage: &Stage) -> Outcome {
    let state = stage.open_alone().await?;
    state.commit(vec![lease("a", Expect::Absent, 10)?]).await?;
    let state = stage.reopen(state).await?;
    assert!(state.get(&at("a")?).await?.is_some());
    stage.clock.advance(10);
    let state = stage.reopen(state).await?;
    assert_eq!(state.get(&at("a")?).await?, None);
    Ok(())
}

async fn forgotten_history_stays_forgotten_over_a_restart(stage: &Stage) -> Outcome {
    let state = stage.open_alone().await?;
    for number in 0..=stage.has.history_max.unwrap_or_default() {
        let path = format!("a/{number}");
        set(&*state, &path, "1").await?;
        state.commit(vec![delete(&path, Expect::Anything)?]).await?;
    }
    let state = stage.reopen(state).await?;
    is_compacted(&state.changes("a", Revision(0), 10).await)?;
    Ok(())
}
