use contract::Outcome;
use contract::cases;
use state::Change;
use state::Expect;
use state::PAGE_MAX;
use state::Revision;
use state::VALUE_BYTES_MAX;
use state::WRITES_MAX;
use state::Write;

use crate::stage::Stage;
use crate::stage::at;
use crate::stage::is_malformed;
use crate::stage::keep;
use crate::stage::put;
use crate::suite::StateContract;

cases! {
    for StateContract;
    a_commit_of_nothing_is_malformed if |_| true;
    the_largest_commit_is_taken_and_a_larger_one_is_malformed if |_| true;
    the_largest_value_is_taken_and_a_larger_one_is_malformed if |_| true;
    a_commit_that_names_a_document_twice_is_malformed if |_| true;
    the_longest_path_is_taken if |_| true;
    a_page_is_never_longer_than_the_most_nor_empty_before_the_end if |_| true;
}

fn blob(path: &str, length: usize) -> Result<Write, state::BadStateKey> {
    let change = Change::Put {
        value: vec![0xa5; length],
        expires: None,
    };
    Ok(Write {
        key: at(path)?,
        expect: Expect::Anything,
        change,
    })
}

async fn a_commit_of_nothing_is_malformed(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    is_malformed(&state.commit(Vec::new()).await)?;
    assert_eq!(state.list("", None, 1).await?.revision, Revision(0));
    Ok(())
}

async fn the_largest_commit_is_taken_and_a_larger_one_is_malformed(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let writes = |count: usize| -> Result<Vec<Write>, _> {
        (0..count)
            .map(|number| put(&format!("a/{number}"), Expect::Absent, "1"))
            .collect()
    };
    is_malformed(&state.commit(writes(WRITES_MAX + 1)?).await)?;
    assert_eq!(state.list("", None, 1).await?.entries, []);
    state.commit(writes(WRITES_MAX)?).await?;
    assert_eq!(state.list("a", None, PAGE_MAX).await?.entries.len(), WRITES_MAX);
    Ok(())
}

async fn the_largest_value_is_taken_and_a_larger_one_is_malformed(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    is_malformed(
        &state
            .commit(vec![blob("a", 1)?, blob("b", VALUE_BYTES_MAX + 1)?])
            .await,
    )?;
    assert_eq!(state.list("", None, 1).await?.entries, []);
    state.commit(vec![blob("b", VALUE_BYTES_MAX)?]).await?;
    let length = state.get(&at("b")?).await?.map(|entry| entry.value.len());
    assert_eq!(length, Some(VALUE_BYTES_MAX));
    Ok(())
}

async fn a_commit_that_names_a_document_twice_is_malformed(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let twice = vec![
        keep("a", Expect::Absent)?,
        put("b", Expect::Absent, "1")?,
        put("a", Expect::Absent, "1")?,
    ];
    is_malformed(&state.commit(twice).await)?;
    assert_eq!(state.list("", None, 1).await?.entries, []);
    Ok(())
}

async fn the_longest_path_is_taken(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let long = "x".repeat(256);
    let deep = "a/b/c/d/e/f/g/h";
    for path in [long.as_str(), deep, "._@:-"] {
        state.commit(vec![put(path, Expect::Absent, path)?]).await?;
        assert_eq!(
            state.get(&at(path)?).await?.map(|entry| entry.value),
            Some(path.into())
        );
    }
    Ok(())
}

async fn a_page_is_never_longer_than_the_most_nor_empty_before_the_end(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let count = PAGE_MAX + 1;
    for start in (0..count).step_by(WRITES_MAX) {
        let end = count.min(start + WRITES_MAX);
        let writes = (start..end).map(|number| put(&format!("a/{number:05}"), Expect::Absent, "1"));
        state.commit(writes.collect::<Result<_, _>>()?).await?;
    }
    let page = state.list("a", None, usize::MAX).await?;
    assert_eq!(page.entries.len(), PAGE_MAX);
    assert_eq!(page.next, page.entries.last().map(|entry| entry.key.clone()));
    let rest = state.list("a", page.next.as_ref(), usize::MAX).await?;
    assert_eq!((rest.entries.len(), rest.next), (1, None));
    let least = state.list("a", None, 0).await?;
    assert_eq!((least.entries.len(), least.next.is_some()), (1, true));
    Ok(())
}
