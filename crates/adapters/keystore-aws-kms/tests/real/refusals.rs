use std::time::Duration;
use std::time::Instant;

use key::SignatureScheme;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore_aws_kms::AwsKmsBackend;
use keystore_aws_kms::AwsKmsSettings;
use parts::kms::Emulator;
use parts::kms::MOTO_ACCOUNT;
use parts::kms::Ministack;
use parts::kms::Moto;

use crate::harness::Canned;
use crate::harness::SILENCE;
use crate::harness::block_on;
use crate::harness::boto3;
use crate::harness::config;
use crate::harness::open;
use crate::harness::p256;
use crate::harness::sdk;
use crate::harness::sdk_of;
use crate::harness::settings;

async fn refusal(url: &str, access_key: &str, settings: AwsKmsSettings) -> KeyError {
    AwsKmsBackend::open_with(config(settings), &sdk(url, access_key, "example"))
        .await
        .unwrap_err()
}

#[test]
fn credentials_of_another_account_are_refused_and_both_accounts_named() {
    let ministack = Ministack::start().unwrap();
    block_on(async {
        // ministack takes an access key of twelve digits for the account.
        let error = refusal(&ministack.endpoint_url(), "111122223333", settings()).await;
        let text = error.to_string();
        assert!(matches!(error, KeyError::Denied { .. }), "{text}");
        for needed in [
            "in account 111122223333 (from test)",
            "account 000000000000",
            "aws_kms.account",
            "AWS_PROFILE",
        ] {
            assert!(text.contains(needed), "{needed} is not in: {text}");
        }
    });
}

#[test]
fn an_unreachable_service_is_unavailable_and_a_running_backend_says_so_too() {
    let mut ministack = Ministack::start().unwrap();
    let (backend, key) = block_on(async {
        let backend = open(&ministack, settings()).await;
        let key = backend.generate(&p256(1)).await.unwrap().reference;
        (backend, key)
    });
    let sdk = sdk_of(&ministack);
    ministack.stop();
    block_on(async {
        let opened = AwsKmsBackend::open_with(config(settings()), &sdk)
            .await
            .unwrap_err();
        let signed = backend
            .sign(&key, SignatureScheme::EcdsaP256Sha256, b"message")
            .await
            .unwrap_err();
        for error in [
            opened,
            signed,
            backend.health().await.unwrap_err(),
            backend.list().await.unwrap_err(),
        ] {
            assert!(matches!(error, KeyError::Unavailable { .. }), "{error}");
        }
    });
}

#[test]
fn a_name_that_does_not_resolve_points_at_the_region() {
    block_on(async {
        let error = refusal(
            "http://kms.eu-nowhere-1.invalid",
            "AKIAIOSFODNN7EXAMPLE",
            settings(),
        )
        .await;
        let text = error.to_string();
        assert!(matches!(error, KeyError::Unavailable { .. }), "{text}");
        assert!(
            text.contains("dns error") && text.contains("check the name of the region"),
            "{text}"
        );
    });
}

#[test]
fn a_silent_service_costs_no_more_than_the_deadline() {
    let canned = Canned::silent();
    block_on(async {
        let began = Instant::now();
        let settings = AwsKmsSettings {
            // The service is silent for longer than this test waits.
            deadline: Some(Duration::from_millis(700)),
            ..settings()
        };
        let error = refusal(&canned.url(), "AKIAIOSFODNN7EXAMPLE", settings).await;
        assert!(matches!(error, KeyError::Timeout { seconds: 1, .. }), "{error}");
        assert!(began.elapsed() < SILENCE / 2, "{:?}", began.elapsed());
    });
}

