use contract::Failure;
use contract::Outcome;
use contract::cases;
use contract::refused;
use key::KeyAlgorithm;
use key::KeyRef;
use key::SpkiSha256;
use keystore::KeyBackend;
use keystore::KeyError;

use crate::stage::Stage;
use crate::stage::signs;
use crate::suite::KeystoreContract;

cases! {
    for KeystoreContract;
    each a_destroyed_key_cannot_sign if |_| true;
    once a_key_destroyed_at_once_is_not_found if |has| has.destroys_at_once;
    once a_destroyed_key_is_not_listed_as_usable if |_| true;
    once a_destroyed_key_stays_destroyed if |has| has.persists;
    once destroying_twice_is_success if |_| true;
    once a_mismatch_destroys_nothing if |_| true;
    once other_keys_stay if |_| true;
}

/// Fails the case when the key still signs, or when the backend only says "not now".
async fn cannot_sign(backend: &dyn KeyBackend, key: &KeyRef) -> Outcome {
    match backend
        .sign(key, key.algorithm.default_scheme(), b"message")
        .await
    {
        Err(error) if !error.is_transient() => Ok(()),
        Err(error) => Err(Failure(format!("wanted a lasting refusal, got {error:?}"))),
        Ok(_) => Err(Failure("a destroyed key signed".to_owned())),
    }
}

async fn a_destroyed_key_cannot_sign(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_one(&*backend, algorithm).await?;
    signs(&*backend, &key, b"before").await?;
    backend.destroy(&key.reference).await?;
    cannot_sign(&*backend, &key.reference).await
}

async fn a_key_destroyed_at_once_is_not_found(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    backend.destroy(&key.reference).await?;
    let scheme = key.reference.algorithm.default_scheme();
    refused!(
        backend.sign(&key.reference, scheme, b"message").await,
        KeyError::NotFound { .. }
    );
    refused!(
        backend.public_key(&key.reference).await,
        KeyError::NotFound { .. }
    );
    refused!(
        backend.attributes(&key.reference).await,
        KeyError::NotFound { .. }
    );
    assert_eq!(backend.list().await?, []);
    Ok(())
}

async fn a_destroyed_key_is_not_listed_as_usable(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    backend.destroy(&key.reference).await?;
    let is_usable = backend.list().await?.iter().any(|found| found.is_usable);
    assert!(!is_usable);
    Ok(())
}

async fn a_destroyed_key_stays_destroyed(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    backend.destroy(&key.reference).await?;
    let backend = stage.reopen(backend).await?;
    cannot_sign(&*backend, &key.reference).await
}

async fn destroying_twice_is_success(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    backend.destroy(&key.reference).await?;
    backend.destroy(&key.reference).await?;
    Ok(())
}

async fn a_mismatch_destroys_nothing(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    let wrong = KeyRef {
        spki_sha256: SpkiSha256([7; 32]),
        ..key.reference.clone()
    };
    refused!(backend.destroy(&wrong).await, KeyError::Mismatch { .. });
    signs(&*backend, &key, b"still there").await
}

async fn other_keys_stay(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let one = stage.make_quick(&*backend).await?;
    let two = stage.make_quick(&*backend).await?;
    backend.destroy(&one.reference).await?;
    signs(&*backend, &two, b"still there").await
}
