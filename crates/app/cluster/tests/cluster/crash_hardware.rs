//! The same deaths with keys in a PKCS#11 token and in AWS KMS. Each runs in a process of its own: modules initialise once, and SDKs
//! read their process's environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use keystore::KeyBackend;
use keystore_aws_kms::AwsKmsBackend;
use keystore_aws_kms::AwsKmsConfig;
use keystore_aws_kms::AwsKmsSettings;
use keystore_pkcs11::DEFAULT_CALL_DEADLINE;
use keystore_pkcs11::Pkcs11Backend;
use keystore_pkcs11::Pkcs11Config;
use keystore_pkcs11::TokenSelector;
use names::ClusterName;
use parts::kms::MINISTACK_ACCOUNT;
use parts::kms::Ministack;
use parts::kms::REGION;
use parts::process::rerun_test;
use parts::softhsm::SoftHsm;

use crate::crash::a_whole_rotation;
use crate::crash::every_death_of_a_sweep;
use crate::support::NAME;
use crate::support::World;

const INNER: &str = "SIGNET_TEST_MODULE";

#[test]
fn a_rotation_survives_death_at_every_effect_with_a_token() {
    let Some(module) = std::env::var_os(INNER) else {
        let hsm = SoftHsm::new().unwrap();
        hsm.init_token("crash", "1234").unwrap();
        let mut environment: Vec<_> = hsm.environment().to_vec();
        environment.push((INNER, hsm.module_path().to_path_buf()));
        let name = "crash_hardware::a_rotation_survives_death_at_every_effect_with_a_token";
        rerun_test(name, environment).unwrap();
        return;
    };
    let config = Pkcs11Config {
        module_path: module.into(),
        token: TokenSelector::Label("crash".into()),
        pin: "1234".into(),
        max_sessions: None,
        call_deadline: DEFAULT_CALL_DEADLINE,
        cluster: ClusterName::parse(NAME).unwrap(),
    };
    run(async || Arc::new(Pkcs11Backend::open(config).await.unwrap()));
}

#[test]
fn a_rotation_survives_death_at_every_effect_with_a_cloud() {
    if std::env::var_os(INNER).is_none() {
        let emulator = Ministack::start().unwrap();
        let mut environment = emulator.environment();
        environment.push((INNER, "aws".into()));
        let name = "crash_hardware::a_rotation_survives_death_at_every_effect_with_a_cloud";
        rerun_test(name, environment).unwrap();
        return;
    }
    let settings = AwsKmsSettings {
        account: MINISTACK_ACCOUNT.into(),
        region: REGION.into(),
        tags: BTreeMap::new(),
        multi_region: None,
        deletion_window_days: None,
        deadline: None,
        algorithms: None,
    };
    let config = AwsKmsConfig::parse(settings, &ClusterName::parse(NAME).unwrap()).unwrap();
    run(async || Arc::new(AwsKmsBackend::open(config).await.unwrap()));
}

fn run<B: KeyBackend + 'static>(open: impl AsyncFnOnce() -> Arc<B>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = World::with_backend(open().await).await;
        a_whole_rotation(&world).await;
        every_death_of_a_sweep(&world).await;
    });
}
