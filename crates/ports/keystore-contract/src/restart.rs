use contract::Outcome;
use contract::cases;
use key::KeyAlgorithm;

use crate::stage::Borrowed;
use crate::stage::Stage;
use crate::stage::signs;
use crate::suite::KeystoreContract;

cases! {
    for KeystoreContract;
    each a_key_survives_reopening_and_signs if |has| has.persists;
    once the_list_survives_reopening if |has| has.persists;
    once the_same_id_finds_the_same_key_after_reopening if |has| has.persists;
    once a_key_made_by_one_handle_signs_through_another if |has| has.opens_twice;
    once the_same_id_through_two_handles_makes_one_key if |has| has.opens_twice;
}

async fn a_key_survives_reopening_and_signs(stage: &Stage, algorithm: KeyAlgorithm) -> Outcome {
    let borrowed = stage.borrow(algorithm).await?;
    let Borrowed { backend, key, .. } = stage.reopen_borrowed(borrowed).await?;
    signs(&*backend, &key, b"after reopening").await
}

async fn the_list_survives_reopening(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    stage.make_quick(&*backend).await?;
    let before = backend.list().await?;
    let backend = stage.reopen(backend).await?;
    assert_eq!(backend.list().await?, before);
    Ok(())
}

async fn the_same_id_finds_the_same_key_after_reopening(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let request = stage.request(stage.quick()?, 1);
    let key = stage.make(&*backend, &request).await?;
    let backend = stage.reopen(backend).await?;
    assert_eq!(backend.generate(&request).await?, key);
    assert_eq!(backend.list().await?.len(), 1);
    Ok(())
}

async fn a_key_made_by_one_handle_signs_through_another(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    let key = stage.make_quick(&*one).await?;
    signs(&*two, &key, b"through the other").await?;
    assert_eq!(one.list().await?, two.list().await?);
    Ok(())
}

async fn the_same_id_through_two_handles_makes_one_key(stage: &Stage) -> Outcome {
    let one = stage.open().await?;
    let two = stage.open().await?;
    let request = stage.request(stage.quick()?, 1);
    let first = stage.make(&*one, &request).await?;
    let second = two.generate(&request).await?;
    assert_eq!(first, second);
    Ok(())
}
