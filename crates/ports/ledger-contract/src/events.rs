//! Reading events.

use std::sync::Arc;

use audit::Entry;
use contract::Failure;
use contract::Outcome;
use contract::cases;
use ledger::EventQuery;
use ledger::Ledger;
use ledger::PAGE_MAX;
use ledger::RECORDS_MAX;
use names::UnixSeconds;

use crate::facts::NOON;
use crate::facts::denied;
use crate::facts::event;
use crate::facts::sequences;
use crate::facts::started;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    pages_follow_each_other_in_both_directions if |_| true;
    a_page_is_never_longer_than_the_most if |_| true;
    names_and_codes_select if |_| true;
    users_select if |_| true;
    times_select_from_the_first_moment_to_before_the_last if |_| true;
    times_select_though_the_clock_went_back if |_| true;
    filters_combine_with_pages if |_| true;
}

/// Ten entries: odd ones by alice, even ones by bob, each 10 seconds after the one before, the fifth a start.
async fn ten(ledger: &Arc<dyn Ledger>) -> Result<(), Failure> {
    for number in 1..=10 {
        let user = if number % 2 == 1 { "alice" } else { "bob" };
        let mut envelope = denied(user, number * 10);
        if number == 5 {
            envelope = audit::Envelope {
                event: started("5").event,
                ..envelope
            };
        }
        ledger.append(vec![event(envelope)]).await?;
    }
    Ok(())
}

async fn found(ledger: &Arc<dyn Ledger>, query: EventQuery) -> Result<Vec<u64>, Failure> {
    let entries: Vec<Entry> = ledger.events(&query).await?;
    Ok(sequences(&entries))
}

