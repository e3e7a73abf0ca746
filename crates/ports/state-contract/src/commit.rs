use contract::Failure;
use contract::Outcome;
use contract::cases;
use state::Change;
use state::CommitError;
use state::Expect;
use state::Revision;
use state::StateError;
use state::Write;

use crate::stage::Stage;
use crate::stage::at;
use crate::stage::conflicts;
use crate::stage::delete;
use crate::stage::keep;
use crate::stage::lease;
use crate::stage::paths;
use crate::stage::put;
use crate::stage::set;
use crate::stage::value;
use crate::suite::StateContract;

cases! {
    for StateContract;
    an_empty_store_has_nothing if |_| true;
    a_document_is_read_back_as_written if |_| true;
    values_are_any_bytes if |_| true;
    absent_holds_only_for_what_is_not_there if |_| true;
    at_holds_only_for_that_revision if |_| true;
    anything_always_holds if |_| true;
    keep_checks_and_changes_nothing if |_| true;
    removing_what_is_missing_is_no_error if |_| true;
    a_removed_document_can_be_made_again if |_| true;
    a_conflict_names_the_first_document_and_changes_nothing if |_| true;
    revisions_strictly_grow if |_| true;
    every_document_of_a_commit_has_its_revision if |_| true;
    refused_writes_change_nothing if |has| has.refuses_writes;
}

async fn an_empty_store_has_nothing(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    assert_eq!(state.get(&at("a")?).await?, None);
    let page = state.list("", None, 10).await?;
    assert_eq!(
        (page.entries, page.next, page.revision),
        (vec![], None, Revision(0))
    );
    assert_eq!(state.changes("", Revision(0), 10).await?, []);
    Ok(())
}

async fn a_document_is_read_back_as_written(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let revision = state.commit(vec![lease("a/b", Expect::Absent, 60)?]).await?;
    let entry = state
        .get(&at("a/b")?)
        .await?
        .ok_or_else(|| Failure("not there".to_owned()))?;
    assert_eq!(entry.key, at("a/b")?);
    assert_eq!(entry.value, b"lease");
    assert_eq!(entry.revision, revision);
    assert_eq!(
        entry.expires.map(|moment| moment.0 - crate::stage::START.0),
        Some(60)
    );
    let second = set(&*state, "a/b", "again").await?;
    let entry = state
        .get(&at("a/b")?)
        .await?
        .ok_or_else(|| Failure("not there".to_owned()))?;
    assert_eq!(
        (entry.value.as_slice(), entry.revision, entry.expires),
        (b"again".as_slice(), second, None)
    );
    assert_eq!(state.get(&at("a")?).await?, None);
    assert_eq!(state.get(&at("a/b/c")?).await?, None);
    Ok(())
}

async fn values_are_any_bytes(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for wanted in [Vec::new(), vec![0], all, "\u{0}ü\u{FFFF}".into()] {
        let change = Change::Put {
            value: wanted.clone(),
            expires: None,
        };
        state
            .commit(vec![Write {
                key: at("a")?,
                expect: Expect::Anything,
                change,
            }])
            .await?;
        let found = state.get(&at("a")?).await?.map(|entry| entry.value);
        assert_eq!(found, Some(wanted));
    }
    Ok(())
}

async fn absent_holds_only_for_what_is_not_there(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    state.commit(vec![put("a", Expect::Absent, "1")?]).await?;
    conflicts(state.commit(vec![put("a", Expect::Absent, "2")?]).await, "a")?;
    assert_eq!(value(&*state, "a").await?.as_deref(), Some("1"));
    Ok(())
}

async fn at_holds_only_for_that_revision(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    conflicts(
        state.commit(vec![put("a", Expect::At(Revision(1)), "0")?]).await,
        "a",
    )?;
    conflicts(
        state.commit(vec![put("a", Expect::At(Revision(0)), "0")?]).await,
        "a",
    )?;
    let first = set(&*state, "a", "1").await?;
    set(&*state, "b", "another document").await?;
    let second = state.commit(vec![put("a", Expect::At(first), "2")?]).await?;
    conflicts(state.commit(vec![put("a", Expect::At(first), "3")?]).await, "a")?;
    conflicts(
        state
            .commit(vec![put("a", Expect::At(Revision(second.0 + 1)), "3")?])
            .await,
        "a",
    )?;
    assert_eq!(value(&*state, "a").await?.as_deref(), Some("2"));
    state.commit(vec![delete("a", Expect::At(second))?]).await?;
    conflicts(state.commit(vec![put("a", Expect::At(second), "3")?]).await, "a")?;
    Ok(())
}

