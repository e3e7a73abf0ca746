//! Finds what would stop Signet from working with KMS, before it does.
//!
//! Nothing is changed. What AWS lets nobody ask without doing it is reported as unproven, never as good.

use std::sync::Arc;

use aws_config::SdkConfig;
use keystore::FoundKey;

use crate::algorithm::signing_spec_of;
use crate::arn::KeyArn;
use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::credentials_of;
use crate::config::AwsKmsConfig;
use crate::find::all_of_cluster;
use crate::trouble::FIND_A_WAY;
use crate::trouble::Failed;
use crate::trouble::RENEW;
use crate::trouble::SEARCH_ORDER;
use crate::trouble::SET_CLOCK;
use crate::trouble::Trouble;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Whether there are credentials, and AWS accepts them.
    Credentials,
    /// Whether AWS answers, in every configured region.
    Endpoint,
    /// Whether the host's clock agrees with AWS's.
    Clock,
    /// Whether the credentials belong to the configured account.
    Account,
    /// `kms:ListKeys`.
    ListKeys,
    /// `kms:ListResourceTags`, `kms:DescribeKey` and `kms:GetPublicKey`.
    ReadKeys,
    /// `kms:CreateKey` with `kms:TagResource`.
    CreateKeys,
    /// `kms:Sign`, and whether the cluster's keys are in use.
    Sign,
    /// `kms:ScheduleKeyDeletion`.
    DestroyKeys,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It works.
    Good,
    /// It could not be found out.
    Unproven,
    /// It does not work.
    Bad,
}

/// One result of an examination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen, in a sentence.
    pub seen: String,
    /// What to do about it, when there is something to do.
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: Check, seen: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Good,
            seen: seen.into(),
            fix: None,
        }
    }

    fn unproven(check: Check, seen: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Unproven,
            seen: seen.into(),
            fix: None,
        }
    }

    fn bad(check: Check, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Bad,
            seen: seen.into(),
            fix: Some(fix.into()),
        }
    }
}

/// Examines a configuration with credentials and endpoints from where AWS tools look for them.
pub async fn examine(config: &AwsKmsConfig) -> Vec<Finding> {
    let sdk = cloud::load(config).await;
    examine_with(config, &sdk).await
}

/// Examines a configuration with credentials and endpoints given. Checks that rest on one that failed are left out.
pub async fn examine_with(config: &AwsKmsConfig, sdk: &SdkConfig) -> Vec<Finding> {
    let mut findings = vec![credentials(config, sdk).await];
    if findings.iter().any(|finding| finding.verdict == Verdict::Bad) {
        return findings;
    }
    let cloud = Arc::new(Cloud::new(config, sdk));
    findings.extend(account(config, &cloud).await);
    if findings.iter().any(|finding| finding.verdict == Verdict::Bad) {
        return findings;
    }
    findings.extend(regions(config, &cloud).await);
    findings.push(creation(config, &cloud).await);
    findings.extend(keys(config, &cloud).await);
    findings
}

async fn credentials(config: &AwsKmsConfig, sdk: &SdkConfig) -> Finding {
    let trouble = match tokio::time::timeout(config.deadline, credentials_of(sdk)).await {
        Err(_elapsed) => Trouble::Late,
        Ok(Err(trouble)) => trouble,
        Ok(Ok((access_key, source))) => {
            return Finding::good(
                Check::Credentials,
                format!("access key {access_key} from {source}"),
            );
        }
    };
    of_trouble(
        Check::Credentials,
        Failed {
            permission: "sts:GetCallerIdentity",
            resource: "*".to_owned(),
            trouble,
        },
    )
}

async fn account(config: &AwsKmsConfig, cloud: &Cloud) -> Vec<Finding> {
    let caller = match cloud.caller().await {
        Ok(caller) => caller,
        Err(failed) => return vec![of_trouble(Check::Account, failed)],
    };
    let clock = Finding::good(Check::Clock, "AWS accepts the time of signed requests");
    let seen = format!(
        "the credentials are those of {} in account {}",
        caller.arn, caller.account
    );
    if caller.account == config.account.as_str() {
        return vec![clock, Finding::good(Check::Account, seen)];
    }
    let fix = format!(
        "aws_kms.account names {}; correct it, or provide credentials of that account (searched in this order: \
         {SEARCH_ORDER})",
        config.account
    );
    vec![clock, Finding::bad(Check::Account, seen, fix)]
}

/// Looks at the region of use and, where keys are made elsewhere, at that region too.
async fn regions(config: &AwsKmsConfig, cloud: &Cloud) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut regions = vec![&config.region];
    if config.home_region() != &config.region {
        regions.push(config.home_region());
    }
    for region in regions {
        match cloud.probe(region).await {
            Ok(()) => {
                findings.push(Finding::good(Check::Endpoint, format!("KMS answers in {region}")));
                findings.push(Finding::good(
                    Check::ListKeys,
                    format!("keys may be listed in {region}"),
                ));
            }
            Err(failed) => findings.push(of_trouble(Check::ListKeys, failed)),
        }
    }
    findings
}

