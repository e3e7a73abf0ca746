//! What is not connected to, and what is said about it.

use std::os::unix::fs::PermissionsExt;

use ssh_node::HostKey;

use crate::world::World;
use crate::world::own_account;

crate::tests! {
    hosts_without_the_right_certificate_are_not_connected_to
    what_the_proxy_and_the_server_refuse_is_said
    certificates_that_ended_are_said_to_have
    keys_that_others_may_read_are_not_used
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
            .contains("operator@web-1: your certificate is not for the account operator"),
        "{outcome:?}"
    );
    let again = format!(
        "log in again: `signet login --proxy={} --user=alice`",
        world.proxy()
    );
    assert!(outcome.stderr.contains(&again), "{outcome:?}");
    // As the server says it, whatever it is; and names of servers have no case.
    world.cut("locked: the laptop was stolen");
    let outcome = world.run(&["ssh", &format!("{}@WEB-1", own_account()), "--", "true"]);
    let told = format!("error: {}@web-1: locked: the laptop was stolen\n", own_account());
    assert_eq!(outcome.code, 255, "{outcome:?}");
    assert!(outcome.stderr.starts_with(&told), "{outcome:?}");
    assert!(outcome.stderr.contains("`signet ls`"), "{outcome:?}");
    let outcome = world.run(&["ssh", "web-1:22", "true"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
}

fn keys_that_others_may_read_are_not_used() {
    let world = World::new();
    world.log_in();
    let mode = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let place = world.place();
    for (path, open, wanted) in [
        (place.join("ssh_key"), 0o644, 0o600),
        (place.join("tls_key.pem"), 0o640, 0o600),
        (place.clone(), 0o777, 0o700),
    ] {
        mode(&path, open);
        let outcome = world.run(&["ls"]);
        let chmod = format!("hint: `chmod {wanted:o} {}`", path.display());
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains(&chmod), "{outcome:?}");
        mode(&path, wanted);
    }
    let outcome = world.run(&["ssh", &format!("{}@web-1", own_account()), "--", "true"]);
    assert!(outcome.success(), "{outcome:?}");
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
