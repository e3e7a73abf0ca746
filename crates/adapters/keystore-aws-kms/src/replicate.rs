//! Multi-region keys: one key, usable in several regions under one id.

use std::collections::BTreeSet;

use aws_sdk_kms::types::MultiRegionConfiguration;
use key::KeyId;
use keystore::KeyError;
use keystore::KeyLabel;

use crate::AwsKmsBackend;
use crate::arn::KeyArn;
use crate::config::RegionName;
use crate::patience::Patience;
use crate::trouble::Trouble;

const OPERATION: &str = "copy keys to other regions";

impl AwsKmsBackend {
    /// Copies the keys of the cluster to regions configured after they were made. A failure is told and keeps nothing from
    /// working: the keys sign where they are.
    pub(crate) async fn catch_up(&self) {
        match self.replicate_all().await {
            Ok(0) => {}
            Ok(copies) => tracing::info!(copies, "copied keys in AWS KMS to regions configured later"),
            Err(error) => tracing::warn!(%error, "keys in AWS KMS are not in all configured regions yet"),
        }
    }

    /// Says how many copies were made. Keys that were not made as multi-region keys cannot be copied: only a rotation
    /// replaces them.
    async fn replicate_all(&self) -> Result<usize, KeyError> {
        let Some(multi) = &self.config.multi_region else {
            return Ok(0);
        };
        let wanted: BTreeSet<&RegionName> = multi.replicas.iter().chain([&multi.primary]).collect();
        let mut copies = 0;
        for found in self.list_keys().await?.iter().filter(|found| found.is_usable) {
            let Some(arn) = KeyArn::parse(&found.handle) else {
                continue;
            };
            let metadata = self
                .cloud
                .describe(&arn)
                .await
                .map_err(|failed| self.cloud.error(OPERATION, failed))?;
            let tags = self
                .cloud
                .tags(&arn)
                .await
                .map_err(|failed| self.cloud.error(OPERATION, failed))?;
            let (Some(places), Some(id)) = (metadata.multi_region_configuration, tags.key_id()) else {
                continue;
            };
            let Some(primary) = primary_of(&places) else {
                continue;
            };
            let present: BTreeSet<String> = all_of(&places)
                .iter()
                .map(|arn| arn.region().to_owned())
                .collect();
            for region in wanted.iter().filter(|region| !present.contains(region.as_str())) {
                self.copy(&primary, region, id, &found.label, OPERATION).await?;
                copies += 1;
            }
        }
        Ok(copies)
    }

    /// Copies a new key from the region it was made in to all others; a copy that stands already is as good.
    pub(crate) async fn replicate(
        &self,
        primary: &KeyArn,
        id: KeyId,
        label: &KeyLabel,
        operation: &'static str,
    ) -> Result<(), KeyError> {
        for region in self.config.multi_region.iter().flat_map(|multi| &multi.replicas) {
            self.copy(primary, region, id, label, operation).await?;
        }
        Ok(())
    }

    async fn copy(
        &self,
        primary: &KeyArn,
        region: &RegionName,
        id: KeyId,
        label: &KeyLabel,
        operation: &'static str,
    ) -> Result<(), KeyError> {
        let tags = self.config.tags.for_key(id, label);
        let tags = tags.map_err(|error| KeyError::fault(self.description.store.clone(), operation, error))?;
        let mut patience = Patience::new();
        loop {
            match self
                .cloud
                .replicate(primary, region, label.to_string(), tags.clone())
                .await
            {
                Ok(()) => return Ok(()),
                Err(failed) if failed.trouble == Trouble::Exists => return Ok(()),
                Err(failed) => {
                    if !patience.wait(&failed.trouble).await {
                        return Err(self.cloud.error(operation, failed));
                    }
                }
            }
        }
    }
}

/// The one of a multi-region key's ARNs that copies are made from.
pub(crate) fn primary_of(places: &MultiRegionConfiguration) -> Option<KeyArn> {
    KeyArn::parse(places.primary_key.as_ref()?.arn.as_deref()?)
}

/// The copies of a multi-region key, without the primary.
pub(crate) fn replicas_of(places: &MultiRegionConfiguration) -> Vec<KeyArn> {
    let replicas = places.replica_keys.iter().flatten();
    replicas
        .filter_map(|replica| KeyArn::parse(replica.arn.as_deref()?))
        .collect()
}

fn all_of(places: &MultiRegionConfiguration) -> Vec<KeyArn> {
    let mut all = replicas_of(places);
    all.extend(primary_of(places));
    all
}
