use contract::Outcome;
use contract::cases;
use state::Expect;
use state::StateKey;

use crate::stage::Stage;
use crate::stage::at;
use crate::stage::conflicts;
use crate::stage::delete;
use crate::stage::keep;
use crate::stage::lease;
use crate::stage::paths;
use crate::stage::put;
use crate::stage::set;
use crate::stage::told;
use crate::stage::value;
use crate::suite::StateContract;

cases! {
    for StateContract;
    a_document_ceases_to_exist_at_its_moment if |_| true;
    a_document_already_expired_never_exists if |_| true;
    expectations_see_no_expired_document if |_| true;
    a_document_written_anew_has_its_new_moment if |_| true;
    expired_documents_leave_no_holes_in_pages if |_| true;
    expiry_is_not_a_change if |_| true;
    expired_documents_stay_gone_when_others_are_written if |_| true;
}

async fn a_document_ceases_to_exist_at_its_moment(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    state
        .commit(vec![
            lease("a/1", Expect::Absent, 10)?,
            put("a/2", Expect::Absent, "stays")?,
        ])
        .await?;
    stage.clock.advance(9);
    assert_eq!(paths(&state.list("a", None, 10).await?.entries), ["a/1", "a/2"]);
    assert!(state.get(&at("a/1")?).await?.is_some());
    stage.clock.advance(1);
    assert_eq!(paths(&state.list("a", None, 10).await?.entries), ["a/2"]);
    assert_eq!(state.get(&at("a/1")?).await?, None);
    Ok(())
}

async fn a_document_already_expired_never_exists(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for seconds in [0, -1, -3_000_000_000] {
        state.commit(vec![lease("a", Expect::Absent, seconds)?]).await?;
        assert_eq!(state.get(&at("a")?).await?, None);
    }
    assert_eq!(state.list("", None, 10).await?.entries, []);
    Ok(())
}

async fn expectations_see_no_expired_document(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let leases = ["a", "b", "c"].map(|path| lease(path, Expect::Absent, 10));
    let revision = state
        .commit(leases.into_iter().collect::<Result<_, _>>()?)
        .await?;
    state.commit(vec![keep("a", Expect::At(revision))?]).await?;
    stage.clock.advance(10);
    conflicts(state.commit(vec![keep("a", Expect::At(revision))?]).await, "a")?;
    conflicts(
        state.commit(vec![put("a", Expect::At(revision), "late")?]).await,
        "a",
    )?;
    conflicts(state.commit(vec![delete("a", Expect::At(revision))?]).await, "a")?;
    state.commit(vec![put("a", Expect::Absent, "mine now")?]).await?;
    state
        .commit(vec![keep("b", Expect::Absent)?, delete("c", Expect::Absent)?])
        .await?;
    assert_eq!(value(&*state, "a").await?.as_deref(), Some("mine now"));
    Ok(())
}

async fn a_document_written_anew_has_its_new_moment(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let leases = ["longer", "for-ever"].map(|path| lease(path, Expect::Absent, 10));
    state
        .commit(leases.into_iter().collect::<Result<_, _>>()?)
        .await?;
    stage.clock.advance(5);
    state.commit(vec![lease("longer", Expect::Anything, 20)?]).await?;
    set(&*state, "for-ever", "1").await?;
    stage.clock.advance(10);
    assert_eq!(
        paths(&state.list("", None, 10).await?.entries),
        ["for-ever", "longer"]
    );
    stage.clock.advance(1_000_000);
    assert_eq!(paths(&state.list("", None, 10).await?.entries), ["for-ever"]);
    Ok(())
}

async fn expired_documents_leave_no_holes_in_pages(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let mut wanted = Vec::new();
    for number in 0..40 {
        let path = format!("a/{number:02}");
        // The first ten all expire, of the rest every second.
        if number < 10 || number % 2 == 0 {
            state.commit(vec![lease(&path, Expect::Absent, 10)?]).await?;
        } else {
            set(&*state, &path, "stays").await?;
            wanted.push(path);
        }
    }
    stage.clock.advance(10);
    let mut found = Vec::new();
    let mut after: Option<StateKey> = None;
    loop {
        let page = state.list("a", after.as_ref(), 4).await?;
        assert!(page.entries.len() == 4 || page.next.is_none());
        found.extend(page.entries.into_iter().map(|entry| String::from(entry.key)));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, wanted);
    Ok(())
}

async fn expiry_is_not_a_change(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let before = set(&*state, "b", "1").await?;
    let revision = state.commit(vec![lease("a", Expect::Absent, 10)?]).await?;
    stage.clock.advance(10);
    assert_eq!(state.list("", None, 10).await?.revision, revision);
    assert_eq!(state.changes("", revision, 10).await?, []);
    assert_eq!(
        told(&state.changes("", before, 10).await?),
        [format!("a@{}", revision.0)]
    );
    // Nor is it one when something else is written later, nor is removing what has expired.
    let later = set(&*state, "b", "2").await?;
    state.commit(vec![delete("a", Expect::Anything)?]).await?;
    assert_eq!(
        told(&state.changes("", revision, 10).await?),
        [format!("b@{}", later.0)]
    );
    assert_eq!(
        told(&state.changes("", before, 10).await?),
        [format!("a@{}", revision.0), format!("b@{}", later.0)]
    );
    Ok(())
}

async fn expired_documents_stay_gone_when_others_are_written(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    state.commit(vec![lease("a", Expect::Absent, 10)?]).await?;
    stage.clock.advance(10);
    set(&*state, "b", "1").await?;
    assert_eq!(paths(&state.list("", None, 10).await?.entries), ["b"]);
    assert_eq!(state.get(&at("a")?).await?, None);
    Ok(())
}
