use std::sync::Arc;

use contract::Outcome;
use contract::cases;
use contract::refused;
use key::KeyAlgorithm;
use key::SignatureScheme;
use keystore::KeyBackend;
use keystore::KeyError;

use crate::stage::Borrowed;
use crate::stage::Stage;
use crate::stage::signs;
use crate::suite::KeystoreContract;

const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::RsaPkcs1Sha256,
    SignatureScheme::RsaPkcs1Sha512,
    SignatureScheme::EcdsaP256Sha256,
    SignatureScheme::EcdsaP384Sha384,
    SignatureScheme::Ed25519,
];

const TASKS: usize = 8;
const SIGNATURES_PER_TASK: usize = 8;

cases! {
    for KeystoreContract;
    each every_fitting_scheme_verifies if |_| true;
    each other_schemes_are_refused_as_unsupported if |_| true;
    each messages_of_every_length_verify if |_| true;
    each signatures_made_at_the_same_time_verify if |_| true;
    once keys_used_at_the_same_time_are_not_mixed_up if |_| true;
}

async fn every_fitting_scheme_verifies(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let Borrowed { backend, key, .. } = stage.borrow(algorithm).await?;
    for scheme in SCHEMES.into_iter().filter(|scheme| scheme.fits(algorithm)) {
        let signature = backend.sign(&key.reference, scheme, b"to be signed").await?;
        assert_eq!(signature.scheme(), scheme);
        key.public_key.verify(b"to be signed", &signature)?;
        assert!(key.public_key.verify(b"to be forged", &signature).is_err());
    }
    Ok(())
}

async fn other_schemes_are_refused_as_unsupported(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let Borrowed { backend, key, .. } = stage.borrow(algorithm).await?;
    for scheme in SCHEMES.into_iter().filter(|scheme| !scheme.fits(algorithm)) {
        let result = backend.sign(&key.reference, scheme, b"to be signed").await;
        refused!(result, KeyError::Unsupported { .. });
    }
    signs(&*backend, &key, b"refusals leave the key usable").await
}

/// 4096 bytes is the most some services take unhashed.
async fn messages_of_every_length_verify(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let Borrowed { backend, key, .. } = stage.borrow(algorithm).await?;
    for length in [0, 1, 4_096, 4_097, 65_536] {
        let message: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        signs(&*backend, &key, &message).await?;
    }
    Ok(())
}

async fn signatures_made_at_the_same_time_verify(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let Borrowed { backend, key, .. } = stage.borrow(algorithm).await?;
    let backend: Arc<dyn KeyBackend> = Arc::from(backend);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (backend, key) = (Arc::clone(&backend), key.clone());
            tokio::spawn(async move {
                for number in 0..SIGNATURES_PER_TASK {
                    signs(
                        &*backend,
                        &key,
                        format!("message {number} of task {task}").as_bytes(),
                    )
                    .await?;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn keys_used_at_the_same_time_are_not_mixed_up(stage: &Stage) -> Outcome {
    let backend: Arc<dyn KeyBackend> = Arc::from(stage.open().await?);
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let key = stage.make_quick(&*backend).await?;
        let backend = Arc::clone(&backend);
        tasks.push(tokio::spawn(async move {
            for number in 0..SIGNATURES_PER_TASK {
                signs(&*backend, &key, format!("the same message {number}").as_bytes()).await?;
            }
            Outcome::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}
