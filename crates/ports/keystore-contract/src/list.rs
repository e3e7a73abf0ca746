use std::collections::BTreeMap;

use contract::Failure;
use contract::Outcome;
use contract::cases;
use keystore::GenerateKey;

use crate::stage::Stage;
use crate::stage::fresh_cluster;
use crate::stage::label_of;
use crate::suite::KeystoreContract;

const MANY: u64 = 130;

cases! {
    for KeystoreContract;
    once a_new_cluster_has_no_keys if |_| true;
    once every_key_is_listed_with_its_label if |_| true;
    once keys_of_another_cluster_never_appear if |_| true;
    once a_cluster_whose_name_begins_alike_is_another if |_| true;
    once many_keys_are_all_listed if |has| has.makes_many_keys;
}

async fn a_new_cluster_has_no_keys(stage: &Stage) -> Outcome {
    assert_eq!(stage.open().await?.list().await?, []);
    Ok(())
}

async fn every_key_is_listed_with_its_label(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let mut made = BTreeMap::new();
    for generation in 1..=3 {
        let key = stage
            .make(&*backend, &stage.request(stage.quick()?, generation))
            .await?;
        made.insert(key.reference.handle, (stage.label(generation), key.public_key));
    }
    let listed = backend.list().await?;
    assert_eq!(listed.len(), made.len());
    for found in listed {
        let (label, public_key) = made
            .remove(&found.handle)
            .ok_or_else(|| Failure(format!("listed twice or never made: {}", found.handle)))?;
        assert_eq!(found.label, label);
        assert_eq!(found.public_key, Some(public_key));
        assert!(found.is_usable);
    }
    Ok(())
}

async fn keys_of_another_cluster_never_appear(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    let ours = stage.make_quick(&*backend).await?;
    let stranger = fresh_cluster()?;
    let other = stage.open_for(&stranger).await?;
    let request = GenerateKey {
        label: label_of(&stranger, 1),
        ..stage.request(stage.quick()?, 1)
    };
    let theirs = other.generate(&request).await?;

    let listed = [backend.list().await?, other.list().await?];
    other.destroy(&theirs.reference).await?;
    let handles: Vec<Vec<String>> = listed
        .into_iter()
        .map(|keys| keys.into_iter().map(|key| key.handle).collect())
        .collect();
    assert_eq!(handles, [[ours.reference.handle], [theirs.reference.handle]]);
    Ok(())
}

async fn a_cluster_whose_name_begins_alike_is_another(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    stage.make_quick(&*backend).await?;
    let longer = names::ClusterName::parse(&format!("{}.org", stage.cluster))?;
    let shorter = names::ClusterName::parse(stage.cluster.as_str().trim_end_matches(".com"))?;
    for cluster in [longer, shorter] {
        assert_eq!(stage.open_for(&cluster).await?.list().await?, []);
    }
    Ok(())
}

async fn many_keys_are_all_listed(stage: &Stage) -> Outcome {
    let backend = stage.open().await?;
    for generation in 1..=MANY {
        stage
            .make(&*backend, &stage.request(stage.quick()?, generation))
            .await?;
    }
    let mut generations: Vec<u64> = backend
        .list()
        .await?
        .into_iter()
        .map(|key| key.label.generation)
        .collect();
    generations.sort_unstable();
    assert_eq!(generations, (1..=MANY).collect::<Vec<u64>>());
    Ok(())
}
