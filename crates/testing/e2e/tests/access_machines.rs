//! Machines that join by tokens and are reached through their tunnels.

#![cfg(test)]

use std::time::Instant;

use e2e::{EVENT_PATIENCE, HOST, Joining, Machine, Person, Settings, Signet, fail};
use parts::process::wait_until;

/// Waits until a machine's log has a text.
fn says(machine: &Machine, text: &str) {
    let said = wait_until(Instant::now() + EVENT_PATIENCE, || {
        machine.log().contains(text).then_some(())
    });
    assert!(
        said.is_some(),
        "{} does not say {text:?}: {}",
        machine.name(),
        machine.log()
    );
}

/// Waits until a command runs on a machine.
fn runs(signet: &Signet, person: &Person, machine: &Machine) {
    let mut last = String::new();
    let ran = wait_until(Instant::now() + EVENT_PATIENCE, || {
        let outcome = person.ssh(machine.name(), "echo here");
        last = outcome.text();
        (outcome.code == 0 && outcome.stdout == "here\n").then_some(())
    });
    if ran.is_none() {
        fail(format!(
            "{} cannot be reached: {last}\nits log:\n{}\nsignetd's log:\n{}",
            machine.name(),
            machine.log(),
            signet.log()
        ));
    }
}

#[test]
fn a_machine_joins_once_by_its_token_and_is_reached_until_it_is_removed() {
    let signet = Signet::start(Settings::whole());
    let alice = Person::logged_in(&signet, "alice", "access");
    let joining = Joining::new(&signet, &["--ttl=5m", "--labels", "env=lab"]);

    // 1. It joins, and is seen with its labels.
    let mut lab = Machine::start(&signet, "lab-1", &joining);
    let row = alice.sees(&signet, "lab-1");
    assert_eq!(row["labels"]["env"], "lab", "{row}");
    assert_eq!(row["use_tunnel"], true, "{row}");
    let host_id = row["host_id"].as_str().unwrap();
    let joined = ("host_id", host_id);
    let _event = signet.event(
        "instance.join",
        &[joined, ("node_name", "lab-1"), ("success", "true")],
    );

    // 2. It is reached through its tunnel.
    runs(&signet, &alice, &lab);
    let place = ("server_id", host_id);
    let _event = signet.event(
        "session.connect",
        &[("user", "alice"), place, ("route", "tunnel")],
    );
    let _event = signet.event("session.end", &[("user", "alice"), place, ("exit_code", "0")]);

    // 3. The token was good once.
    let late = Machine::start(&signet, "late", &joining);
    let _event = signet.event("instance.join", &[("node_name", "late"), ("success", "false")]);
    assert!(alice.host("late").is_none(), "{}", late.log());
    drop(late);

    // 4. Everything but the machine starts again: the tunnel comes back by itself. So it does when the machine dies.
    let signet = signet.restart(|_settings| {});
    assert!(lab.is_running());
    runs(&signet, &alice, &lab);
    lab.kill_and_restart();
    runs(&signet, &alice, &lab);
    assert_eq!(alice.sees(&signet, "lab-1")["host_id"], host_id);

    // 5. Removed, it is cut off, a live session as well, and nothing brings its id back.
    let mut live = alice.ssh_dialogue("live", "lab-1", "echo begun; cat");
    let _said = live.until_says("begun");
    signet.ok(&["nodes", "rm", "lab-1", "--yes"]);
    let _event = signet.event("node.remove", &[joined, ("success", "true")]);
    assert_ne!(live.outcome().code, 0);
    assert!(alice.host("lab-1").is_none());
    assert_eq!(alice.ssh("lab-1", "true").code, 255);
    lab.kill_and_restart();
    says(&lab, "removed");
    assert!(alice.host("lab-1").is_none());
    assert_eq!(alice.ssh(host_id, "true").code, 255);

    // 6. The cluster's own host was never in the way.
    assert_eq!(alice.ssh(HOST, "true").code, 0);
}

#[test]
fn a_token_is_sent_to_the_pinned_cluster_alone() {
    let ours = Signet::start(Settings::whole());
    let theirs = Signet::start(Settings::whole());
    let joining = Joining::new(&ours, &["--ttl=5m"]);
    let there = theirs.public_address();

    // 1. The other cluster is met with our pin: it is not sent the token. What is sent leaves a trace in its log.
    let sent = Machine::start(
        &theirs,
        "sent",
        &joining
            .with("--proxy", &there)
            .with("--ca-pin", Joining::new(&theirs, &[]).value("--ca-pin")),
    );
    let _event = theirs.event("instance.join", &[("node_name", "sent"), ("success", "false")]);
    drop(sent);
    let kept = Machine::start(&theirs, "kept", &joining.with("--proxy", &there));
    says(&kept, "pin");
    assert!(
        theirs
            .events("instance.join")
            .iter()
            .all(|event| event.text("node_name") != "kept")
    );
    drop(kept);

    // 2. Nor is the right cluster, by a wrong pin.
    let wrong = Machine::start(
        &ours,
        "wrong",
        &joining.with("--ca-pin", &format!("sha256:{}", "0".repeat(64))),
    );
    says(&wrong, "pin");
    assert!(
        ours.events("instance.join")
            .iter()
            .all(|event| event.text("node_name") != "wrong")
    );
    drop(wrong);

    // 3. So the token is still good.
    let _right = Machine::start(&ours, "right", &joining);
    let _event = ours.event("instance.join", &[("node_name", "right"), ("success", "true")]);
}
