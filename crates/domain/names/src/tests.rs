use super::*;

#[test]
fn principals_with_a_second_meaning_are_refused() {
    for bad in [
        "",
        "a,b",
        "a*",
        "?",
        "!root",
        "a b",
        "a\nb",
        "a\0",
        "a\u{200b}",
        "a\u{202e}b",
        "\"x\"",
    ] {
        assert!(Principal::parse(bad).is_err(), "{bad:?}");
    }
    for good in [
        "root",
        "alice@example.com",
        "web-1.example.com",
        "127.0.0.1",
        "::1",
        "jürgen",
        "svc$",
    ] {
        assert!(Principal::parse(good).is_ok(), "{good:?}");
    }
    assert!(Principal::parse(&"a".repeat(256)).is_err());
}

#[test]
fn cluster_names_are_lower_case_dns_names() {
    assert!(ClusterName::parse("prod.example.com").is_ok());
    for bad in ["", "Prod", "a..b", "-a", "a-", "a b", "a/b", &"a".repeat(65)] {
        assert!(ClusterName::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn host_names_are_canonical() {
    assert_eq!(
        HostName::parse("Web-1.Example.COM").unwrap().as_str(),
        "web-1.example.com"
    );
    assert_eq!(HostName::parse("0:0:0:0:0:0:0:1").unwrap().as_str(), "::1");
    assert!(HostName::parse("*.example.com").is_err());
}

#[test]
fn serials_are_positive_and_sixteen_bytes() {
    for random in [[0u8; 16], [0xff; 16]] {
        let serial = Serial::from_random(random);
        let first = serial.as_bytes()[0];
        assert!((0x40..0x80).contains(&first));
        assert_eq!(serial.to_string().parse::<Serial>().unwrap(), serial);
    }
    assert!("xyz".parse::<Serial>().is_err());
}

#[test]
fn durations_read_as_people_write_them() {
    assert_eq!("200h".parse::<Ttl>().unwrap(), Ttl::from_hours(200));
    assert_eq!("1h30m".parse::<Ttl>().unwrap().seconds(), 5_400);
    assert_eq!(Ttl::from_seconds(93_784).to_string(), "1d2h3m4s");
    for bad in ["", "12", "h", "1x", "-1h", "99999999999999999999h", "200000d"] {
        assert!(bad.parse::<Ttl>().is_err(), "{bad:?}");
    }
}

#[test]
fn moments_read_and_write_rfc_3339() {
    let moment: UnixSeconds = "2026-03-01T12:00:00Z".parse().unwrap();
    assert_eq!(moment.to_string(), "2026-03-01T12:00:00Z");
    assert_eq!(
        moment.plus(Ttl::from_hours(1)).to_string(),
        "2026-03-01T13:00:00Z"
    );
    assert!("1969-12-31T00:00:00Z".parse::<UnixSeconds>().is_err());
}
