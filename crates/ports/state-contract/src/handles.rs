use std::sync::Arc;
use std::time::Duration;

use contract::Outcome;
use contract::cases;
use state::Expect;
use state::Revision;

use crate::stage::Stage;
use crate::stage::conflicts;
use crate::stage::delete;
use crate::stage::put;
use crate::stage::set;
use crate::stage::told;
use crate::stage::value;
use crate::suite::StateContract;

/// How long a waiter may take to be woken, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);

cases! {
    for StateContract;
    a_commit_is_seen_through_another_handle_at_once if |has| has.opens_twice;
    handles_share_revisions_and_conflicts if |has| has.opens_twice;
    a_waiter_is_woken_through_another_handle if |has| has.opens_twice;
    a_commit_of_its_own_does_not_hide_anothers_from_a_waiter if |has| has.opens_twice;
    changes_are_told_through_another_handle if |has| has.opens_twice;
    closing_one_handle_leaves_the_other if |has| has.opens_twice;
}

async fn a_commit_is_seen_through_another_handle_at_once(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    for round in 0..50 {
        let text = round.to_string();
        let revision = set(&*one, "a", &text).await?;
        assert_eq!(value(&*two, "a").await?, Some(text));
        assert_eq!(two.list("", None, 1).await?.revision, revision);
    }
    Ok(())
}

async fn handles_share_revisions_and_conflicts(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    let first = set(&*one, "a", "1").await?;
    let second = two.commit(vec![put("a", Expect::At(first), "2")?]).await?;
    assert!(second > first);
    conflicts(one.commit(vec![put("a", Expect::At(first), "3")?]).await, "a")?;
    conflicts(one.commit(vec![put("a", Expect::Absent, "3")?]).await, "a")?;
    assert!(set(&*one, "b", "1").await? > second);
    Ok(())
}

async fn a_waiter_is_woken_through_another_handle(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    let before = set(&*one, "a", "1").await?;
    let waiter = {
        let two = Arc::clone(&two);
        tokio::spawn(async move { two.wait_beyond(&[""], before).await })
    };
    tokio::task::yield_now().await;
    let revision = set(&*one, "a", "2").await?;
    assert_eq!(waiter.await??, revision);
    Ok(())
}

/// The waiter's own store knows of the other's commit only that its own came after it.
async fn a_commit_of_its_own_does_not_hide_anothers_from_a_waiter(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    let mut before = set(&*two, "b/1", "1").await?;
    for number in 0..10 {
        let waiter = {
            let two = Arc::clone(&two);
            tokio::spawn(async move { two.wait_beyond(&["a"], before).await })
        };
        // Whatever it looks at first it has seen by now, mostly.
        tokio::time::sleep(Duration::from_millis(10)).await;
        set(&*one, "a/1", &number.to_string()).await?;
        let own = set(&*two, "b/1", &number.to_string()).await?;
        assert!(tokio::time::timeout(PATIENCE, waiter).await??? > before);
        before = own;
    }
    Ok(())
}

async fn changes_are_told_through_another_handle(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    set(&*one, "a", "1").await?;
    let written = set(&*two, "b", "1").await?;
    let removed = one.commit(vec![delete("a", Expect::Anything)?]).await?;
    let wanted = [format!("b@{}", written.0), format!("-a@{}", removed.0)];
    for state in [one, two] {
        assert_eq!(told(&state.changes("", Revision(0), 10).await?), wanted);
    }
    Ok(())
}

async fn closing_one_handle_leaves_the_other(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    set(&*one, "a", "1").await?;
    drop(one);
    set(&*two, "b", "1").await?;
    assert_eq!(value(&*two, "a").await?.as_deref(), Some("1"));
    Ok(())
}
