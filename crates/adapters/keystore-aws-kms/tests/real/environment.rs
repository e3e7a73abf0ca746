//! Credentials and endpoints from where AWS tools look for them: each test runs itself again with an environment of its own.
//! ministack takes an access key of twelve digits for the account, so that the account tells whose credentials were used.

use std::ffi::OsString;
use std::path::Path;

use keystore::KeyBackend;
use keystore::KeyError;
use keystore_aws_kms::AwsKmsBackend;
use keystore_aws_kms::AwsKmsSettings;
use parts::imds::ImdsStub;
use parts::imds::Role;
use parts::kms::Ministack;
use parts::process::rerun_test;

use crate::harness::block_on;
use crate::harness::config;
use crate::harness::p256;
use crate::harness::settings;

const INNER: &str = "SIGNET_TEST_ACCOUNT";

/// In the inner run, opens with the process's environment, and expects the account named there.
fn inner() -> Option<Result<AwsKmsBackend, KeyError>> {
    let account = std::env::var_os(INNER)?.into_string().unwrap();
    Some(block_on(AwsKmsBackend::open(config(AwsKmsSettings {
        account,
        ..settings()
    }))))
}

/// In the inner run, opens and makes a key.
fn inner_makes_a_key() -> bool {
    let Some(opened) = inner() else {
        return false;
    };
    let key = block_on(opened.unwrap().generate(&p256(1))).unwrap();
    println!("made {}", key.reference.handle);
    true
}

/// An environment with no source of credentials at all, but an endpoint.
fn bare(endpoint_url: &str, account: &str) -> Vec<(&'static str, OsString)> {
    let nowhere = |name| (name, OsString::from("/nonexistent/aws"));
    vec![
        (INNER, account.into()),
        ("AWS_ENDPOINT_URL", endpoint_url.into()),
        ("AWS_ACCESS_KEY_ID", OsString::new()),
        ("AWS_SECRET_ACCESS_KEY", OsString::new()),
        ("AWS_SESSION_TOKEN", OsString::new()),
        ("AWS_PROFILE", "default".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        nowhere("AWS_CONFIG_FILE"),
        nowhere("AWS_SHARED_CREDENTIALS_FILE"),
    ]
}

fn with(
    mut environment: Vec<(&'static str, OsString)>,
    more: &[(&'static str, &dyn AsRef<std::ffi::OsStr>)],
) -> Vec<(&'static str, OsString)> {
    environment.extend(
        more.iter()
            .map(|(name, value)| (*name, value.as_ref().to_owned())),
    );
    environment
}

fn made_in(output: &str, account: &str) {
    assert!(
        output.contains(&format!("made arn:aws:kms:eu-central-1:{account}:key/")),
        "{output}"
    );
}

fn write(directory: &Path, name: &str, content: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn credentials_come_from_the_environment_and_the_endpoint_too() {
    if inner_makes_a_key() {
        return;
    }
    let ministack = Ministack::start().unwrap();
    let environment = with(
        bare(&ministack.endpoint_url(), "222233334444"),
        &[
            ("AWS_ACCESS_KEY_ID", &"222233334444"),
            ("AWS_SECRET_ACCESS_KEY", &"example"),
        ],
    );
    let output = rerun_test(
        "environment::credentials_come_from_the_environment_and_the_endpoint_too",
        environment,
    );
    made_in(&output.unwrap(), "222233334444");
}

#[test]
fn credentials_come_from_a_profile_of_the_shared_credentials_file() {
    if inner_makes_a_key() {
        return;
    }
    let ministack = Ministack::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "credentials",
        "[default]\naws_access_key_id = 999999999999\naws_secret_access_key = example\n\n\
         [signet]\naws_access_key_id = 333344445555\naws_secret_access_key = example\n",
    );
    let environment = with(
        bare(&ministack.endpoint_url(), "333344445555"),
        &[("AWS_SHARED_CREDENTIALS_FILE", &file), ("AWS_PROFILE", &"signet")],
    );
    let output = rerun_test(
        "environment::credentials_come_from_a_profile_of_the_shared_credentials_file",
        environment,
    );
    made_in(&output.unwrap(), "333344445555");
}

#[test]
fn credentials_and_endpoint_come_from_a_profile_of_the_shared_configuration() {
    if inner_makes_a_key() {
        return;
    }
    let ministack = Ministack::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let content = format!(
        "[profile signet]\naws_access_key_id = 444455556666\naws_secret_access_key = example\nendpoint_url = {}\n",
        ministack.endpoint_url()
    );
    let file = write(directory.path(), "config", &content);
    let mut environment = bare("", "444455556666");
    environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
    let environment = with(
        environment,
        &[("AWS_CONFIG_FILE", &file), ("AWS_PROFILE", &"signet")],
    );
    let test = "environment::credentials_and_endpoint_come_from_a_profile_of_the_shared_configuration";
    made_in(&rerun_test(test, environment).unwrap(), "444455556666");
}

#[test]
fn credentials_come_from_a_program_that_a_profile_names() {
    if inner_makes_a_key() {
        return;
    }
    let ministack = Ministack::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let answer = r#"{"Version": 1, "AccessKeyId": "666677778888", "SecretAccessKey": "example"}"#;
    let answer = write(directory.path(), "answer", answer);
    let content = format!(
        "[profile signet]\ncredential_process = cat {}\n",
        answer.display()
    );
    let file = write(directory.path(), "config", &content);
    let environment = with(
        bare(&ministack.endpoint_url(), "666677778888"),
        &[("AWS_CONFIG_FILE", &file), ("AWS_PROFILE", &"signet")],
    );
    let output = rerun_test(
        "environment::credentials_come_from_a_program_that_a_profile_names",
        environment,
    );
    made_in(&output.unwrap(), "666677778888");
}

#[test]
fn credentials_come_from_the_instance_metadata_service() {
    if inner_makes_a_key() {
        return;
    }
    let ministack = Ministack::start().unwrap();
    let role = Role {
        access_key_id: "555566667777".to_owned(),
        ..Role::example("signet-auth")
    };
    let stub = ImdsStub::start(role, "eu-central-1").unwrap();
    let environment = with(
        bare(&ministack.endpoint_url(), "555566667777"),
        &[
            ("AWS_EC2_METADATA_DISABLED", &"false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &stub.endpoint_url()),
        ],
    );
    let output = rerun_test(
        "environment::credentials_come_from_the_instance_metadata_service",
        environment,
    );
    made_in(&output.unwrap(), "555566667777");
    let seen = stub.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str()),
        ("PUT", "/latest/api/token")
    );
    assert!(
        seen.iter()
            .any(|request| request.path.ends_with("/signet-auth") && request.status == 200),
        "{seen:?}"
    );
}

#[test]
fn without_credentials_every_place_looked_at_is_named() {
    if let Some(opened) = inner() {
        let text = opened.unwrap_err().to_string();
        println!("refused: {text}");
        return;
    }
    let ministack = Ministack::start().unwrap();
    let environment = bare(&ministack.endpoint_url(), "000000000000");
    let output = rerun_test(
        "environment::without_credentials_every_place_looked_at_is_named",
        environment,
    )
    .unwrap();
    let needed = [
        "refused: ",
        "no credentials were found",
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "EC2 instance metadata",
    ];
    for needed in needed {
        assert!(output.contains(needed), "{needed} is not in: {output}");
    }
}
