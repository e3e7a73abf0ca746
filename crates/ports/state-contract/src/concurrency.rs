use std::sync::Arc;
use std::task::Poll;

use contract::Failure;
use contract::Outcome;
use contract::cases;
use state::CommitError;
use state::Expect;
use state::State;

use crate::stage::Stage;
use crate::stage::at;
use crate::stage::put;
use crate::stage::text;
use crate::stage::value;
use crate::suite::StateContract;

const TASKS: usize = 10;
const INCREMENTS: usize = 100;

cases! {
    for StateContract;
    a_thousand_increments_at_once_lose_nothing if |_| true;
    increments_through_two_handles_lose_nothing if |has| has.opens_twice;
    of_many_who_create_one_wins if |_| true;
    a_commit_given_up_is_whole_or_nothing if |_| true;
    documents_read_together_are_of_one_moment if |_| true;
}

/// Adds one to the number in a document, by compare and swap.
async fn increment(state: &dyn State, path: &str) -> Outcome {
    loop {
        let entry = state.get(&at(path)?).await?;
        let number: usize = entry.as_ref().map(text).unwrap_or("0".to_owned()).parse()?;
        let expect = entry.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
        match state
            .commit(vec![put(path, expect, &(number + 1).to_string())?])
            .await
        {
            Ok(_) => return Ok(()),
            Err(CommitError::Conflict { .. }) => tokio::task::yield_now().await,
            Err(error @ (CommitError::Malformed(_) | CommitError::Store(_))) => return Err(error.into()),
        }
    }
}

async fn count_through(handles: &[Arc<dyn State>]) -> Outcome {
    let tasks: Vec<_> = handles
        .iter()
        .cycle()
        .take(TASKS)
        .map(|state| {
            let state = Arc::clone(state);
            tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    increment(&*state, "counter").await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    for state in handles {
        assert_eq!(
            value(&**state, "counter").await?,
            Some((TASKS * INCREMENTS).to_string())
        );
    }
    Ok(())
}

async fn a_thousand_increments_at_once_lose_nothing(stage: &Stage) -> Outcome {
    count_through(&[stage.open().await?]).await
}

async fn increments_through_two_handles_lose_nothing(stage: &Stage) -> Outcome {
    count_through(&[stage.open().await?, stage.open().await?]).await
}

async fn of_many_who_create_one_wins(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let write = put("a", Expect::Absent, &number.to_string())?;
                match state.commit(vec![write]).await {
                    Ok(_) => Ok(Some(number)),
                    Err(CommitError::Conflict { .. }) => Ok(None),
                    Err(error @ (CommitError::Malformed(_) | CommitError::Store(_))) => {
                        Err(Failure::from(error))
                    }
                }
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await??);
    }
    let [winner] = winners.as_slice() else {
        return Err(Failure(format!("winners: {winners:?}")));
    };
    assert_eq!(value(&*state, "a").await?, Some(winner.to_string()));
    Ok(())
}

async fn a_commit_given_up_is_whole_or_nothing(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for round in 0..50 {
        let text = round.to_string();
        let pair = vec![
            put("a/1", Expect::Anything, &text)?,
            put("a/2", Expect::Anything, &text)?,
        ];
        let mut commit = state.commit(pair);
        for _ in 0..=round % 3 {
            let is_done =
                std::future::poll_fn(|context| Poll::Ready(commit.as_mut().poll(context).is_ready()));
            if is_done.await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
        let values: Vec<String> = state
            .list("a", None, 10)
            .await?
            .entries
            .iter()
            .map(crate::stage::text)
            .collect();
        assert!(values.is_empty() || values.len() == 2, "{values:?}");
        assert!(values.first() == values.last(), "{values:?}");
    }
    Ok(())
}

async fn documents_read_together_are_of_one_moment(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let keys = [at("a/2")?, at("absent")?, at("a/1")?];
    assert_eq!(state.get_all(&keys).await?, [None, None, None]);
    assert_eq!(state.get_all(&[]).await?, []);
    let writer = {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            for round in 0..100 {
                let text = round.to_string();
                let pair = vec![
                    put("a/1", Expect::Anything, &text)?,
                    put("a/2", Expect::Anything, &text)?,
                ];
                state.commit(pair).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        })
    };
    loop {
        let is_over = writer.is_finished();
        let all = state.get_all(&keys).await?;
        let [two, absent, one] = all.as_slice() else {
            return Err(Failure(format!("{all:?}")));
        };
        assert_eq!(*absent, None);
        assert_eq!(one.as_ref().map(text), two.as_ref().map(text));
        let names = |entry: &Option<state::Entry>| entry.as_ref().map(|entry| entry.key.to_string());
        if is_over {
            assert_eq!(names(two), Some("a/2".to_owned()));
            assert_eq!(names(one), Some("a/1".to_owned()));
            return writer.await?;
        }
        tokio::task::yield_now().await;
    }
}
