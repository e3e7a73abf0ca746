//! The calls to AWS that Signet makes, one method each, with what a failure means already found out.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::KeyMetadata;
use aws_sdk_kms::types::KeySpec;
use aws_sdk_kms::types::KeyUsageType;
use aws_sdk_kms::types::MessageType;
use aws_sdk_kms::types::OriginType;
use aws_sdk_kms::types::SigningAlgorithmSpec;
use aws_sdk_kms::types::Tag;
use key::PublicKey;
use keystore::KeyError;

use crate::arn::KeyArn;
use crate::config::AwsKmsConfig;
use crate::config::RegionName;
use crate::tags::FoundTags;
use crate::trouble::Failed;
use crate::trouble::Trouble;
use crate::trouble::undelivered;

/// Keys asked for in one page: all that AWS allows, since every page costs a round trip.
const KEYS_IN_A_PAGE: i32 = 1000;

/// Clients of KMS and STS, and what every error has to say.
#[derive(Debug)]
pub(crate) struct Cloud {
    store: String,
    deadline: Duration,
    region: String,
    sdk: SdkConfig,
    kms: Client,
}

/// Whose credentials these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

/// What a new key shall be.
#[derive(Debug, Clone)]
pub(crate) struct NewKey {
    pub(crate) spec: KeySpec,
    pub(crate) description: String,
    pub(crate) tags: Vec<Tag>,
    pub(crate) multi_region: bool,
}

/// Reads the process's environment and the shared files as every AWS tool does; the region and the limit are the
/// configuration's.
pub(crate) async fn load(config: &AwsKmsConfig) -> SdkConfig {
    let region = Region::new(config.region.as_str().to_owned());
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(region)
        .load()
        .await
}

/// The access key in use, which is no secret, and the source it was found in.
pub(crate) async fn credentials_of(sdk: &SdkConfig) -> Result<(String, String), Trouble> {
    let Some(provider) = sdk.credentials_provider() else {
        return Err(Trouble::NoCredentials("no source is configured".to_owned()));
    };
    let found = provider
        .provide_credentials()
        .await
        .map_err(|error| undelivered(&error))?;
    // The SDK tells the source in the debug form only, which shows no secret.
    let text = format!("{found:?}");
    let source = text
        .split("provider_name: \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok((
        found.access_key_id().to_owned(),
        source.unwrap_or("an unnamed source").to_owned(),
    ))
}

impl Cloud {
    pub(crate) fn new(config: &AwsKmsConfig, sdk: &SdkConfig) -> Self {
        let timeouts = sdk
            .timeout_config()
            .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let region = config.region.as_str().to_owned();
        let sdk = sdk
            .to_builder()
            .region(Region::new(region.clone()))
            .timeout_config(timeouts.operation_timeout(config.deadline).build())
            .build();
        Self {
            store: config.store(),
            deadline: config.deadline,
            region,
            kms: Client::new(&sdk),
            sdk,
        }
    }

    /// The error of the port for a failed call.
    pub(crate) fn error(&self, operation: &'static str, failed: Failed) -> KeyError {
        failed.into_error(&self.store, operation, self.deadline)
    }

