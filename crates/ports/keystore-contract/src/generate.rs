use std::collections::BTreeSet;
use std::sync::Arc;

use contract::Failure;
use contract::Outcome;
use contract::cases;
use contract::refused;
use key::KeyAlgorithm;
use keystore::Description;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyBackend;
use keystore::KeyError;

use crate::stage::Stage;
use crate::stage::signs;
use crate::suite::KeystoreContract;

cases! {
    for KeystoreContract;
    once the_description_is_what_the_bench_declares if |_| true;
    each a_new_key_is_what_was_asked_for if |_| true;
    once the_same_id_finds_the_same_key if |_| true;
    once the_same_id_at_the_same_time_makes_one_key if |_| true;
    once the_same_id_with_another_algorithm_is_refused if |has| has.algorithms.len() > 1;
    once the_same_id_with_another_label_is_refused if |_| true;
    once different_ids_make_different_keys if |_| true;
    once other_algorithms_are_refused_as_unsupported if |has| has.algorithms.len() < KeyAlgorithm::ALL.len();
}

async fn the_description_is_what_the_bench_declares(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let Description {
        kind: _,
        store: _,
        summary,
        algorithms,
        concurrency,
        destroys_at_once,
    } = backend.describe();
    assert_eq!(*algorithms, stage.has.algorithms);
    assert_eq!(*destroys_at_once, stage.has.destroys_at_once);
    assert!(*concurrency > 0);
    assert!(!summary.is_empty());
    Ok(())
}

async fn a_new_key_is_what_was_asked_for(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let backend = stage.open().await?;
    let request = stage.request(algorithm, 1);
    let key = stage.make(&*backend, &request).await?;
    assert_eq!(key.public_key.algorithm(), algorithm);
    assert_eq!(key.reference.id, request.id);
    assert_eq!(key.reference.backend, backend.describe().kind);
    assert_eq!(key.reference.store, backend.describe().store);
    assert_eq!(key.reference.algorithm, algorithm);
    assert_eq!(key.reference.spki_sha256, key.public_key.spki_sha256());
    assert!(!key.reference.handle.is_empty());
    assert_eq!(backend.public_key(&key.reference).await?, key.public_key);
    signs(&*backend, &key, b"the first signature of a new key").await
}

async fn the_same_id_finds_the_same_key(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let request = stage.request(stage.quick()?, 1);
    let first = stage.make(&*backend, &request).await?;
    let second = backend.generate(&request).await?;
    assert_eq!(first, second);
    assert_eq!(backend.list().await?.len(), 1);
    Ok(())
}

async fn the_same_id_at_the_same_time_makes_one_key(stage: &Stage) -> Outcome {
    let backend: Arc<dyn KeyBackend> = Arc::from(stage.open().await?);
    let request = stage.request(stage.quick()?, 1);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (backend, request) = (Arc::clone(&backend), request.clone());
            tokio::spawn(async move { backend.generate(&request).await })
        })
        .collect();
    let mut hashes = BTreeSet::new();
    for task in tasks {
        hashes.insert(task.await??.reference.spki_sha256);
    }
    let key = stage.make(&*backend, &request).await?;
    assert_eq!(hashes, BTreeSet::from([key.reference.spki_sha256]));
    assert_eq!(backend.list().await?.len(), 1);
    Ok(())
}

fn refused_for_good(result: Result<GeneratedKey, KeyError>) -> Outcome {
    match result {
        Err(error) if !error.is_transient() => Ok(()),
        Err(error) => Err(Failure(format!("wanted a lasting refusal, got {error:?}"))),
        Ok(_) => Err(Failure("wanted a refusal, got a key".to_owned())),
    }
}

async fn the_same_id_with_another_algorithm_is_refused(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let request = stage.request(stage.quick()?, 1);
    let key = stage.make(&*backend, &request).await?;
    let other = stage
        .has
        .algorithms
        .iter()
        .find(|algorithm| **algorithm != request.algorithm);
    let other = *other.ok_or_else(|| Failure("the case needs two algorithms".to_owned()))?;
    refused_for_good(
        backend
            .generate(&GenerateKey {
                algorithm: other,
                ..request
            })
            .await,
    )?;
    assert_eq!(backend.list().await?.len(), 1);
    signs(&*backend, &key, b"still the first").await
}

async fn the_same_id_with_another_label_is_refused(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let request = stage.request(stage.quick()?, 1);
    let key = stage.make(&*backend, &request).await?;
    refused_for_good(
        backend
            .generate(&GenerateKey {
                label: stage.label(2),
                ..request
            })
            .await,
    )?;
    let found = backend.list().await?;
    assert_eq!(
        found.iter().map(|key| key.label.generation).collect::<Vec<_>>(),
        [1]
    );
    signs(&*backend, &key, b"still the first").await
}

async fn different_ids_make_different_keys(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let algorithm = stage.quick()?;
    let first = stage.make(&*backend, &stage.request(algorithm, 1)).await?;
    let second = stage.make(&*backend, &stage.request(algorithm, 1)).await?;
    assert_ne!(first.public_key, second.public_key);
    assert_ne!(first.reference.handle, second.reference.handle);
    assert_eq!(backend.list().await?.len(), 2);
    Ok(())
}

async fn other_algorithms_are_refused_as_unsupported(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    for algorithm in KeyAlgorithm::ALL
        .into_iter()
        .filter(|algorithm| !stage.has.algorithms.contains(algorithm))
    {
        refused!(
            backend.generate(&stage.request(algorithm, 1)).await,
            KeyError::Unsupported { .. }
        );
    }
    assert_eq!(backend.list().await?.len(), 0);
    Ok(())
}