async fn anything_always_holds(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for text in ["1", "2"] {
        state.commit(vec![put("a", Expect::Anything, text)?]).await?;
        assert_eq!(value(&*state, "a").await?.as_deref(), Some(text));
    }
    state.commit(vec![delete("a", Expect::Anything)?]).await?;
    assert_eq!(value(&*state, "a").await?, None);
    Ok(())
}

async fn keep_checks_and_changes_nothing(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let first = set(&*state, "a", "1").await?;
    let before = state.get(&at("a")?).await?;
    state
        .commit(vec![
            keep("a", Expect::At(first))?,
            put("b", Expect::Absent, "1")?,
        ])
        .await?;
    state.commit(vec![keep("c", Expect::Absent)?]).await?;
    assert_eq!(state.get(&at("a")?).await?, before);
    assert_eq!(state.get(&at("c")?).await?, None);

    let refused = state
        .commit(vec![keep("a", Expect::Absent)?, put("d", Expect::Absent, "1")?])
        .await;
    conflicts(refused, "a")?;
    let refused = state
        .commit(vec![
            put("d", Expect::Absent, "1")?,
            keep("c", Expect::At(first))?,
        ])
        .await;
    conflicts(refused, "c")?;
    assert_eq!(value(&*state, "d").await?, None);
    Ok(())
}

async fn removing_what_is_missing_is_no_error(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    state.commit(vec![delete("a", Expect::Anything)?]).await?;
    state
        .commit(vec![delete("a", Expect::Absent)?, put("b", Expect::Absent, "1")?])
        .await?;
    assert_eq!(value(&*state, "b").await?.as_deref(), Some("1"));
    Ok(())
}

async fn a_removed_document_can_be_made_again(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let first = state.commit(vec![put("a", Expect::Absent, "1")?]).await?;
    state.commit(vec![delete("a", Expect::At(first))?]).await?;
    assert_eq!(state.get(&at("a")?).await?, None);
    let third = state.commit(vec![put("a", Expect::Absent, "2")?]).await?;
    assert!(third > first);
    assert_eq!(value(&*state, "a").await?.as_deref(), Some("2"));
    Ok(())
}

async fn a_conflict_names_the_first_document_and_changes_nothing(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    set(&*state, "taken", "old").await?;
    set(&*state, "doomed", "old").await?;
    let before = state.list("", None, 100).await?;
    let writes = vec![
        put("a", Expect::Absent, "new")?,
        delete("doomed", Expect::Anything)?,
        put("taken", Expect::Absent, "new")?,
        put("z", Expect::At(Revision(99)), "new")?,
    ];
    conflicts(state.commit(writes).await, "taken")?;
    assert_eq!(state.list("", None, 100).await?, before);
    assert_eq!(state.changes("", before.revision, 10).await?, []);
    Ok(())
}

async fn revisions_strictly_grow(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let mut newest = Revision(0);
    for round in 0..10 {
        for write in [
            put("a", Expect::Anything, &round.to_string())?,
            keep("a", Expect::Anything)?,
            delete("missing", Expect::Anything)?,
            delete("a", Expect::Anything)?,
        ] {
            let revision = state.commit(vec![write]).await?;
            assert!(revision > newest, "{revision:?} after {newest:?}");
            assert_eq!(state.list("", None, 1).await?.revision, revision);
            newest = revision;
        }
    }
    Ok(())
}

async fn every_document_of_a_commit_has_its_revision(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    set(&*state, "a", "1").await?;
    let writes = ["c", "a", "b"].map(|path| put(path, Expect::Anything, "2"));
    let revision = state
        .commit(writes.into_iter().collect::<Result<_, _>>()?)
        .await?;
    let page = state.list("", None, 10).await?;
    assert_eq!(paths(&page.entries), ["a", "b", "c"]);
    assert!(page.entries.iter().all(|entry| entry.revision == revision));
    Ok(())
}

async fn refused_writes_change_nothing(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    set(&*state, "a", "1").await?;
    let before = state.list("", None, 10).await?;
    stage.refuse_writes(true).await?;
    let refused = state
        .commit(vec![
            put("a", Expect::Anything, "2")?,
            put("b", Expect::Absent, "2")?,
        ])
        .await;
    assert!(
        matches!(refused, Err(CommitError::Store(StateError::Unwritable(_)))),
        "{refused:?}"
    );
    assert_eq!(state.list("", None, 10).await?, before);
    stage.refuse_writes(false).await?;
    set(&*state, "a", "3").await?;
    assert_eq!(value(&*state, "a").await?.as_deref(), Some("3"));
    Ok(())
}
