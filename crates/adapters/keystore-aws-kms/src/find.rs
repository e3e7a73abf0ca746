//! Our keys among all keys of the account, told by their tags.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_kms::types::KeyState;
use key::KeyId;
use keystore::FoundKey;
use keystore::KeyError;
use keystore::KeyLabel;
use names::ClusterName;
use names::UnixSeconds;

use crate::AwsKmsBackend;
use crate::arn::KeyArn;
use crate::cloud::Cloud;
use crate::config::AwsKmsConfig;
use crate::tags::FoundTags;
use crate::together::ask_all;
use crate::trouble::Failed;
use crate::trouble::Trouble;

const OPERATION: &str = "list keys";

impl AwsKmsBackend {
    pub(crate) async fn list_keys(&self) -> Result<Vec<FoundKey>, KeyError> {
        all_of_cluster(&self.cloud, &self.config)
            .await
            .map_err(|failed| self.cloud.error(OPERATION, failed))
    }

    /// The keys made for an id, in the region keys are made in. What was seen before is not read again: a key gets its id when
    /// it is made, and keeps it.
    pub(crate) async fn made_for(
        &self,
        id: KeyId,
        made: &mut HashMap<KeyArn, Option<KeyId>>,
    ) -> Result<Vec<KeyArn>, KeyError> {
        let region = self.config.home_region().as_str();
        let mut arns = self
            .cloud
            .keys(region)
            .await
            .map_err(|failed| self.cloud.error(OPERATION, failed))?;
        arns.retain(|arn| !made.contains_key(arn));
        let cluster = Arc::new(self.config.cluster.clone());
        let look = |arn: KeyArn| {
            let (cloud, cluster) = (Arc::clone(&self.cloud), Arc::clone(&cluster));
            async move {
                let tags = readable_tags(&cloud, &cluster, &arn).await?;
                Ok((arn, tags))
            }
        };
        let looked = ask_all(arns, look)
            .await
            .map_err(|failed| self.cloud.error(OPERATION, failed))?;
        for (arn, tags) in looked {
            // Keys that could not be looked at are looked at again next time: permissions change.
            if let Some(tags) = tags {
                made.insert(arn, tags.key_id().filter(|_| tags.are_of(&self.config.cluster)));
            }
        }
        Ok(made
            .iter()
            .filter(|(_, made_for)| **made_for == Some(id))
            .map(|(arn, _)| arn.clone())
            .collect())
    }
}

/// Every key of the cluster in the region of use, by authority and generation.
pub(crate) async fn all_of_cluster(
    cloud: &Arc<Cloud>,
    config: &AwsKmsConfig,
) -> Result<Vec<FoundKey>, Failed> {
    let arns = cloud.keys(config.region.as_str()).await?;
    let config = Arc::new(config.clone());
    let look = |arn: KeyArn| {
        let (cloud, config) = (Arc::clone(cloud), Arc::clone(&config));
        async move { look_at(&cloud, &config, &arn).await }
    };
    let mut found: Vec<FoundKey> = ask_all(arns, look).await?.into_iter().flatten().collect();
    found.sort_by(|a, b| a.label.cmp(&b.label).then_with(|| a.handle.cmp(&b.handle)));
    Ok(found)
}

/// What `list` says of a key; `None` when it is not ours, or gone meanwhile.
async fn look_at(cloud: &Cloud, config: &AwsKmsConfig, arn: &KeyArn) -> Result<Option<FoundKey>, Failed> {
    let Some(tags) = readable_tags(cloud, &config.cluster, arn).await? else {
        return Ok(None);
    };
    if !tags.match_all(&config.tags) || tags.key_id().is_none() {
        return Ok(None);
    }
    let Some(label) = tags.label().filter(|label| label.cluster == config.cluster) else {
        tracing::warn!(key = %arn, cluster = %config.cluster, "KMS key has the tags of the cluster, but no label of it");
        return Ok(None);
    };
    match facts(cloud, arn, label).await {
        Ok(found) => Ok(Some(found)),
        Err(Failed {
            trouble: Trouble::NotFound,
            ..
        }) => Ok(None),
        Err(failed) => Err(failed),
    }
}

async fn facts(cloud: &Cloud, arn: &KeyArn, label: KeyLabel) -> Result<FoundKey, Failed> {
    let metadata = cloud.describe(arn).await?;
    let is_enabled = metadata.key_state == Some(KeyState::Enabled);
    let public_key = match cloud.public_key(arn).await {
        Ok(public_key) => Some(public_key),
        // A key out of use need not show its public key; one in use has to.
        Err(Failed {
            trouble: Trouble::Disabled | Trouble::PendingDeletion | Trouble::NotReady(_),
            ..
        }) if !is_enabled => None,
        Err(failed) => return Err(failed),
    };
    Ok(FoundKey {
        handle: arn.to_string(),
        label,
        is_usable: is_enabled && public_key.is_some(),
        public_key,
        made_at: metadata.creation_date.map(|date| UnixSeconds(date.secs())),
    })
}

/// The tags of a key; `None` when it is gone, or not ours to look at.
///
/// A policy may hide the tags of keys that are not ours, so a refusal alone means nothing. But where a key may be described
/// and is described as ours, its tags have to be readable, or a list would be shorter than the truth.
async fn readable_tags(
    cloud: &Cloud,
    cluster: &ClusterName,
    arn: &KeyArn,
) -> Result<Option<FoundTags>, Failed> {
    let refused = match cloud.tags(arn).await {
        Ok(tags) => return Ok(Some(tags)),
        Err(Failed {
            trouble: Trouble::NotFound,
            ..
        }) => return Ok(None),
        Err(
            failed @ Failed {
                trouble: Trouble::Forbidden(_),
                ..
            },
        ) => failed,
        Err(failed) => return Err(failed),
    };
    let description = match cloud.describe(arn).await {
        Ok(metadata) => metadata.description.unwrap_or_default(),
        Err(Failed {
            trouble: Trouble::Forbidden(_) | Trouble::NotFound,
            ..
        }) => return Ok(None),
        Err(failed) => return Err(failed),
    };
    if description.starts_with(&KeyLabel::prefix(cluster)) {
        Err(refused)
    } else {
        Ok(None)
    }
}
