//! The contract of key backends, with KMS played by ministack.

use std::collections::BTreeSet;
use std::process::ExitCode;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_sdk_kms::config::Credentials;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::config::SharedCredentialsProvider;
use key::KeyAlgorithm;
use keystore::KeyBackend;
use keystore_aws_kms::AwsKmsBackend;
use keystore_aws_kms::AwsKmsConfig;
use keystore_aws_kms::AwsKmsSettings;
use keystore_contract::Bench;
use keystore_contract::BenchError;
use keystore_contract::Capabilities;
use keystore_contract::Custody;
use names::ClusterName;
use parts::PartError;
use parts::kms::Emulator;
use parts::kms::MINISTACK_ACCOUNT;
use parts::kms::Ministack;
use parts::kms::REGION;

struct KmsBench {
    name: &'static str,
    account: &'static str,
    sdk: SdkConfig,
    algorithms: BTreeSet<KeyAlgorithm>,
}

impl KmsBench {
    fn new(name: &'static str, account: &'static str, emulator: &Emulator) -> Self {
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "contract");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(emulator.endpoint_url())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let mut algorithms = BTreeSet::from(KeyAlgorithm::ALL);
        algorithms.remove(&KeyAlgorithm::Ed25519);
        Self { name, account, sdk, algorithms }
    }
}

#[async_trait]
impl Bench for KmsBench {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithms: self.algorithms.clone(),
            custody: Custody::Cloud,
            persists: true,
            destroys_at_once: false,
            opens_twice: true,
            makes_many_keys: true,
        }
    }

    async fn open(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError> {
        let settings = AwsKmsSettings {
            account: self.account.to_owned(),
            region: REGION.to_owned(),
            algorithms: Some(self.algorithms.clone()),
            ..AwsKmsSettings::default()
        };
        let config = AwsKmsConfig::parse(settings, cluster)?;
        Ok(Box::new(AwsKmsBackend::open_with(config, &self.sdk).await?))
    }
}

fn main() -> Result<ExitCode, PartError> {
    let ministack = parts::kms::Moto::start()?;
    Ok(keystore_contract::run(KmsBench::new("moto", parts::kms::MOTO_ACCOUNT, &ministack)))
}
