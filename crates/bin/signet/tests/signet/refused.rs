//! What is not connected to, and what is said about it.

use ssh_node::HostKey;

use crate::world::World;
use crate::world::own_account;

crate::tests! {
    hosts_without_the_right_certificate_are_not_connected_to
    what_the_proxy_and_the_server_refuse_is_said
    certificates_that_ended_are_said_to_have
}

fn hosts_without_the_right_certificate_are_not_connected_to() {
    let world = World::empty();
    world.add_node("bare", &[]);
    world.add_node("web-2", &["web-1", "web-1.test.example"]);
    let by = |name: &str, ca: &str, is_host: bool, validity: &str| {
        let (key, certificate) = world.authorities.host_by(ca, name, is_host, &[name], validity);
        let key = HostKey::from_openssh(&key, Some(&certificate)).unwrap();
        world.add_node_with(name, key);
    };
    by("foreign", "other_ca", true, "-1m:+1h");
    by("by-users", "user_ca", true, "-1m:+1h");
    world.log_in();
    for (node, why) in [
        ("bare", ""),
        ("web-2", "its certificate is for web-1"),
        ("foreign", "authority"),
        ("by-users", "authority"),
    ] {
        let target = format!("{}@{node}", own_account());
        let outcome = world.run(&["ssh", &target, "--", "echo reached"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (255, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(why), "{outcome:?}");
        assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
    }
}

fn what_the_proxy_and_the_server_refuse_is_said() {
    let world = World::new();
    world.log_in();
    let outcome = world.run(&["ssh", &format!("{}@db-1", own_account()), "--", "true"]);
    assert_eq!(outcome.code, 255, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("there is no node \"db-1\" that alice may reach"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("`signet ls`"), "{outcome:?}");
    let outcome = world.run(&["ssh", "operator@web-1", "--", "true"]);
    assert_eq!(outcome.code, 255, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("operator@web-1: your certificate does not let you in"),
        "{outcome:?}"
    );
    let outcome = world.run(&["ssh", "web-1:22", "true"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
}

fn certificates_that_ended_are_said_to_have() {
    let world = World::new();
    world.log_in();
    let path = world.place().join("profile.json");
    let mut profile: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    profile["login"]["not_after"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&path, profile.to_string()).unwrap();
    let outcome = world.run(&["ssh", "web-1", "--", "true"]);
    assert_eq!(outcome.code, 255, "{outcome:?}");
    let again = format!("signet login --proxy={} --user=alice", world.proxy());
    assert!(outcome.stderr.contains(&again), "{outcome:?}");
    let outcome = world.run(&["status"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stdout.contains("(ended)"), "{outcome:?}");
    assert!(outcome.stdout.contains(&again), "{outcome:?}");
}
