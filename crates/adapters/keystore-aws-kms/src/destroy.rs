use aws_sdk_kms::types::KeyMetadata;
use key::KeyRef;
use keystore::KeyError;

use crate::AwsKmsBackend;
use crate::arn::KeyArn;
use crate::identify::is_on_its_way_out;
use crate::replicate::primary_of;
use crate::replicate::replicas_of;
use crate::trouble::Failed;
use crate::trouble::Trouble;

const OPERATION: &str = "destroy a key";

impl AwsKmsBackend {
    /// Schedules the deletion of exactly this key, in all its regions. A key already gone or going is success; whatever cannot be
    /// told for certain to be the key is kept.
    pub(crate) async fn destroy_key(&self, key: &KeyRef) -> Result<(), KeyError> {
        let Some((arn, metadata)) = self.find_place(self.locate(key)?).await? else {
            return Ok(());
        };
        self.check_tags(key, &arn).await?;
        let is_going = metadata.key_state.as_ref().is_some_and(is_on_its_way_out);
        if !is_going {
            self.read_public_key(key, &arn, OPERATION).await?;
        }
        self.forget(&arn);
        for place in places_of(&arn, &metadata)
            .iter()
            .filter(|place| !is_going || **place != arn)
        {
            self.schedule(place).await?;
        }
        tracing::info!(key = %arn, days = self.config.deletion_window_days, "scheduled the deletion of a key in AWS KMS");
        Ok(())
    }

    /// A place where the key still is: here, or, when its copy here is gone, where keys are made.
    async fn find_place(&self, here: KeyArn) -> Result<Option<(KeyArn, KeyMetadata)>, KeyError> {
        let home = here.in_region(self.config.home_region());
        let is_elsewhere_too = here.is_multi_region() && home != here;
        for place in [Some(here), is_elsewhere_too.then_some(home)]
            .into_iter()
            .flatten()
        {
            match self.cloud.describe(&place).await {
                Ok(metadata) => return Ok(Some((place, metadata))),
                Err(Failed {
                    trouble: Trouble::NotFound,
                    ..
                }) => {}
                Err(failed) => return Err(self.cloud.error(OPERATION, failed)),
            }
        }
        Ok(None)
    }

    async fn check_tags(&self, key: &KeyRef, arn: &KeyArn) -> Result<(), KeyError> {
        let tags = self
            .cloud
            .tags(arn)
            .await
            .map_err(|failed| self.cloud.error(OPERATION, failed))?;
        if !tags.are_of(&self.config.cluster) {
            return Err(self.mismatch(
                key,
                format!("on a key that is not tagged for cluster {}", self.config.cluster),
            ));
        }
        if tags.key_id() != Some(key.id) {
            let id = tags
                .key_id()
                .map_or_else(|| "none".to_owned(), |id| id.to_string());
            return Err(self.mismatch(key, format!("on a key made for id {id}, not {}", key.id)));
        }
        Ok(())
    }

    async fn schedule(&self, arn: &KeyArn) -> Result<(), KeyError> {
        match self
            .cloud
            .schedule_deletion(arn, self.config.deletion_window_days)
            .await
        {
            Ok(())
            | Err(Failed {
                trouble: Trouble::PendingDeletion | Trouble::NotFound,
                ..
            }) => Ok(()),
            Err(failed) => Err(self.cloud.error(OPERATION, failed)),
        }
    }
}

/// Every region's ARN of a key, the primary last: it goes only when its copies are gone.
fn places_of(arn: &KeyArn, metadata: &KeyMetadata) -> Vec<KeyArn> {
    let Some(places) = &metadata.multi_region_configuration else {
        return vec![arn.clone()];
    };
    let mut all = replicas_of(places);
    all.extend(primary_of(places));
    if !all.contains(arn) {
        all.insert(0, arn.clone());
    }
    all
}