async fn pages_follow_each_other_in_both_directions(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ten(&ledger).await?;
    for (newest_first, expected) in [
        (false, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        (true, [[10, 9, 8], [7, 6, 5], [4, 3, 2]]),
    ] {
        let mut after = None;
        for page in expected {
            let read = found(
                &ledger,
                EventQuery {
                    after,
                    limit: 3,
                    newest_first,
                    ..EventQuery::default()
                },
            )
            .await?;
            assert_eq!(read, page);
            after = read.last().copied();
        }
        let rest = found(
            &ledger,
            EventQuery {
                after,
                limit: 3,
                newest_first,
                ..EventQuery::default()
            },
        )
        .await?;
        assert_eq!(rest, [if newest_first { 1 } else { 10 }]);
    }
    assert!(
        found(
            &ledger,
            EventQuery {
                after: Some(10),
                ..EventQuery::default()
            }
        )
        .await?
        .is_empty()
    );
    assert!(
        found(
            &ledger,
            EventQuery {
                after: Some(u64::MAX),
                ..EventQuery::default()
            }
        )
        .await?
        .is_empty()
    );
    let below_all = EventQuery {
        after: Some(1),
        newest_first: true,
        ..EventQuery::default()
    };
    assert!(found(&ledger, below_all).await?.is_empty());
    let beyond = EventQuery {
        after: Some(u64::MAX),
        limit: 1,
        newest_first: true,
        ..EventQuery::default()
    };
    assert_eq!(found(&ledger, beyond).await?, [10]);
    Ok(())
}

async fn a_page_is_never_longer_than_the_most(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    for _ in 0..=PAGE_MAX / RECORDS_MAX {
        ledger
            .append(
                (0..RECORDS_MAX)
                    .map(|number| event(started(&number.to_string())))
                    .collect(),
            )
            .await?;
    }
    for limit in [0, PAGE_MAX, PAGE_MAX + 1, usize::MAX] {
        assert_eq!(
            found(
                &ledger,
                EventQuery {
                    limit,
                    ..EventQuery::default()
                }
            )
            .await?
            .len(),
            PAGE_MAX
        );
    }
    Ok(())
}

async fn names_and_codes_select(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ten(&ledger).await?;
    let kinds = |kinds: &[&str]| EventQuery {
        kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
        ..Default::default()
    };
    assert_eq!(found(&ledger, kinds(&["instance.start"])).await?, [5]);
    assert_eq!(found(&ledger, kinds(&["SI000I"])).await?, [5]);
    assert_eq!(found(&ledger, kinds(&["auth", "SI000I"])).await?.len(), 10);
    assert_eq!(found(&ledger, kinds(&["SU000W"])).await?.len(), 9);
    assert_eq!(found(&ledger, kinds(&["cert.create"])).await?.len(), 0);
    assert_eq!(found(&ledger, kinds(&["cert.create", "SI000I"])).await?, [5]);
    assert_eq!(
        found(&ledger, kinds(&["no.such", "' OR 1=1", ""])).await?.len(),
        0
    );
    Ok(())
}

async fn users_select(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ten(&ledger).await?;
    ledger.append(vec![event(started("by nobody"))]).await?;
    let by = |user: &str| EventQuery {
        user: Some(user.to_owned()),
        ..EventQuery::default()
    };
    assert_eq!(found(&ledger, by("alice")).await?, [1, 3, 5, 7, 9]);
    assert_eq!(found(&ledger, by("bob")).await?, [2, 4, 6, 8, 10]);
    for nobody in ["Alice", "ali%", "", "carol"] {
        assert!(found(&ledger, by(nobody)).await?.is_empty(), "{nobody}");
    }
    Ok(())
}

fn between(since: Option<i64>, until: Option<i64>) -> EventQuery {
    let moment = |seconds| UnixSeconds(NOON + seconds);
    EventQuery {
        since: since.map(moment),
        until: until.map(moment),
        ..EventQuery::default()
    }
}

async fn times_select_from_the_first_moment_to_before_the_last(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ten(&ledger).await?;
    assert_eq!(found(&ledger, between(Some(30), Some(60))).await?, [3, 4, 5]);
    assert_eq!(found(&ledger, between(Some(91), None)).await?, [10]);
    assert_eq!(found(&ledger, between(None, Some(11))).await?, [1]);
    assert_eq!(found(&ledger, between(Some(101), None)).await?, [0; 0]);
    assert_eq!(found(&ledger, between(None, Some(10))).await?, [0; 0]);
    assert_eq!(found(&ledger, between(Some(60), Some(30))).await?, [0; 0]);
    let extremes = EventQuery {
        since: Some(UnixSeconds(i64::MIN)),
        until: Some(UnixSeconds(i64::MAX)),
        ..Default::default()
    };
    assert_eq!(found(&ledger, extremes).await?.len(), 10);
    Ok(())
}

async fn times_select_though_the_clock_went_back(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    for seconds in [10, 20, 1_000_000, 5, 15, 30, -500, 40] {
        ledger.append(vec![event(denied("alice", seconds))]).await?;
    }
    for newest_first in [false, true] {
        let ordered = |mut expected: Vec<u64>| {
            if newest_first {
                expected.reverse();
            }
            expected
        };
        for (since, until, expected) in [
            (Some(15), Some(31), vec![2, 5, 6]),
            (None, Some(6), vec![4, 7]),
            (Some(40), None, vec![3, 8]),
            (Some(-500), Some(1_000_001), vec![1, 2, 3, 4, 5, 6, 7, 8]),
        ] {
            let query = EventQuery {
                newest_first,
                ..between(since, until)
            };
            assert_eq!(
                found(&ledger, query).await?,
                ordered(expected),
                "{since:?} to {until:?}"
            );
        }
    }
    Ok(())
}

async fn filters_combine_with_pages(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ten(&ledger).await?;
    let query = |after, newest_first| EventQuery {
        after,
        limit: 2,
        kinds: vec!["auth".to_owned()],
        user: Some("alice".to_owned()),
        newest_first,
        ..between(Some(20), Some(95))
    };
    assert_eq!(found(&ledger, query(None, false)).await?, [3, 7]);
    assert_eq!(found(&ledger, query(Some(7), false)).await?, [9]);
    assert_eq!(found(&ledger, query(None, true)).await?, [9, 7]);
    assert_eq!(found(&ledger, query(Some(7), true)).await?, [3]);
    Ok(())
}
