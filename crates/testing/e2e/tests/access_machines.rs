//! Machines that join by tokens and are reached through their tunnels.

#![cfg(test)]

use std::fs;
use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use e2e::{CLUSTER, EVENT_PATIENCE, HOST, Joining, Machine, Person, Prepared, Settings, Signet, text_at};
use parts::openssl::certificate_text;
use parts::process::wait_until;
use parts::ssh::ssh_keygen_list;

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
    alice.reaches(&signet, &lab);
    let place = ("server_id", host_id);
    let _event = signet.event(
        "session.connect",
        &[("user", "alice"), place, ("route", "tunnel")],
    );
    let _event = signet.event("session.end", &[("user", "alice"), place, ("exit_code", "0")]);

    // 3. What is written of it can be given back, with an address for the proxy to dial as well.
    let document = format!("node/{host_id}");
    let shown = signet.ok(&["get", &document]);
    let file = signet.directory().join("lab-1.yaml");
    std::fs::write(&file, &shown).unwrap();
    let file = file.display().to_string();
    signet.ok(&["create", "--force", &file]);
    let described = "sed -i 's/^metadata:/metadata:\\n  description: rack 7/'";
    signet.ok(&["edit", "node/lab-1", "--editor", described]);
    assert!(signet.ok(&["get", &document]).contains("rack 7"));
    let hidden = "sed -i 's/^  hostname:.*/  hostname: other/'";
    let refused = signet.ctl(&["edit", &document, "--editor", hidden]);
    assert!(refused.text().contains("spec.hostname"), "{}", refused.text());

    // 4. The token was good once.
    let late = Machine::start(&signet, "late", &joining);
    let _event = signet.event("instance.join", &[("node_name", "late"), ("success", "false")]);
    assert!(alice.host("late").is_none(), "{}", late.log());
    drop(late);

    // 5. Everything but the machine starts again: the tunnel comes back by itself. So it does when the machine dies.
    let signet = signet.restart(|_settings| {});
    assert!(lab.is_running());
    alice.reaches(&signet, &lab);
    lab.kill_and_restart();
    alice.reaches(&signet, &lab);
    assert_eq!(alice.sees(&signet, "lab-1")["host_id"], host_id);

    // 6. Dead, it is offline as soon as its tunnel is gone, and online as soon as it is started again.
    lab.kill();
    let gone = wait_until(Instant::now() + EVENT_PATIENCE, || {
        (alice.host("lab-1").unwrap()["online"] == false).then_some(())
    });
    assert!(gone.is_some(), "it is still listed as online");
    let listed = alice.ok(&["ls"]);
    let row = listed.lines().find(|line| line.starts_with("lab-1"));
    assert!(row.is_some_and(|row| row.contains("offline")), "{listed}");
    lab.restart();
    assert_eq!(alice.sees(&signet, "lab-1")["host_id"], host_id);
    alice.reaches(&signet, &lab);

    // 7. Removed, it is cut off, a live session as well, and nothing brings its id back.
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

    // 8. The cluster's own host was never in the way, and is no host to be removed.
    assert_eq!(alice.ssh(HOST, "true").code, 0);
    let refused = signet.ctl(&["nodes", "rm", HOST, "--yes"]);
    assert!(refused.text().contains("own machine"), "{}", refused.text());
    assert_eq!(alice.ssh(HOST, "true").code, 0);
}

/// Where everybody comes from, as a balancer says.
const OUTSIDE: &str = "203.0.113.9";

/// A balancer that passes TCP on and says, by the PROXY protocol, where each client comes from.
fn balance(from: u16, to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", from)).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let client_port = client.peer_addr()?.port();
                let mut proxy = TcpStream::connect(("127.0.0.1", to))?;
                proxy.write_all(
                    format!("PROXY TCP4 {OUTSIDE} 198.51.100.1 {client_port} 443\r\n").as_bytes(),
                )?;
                let (mut from_client, mut to_proxy) = (client.try_clone()?, proxy.try_clone()?);
                std::thread::spawn(move || {
                    let _ended = std::io::copy(&mut from_client, &mut to_proxy);
                    to_proxy.shutdown(Shutdown::Write)
                });
                let mut client = client;
                let _ended = std::io::copy(&mut proxy, &mut client);
                client.shutdown(Shutdown::Both)
            });
        }
    });
}

