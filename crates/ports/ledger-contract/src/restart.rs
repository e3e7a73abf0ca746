//! What a restart leaves as it was: everything.

use authority::AuthorityType;
use contract::Outcome;
use contract::cases;
use contract::refused;
use ledger::CertificateQuery;
use ledger::LedgerError;
use ledger::Record;
use names::UnixSeconds;

use crate::facts::NOON;
use crate::facts::certificate;
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
    everything_survives_a_restart if |has| has.persists;
    the_chain_goes_on_after_restarts if |has| has.persists;
    taken_serials_stay_taken if |has| has.persists;
}

async fn everything_survives_a_restart(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    issue(&ledger, &issued("01")).await?;
    issue(&ledger, &issued("02")).await?;
    let revocation = Record::Revocation {
        authority: AuthorityType::User,
        serial: "01".to_owned(),
        revoked_at: UnixSeconds(NOON),
        reason: "unspecified".to_owned(),
        not_after: UnixSeconds(NOON + 3_600),
    };
    ledger.append(vec![revocation]).await?;
    let before = (
        ledger.head().await?,
        chained(&ledger).await?,
        ledger.certificates(&CertificateQuery::default()).await?,
        ledger.revocations(AuthorityType::User, UnixSeconds(NOON)).await?,
    );
    drop(ledger);
    opened.reopen().await?;
    let ledger = opened.ledger();
    let after = (
        ledger.head().await?,
        chained(&ledger).await?,
        ledger.certificates(&CertificateQuery::default()).await?,
        ledger.revocations(AuthorityType::User, UnixSeconds(NOON)).await?,
    );
    assert_eq!(before, after);
    Ok(())
}

async fn the_chain_goes_on_after_restarts(opened: &mut Stage) -> Outcome {
    for number in 0..4 {
        let ledger = opened.ledger();
        assert_eq!(ledger.head().await?.sequence, number);
        ledger.append(vec![event(started(&number.to_string()))]).await?;
        drop(ledger);
        opened.reopen().await?;
    }
    assert_eq!(versions(&chained(&opened.ledger()).await?)?, ["0", "1", "2", "3"]);
    Ok(())
}

async fn taken_serials_stay_taken(opened: &mut Stage) -> Outcome {
    opened
        .ledger()
        .append(vec![serial("01"), serial("02"), certificate(&issued("02"))])
        .await?;
    opened.reopen().await?;
    let ledger = opened.ledger();
    refused!(
        ledger.append(vec![serial("01")]).await,
        LedgerError::SerialTaken { .. }
    );
    refused!(
        ledger.append(vec![certificate(&issued("02"))]).await,
        LedgerError::Malformed(_)
    );
    // The first serial still waits for its certificate; new ones are newer than it.
    ledger
        .append(vec![
            serial("03"),
            certificate(&issued("03")),
            certificate(&issued("01")),
        ])
        .await?;
    let all = ledger.certificates(&CertificateQuery::default()).await?;
    assert_eq!(all, [issued("03"), issued("02"), issued("01")]);
    Ok(())
}
