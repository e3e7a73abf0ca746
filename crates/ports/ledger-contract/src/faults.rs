//! A ledger that cannot be written.

use std::sync::Arc;

use contract::Outcome;
use contract::cases;
use contract::refused;
use ledger::CertificateQuery;
use ledger::LedgerError;
use tokio::task::JoinSet;

use crate::facts::chained;
use crate::facts::event;
use crate::facts::issue;
use crate::facts::issued;
use crate::facts::serial;
use crate::facts::started;
use crate::facts::versions;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    what_cannot_be_written_is_refused_and_leaves_nothing if |has| has.refuses_writes;
    concurrent_appends_are_all_refused_while_writes_fail if |has| has.refuses_writes;
    an_unwritable_ledger_still_reads if |has| has.refuses_writes;
}

async fn what_cannot_be_written_is_refused_and_leaves_nothing(opened: &mut Stage) -> Outcome {
    opened.ledger().append(vec![event(started("before"))]).await?;
    opened.refuse_writes(true).await?;
    let ledger = opened.ledger();
    let head = ledger.head().await?;
    for _ in 0..2 {
        let refusal = ledger.append(vec![event(started("lost")), serial("01")]).await;
        refused!(refusal, LedgerError::Unwritable(_) | LedgerError::Unavailable(_));
        assert_eq!(ledger.head().await?, head);
    }
    opened.refuse_writes(false).await?;
    ledger.append(vec![serial("01"), event(started("after"))]).await?;
    assert_eq!(versions(&chained(&ledger).await?)?, ["before", "after"]);
    Ok(())
}

async fn concurrent_appends_are_all_refused_while_writes_fail(opened: &mut Stage) -> Outcome {
    opened.refuse_writes(true).await?;
    let ledger = opened.ledger();
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        let ledger = Arc::clone(&ledger);
        tasks.spawn(async move { ledger.append(vec![event(started(&number.to_string()))]).await });
    }
    while let Some(joined) = tasks.join_next().await {
        refused!(joined?, LedgerError::Unwritable(_) | LedgerError::Unavailable(_));
    }
    opened.refuse_writes(false).await?;
    assert!(chained(&ledger).await?.is_empty());
    Ok(())
}

async fn an_unwritable_ledger_still_reads(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    issue(&ledger, &issued("01")).await?;
    opened.refuse_writes(true).await?;
    assert_eq!(chained(&ledger).await?.len(), 1);
    assert_eq!(
        ledger.certificates(&CertificateQuery::default()).await?,
        [issued("01")]
    );
    opened.refuse_writes(false).await?;
    Ok(())
}
