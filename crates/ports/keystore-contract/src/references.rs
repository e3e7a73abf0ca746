use contract::Outcome;
use contract::cases;
use contract::refused;
use key::BackendKind;
use key::KeyAlgorithm;
use key::KeyRef;
use key::SpkiSha256;
use keystore::KeyError;

use crate::stage::Borrowed;
use crate::stage::Stage;
use crate::stage::fresh_id;
use crate::stage::signs;
use crate::suite::KeystoreContract;

cases! {
    for KeystoreContract;
    once a_reference_with_another_public_key_is_a_mismatch if |_| true;
    once a_reference_to_another_key_of_ours_is_a_mismatch if |_| true;
    once a_reference_to_another_store_is_refused if |_| true;
    once a_reference_to_another_kind_of_backend_is_refused if |_| true;
    once a_missing_key_is_not_found if |_| true;
    each the_public_key_survives_reopening if |has| has.persists;
}

/// Another name of the same form, be it a UUID, hexadecimal, or an ARN that ends in one of them.
fn another_handle(handle: &str) -> String {
    let (head, tail) = handle.split_at(handle.len().saturating_sub(8));
    let other = |digit: char| if digit == 'f' { '0' } else { 'f' };
    head.chars().chain(tail.chars().map(other)).collect()
}

async fn a_reference_with_another_public_key_is_a_mismatch(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    // A backend that has seen the key sign must not answer from what it remembers.
    signs(&*backend, &key, b"first").await?;
    let wrong = KeyRef {
        spki_sha256: SpkiSha256([7; 32]),
        ..key.reference.clone()
    };
    let scheme = wrong.algorithm.default_scheme();
    refused!(
        backend.sign(&wrong, scheme, b"message").await,
        KeyError::Mismatch { .. }
    );
    refused!(backend.public_key(&wrong).await, KeyError::Mismatch { .. });
    refused!(backend.attributes(&wrong).await, KeyError::Mismatch { .. });
    signs(&*backend, &key, b"and still").await
}

async fn a_reference_to_another_key_of_ours_is_a_mismatch(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let one = stage.make_quick(&*backend).await?;
    let two = stage.make_quick(&*backend).await?;
    let crossed = KeyRef {
        spki_sha256: two.reference.spki_sha256,
        ..one.reference
    };
    let scheme = crossed.algorithm.default_scheme();
    refused!(
        backend.sign(&crossed, scheme, b"message").await,
        KeyError::Mismatch { .. }
    );
    Ok(())
}

async fn a_reference_to_another_store_is_refused(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    let store = format!("{}-of-somebody-else", key.reference.store);
    let elsewhere = KeyRef {
        store,
        ..key.reference.clone()
    };
    let scheme = elsewhere.algorithm.default_scheme();
    refused!(
        backend.sign(&elsewhere, scheme, b"message").await,
        KeyError::OtherStore { .. }
    );
    refused!(backend.public_key(&elsewhere).await, KeyError::OtherStore { .. });
    refused!(backend.attributes(&elsewhere).await, KeyError::OtherStore { .. });
    refused!(backend.destroy(&elsewhere).await, KeyError::OtherStore { .. });
    signs(&*backend, &key, b"nothing was destroyed").await
}

async fn a_reference_to_another_kind_of_backend_is_refused(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    let other = match key.reference.backend {
        BackendKind::Software => BackendKind::Pkcs11,
        BackendKind::Pkcs11 | BackendKind::AwsKms => BackendKind::Software,
    };
    let elsewhere = KeyRef {
        backend: other,
        ..key.reference.clone()
    };
    let scheme = elsewhere.algorithm.default_scheme();
    refused!(
        backend.sign(&elsewhere, scheme, b"message").await,
        KeyError::OtherStore { .. }
    );
    refused!(backend.destroy(&elsewhere).await, KeyError::OtherStore { .. });
    signs(&*backend, &key, b"nothing was destroyed").await
}

async fn a_missing_key_is_not_found(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let key = stage.make_quick(&*backend).await?;
    let missing = KeyRef {
        id: fresh_id(),
        handle: another_handle(&key.reference.handle),
        ..key.reference
    };
    let scheme = missing.algorithm.default_scheme();
    refused!(
        backend.sign(&missing, scheme, b"message").await,
        KeyError::NotFound { .. }
    );
    refused!(backend.public_key(&missing).await, KeyError::NotFound { .. });
    refused!(backend.attributes(&missing).await, KeyError::NotFound { .. });
    backend.destroy(&missing).await?;
    Ok(())
}

async fn the_public_key_survives_reopening(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let borrowed = stage.borrow(algorithm).await?;
    let Borrowed { backend, key, .. } = stage.reopen_borrowed(borrowed).await?;
    assert_eq!(backend.public_key(&key.reference).await?, key.public_key);
    Ok(())
}
