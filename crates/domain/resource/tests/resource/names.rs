use resource::{Kind, ResourceName, SystemRole, closest};

#[test]
fn names_are_one_segment_of_a_path() {
    for good in ["a", "alice@example.com", "web-1", "A.b_c:d", "..."] {
        assert_eq!(ResourceName::parse(good).unwrap().as_str(), good);
    }
    let long = "a".repeat(129);
    for bad in [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "a+b",
        "ä",
        "a\0",
        "a\n",
        long.as_str(),
    ] {
        assert!(ResourceName::parse(bad).is_err(), "{bad:?}");
        assert!(
            serde_json::from_value::<ResourceName>(bad.into()).is_err(),
            "{bad:?}"
        );
    }
}

#[test]
fn every_alias_names_its_kind_and_no_other() {
    let mut seen = std::collections::BTreeSet::new();
    for kind in Kind::ALL {
        assert_eq!(kind.aliases().first(), Some(&kind.as_str()));
        assert!(kind.aliases().contains(&kind.plural()));
        for alias in kind.aliases() {
            assert!(seen.insert(*alias), "{alias} names two kinds");
            assert_eq!(Kind::parse(alias), Ok(kind));
            assert_eq!(Kind::parse(&alias.to_uppercase()), Ok(kind));
        }
        assert_eq!(kind.folder(), format!("resource/{kind}"));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        if let Some(name) = kind.singleton_name() {
            assert!(ResourceName::parse(name).is_ok());
        }
    }
    for (alias, kind) in [
        ("cap", Kind::ClusterAuthPreference),
        ("netconfig", Kind::ClusterNetworkingConfig),
        ("networking", Kind::ClusterNetworkingConfig),
        ("recconfig", Kind::SessionRecordingConfig),
        ("roles", Kind::Role),
    ] {
        assert_eq!(Kind::parse(alias), Ok(kind));
    }
}

#[test]
fn a_mistyped_kind_is_answered_with_the_nearest() {
    let error = Kind::parse("rolse").unwrap_err();
    assert_eq!(error.did_you_mean, Some(Kind::Role));
    assert!(
        error
            .to_string()
            .starts_with("\"rolse\" is no kind of resource, did you mean role?; kinds are user, role,")
    );
    assert_eq!(Kind::parse("").unwrap_err().did_you_mean, None);
    assert_eq!(Kind::parse("database").unwrap_err().did_you_mean, None);
}

#[test]
fn system_roles_have_lower_case_words() {
    for role in SystemRole::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    let error = "Node".parse::<SystemRole>().unwrap_err();
    assert_eq!(error.did_you_mean, Some("node"));
    assert_eq!(
        error.to_string(),
        "\"Node\" is no system role, did you mean node?; allowed are node, proxy, auth, db and app"
    );
}

#[test]
fn the_nearest_word_is_near() {
    let words = ["logins", "node_labels", "rules"];
    assert_eq!(closest("login", words), Some("logins"));
    assert_eq!(closest("nodelabels", words), Some("node_labels"));
    assert_eq!(closest("rulse", words), None);
    assert_eq!(closest("rule", words), Some("rules"));
    assert_eq!(closest("xyz", words), None);
    assert_eq!(closest("", words), None);
    assert_eq!(closest(&"l".repeat(10_000), words), None);
}
