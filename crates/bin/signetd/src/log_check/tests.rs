use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use ledger::Record;
use ledger_memory::MemoryLedger;
use names::ClusterName;
use state_memory::MemoryState;

use super::*;
use crate::host::SystemClock;

fn event(version: &str) -> Record {
    Record::Event(Box::new(Envelope {
        uid: format!("uid-{version}"),
        unix_millis: 1_772_323_200_000,
        cluster_name: ClusterName::parse("example.com").unwrap(),
        actor: Actor::System,
        event: AuditEvent::Started {
            version: version.to_owned(),
        },
    }))
}

async fn ledger_of(versions: &[&str]) -> Arc<MemoryLedger> {
    let ledger = Arc::new(MemoryLedger::new());
    for version in versions {
        ledger.append(vec![event(version)]).await.unwrap();
    }
    ledger
}

/// A state in which the head of a log of these entries was written down.
async fn state_after(versions: &[&str]) -> Arc<dyn State> {
    let state: Arc<dyn State> = Arc::new(MemoryState::new(Arc::new(SystemClock)));
    let check = LogCheck::new(ledger_of(versions).await, Arc::clone(&state));
    check.write_anchor().await.unwrap();
    state
}

#[tokio::test]
async fn a_log_cut_back_is_told_however_far_it_grows() {
    let state = state_after(&["1", "2", "3", "4"]).await;
    let cut = ledger_of(&["1", "2"]).await;
    let check = LogCheck::new(cut.clone(), Arc::clone(&state));
    for version in ["5", "6", "7", "8"] {
        let broken = check.write_anchor().await;
        assert!(
            matches!(broken, Err(AnchorError::Broken(_))),
            "before {version}: {broken:?}"
        );
        assert!(!check.check_log().await.unwrap().is_sound(), "before {version}");
        cut.append(vec![event(version)]).await.unwrap();
    }
    let kept = check.anchor().await.unwrap().unwrap();
    assert_eq!(kept.sequence, 4, "what was written down is the evidence");
}

#[tokio::test]
async fn a_log_replaced_is_told_though_it_is_as_long() {
    let state = state_after(&["1", "2"]).await;
    let check = LogCheck::new(ledger_of(&["1", "forged", "3"]).await, state);
    assert_eq!(
        check.compare().await,
        Err(AnchorError::Broken(
            "entry 2 is not the one that was written".into()
        ))
    );
}

#[tokio::test]
async fn a_log_that_goes_on_is_followed() {
    let state = state_after(&["1", "2"]).await;
    let longer = ledger_of(&["1", "2", "3"]).await;
    let check = LogCheck::new(longer.clone(), state);
    check.write_anchor().await.unwrap();
    assert_eq!(check.anchor().await.unwrap(), Some(longer.head().await.unwrap()));
    assert!(check.check_log().await.unwrap().is_sound());
}