#[test]
fn behind_a_balancer_everybody_comes_from_where_it_says_and_a_machine_is_locked_by_its_name() {
    let behind = parts::port::free().unwrap();
    let prepared = Prepared::new(Settings {
        behind: Some(behind.number()),
        ..Settings::whole()
    });
    balance(prepared.web_port(), behind.number());
    let signet = prepared.start();
    let from_outside = |event: &str, fields: &[(&str, &str)]| {
        let remote = signet.event(event, fields).text("addr.remote");
        assert!(remote.starts_with(OUTSIDE), "{event}: {remote}");
    };

    // 1. People: the pages and the API, the proxy, and the host in the proxy's process, which ends SSH itself.
    let alice = Person::logged_in(&signet, "alice", "access");
    from_outside("user.login", &[("user", "alice"), ("success", "true")]);
    assert_eq!(alice.ssh(HOST, "true").code, 0);
    from_outside("session.connect", &[("user", "alice"), ("success", "true")]);
    from_outside("session.start", &[("user", "alice")]);

    // 2. Machines, and sessions through their tunnels.
    let joining = Joining::new(&signet, &["--ttl=5m"]);
    let lab = Machine::start(&signet, "lab-1", &joining);
    let row = alice.sees(&signet, "lab-1");
    let place = ("server_id", row["host_id"].as_str().unwrap());
    alice.reaches(&signet, &lab);
    from_outside("instance.join", &[("node_name", "lab-1")]);
    from_outside("tunnel.open", &[place]);
    from_outside("session.start", &[("user", "alice"), place]);

    // 3. Locked by its name, the machine loses its tunnel at once, and does not get it back while the lock is there.
    signet.ok(&["lock", "--node=lab-1", "--message=stolen"]);
    let _cut = signet.event("tunnel.close", &[place, ("reason", "cut")]);
    assert_ne!(alice.ssh("lab-1", "true").code, 0);
    says(&lab, "lets nobody in");
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

/// The names in a machine's SSH certificate, as `ssh-keygen` reads them, and in its TLS certificate, as `openssl` does.
fn names_of(directory: &Path) -> (Vec<String>, String) {
    let stored = fs::read_to_string(directory.join("data/agent/identity.json")).unwrap();
    let identity: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let (ssh, tls) = (directory.join("host-cert.pub"), directory.join("host.pem"));
    fs::write(&ssh, text_at(&identity, "/ssh_certificate")).unwrap();
    fs::write(&tls, text_at(&identity, "/tls_server/0")).unwrap();
    let listed = ssh_keygen_list(&ssh).unwrap();
    let principals = listed
        .lines()
        .skip_while(|line| line.trim() != "Principals:")
        .skip(1)
        .take_while(|line| line.trim() != "Critical Options: (none)");
    let principals = principals.map(|line| line.trim().to_owned()).collect();
    let text = certificate_text(&tls).unwrap();
    let names = text
        .lines()
        .skip_while(|line| !line.contains("Subject Alternative Name"))
        .nth(1);
    (principals, names.unwrap().trim().to_owned())
}

#[test]
fn a_machine_has_its_own_names_and_none_of_another_nor_of_the_proxy() {
    let signet = Signet::start(Settings::whole());
    let alice = Person::logged_in(&signet, "alice", "access");

    // 1. What joined is called by its id and its name, and is nobody's `localhost`.
    let _lab = Machine::start(&signet, "lab-1", &Joining::new(&signet, &["--ttl=5m"]));
    let host_id = text_at(&alice.sees(&signet, "lab-1"), "/host_id");
    let own = [
        host_id.clone(),
        format!("{host_id}.{CLUSTER}"),
        "lab-1".to_owned(),
        format!("lab-1.{CLUSTER}"),
    ];
    let (principals, names) = names_of(&signet.directory().join("machine-lab-1"));
    assert_eq!(principals, own);
    assert_eq!(
        names.split(", ").collect::<Vec<_>>(),
        own.iter().map(|name| format!("DNS:{name}")).collect::<Vec<_>>()
    );

    // 2. The proxy beside the auth service is what people on its machine reach so.
    let (principals, _) = names_of(signet.directory());
    for name in [HOST, "localhost", "127.0.0.1"] {
        assert!(principals.iter().any(|own| own == name), "{name}: {principals:?}");
    }

    // 3. Names of others are refused: a machine that is there, the cluster, the proxy, the auth service.
    for name in [
        &format!("lab-1.{CLUSTER}"),
        HOST,
        CLUSTER,
        "proxy",
        "auth",
        "localhost",
    ] {
        let machine = Machine::start(&signet, name, &Joining::new(&signet, &["--ttl=5m"]));
        let _event = signet.event("instance.join", &[("node_name", name), ("success", "false")]);
        drop(machine);
    }
}
