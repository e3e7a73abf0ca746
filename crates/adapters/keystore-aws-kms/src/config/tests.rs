use super::*;

fn cluster() -> ClusterName {
    ClusterName::parse("prod.example.com").unwrap()
}

fn settings() -> AwsKmsSettings {
    AwsKmsSettings {
        account: "012345678901".into(),
        region: "eu-central-1".into(),
        ..AwsKmsSettings::default()
    }
}

fn refusal(settings: AwsKmsSettings) -> String {
    AwsKmsConfig::parse(settings, &cluster()).unwrap_err().to_string()
}

#[test]
fn account_and_region_are_enough() {
    let config = AwsKmsConfig::parse(settings(), &cluster()).unwrap();
    assert_eq!(config.store(), "012345678901/eu-central-1");
    assert_eq!(config.deletion_window_days, 7);
    assert_eq!(config.algorithms.len(), KeyAlgorithm::ALL.len());
    assert_eq!(config.home_region().as_str(), "eu-central-1");
}

#[test]
fn an_account_is_twelve_digits() {
    for account in [
        "",
        "1234",
        "12345678901",
        "1234567890123",
        "12345678901x",
        "１２３４５６７８９０１２",
    ] {
        let text = refusal(AwsKmsSettings {
            account: account.into(),
            ..settings()
        });
        assert!(
            text.starts_with("aws_kms.account: ") && text.contains("12 digits"),
            "{text}"
        );
    }
}

#[test]
fn a_region_is_named_as_aws_names_it() {
    for region in [
        "us-west-2",
        "us-gov-east-1",
        "ap-southeast-12",
        "cn-north-1",
        "us-iso-east-1",
    ] {
        AwsKmsConfig::parse(
            AwsKmsSettings {
                region: region.into(),
                ..settings()
            },
            &cluster(),
        )
        .unwrap();
    }
    for region in [
        "",
        "frankfurt",
        "eu-central",
        "eu-central-1a",
        "EU-CENTRAL-1",
        "eu_central_1",
        "eu--1",
        "evil.host/-x-1",
    ] {
        let text = refusal(AwsKmsSettings {
            region: region.into(),
            ..settings()
        });
        assert!(text.starts_with("aws_kms.region: "), "{text}");
    }
}

#[test]
fn a_waiting_period_aws_has_not_is_refused() {
    for days in [0, 6, 31, 300] {
        let text = refusal(AwsKmsSettings {
            deletion_window_days: Some(days),
            ..settings()
        });
        assert!(text.contains("choose 7 to 30"), "{text}");
    }
    let config = AwsKmsConfig::parse(
        AwsKmsSettings {
            deletion_window_days: Some(30),
            ..settings()
        },
        &cluster(),
    )
    .unwrap();
    assert_eq!(config.deletion_window_days, 30);
}

#[test]
fn useless_deadlines_and_empty_capabilities_are_refused() {
    let text = refusal(AwsKmsSettings {
        deadline: Some(Duration::ZERO),
        ..settings()
    });
    assert!(text.starts_with("aws_kms.deadline"), "{text}");
    let text = refusal(AwsKmsSettings {
        algorithms: Some(BTreeSet::new()),
        ..settings()
    });
    assert!(text.starts_with("aws_kms.algorithms"), "{text}");
}

#[test]
fn the_region_of_use_is_always_among_the_regions_of_a_key() {
    let multi = MultiRegionSettings {
        primary_region: Some("eu-west-1".into()),
        replica_regions: vec!["eu-north-1".into(), "eu-west-1".into(), "eu-north-1".into()],
    };
    let config = AwsKmsConfig::parse(
        AwsKmsSettings {
            multi_region: Some(multi),
            ..settings()
        },
        &cluster(),
    )
    .unwrap();
    let multi = config.multi_region.as_ref().unwrap();
    assert_eq!(config.home_region().as_str(), "eu-west-1");
    assert_eq!(
        multi.replicas.iter().map(RegionName::as_str).collect::<Vec<_>>(),
        ["eu-central-1", "eu-north-1"]
    );
}

#[test]
fn a_bad_replica_region_is_named_by_its_place() {
    let multi = MultiRegionSettings {
        primary_region: None,
        replica_regions: vec!["eu-west-1".into(), "paris".into()],
    };
    let text = refusal(AwsKmsSettings {
        multi_region: Some(multi),
        ..settings()
    });
    assert!(
        text.starts_with("aws_kms.multi_region.replica_regions[1]: \"paris\""),
        "{text}"
    );
    let multi = MultiRegionSettings {
        primary_region: None,
        replica_regions: vec!["cn-north-1".into()],
    };
    let text = refusal(AwsKmsSettings {
        multi_region: Some(multi),
        ..settings()
    });
    assert!(text.contains("different partitions"), "{text}");
}
