//! Many appends at the same time.

use std::collections::BTreeSet;
use std::sync::Arc;

use contract::Outcome;
use contract::cases;
use ledger::Ledger;
use ledger::LedgerError;
use tokio::task::JoinSet;

use crate::facts::certificate;
use crate::facts::chained;
use crate::facts::event;
use crate::facts::issued;
use crate::facts::serial;
use crate::facts::started;
use crate::facts::versions;
use crate::suite::LedgerContract;
use crate::suite::Stage;

const APPENDS: usize = 1_000;
const TASKS: usize = 32;
const APPENDS_PER_TASK: usize = 25;

cases! {
    for LedgerContract;
    one_of_many_concurrent_appends_takes_a_serial if |_| true;
    concurrent_appends_make_one_unbroken_chain if |_| true;
    the_records_of_concurrent_appends_stay_together if |_| true;
    an_append_is_seen_once_it_returned if |_| true;
    a_refusal_does_not_touch_its_neighbours if |_| true;
}

async fn one_of_many_concurrent_appends_takes_a_serial(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let mut tasks = JoinSet::new();
    for number in 0..APPENDS {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move {
            ledger
                .append(vec![event(started(&number.to_string())), serial("0badcafe")])
                .await
        });
    }
    let (mut won, mut lost) = (0, 0);
    while let Some(joined) = tasks.join_next().await {
        match joined? {
            Ok(_) => won += 1,
            Err(LedgerError::SerialTaken { serial, .. }) => {
                assert_eq!(serial, "0badcafe");
                lost += 1;
            }
            Err(other) => return Err(other.into()),
        }
    }
    assert_eq!((won, lost), (1, APPENDS - 1));
    assert_eq!(chained(&ledger).await?.len(), 1);
    Ok(())
}

async fn concurrent_appends_make_one_unbroken_chain(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move {
            let mut last = 0;
            for number in 0..APPENDS_PER_TASK {
                let head = ledger
                    .append(vec![event(started(&format!("{task}-{number}")))])
                    .await?;
                assert!(head.sequence > last, "entry {} after {last}", head.sequence);
                last = head.sequence;
            }
            Ok::<_, LedgerError>(())
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined??;
    }
    let versions = versions(&chained(&ledger).await?)?;
    assert_eq!(versions.len(), TASKS * APPENDS_PER_TASK);
    for task in 0..TASKS {
        let prefix = format!("{task}-");
        let own: Vec<&str> = versions
            .iter()
            .filter_map(|version| version.strip_prefix(&prefix))
            .collect();
        let expected: Vec<String> = (0..APPENDS_PER_TASK).map(|number| number.to_string()).collect();
        assert_eq!(own, expected, "the appends of task {task} are out of order");
    }
    Ok(())
}

async fn the_records_of_concurrent_appends_stay_together(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let mut tasks = JoinSet::new();
    for task in 0..APPENDS_PER_TASK * 4 {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move {
            let records = ["a", "b", "c"].map(|part| event(started(&format!("{task}{part}"))));
            ledger.append(records.into()).await
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined??;
    }
    for three in versions(&chained(&ledger).await?)?.chunks(3) {
        let task = three
            .first()
            .map(|first| first.trim_end_matches('a').to_owned())
            .unwrap_or_default();
        assert_eq!(three, ["a", "b", "c"].map(|part| format!("{task}{part}")));
    }
    Ok(())
}

async fn an_append_is_seen_once_it_returned(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move { sees_its_own(&ledger, task).await.map_err(|failure| failure.0) });
    }
    while let Some(joined) = tasks.join_next().await {
        joined??;
    }
    Ok(())
}

async fn sees_its_own(ledger: &Arc<dyn Ledger>, task: usize) -> Outcome {
    for number in 0..3 {
        let one = issued(&format!("{task:02x}{number:02x}"));
        let head = ledger
            .append(vec![event(started("x")), serial(&one.serial)])
            .await?;
        assert!(ledger.head().await?.sequence >= head.sequence);
        let query = ledger::EventQuery {
            after: Some(head.sequence - 1),
            limit: 1,
            ..Default::default()
        };
        assert_eq!(
            ledger.events(&query).await?.first().map(|entry| entry.head),
            Some(head)
        );
        ledger.append(vec![certificate(&one)]).await?;
        let query = ledger::CertificateQuery {
            serial: Some(one.serial.clone()),
            ..Default::default()
        };
        assert_eq!(ledger.certificates(&query).await?, [one]);
    }
    Ok(())
}

async fn a_refusal_does_not_touch_its_neighbours(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ledger.append(vec![serial("ff")]).await?;
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move {
            let last = if number % 2 == 0 {
                serial("ff")
            } else {
                serial(&format!("{number:04}"))
            };
            let records = vec![
                serial(&format!("a{number:04}")),
                event(started(&number.to_string())),
                last,
            ];
            (number, ledger.append(records).await.is_ok())
        });
    }
    let mut kept = BTreeSet::new();
    while let Some(joined) = tasks.join_next().await {
        let (number, is_kept) = joined?;
        assert_eq!(is_kept, number % 2 == 1);
        if is_kept {
            kept.insert(number.to_string());
        }
    }
    let found: BTreeSet<String> = versions(&chained(&ledger).await?)?.into_iter().collect();
    assert_eq!(found, kept);
    // What the refused appends tried to take is free.
    for number in (0..200).step_by(2) {
        ledger.append(vec![serial(&format!("a{number:04}"))]).await?;
    }
    Ok(())
}
