//! The page for operators promises that its policy is enough, and no more than is used.

use std::collections::BTreeSet;

use keystore::KeyBackend;
use keystore_aws_kms::AwsKmsBackend;
use keystore_aws_kms::Verdict;
use keystore_aws_kms::examine_with;
use parts::kms::Moto;
use serde_json::Value;

use crate::harness::block_on;
use crate::harness::config;
use crate::harness::p256;
use crate::harness::sdk;
use crate::refusals::moto_settings;
use crate::refusals::restricted_user;

const PAGE: &str = include_str!("../../../../../docs/operating/aws-kms.md");

/// The first fenced block of a language.
fn block<'a>(language: &str) -> &'a str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

fn actions(statement: &Value) -> Vec<&str> {
    let action = &statement["Action"];
    let one = action.as_str().into_iter();
    one.chain(action.as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect()
}

fn statements() -> Vec<Value> {
    let policy: Value = serde_json::from_str(block("json")).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

#[test]
fn the_policy_of_the_page_binds_everything_but_finding_to_the_cluster() {
    for statement in statements() {
        let conditions = &statement["Condition"]["StringEquals"];
        let is_bound = |kind: &str| conditions[format!("aws:{kind}/SignetCluster")] == "prod.example.com";
        let bound = (is_bound("RequestTag"), is_bound("ResourceTag"));
        let expected = match statement["Sid"].as_str().unwrap() {
            "FindKeys" => (false, false),
            "MakeKeys" => (true, false),
            "TagNewKeys" => (true, true),
            "UseKeys" => (false, true),
            other => panic!("{other} is new: say what binds it"),
        };
        assert_eq!(bound, expected, "{statement}");
    }
}

#[test]
fn the_policy_of_the_page_is_enough_and_has_nothing_to_spare() {
    let statements = statements();
    let allowed: BTreeSet<&str> = statements.iter().flat_map(actions).collect();
    let used = [
        "kms:CreateKey",
        "kms:DescribeKey",
        "kms:GetPublicKey",
        "kms:ListKeys",
        "kms:ListResourceTags",
        "kms:ReplicateKey",
        "kms:ScheduleKeyDeletion",
        "kms:Sign",
        "kms:TagResource",
    ];
    assert_eq!(allowed, BTreeSet::from(used));
    let moto = Moto::start().unwrap();
    // moto, unlike AWS, wants a permission for asking who one is.
    let mut actions: Vec<&str> = allowed.into_iter().collect();
    actions.push("sts:GetCallerIdentity");
    let (access_key, secret) = restricted_user(&moto, &actions);
    block_on(async {
        let sdk = sdk(&moto.endpoint_url(), &access_key, &secret);
        let backend = AwsKmsBackend::open_with(config(moto_settings()), &sdk)
            .await
            .unwrap();
        let key = backend.generate(&p256(1)).await.unwrap();
        let scheme = key.reference.algorithm.default_scheme();
        let signature = backend.sign(&key.reference, scheme, b"message").await.unwrap();
        key.public_key.verify(b"message", &signature).unwrap();
        backend.attributes(&key.reference).await.unwrap();
        assert_eq!(backend.list().await.unwrap().len(), 1);
        backend.destroy(&key.reference).await.unwrap();
        backend.health().await.unwrap();
        let findings = examine_with(&config(moto_settings()), &sdk).await;
        assert!(
            findings.iter().all(|finding| finding.verdict != Verdict::Bad),
            "{findings:#?}"
        );
    });
}
