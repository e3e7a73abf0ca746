use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use key::KeyAlgorithm;
use names::ClusterName;

use crate::tags;
use crate::tags::KeyTags;

/// How long one call to AWS may take, its retries included, unless configured otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// The days a destroyed key waits, unless configured otherwise: the fewest AWS allows, because a key reaches
/// [`KeyBackend::destroy`](keystore::KeyBackend::destroy) only after a quarantine of our own.
pub const DEFAULT_DELETION_WINDOW_DAYS: u8 = 7;

/// `auth_service.ca_key_params.aws_kms` as an operator wrote it, not yet looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsKmsSettings {
    /// The account the keys live in, 12 digits.
    pub account: String,
    /// The region the keys are used in, such as `eu-central-1`.
    pub region: String,
    /// Tags that every key gets besides ours, and that tell this cluster's keys from others'.
    pub tags: BTreeMap<String, String>,
    /// Makes keys multi-region keys; `None` keeps them in `region`.
    pub multi_region: Option<MultiRegionSettings>,
    /// Days from destroying a key until AWS forgets it, 7 to 30.
    pub deletion_window_days: Option<u32>,
    /// How long one call may take, its retries included.
    pub deadline: Option<Duration>,
    /// The algorithms keys may have; `None` for all that AWS offers. Where a region or a compatible service offers fewer,
    /// naming the rest keeps Signet from asking in vain.
    pub algorithms: Option<BTreeSet<KeyAlgorithm>>,
}

/// `aws_kms.multi_region` as an operator wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MultiRegionSettings {
    /// Where keys are made; `None` means the region they are used in.
    pub primary_region: Option<String>,
    /// Where else each key is to be usable.
    pub replica_regions: Vec<String>,
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("aws_kms.{field}: {problem}; {remedy}")]
pub struct ConfigError {
    /// The setting, below `auth_service.ca_key_params.aws_kms`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKmsConfig {
    pub(crate) account: AccountId,
    pub(crate) region: RegionName,
    pub(crate) cluster: ClusterName,
    pub(crate) tags: KeyTags,
    pub(crate) multi_region: Option<MultiRegion>,
    pub(crate) deletion_window_days: u8,
    pub(crate) deadline: Duration,
    pub(crate) algorithms: BTreeSet<KeyAlgorithm>,
}

impl AwsKmsConfig {
    /// Checks settings for a cluster.
    ///
    /// # Errors
    /// The first setting that cannot be, with what to write instead.
    pub fn parse(settings: AwsKmsSettings, cluster: &ClusterName) -> Result<Self, ConfigError> {
        let AwsKmsSettings {
            account,
            region,
            tags,
            multi_region,
            deletion_window_days,
            deadline,
            algorithms,
        } = settings;
        let region = RegionName::parse("region", &region)?;
        Ok(Self {
            account: AccountId::parse(&account)?,
            multi_region: multi_region
                .map(|settings| MultiRegion::parse(&settings, &region))
                .transpose()?,
            region,
            tags: tags::parse(tags, cluster)?,
            cluster: cluster.clone(),
            deletion_window_days: parse_window(deletion_window_days)?,
            deadline: parse_deadline(deadline)?,
            algorithms: parse_algorithms(algorithms)?,
        })
    }

    /// The store of keys made with it, [`KeyRef::store`](key::KeyRef::store): `<account>/<region>`.
    pub fn store(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }

    /// Where new keys are made.
    pub(crate) fn home_region(&self) -> &RegionName {
        self.multi_region
            .as_ref()
            .map_or(&self.region, |multi| &multi.primary)
    }
}

/// Keys usable in several regions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MultiRegion {
    /// Where keys are made.
    pub(crate) primary: RegionName,
    /// Where they are copied to: never the primary, and the region of use whenever it is not the primary.
    pub(crate) replicas: BTreeSet<RegionName>,
}

impl MultiRegion {
    fn parse(settings: &MultiRegionSettings, region: &RegionName) -> Result<Self, ConfigError> {
        let primary = match &settings.primary_region {
            Some(name) => RegionName::parse("multi_region.primary_region", name)?,
            None => region.clone(),
        };
        let mut replicas = BTreeSet::from([region.clone()]);
        for (index, name) in settings.replica_regions.iter().enumerate() {
            replicas.insert(RegionName::parse(
                &format!("multi_region.replica_regions[{index}]"),
                name,
            )?);
        }
        replicas.remove(&primary);
        if let Some(other) = replicas
            .iter()
            .find(|other| other.partition() != primary.partition())
        {
            return Err(ConfigError {
                field: "multi_region.replica_regions".to_owned(),
                problem: format!("{other} and {primary} are in different partitions of AWS"),
                remedy: "a key is copied within one partition only: choose regions of one partition",
            });
        }
        Ok(Self { primary, replicas })
    }
}

/// The number of an AWS account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountId(String);

impl AccountId {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(ConfigError {
            field: "account".to_owned(),
            problem: format!("{:?} is not an account number", excerpt(text)),
            remedy: "write its 12 digits in quotes (`aws sts get-caller-identity` shows them), leading zeros included",
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name of the form regions have; whether AWS has such a region, only AWS knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RegionName(String);

impl RegionName {
    fn parse(field: &str, text: &str) -> Result<Self, ConfigError> {
        if is_region(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(ConfigError {
            field: field.to_owned(),
            problem: format!("{:?} is not the name of a region", excerpt(text)),
            remedy: "write it as AWS does, such as us-west-2 or eu-central-1 (no availability zone letter)",
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The second field of ARNs of this region.
    pub(crate) fn partition(&self) -> &'static str {
        let names = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-iso-", "aws-iso"),
        ];
        let known = names.iter().find(|(prefix, _)| self.0.starts_with(prefix));
        known.map_or("aws", |(_, partition)| partition)
    }
}

impl std::fmt::Display for RegionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lower-case words and a number, joined by hyphens: `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number =
        !number.is_empty() && number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 32 && words.len() >= 2 && words.iter().all(is_word) && is_number
}

fn parse_window(days: Option<u32>) -> Result<u8, ConfigError> {
    let Some(days) = days else {
        return Ok(DEFAULT_DELETION_WINDOW_DAYS);
    };
    u8::try_from(days)
        .ok()
        .filter(|days| (7..=30).contains(days))
        .ok_or_else(|| ConfigError {
            field: "deletion_window_days".to_owned(),
            problem: format!("AWS has no waiting period of {days} days"),
            remedy: "choose 7 to 30",
        })
}

fn parse_deadline(deadline: Option<Duration>) -> Result<Duration, ConfigError> {
    let deadline = deadline.unwrap_or(DEFAULT_DEADLINE);
    if (Duration::from_millis(100)..=Duration::from_secs(600)).contains(&deadline) {
        return Ok(deadline);
    }
    Err(ConfigError {
        field: "deadline".to_owned(),
        problem: format!("{deadline:?} is no useful limit for a call to AWS"),
        remedy: "choose between 100 ms and 10 min; 30 s is the default",
    })
}

fn parse_algorithms(
    algorithms: Option<BTreeSet<KeyAlgorithm>>,
) -> Result<BTreeSet<KeyAlgorithm>, ConfigError> {
    let algorithms = algorithms.unwrap_or_else(|| BTreeSet::from(KeyAlgorithm::ALL));
    if algorithms.is_empty() {
        return Err(ConfigError {
            field: "algorithms".to_owned(),
            problem: "the list is empty, so no key could be made".to_owned(),
            remedy: "leave it out for every algorithm of AWS KMS, or name at least one",
        });
    }
    Ok(algorithms)
}

pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
