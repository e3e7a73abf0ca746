//! The contract of key backends, with KMS played by ministack and, as second opinion, by moto.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

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
use parts::kms::MOTO_ACCOUNT;
use parts::kms::Ministack;
use parts::kms::Moto;
use parts::kms::REGION;

struct KmsBench {
    name: &'static str,
    account: &'static str,
    sdk: SdkConfig,
    algorithms: BTreeSet<KeyAlgorithm>,
    /// Why messages over 4096 bytes, which are hashed here and not there, do not verify.
    hashes_anew: Option<&'static str>,
}

impl KmsBench {
    fn new(
        name: &'static str,
        account: &'static str,
        emulator: &Emulator,
        algorithms: BTreeSet<KeyAlgorithm>,
        hashes_anew: Option<&'static str>,
    ) -> Self {
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "contract");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(emulator.endpoint_url())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self {
            name,
            account,
            sdk,
            algorithms,
            hashes_anew,
        }
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

    fn cannot(&self, case: &str, algorithm: Option<KeyAlgorithm>) -> Option<&'static str> {
        if case != "sign::messages_of_every_length_verify" {
            return None;
        }
        // The refusal of others is shown in tests/real/keys.rs.
        let unhashed = "KMS signs messages of 1 to 4096 bytes with Ed25519";
        (algorithm == Some(KeyAlgorithm::Ed25519))
            .then_some(unhashed)
            .or(self.hashes_anew)
    }

    async fn open(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError> {
        let settings = AwsKmsSettings {
            account: self.account.to_owned(),
            region: REGION.to_owned(),
            algorithms: Some(self.algorithms.clone()),
            // Emulators are slow where the machine is, above all at making RSA keys.
            deadline: Some(Duration::from_secs(600)),
            ..AwsKmsSettings::default()
        };
        let config = AwsKmsConfig::parse(settings, cluster)?;
        Ok(Box::new(AwsKmsBackend::open_with(config, &self.sdk).await?))
    }
}

fn main() -> Result<ExitCode, PartError> {
    let (ministack, moto) = (Ministack::start()?, Moto::start()?);
    let everything = BTreeSet::from(KeyAlgorithm::ALL);
    let without_ed25519 = everything
        .iter()
        .copied()
        .filter(|algorithm| *algorithm != KeyAlgorithm::Ed25519)
        .collect();
    let digest = "moto hashes digests again, so that no signature over more than 4096 bytes verifies";
    Ok(keystore_contract::run_all(vec![
        Arc::new(KmsBench::new(
            "ministack",
            MINISTACK_ACCOUNT,
            &ministack,
            everything,
            None,
        )),
        Arc::new(KmsBench::new(
            "moto",
            MOTO_ACCOUNT,
            &moto,
            without_ed25519,
            Some(digest),
        )),
    ]))
}
