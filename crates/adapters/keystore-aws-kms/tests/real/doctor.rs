use keystore::KeyBackend;
use keystore_aws_kms::AwsKmsSettings;
use keystore_aws_kms::Check;
use keystore_aws_kms::Finding;
use keystore_aws_kms::Verdict;
use keystore_aws_kms::examine_with;
use parts::kms::Ministack;
use parts::kms::Moto;

use crate::harness::Canned;
use crate::harness::block_on;
use crate::harness::boto3;
use crate::harness::config;
use crate::harness::open;
use crate::harness::p256;
use crate::harness::sdk;
use crate::harness::sdk_of;
use crate::harness::settings;
use crate::refusals::moto_settings;
use crate::refusals::restricted_user;

fn verdicts(findings: &[Finding]) -> Vec<(Check, Verdict)> {
    findings
        .iter()
        .map(|finding| (finding.check, finding.verdict))
        .collect()
}

fn only_bad(findings: &[Finding]) -> &Finding {
    let bad: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Bad)
        .collect();
    assert_eq!(bad.len(), 1, "{findings:#?}");
    assert!(bad[0].fix.is_some(), "{findings:#?}");
    bad[0]
}

#[test]
fn a_working_cluster_has_no_bad_finding_and_what_cannot_be_asked_is_unproven() {
    let ministack = Ministack::start().unwrap();
    let (before, after) = block_on(async {
        let before = examine_with(&config(settings()), &sdk_of(&ministack)).await;
        let backend = open(&ministack, settings()).await;
        let key = backend.generate(&p256(1)).await.unwrap();
        backend.generate(&p256(2)).await.unwrap();
        backend.destroy(&key.reference).await.unwrap();
        (
            before,
            examine_with(&config(settings()), &sdk_of(&ministack)).await,
        )
    });
    let always = [
        (Check::Credentials, Verdict::Good),
        (Check::Clock, Verdict::Good),
        (Check::Account, Verdict::Good),
        (Check::Endpoint, Verdict::Good),
        (Check::ListKeys, Verdict::Good),
        // ministack refuses key stores as such, before it says whether this one exists.
        (Check::CreateKeys, Verdict::Unproven),
    ];
    let mut expected = always.to_vec();
    expected
        .extend([Check::ReadKeys, Check::Sign, Check::DestroyKeys].map(|check| (check, Verdict::Unproven)));
    assert_eq!(verdicts(&before), expected, "{before:#?}");
    let mut expected = always.to_vec();
    expected.extend([Check::ReadKeys, Check::Sign, Check::DestroyKeys].map(|check| (check, Verdict::Good)));
    assert_eq!(verdicts(&after), expected, "{after:#?}");
    assert!(
        before[0].seen.contains("AKIAIOSFODNN7EXAMPLE from test"),
        "{before:#?}"
    );
    assert!(
        !format!("{before:?}").contains("example\""),
        "a secret is shown: {before:#?}"
    );
}

#[test]
fn a_key_made_by_the_question_is_removed_again() {
    let moto = Moto::start().unwrap();
    let findings = block_on(examine_with(&config(moto_settings()), &sdk_of(&moto)));
    assert!(
        verdicts(&findings).contains(&(Check::CreateKeys, Verdict::Good)),
        "{findings:#?}"
    );
    let states = "print([kms.describe_key(KeyId=k['KeyArn'])['KeyMetadata']['KeyState'] for k in kms.list_keys()['Keys']])";
    assert_eq!(boto3(&moto, states, &[]), "['PendingDeletion']");
}

#[test]
fn every_missing_permission_is_found_by_name() {
    let all = [
        "kms:ListKeys",
        "kms:CreateKey",
        "kms:ListResourceTags",
        "kms:DescribeKey",
        "kms:GetPublicKey",
        "kms:Sign",
    ];
    let expected = [
        ("kms:ListKeys", Check::ListKeys),
        ("kms:CreateKey", Check::CreateKeys),
        ("kms:ListResourceTags", Check::ReadKeys),
        ("kms:DescribeKey", Check::ReadKeys),
        ("kms:GetPublicKey", Check::ReadKeys),
        ("kms:Sign", Check::Sign),
    ];
    for (missing, check) in expected {
        let moto = Moto::start().unwrap();
        block_on(async {
            open(&moto, moto_settings())
                .await
                .generate(&p256(1))
                .await
                .unwrap()
        });
        let mut allowed = vec!["sts:*", "kms:ScheduleKeyDeletion"];
        allowed.extend(all.iter().filter(|permission| **permission != missing));
        let (access_key, secret) = restricted_user(&moto, &allowed);
        let sdk = sdk(&moto.endpoint_url(), &access_key, &secret);
        let findings = block_on(examine_with(&config(moto_settings()), &sdk));
        let named = |finding: &&Finding| finding.check == check && finding.verdict == Verdict::Bad;
        let found = findings
            .iter()
            .find(named)
            .unwrap_or_else(|| panic!("{missing}: {findings:#?}"));
        assert!(
            found.fix.as_ref().is_some_and(|fix| fix.contains(missing)),
            "{findings:#?}"
        );
    }
}

#[test]
fn wrong_accounts_secrets_clocks_and_endpoints_are_told_apart() {
    const LATE: &str = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: \
        20260101T000000Z is now earlier than 20260101T001000Z</Message></Error></ErrorResponse>";
    let mut ministack = Ministack::start().unwrap();
    let moto = Moto::start().unwrap();
    let (access_key, _secret) = restricted_user(&moto, &["sts:*"]);
    block_on(async {
        let look = async |url: &str, access_key: &str, settings: AwsKmsSettings| {
            examine_with(&config(settings), &sdk(url, access_key, "example")).await
        };
        let findings = look(&ministack.endpoint_url(), "111122223333", settings()).await;
        let bad = only_bad(&findings);
        assert_eq!(bad.check, Check::Account);
        assert!(bad.seen.contains("account 111122223333"), "{findings:#?}");
        let findings = look(&moto.endpoint_url(), &access_key, moto_settings()).await;
        assert_eq!(only_bad(&findings).check, Check::Credentials, "{findings:#?}");
        let findings = look(
            &Canned::answering(403, LATE).url(),
            "AKIAIOSFODNN7EXAMPLE",
            settings(),
        )
        .await;
        assert_eq!(only_bad(&findings).check, Check::Clock, "{findings:#?}");
        ministack.stop();
        let findings = look(&ministack.endpoint_url(), "AKIAIOSFODNN7EXAMPLE", settings()).await;
        assert_eq!(only_bad(&findings).check, Check::Endpoint, "{findings:#?}");
        let nobody = aws_config::SdkConfig::builder().build();
        let findings = examine_with(&config(settings()), &nobody).await;
        assert_eq!(only_bad(&findings).check, Check::Credentials, "{findings:#?}");
    });
}