async fn creation(config: &AwsKmsConfig, cloud: &Cloud) -> Finding {
    let tags = match config.tags.shared() {
        Ok(tags) => tags,
        Err(error) => {
            return Finding::unproven(Check::CreateKeys, format!("the tags cannot be sent: {error}"));
        }
    };
    let made = match cloud.try_create(tags).await {
        Ok(made) => made,
        Err(Failed {
            trouble: Trouble::Unsupported(text) | Trouble::Other(text),
            ..
        }) => {
            return Finding::unproven(
                Check::CreateKeys,
                format!("whether keys may be made was not told: {text}"),
            );
        }
        Err(failed) => return of_trouble(Check::CreateKeys, failed),
    };
    if let Some(arn) = made
        && let Err(failed) = cloud.schedule_deletion(&arn, config.deletion_window_days).await
    {
        return of_trouble(Check::DestroyKeys, failed);
    }
    Finding::good(Check::CreateKeys, "keys with the cluster's tags may be made")
}

async fn keys(config: &AwsKmsConfig, cloud: &Arc<Cloud>) -> Vec<Finding> {
    let found = match all_of_cluster(cloud, config).await {
        Ok(found) => found,
        Err(failed) => return vec![of_trouble(Check::ReadKeys, failed)],
    };
    if found.is_empty() {
        let nothing = |check| Finding::unproven(check, "the cluster has no key in KMS yet to ask about");
        return vec![
            nothing(Check::ReadKeys),
            nothing(Check::Sign),
            nothing(Check::DestroyKeys),
        ];
    }
    let read = Finding::good(
        Check::ReadKeys,
        format!("{} keys of the cluster are readable", found.len()),
    );
    let mut findings = vec![read];
    findings.extend(signing(&found, cloud).await);
    findings.push(destruction(config, &found, cloud).await);
    findings
}

async fn signing(found: &[FoundKey], cloud: &Cloud) -> Vec<Finding> {
    let usable = found.iter().filter(|key| key.is_usable);
    let mut count = 0;
    let mut findings = Vec::new();
    for (key, public_key) in usable.filter_map(|key| key.public_key.as_ref().map(|public| (key, public))) {
        let Some(arn) = KeyArn::parse(&key.handle) else {
            continue;
        };
        let scheme = public_key.algorithm().default_scheme();
        match cloud.try_sign(&arn, signing_spec_of(scheme)).await {
            Ok(()) => count += 1,
            Err(failed) => findings.push(of_trouble(Check::Sign, failed)),
        }
    }
    if findings.is_empty() && count > 0 {
        findings.push(Finding::good(Check::Sign, format!("{count} keys may sign")));
    }
    if findings.is_empty() {
        findings.push(Finding::unproven(Check::Sign, "no key of the cluster is enabled"));
    }
    findings
}

/// Only of a key that is on its way out already can it be asked, without harm, whether keys may be destroyed.
async fn destruction(config: &AwsKmsConfig, found: &[FoundKey], cloud: &Cloud) -> Finding {
    for key in found.iter().filter(|key| !key.is_usable) {
        let Some(arn) = KeyArn::parse(&key.handle) else {
            continue;
        };
        let is_going = match cloud.describe(&arn).await {
            Ok(metadata) => metadata
                .key_state
                .as_ref()
                .is_some_and(crate::identify::is_on_its_way_out),
            Err(_unreadable) => false,
        };
        if !is_going {
            continue;
        }
        return match cloud.schedule_deletion(&arn, config.deletion_window_days).await {
            Ok(())
            | Err(Failed {
                trouble: Trouble::PendingDeletion,
                ..
            }) => Finding::good(Check::DestroyKeys, "the deletion of keys may be scheduled"),
            Err(failed) => of_trouble(Check::DestroyKeys, failed),
        };
    }
    Finding::unproven(
        Check::DestroyKeys,
        "no key is being destroyed, and AWS lets nobody ask without one",
    )
}

/// The finding of a failed call: what failed is not always what was looked at.
fn of_trouble(check: Check, failed: Failed) -> Finding {
    let Failed {
        permission,
        resource,
        trouble,
    } = failed;
    match trouble {
        Trouble::Forbidden(text) => Finding::bad(
            check,
            format!("{permission} on {resource} is not allowed: {text}"),
            format!(
                "allow {permission} in the policy of the role Signet runs as (docs/operating/aws-kms.md has it)"
            ),
        ),
        Trouble::BadCredentials(text) => Finding::bad(Check::Credentials, text, RENEW),
        Trouble::NoCredentials(text) => Finding::bad(
            Check::Credentials,
            format!("no credentials were found: {text}"),
            format!("provide them in one of these, searched in this order: {SEARCH_ORDER}"),
        ),
        Trouble::Clock(text) => Finding::bad(Check::Clock, text, SET_CLOCK),
        Trouble::Unreachable(text) => Finding::bad(
            Check::Endpoint,
            format!("AWS was not reached: {text}"),
            FIND_A_WAY,
        ),
        Trouble::Late => Finding::bad(
            Check::Endpoint,
            format!("no answer to {permission} in time"),
            "check that a way leads to AWS (proxy, firewall, VPC endpoints for KMS and STS)",
        ),
        Trouble::Busy(text) => Finding::bad(
            Check::Endpoint,
            format!("AWS is busy: {text}"),
            "try again later, or ask AWS for a higher quota",
        ),
        Trouble::NotFound => Finding::bad(check, format!("there is no {resource}"), "run the check again"),
        Trouble::Disabled | Trouble::PendingDeletion => Finding::bad(
            check,
            format!("the key {resource} is not in use"),
            "enable it, or rotate the authority that used it",
        ),
        Trouble::NotReady(text) | Trouble::Unsupported(text) | Trouble::Other(text) => Finding::bad(
            check,
            format!("{permission} on {resource}: {text}"),
            "see what AWS says, and correct it",
        ),
        Trouble::Exists => Finding::unproven(check, format!("{resource} exists already")),
    }
}
