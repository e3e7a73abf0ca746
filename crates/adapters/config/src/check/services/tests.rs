use crate::Config;
use crate::Environment;
use crate::load;

fn read(lines: &str) -> Result<Config, String> {
    let environment = Environment {
        is_root: true,
        host_name: "auth-1.example.com".to_owned(),
        ..Environment::default()
    };
    let text = format!("proxy_service:\n{lines}");
    load(&text, &environment).map_err(|error| error.problems[0].to_string())
}

#[test]
fn headers_of_balancers_are_read_only_when_asked_for() {
    assert_eq!(read("  enabled: true\n").unwrap().proxy.balancers, None);
    assert_eq!(read("  proxy_protocol: off\n").unwrap().proxy.balancers, None);
    let all = read("  proxy_protocol: on\n").unwrap().proxy.balancers.unwrap();
    assert!(all.networks.is_empty());
    let some = read("  proxy_protocol: on\n  trusted_balancers: [192.0.2.10, '2001:db8::/32']\n").unwrap();
    let networks = some.proxy.balancers.unwrap().networks;
    let shown: Vec<_> = networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["192.0.2.10/32", "2001:db8::/32"]);
}

#[test]
fn who_is_believed_is_said_without_doubt() {
    for (lines, expected) in [
        ("  proxy_protocol: unspecified\n", "neither on nor off"),
        ("  proxy_protocol: yes\n", "neither on nor off"),
        (
            "  trusted_balancers: [192.0.2.10]\n",
            "no header of a balancer is read",
        ),
        (
            "  proxy_protocol: off\n  trusted_balancers: [192.0.2.10]\n",
            "no header of a balancer is read",
        ),
        (
            "  proxy_protocol: on\n  trusted_balancers: []\n",
            "the list is empty",
        ),
        (
            "  proxy_protocol: on\n  trusted_balancers: [192.0.2.10/24]\n",
            "bits beyond its prefix",
        ),
        (
            "  proxy_protocol: on\n  trusted_balancers: [balancer]\n",
            "is not an address or a network",
        ),
    ] {
        let refused = read(lines).unwrap_err();
        assert!(refused.contains(expected), "{lines}: {refused}");
    }
}
