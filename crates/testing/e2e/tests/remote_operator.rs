//! An operator at another machine: mutual TLS with an identity file, through rotations of both authorities it rests on.

#![cfg(test)]

use std::path::PathBuf;

use e2e::{Phase, Settings, Signet, rotate};

/// An identity file for somebody with these roles.
fn identity(signet: &Signet, name: &str, roles: &str) -> PathBuf {
    let file = signet.directory().join(name);
    let out = format!("--out={}", file.display());
    signet.ok(&[
        "auth",
        "sign",
        "--format=file",
        "--user=alice",
        &format!("--roles={roles}"),
        &out,
    ]);
    file
}

#[track_caller]
fn works(signet: &Signet, identity: &std::path::Path, now: &str) {
    let outcome = signet.ctl_remote(identity, &["status"]);
    assert!(outcome.success(), "{now}: {}\n{}", outcome.text(), signet.log());
}

#[test]
fn an_identity_file_works_through_rotations_until_its_authority_is_distrusted() {
    for authority in ["user", "host"] {
        // 1. Standby.
        let signet = Signet::start(Settings::default());
        let before = identity(&signet, "before", "editor");
        works(&signet, &before, "in standby");

        // 2. Every phase: identities issued before it and in it. An identity trusts what it was given, so the one from
        //    before the rotation does not know the new keys that the server side shows from update_servers on.
        let mut identities = vec![before.clone()];
        for phase in [Phase::Init, Phase::UpdateClients, Phase::UpdateServers] {
            rotate(&signet, authority, phase);
            identities.push(identity(&signet, phase.word(), "editor"));
            let knows_no_better = usize::from(authority == "host" && phase == Phase::UpdateServers);
            for each in identities.iter().skip(knows_no_better) {
                works(&signet, each, phase.word());
            }
        }

        // 3. Standby: what rests on the new keys works, what rests on the old ones alone does not.
        rotate(&signet, authority, Phase::Standby);
        works(&signet, &identities[3], "after the rotation");
        works(
            &signet,
            &identity(&signet, "after", "editor"),
            "after the rotation",
        );
        let refused = signet.ctl_remote(&before, &["status"]);
        assert!(!refused.success(), "{authority}: {}", refused.text());
        assert!(refused.stderr.starts_with("error: "), "{}", refused.text());
    }
}

#[test]
fn a_rollback_and_the_pins_of_it() {
    // 1. During a rotation there are two pins, and either is enough.
    let signet = Signet::start(Settings::default());
    rotate(&signet, "host", Phase::Init);
    let alice = identity(&signet, "alice", "editor");
    let pins = signet.status().ca_pins();
    assert_eq!(pins.len(), 2);
    let pinned = |pin: &str| signet.ctl_remote(&alice, &["status", "--ca-pin", pin]);
    assert!(pinned(&pins[0]).success(), "{}", pinned(&pins[0]).text());

    // 2. Rolled back: the identity still works; the abandoned pin does not.
    rotate(&signet, "host", Phase::Rollback);
    works(&signet, &alice, "rolling back");
    rotate(&signet, "host", Phase::Standby);
    works(&signet, &alice, "rolled back");
    assert_eq!(signet.status().ca_pins(), [pins[0].clone()]);
    assert!(pinned(&pins[0]).success());
    assert!(!pinned(&pins[1]).success());
}

#[test]
fn roles_decide_and_refusals_say_so() {
    let signet = Signet::start(Settings::default());

    // 1. Without a role that allows it, nothing privileged happens.
    let reader = identity(&signet, "auditor", "auditor");
    let rotation = ["auth", "rotate", "--manual", "--type=user", "--phase=init"];
    for arguments in [
        &rotation[..],
        &["get", "cas", "--with-secrets"],
        &["keys", "sweep", "--yes"],
    ] {
        let refused = signet.ctl_remote(&reader, arguments);
        assert_eq!(refused.code, 3, "{arguments:?}: {}", refused.text());
    }
    assert_eq!(signet.status().authority("user").phase, "standby");

    // 2. With it, it does, and the audit log has the name of who did it.
    let editor = identity(&signet, "editor", "editor");
    let done = signet.ctl_remote(&editor, &rotation);
    assert!(done.success(), "{}", done.text());
    let events = signet.json(&["audit", "search", "--user=alice"]);
    assert!(events.to_string().contains("init"), "{events}");

    // 3. An identity of nobody is refused by the handshake.
    let stranger = Signet::start(Settings::default());
    let foreign = identity(&stranger, "foreign", "editor");
    assert!(!signet.ctl_remote(&foreign, &["status"]).success());
}