#[test]
fn a_wrong_clock_a_throttled_call_and_a_proxy_are_told_apart() {
    const LATE: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired: \
        20260101T000000Z is now earlier than 20260101T001000Z</Message></Error></ErrorResponse>";
    const BUSY: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
    block_on(async {
        let told = async |status, body| {
            refusal(
                &Canned::answering(status, body).url(),
                "AKIAIOSFODNN7EXAMPLE",
                settings(),
            )
            .await
        };
        let late = told(403, LATE).await;
        assert!(
            matches!(late, KeyError::Denied { .. }) && late.to_string().contains("set the host's clock"),
            "{late}"
        );
        let busy = told(400, BUSY).await;
        assert!(
            matches!(busy, KeyError::Unavailable { .. }) && busy.to_string().contains("Rate exceeded"),
            "{busy}"
        );
        let proxy = told(403, "<html>Blocked by policy</html>").await;
        assert!(proxy.to_string().contains("Blocked by policy"), "{proxy}");
    });
}

/// Makes a user who may do what is listed, switches moto's checks on, and prints the user's keys.
pub(crate) fn restricted_user(moto: &Emulator, actions: &[&str]) -> (String, String) {
    const MAKE: &str = "iam = boto3.client('iam')\n\
        iam.create_user(UserName='signet')\n\
        k = iam.create_access_key(UserName='signet')['AccessKey']\n\
        document = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': sys.argv[2:], 'Resource': '*'}]}\n\
        iam.put_user_policy(UserName='signet', PolicyName='signet', PolicyDocument=json.dumps(document))\n\
        urllib.request.urlopen(urllib.request.Request(sys.argv[1] + '/moto-api/reset-auth', data=b'0', headers={'Content-Type': 'text/plain'}))\n\
        print(k['AccessKeyId'], k['SecretAccessKey'])";
    let url = moto.endpoint_url();
    let args: Vec<&str> = [url.as_str()]
        .into_iter()
        .chain(actions.iter().copied())
        .collect();
    let printed = boto3(moto, MAKE, &args);
    let (access_key, secret) = printed.split_once(' ').unwrap();
    (access_key.to_owned(), secret.to_owned())
}

pub(crate) fn moto_settings() -> AwsKmsSettings {
    AwsKmsSettings {
        account: MOTO_ACCOUNT.into(),
        ..settings()
    }
}

#[test]
fn a_missing_permission_is_named_with_the_key() {
    let moto = Moto::start().unwrap();
    let key = block_on(async {
        open(&moto, moto_settings())
            .await
            .generate(&p256(1))
            .await
            .unwrap()
    })
    .reference;
    let everything_but_sign = ["sts:*", "kms:ListKeys", "kms:DescribeKey", "kms:GetPublicKey"];
    let (access_key, secret) = restricted_user(&moto, &everything_but_sign);
    block_on(async {
        let sdk = sdk(&moto.endpoint_url(), &access_key, &secret);
        let backend = AwsKmsBackend::open_with(config(moto_settings()), &sdk)
            .await
            .unwrap();
        backend.public_key(&key).await.unwrap();
        let error = backend
            .sign(&key, SignatureScheme::EcdsaP256Sha256, b"message")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, KeyError::Denied { .. }), "{text}");
        assert!(
            text.contains(&format!("kms:Sign on {} is not allowed", key.handle)),
            "{text}"
        );
        // The key is described as ours, so that its hidden tags make a list incomplete.
        let error = backend.list().await.unwrap_err();
        assert!(error.to_string().contains("kms:ListResourceTags on"), "{error}");
    });
}

#[test]
fn a_caller_who_may_nothing_is_refused_at_the_start() {
    let moto = Moto::start().unwrap();
    let (access_key, secret) = restricted_user(&moto, &["sts:*"]);
    block_on(async {
        let open = async |secret: &str| {
            let sdk = sdk(&moto.endpoint_url(), &access_key, secret);
            AwsKmsBackend::open_with(config(moto_settings()), &sdk)
                .await
                .unwrap_err()
                .to_string()
        };
        let text = open(&secret).await;
        assert!(text.contains("kms:ListKeys on * is not allowed"), "{text}");
        let text = open("not the secret").await;
        assert!(text.contains("the credentials are not accepted"), "{text}");
    });
}