    /// Whose credentials are used.
    pub(crate) async fn caller(&self) -> Result<Caller, Failed> {
        const PERMISSION: &str = "sts:GetCallerIdentity";
        let sts = aws_sdk_sts::Client::new(&self.sdk);
        let answer = sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| Failed::new(PERMISSION, "*", &error))?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Caller { account, arn }),
            _ => Err(Failed::senseless(PERMISSION, "*", "the answer names no account")),
        }
    }

    /// Whether keys may be listed at all in a region; the cheapest question there is.
    pub(crate) async fn probe(&self, region: &RegionName) -> Result<(), Failed> {
        let answer = self.client(region.as_str()).list_keys().limit(1).send().await;
        answer
            .map(drop)
            .map_err(|error| Failed::new("kms:ListKeys", "*", &error))
    }

    /// Every key of the account in a region.
    pub(crate) async fn keys(&self, region: &str) -> Result<Vec<KeyArn>, Failed> {
        const PERMISSION: &str = "kms:ListKeys";
        let kms = self.client(region);
        let mut arns = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = kms.list_keys().limit(KEYS_IN_A_PAGE).set_marker(marker.clone());
            let page = page
                .send()
                .await
                .map_err(|error| Failed::new(PERMISSION, "*", &error))?;
            for entry in page.keys.unwrap_or_default() {
                let arn = entry.key_arn.as_deref().and_then(KeyArn::parse);
                arns.push(arn.ok_or_else(|| {
                    Failed::senseless(PERMISSION, "*", format!("{:?} is no key's ARN", entry.key_arn))
                })?);
            }
            marker = next_page(page.truncated, page.next_marker, marker.as_deref())
                .map_err(|what| Failed::senseless(PERMISSION, "*", what))?;
            if marker.is_none() {
                return Ok(arns);
            }
        }
    }

    /// All tags of a key.
    pub(crate) async fn tags(&self, arn: &KeyArn) -> Result<FoundTags, Failed> {
        const PERMISSION: &str = "kms:ListResourceTags";
        let kms = self.client(arn.region());
        let mut tags = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = kms
                .list_resource_tags()
                .key_id(arn.to_string())
                .set_marker(marker.clone());
            let page = page
                .send()
                .await
                .map_err(|error| Failed::new(PERMISSION, arn.to_string(), &error))?;
            tags.extend(page.tags.unwrap_or_default());
            marker = next_page(page.truncated, page.next_marker, marker.as_deref())
                .map_err(|what| Failed::senseless(PERMISSION, arn.to_string(), what))?;
            if marker.is_none() {
                return Ok(FoundTags::new(tags));
            }
        }
    }

    pub(crate) async fn describe(&self, arn: &KeyArn) -> Result<KeyMetadata, Failed> {
        const PERMISSION: &str = "kms:DescribeKey";
        let answer = self
            .client(arn.region())
            .describe_key()
            .key_id(arn.to_string())
            .send()
            .await;
        let answer = answer.map_err(|error| Failed::new(PERMISSION, arn.to_string(), &error))?;
        answer
            .key_metadata
            .ok_or_else(|| Failed::senseless(PERMISSION, arn.to_string(), "the answer is empty"))
    }

    pub(crate) async fn public_key(&self, arn: &KeyArn) -> Result<PublicKey, Failed> {
        const PERMISSION: &str = "kms:GetPublicKey";
        let answer = self
            .client(arn.region())
            .get_public_key()
            .key_id(arn.to_string())
            .send()
            .await;
        let answer = answer.map_err(|error| Failed::new(PERMISSION, arn.to_string(), &error))?;
        let der = answer.public_key.unwrap_or_else(|| Blob::new([]));
        PublicKey::from_spki_der(der.as_ref())
            .map_err(|fault| Failed::senseless(PERMISSION, arn.to_string(), fault.to_string()))
    }

    /// Makes a key in a region. Sent once: a repetition after a lost answer would make a second key.
    pub(crate) async fn create(&self, region: &RegionName, key: NewKey) -> Result<KeyMetadata, Failed> {
        const PERMISSION: &str = "kms:CreateKey (with kms:TagResource)";
        let NewKey {
            spec,
            description,
            tags,
            multi_region,
        } = key;
        let request = self
            .client(region.as_str())
            .create_key()
            .key_spec(spec)
            .key_usage(KeyUsageType::SignVerify)
            .description(description)
            .set_tags(Some(tags))
            .multi_region(multi_region)
            .customize()
            .config_override(aws_sdk_kms::config::Builder::new().retry_config(RetryConfig::disabled()));
        let answer = request
            .send()
            .await
            .map_err(|error| Failed::new(PERMISSION, "*", &error))?;
        answer
            .key_metadata
            .ok_or_else(|| Failed::senseless(PERMISSION, "*", "the answer is empty"))
    }

    /// Signs a message, or a digest of one; the answer is DER for ECDSA and raw for the rest.
    pub(crate) async fn sign(
        &self,
        arn: &KeyArn,
        algorithm: SigningAlgorithmSpec,
        message_type: MessageType,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Failed> {
        const PERMISSION: &str = "kms:Sign";
        let request = self
            .client(arn.region())
            .sign()
            .key_id(arn.to_string())
            .signing_algorithm(algorithm)
            .message_type(message_type)
            .message(Blob::new(bytes));
        let answer = request
            .send()
            .await
            .map_err(|error| Failed::new(PERMISSION, arn.to_string(), &error))?;
        let signature = answer
            .signature
            .ok_or_else(|| Failed::senseless(PERMISSION, arn.to_string(), "no signature"))?;
        Ok(signature.into_inner())
    }

    /// Copies a multi-region key to another region, with tags and description, which AWS does not copy.
    pub(crate) async fn replicate(
        &self,
        primary: &KeyArn,
        region: &RegionName,
        description: String,
        tags: Vec<Tag>,
    ) -> Result<(), Failed> {
        let request = self
            .client(primary.region())
            .replicate_key()
            .key_id(primary.to_string())
            .replica_region(region.as_str())
            .description(description)
            .set_tags(Some(tags));
        let answer = request.send().await;
        answer.map(drop).map_err(|error| {
            Failed::new(
                "kms:ReplicateKey (with kms:CreateKey and kms:TagResource)",
                primary.to_string(),
                &error,
            )
        })
    }

    /// Names the key by its bare id, by which alone some compatible services know it here; region and account are the
    /// client's, and ids are unique among all accounts.
    pub(crate) async fn schedule_deletion(&self, arn: &KeyArn, days: u8) -> Result<(), Failed> {
        let request = self.client(arn.region()).schedule_key_deletion().key_id(arn.id());
        let answer = request.pending_window_in_days(i32::from(days)).send().await;
        answer
            .map(drop)
            .map_err(|error| Failed::new("kms:ScheduleKeyDeletion", arn.to_string(), &error))
    }

    /// Asks for a key in a key store that does not exist, which fails in the end but not before the permission is judged:
    /// `CreateKey` has no dry run. Where a compatible service makes a key all the same, its ARN is the answer.
    pub(crate) async fn try_create(&self, tags: Vec<Tag>) -> Result<Option<KeyArn>, Failed> {
        let request = self
            .kms
            .create_key()
            .description("permission check of Signet, never a key in use")
            .origin(OriginType::AwsCloudhsm)
            .custom_key_store_id("cks-00000000000000000")
            .set_tags(Some(tags));
        match request.send().await {
            Ok(answer) => Ok(answer
                .key_metadata
                .and_then(|made| KeyArn::parse(made.arn.as_deref()?))),
            Err(error) if error.code() == Some("CustomKeyStoreNotFoundException") => Ok(None),
            Err(error) => Err(Failed::new("kms:CreateKey (with kms:TagResource)", "*", &error)),
        }
    }

    /// Whether a key may sign, without a signature where the service knows dry runs.
    pub(crate) async fn try_sign(&self, arn: &KeyArn, algorithm: SigningAlgorithmSpec) -> Result<(), Failed> {
        let request = self
            .client(arn.region())
            .sign()
            .key_id(arn.to_string())
            .signing_algorithm(algorithm)
            .message_type(MessageType::Raw)
            .message(Blob::new("permission check of Signet"))
            .dry_run(true);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("DryRunOperationException") => Ok(()),
            Err(error) => Err(Failed::new("kms:Sign", arn.to_string(), &error)),
        }
    }

    /// The client for a region; those of other regions than ours are rarely needed.
    pub(crate) fn client(&self, region: &str) -> Client {
        if region == self.region {
            return self.kms.clone();
        }
        let builder = aws_sdk_kms::config::Builder::from(&self.sdk);
        Client::from_conf(builder.region(Region::new(region.to_owned())).build())
    }
}

/// The marker of the next page, `None` after the last; an answer that breaks off is no answer.
fn next_page(
    truncated: bool,
    next: Option<String>,
    asked: Option<&str>,
) -> Result<Option<String>, &'static str> {
    match (truncated, next) {
        (false, _) => Ok(None),
        (true, Some(next)) if !next.is_empty() && asked != Some(next.as_str()) => Ok(Some(next)),
        (true, _) => Err("the list breaks off: more is announced, and no way to it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_breaks_off_is_an_error() {
        assert_eq!(next_page(false, None, None), Ok(None));
        assert_eq!(next_page(true, Some("b".into()), Some("a")), Ok(Some("b".into())));
        for (next, asked) in [
            (None, None),
            (Some(String::new()), None),
            (Some("a".to_owned()), Some("a")),
        ] {
            assert!(next_page(true, next, asked).is_err());
        }
    }
}
