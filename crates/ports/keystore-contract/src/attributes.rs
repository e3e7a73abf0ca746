use contract::Failure;
use contract::Outcome;
use contract::cases;
use keystore::KeyAttributes;

use crate::Custody;
use crate::stage::Borrowed;
use crate::stage::Stage;
use crate::suite::KeystoreContract;

cases! {
    for KeystoreContract;
    each the_key_is_kept_in if |_| true;
    once an_open_backend_is_healthy if |_| true;
}

async fn the_key_is_kept_in(stage: &Stage, algorithm: key::KeyAlgorithm) -> Outcome {
    let Borrowed { backend, key, .. } = stage.borrow(algorithm).await?;
    let attributes = backend.attributes(&key.reference).await?;
    let is_kept = match (stage.has.custody, attributes) {
        (Custody::Sealed, KeyAttributes::Sealed) | (Custody::Cloud, KeyAttributes::AssertedByApi) => true,
        (
            Custody::Token,
            KeyAttributes::Token {
                sensitive,
                always_sensitive,
                extractable,
                never_extractable,
                local,
            },
        ) => {
            let is_not_denied = |answer: Option<bool>| answer != Some(false);
            sensitive
                && !extractable
                && is_not_denied(always_sensitive)
                && is_not_denied(never_extractable)
                && is_not_denied(local)
        }
        (Custody::Sealed | Custody::Token | Custody::Cloud, _) => false,
    };
    if is_kept {
        Ok(())
    } else {
        Err(Failure(format!("{:?} has {attributes:?}", stage.has.custody)))
    }
}

async fn an_open_backend_is_healthy(stage: &Stage) -> Outcome {
    Ok(stage.open().await?.health().await?)
}
