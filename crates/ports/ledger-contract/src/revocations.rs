//! Reading revocations.

use authority::AuthorityType;
use contract::Outcome;
use contract::cases;
use ledger::Record;
use ledger::Revoked;
use names::UnixSeconds;

use crate::facts::NOON;
use crate::suite::LedgerContract;
use crate::suite::Stage;

cases! {
    for LedgerContract;
    revocations_are_listed_until_their_certificates_expire if |_| true;
    revocations_are_told_apart_by_authority if |_| true;
    revoking_again_changes_nothing if |_| true;
    the_order_is_that_of_recording if |_| true;
}

fn revoked(serial: &str) -> Revoked {
    Revoked {
        serial: serial.to_owned(),
        revoked_at: UnixSeconds(NOON),
        reason: "keyCompromise".to_owned(),
        not_after: UnixSeconds(NOON + 3_600),
    }
}

fn record(authority: AuthorityType, revoked: &Revoked) -> Record {
    let Revoked {
        serial,
        revoked_at,
        reason,
        not_after,
    } = revoked.clone();
    Record::Revocation {
        authority,
        serial,
        revoked_at,
        reason,
        not_after,
    }
}

async fn revocations_are_listed_until_their_certificates_expire(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ledger
        .append(vec![record(AuthorityType::User, &revoked("01"))])
        .await?;
    for (seconds, expected) in [(0, 1), (3_599, 1), (3_600, 0), (4_000, 0)] {
        let listed = ledger
            .revocations(AuthorityType::User, UnixSeconds(NOON + seconds))
            .await?;
        assert_eq!(listed, vec![revoked("01"); expected], "{seconds} s after noon");
    }
    Ok(())
}

async fn revocations_are_told_apart_by_authority(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    ledger
        .append(vec![
            record(AuthorityType::User, &revoked("01")),
            record(AuthorityType::Host, &revoked("02")),
        ])
        .await?;
    let now = UnixSeconds(NOON);
    assert_eq!(
        ledger.revocations(AuthorityType::User, now).await?,
        [revoked("01")]
    );
    assert_eq!(
        ledger.revocations(AuthorityType::Host, now).await?,
        [revoked("02")]
    );
    assert_eq!(ledger.revocations(AuthorityType::Db, now).await?, []);
    ledger
        .append(vec![record(AuthorityType::Db, &revoked("01"))])
        .await?;
    assert_eq!(ledger.revocations(AuthorityType::Db, now).await?, [revoked("01")]);
    Ok(())
}

async fn revoking_again_changes_nothing(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let first = revoked("01");
    let again = Revoked {
        revoked_at: UnixSeconds(NOON + 9),
        reason: "superseded".to_owned(),
        ..first.clone()
    };
    ledger
        .append(vec![
            record(AuthorityType::User, &first),
            record(AuthorityType::User, &again),
        ])
        .await?;
    ledger.append(vec![record(AuthorityType::User, &again)]).await?;
    assert_eq!(
        ledger.revocations(AuthorityType::User, UnixSeconds(NOON)).await?,
        [first]
    );
    Ok(())
}

async fn the_order_is_that_of_recording(opened: &mut Stage) -> Outcome {
    let ledger = opened.ledger();
    let serials = ["09", "01", "ff", "05"];
    for serial in serials {
        ledger
            .append(vec![record(AuthorityType::User, &revoked(serial))])
            .await?;
    }
    assert_eq!(
        ledger.revocations(AuthorityType::User, UnixSeconds(NOON)).await?,
        serials.map(revoked)
    );
    Ok(())
}
