//! Machines that die under load: every session has its start and its end in the audit log.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use e2e::{Dialogue, EVENT_PATIENCE, HOST, Joining, Machine, Person, Settings, Signet};
use parts::process::wait_until;

const SESSIONS: usize = 40;
const GROUP: usize = 10;

#[test]
fn every_session_that_starts_ends_in_the_log_although_a_machine_dies() {
    let signet = Signet::start(Settings::whole());
    let alice = Person::logged_in(&signet, "alice", "access");
    let joining = Joining::new(&signet, &["--ttl=5m", "--uses=2"]);
    let mut dying = Machine::start(&signet, "dying", &joining);
    let steady = Machine::start(&signet, "steady", &joining);
    for machine in [&dying, &steady] {
        let _row = alice.sees(&signet, machine.name());
        let reached = wait_until(Instant::now() + EVENT_PATIENCE, || {
            alice.ssh(machine.name(), "true").success().then_some(())
        });
        assert!(reached.is_some(), "{}", machine.log());
    }

    // 1. Sessions on both at once. They come in groups: an address has but so many strangers at the proxy's door.
    let mut sessions: Vec<(usize, Dialogue)> = Vec::new();
    for group in (0..SESSIONS).collect::<Vec<_>>().chunks(GROUP) {
        let begun = sessions.len();
        sessions.extend(group.iter().map(|number| {
            let host = if number % 2 == 0 { "dying" } else { "steady" };
            let command = "echo begun; read line; echo $line; exit 9";
            (
                *number,
                alice.ssh_dialogue(&format!("session-{number}"), host, command),
            )
        }));
        for (_, session) in &mut sessions[begun..] {
            let _said = session.until_says("begun");
        }
    }

    // 2. One machine dies under its sessions. Those of the other go on to their end.
    dying.kill_and_restart();
    for (number, mut session) in sessions {
        if number % 2 == 0 {
            assert_eq!(session.outcome().code, 255, "session {number} was cut");
        } else {
            session.tell("bye");
            let outcome = session.outcome();
            assert_eq!(
                (outcome.code, outcome.stdout.as_str()),
                (9, "begun\nbye\n"),
                "{}",
                outcome.stderr
            );
        }
    }

    // 3. The log has all of them, each with one end: by itself, or cut.
    let mut starts = BTreeSet::new();
    let mut ends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let complete = wait_until(Instant::now() + EVENT_PATIENCE, || {
        starts = signet
            .events("session.start")
            .iter()
            .map(|event| event.text("sid"))
            .collect();
        ends.clear();
        for event in signet.events("session.end") {
            ends.entry(event.text("sid"))
                .or_default()
                .push(event.text("reason"));
        }
        (starts.len() >= SESSIONS && starts.iter().all(|sid| ends.contains_key(sid))).then_some(())
    });
    assert!(
        complete.is_some(),
        "{starts:#?}\n{ends:#?}\n{}\n{}",
        dying.log(),
        signet.log()
    );
    assert!(ends.values().all(|reasons| reasons.len() == 1), "{ends:#?}");
    let cut = ends.values().flatten().filter(|reason| *reason == "cut").count();
    assert_eq!(cut, SESSIONS / 2, "{ends:#?}");
    signet.ok(&["audit", "verify"]);

    // 4. The machine that died takes sessions again.
    let back = wait_until(Instant::now() + EVENT_PATIENCE, || {
        alice.ssh("dying", "true").success().then_some(())
    });
    assert!(back.is_some(), "{}", dying.log());
    assert!(alice.ssh(HOST, "true").success());
}
