//! The ledger's own check of itself. That it finds damage is for each adapter's tests, which know where to damage it.

use audit::BreakKind;
use audit::Head;

use crate::Opened;
use crate::case::Outcome;
use crate::case::cases;
use crate::facts::event;
use crate::facts::started;

cases! {
    an_untouched_ledger_is_sound if |_| true;
    recorded_heads_are_compared if |_| true;
}

async fn an_untouched_ledger_is_sound(opened: &mut dyn Opened) -> Outcome {
    let ledger = opened.ledger();
    let report = ledger.verify(None).await?;
    assert!(report.is_sound() && report.entries == 0 && report.head == Head::EMPTY, "{report:?}");
    for number in 0..50 {
        ledger.append(vec![event(started(&number.to_string()))]).await?;
    }
    let report = ledger.verify(None).await?;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.head), (50, ledger.head().await?));
    Ok(())
}

async fn recorded_heads_are_compared(opened: &mut dyn Opened) -> Outcome {
    let ledger = opened.ledger();
    let first = ledger.append(vec![event(started("1"))]).await?;
    let second = ledger.append(vec![event(started("2"))]).await?;
    for sound in [Head::EMPTY, first, second] {
        assert!(ledger.verify(Some(sound)).await?.is_sound());
    }
    let beyond = Head { sequence: 4, hash: [1; 32] };
    let other = Head { hash: [1; 32], ..first };
    for (anchor, kind, sequence) in [(beyond, BreakKind::Truncated, 3), (other, BreakKind::Replaced, 1)] {
        let findings = ledger.verify(Some(anchor)).await?.findings;
        let found: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.sequence)).collect();
        assert_eq!(found, [(kind, sequence)]);
    }
    Ok(())
}
