//! OpenSSH's own clients through the proxy, and what is not let in.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{
    Clock, EVENT_PATIENCE, HOST, Person, Settings, Signet, SshCredential, account, files_below, full_target,
};
use parts::place::program;
use parts::process::{Outcome, run, run_ok, wait_until};
use parts::ssh::{
    Agent, Client, Identities, Login, SignRequest, ssh_keygen, ssh_keygen_list, ssh_keygen_sign,
};

/// The key and certificate that a log-in stored.
fn credential(person: &Person) -> SshCredential {
    let files = files_below(&person.home());
    let certificate = files
        .iter()
        .find(|file| file.to_string_lossy().ends_with("-cert.pub"));
    let certificate = certificate.unwrap_or_else(|| panic!("no SSH certificate among {files:?}"));
    let name = certificate.file_name().unwrap().to_str().unwrap();
    SshCredential {
        key: certificate.with_file_name(name.strip_suffix("-cert.pub").unwrap()),
        certificate: certificate.clone(),
    }
}

/// Runs a program in a directory, with what it needs to go through `signet`.
fn in_place(person: &Person, directory: &Path, mut command: Command) -> Outcome {
    run(command.current_dir(directory).env("SIGNET_HOME", person.home())).unwrap()
}

#[track_caller]
fn good(outcome: Outcome, signet: &Signet) -> Outcome {
    assert!(outcome.success(), "{}\n{}", outcome.text(), signet.log());
    outcome
}

#[test]
fn ssh_scp_sftp_and_rsync_go_through_the_proxy_by_the_printed_configuration() {
    let signet = Signet::start(Settings::whole());
    let alice = Person::logged_in(&signet, "alice", "access");

    // 1. What was issued, as ssh-keygen reads it.
    let listed = ssh_keygen_list(&credential(&alice).certificate).unwrap();
    for word in [
        "user certificate",
        "Key ID: \"alice\"",
        "permit-pty",
        &account(),
        "roles@signet.dev",
    ] {
        assert!(listed.contains(word), "{word}: {listed}");
    }

    // 2. The block by which OpenSSH goes through `signet`, and the one by which it goes through the proxy's SSH by itself.
    let jump = format!("--jump=localhost:{}", signet.jump_port());
    for (way, arguments) in [("program", &[][..]), ("jump", &[jump.as_str()])] {
        let place = alice.directory().join(way);
        fs::create_dir(&place).unwrap();
        let configuration = alice.configuration(&format!("{way}-config"), arguments);
        let host = full_target(HOST);
        let openssh = |client: &str, words: &[&str]| {
            let mut command = alice.openssh_command(client, &configuration);
            command.args(words);
            in_place(&alice, &place, command)
        };

        // 3. ssh.
        let ran = openssh("ssh", &[&host, "echo in; exit 5"]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (5, "in\n"),
            "{way}: {}\n{}",
            ran.stderr,
            signet.log()
        );

        // 4. scp there and back.
        let bytes: Vec<u8> = (0_u32..400_000).flat_map(u32::to_le_bytes).collect();
        fs::write(place.join("sent"), &bytes).unwrap();
        let there = place.join("there").display().to_string();
        let remote = format!("{host}:{there}");
        good(openssh("scp", &["sent", &remote]), &signet);
        good(openssh("scp", &[&remote, "back"]), &signet);
        assert!(
            fs::read(place.join("back")).unwrap() == bytes,
            "{way}: scp changed the file"
        );

        // 5. sftp.
        let batch = format!("put sent {there}-2\nls -l {there}-2\nget {there}-2 back-2\nrm {there}-2\n");
        fs::write(place.join("batch"), batch).unwrap();
        let listed = good(openssh("sftp", &["-b", "batch", &host]), &signet);
        assert!(listed.stdout.contains("1600000"), "{}", listed.stdout);
        assert!(
            fs::read(place.join("back-2")).unwrap() == bytes,
            "{way}: sftp changed the file"
        );
        assert!(!Path::new(&format!("{there}-2")).exists());

        // 6. rsync.
        fs::create_dir(place.join("tree")).unwrap();
        for name in ["a", "b"] {
            fs::write(place.join("tree").join(name), &bytes[..1000]).unwrap();
        }
        let mut rsync = Command::new(program("rsync").unwrap());
        rsync.args([
            "-a",
            "-e",
            &format!("ssh -F {}", configuration.display()),
            "tree/",
        ]);
        rsync.arg(format!("{host}:{}/", place.join("copy").display()));
        good(in_place(&alice, &place, rsync), &signet);
        assert_eq!(fs::read(place.join("copy/b")).unwrap(), &bytes[..1000]);

        // 7. The log has the files.
        let who = ("user", "alice");
        let sent = signet.event("scp", &[who, ("path", &format!("{there}-2"))]);
        assert!(sent.text("action").starts_with("sftp"), "{sent:?}");
        let _event = signet.event("subsystem", &[who, ("name", "sftp")]);
    }

    // 8. The host proves itself by a certificate that is good for its names.
    let port = signet.node_port().to_string();
    let mut scan = Command::new(program("ssh-keyscan").unwrap());
    scan.args(["-c", "-p", &port, "127.0.0.1"]);
    let scanned = run(&mut scan).unwrap();
    let line = scanned
        .stdout
        .lines()
        .find(|line| line.contains("-cert-v01@openssh.com"));
    let file = alice.directory().join("host-cert.pub");
    let certificate = line.unwrap_or_else(|| panic!("no certificate in {scanned:?}"));
    let (_names, certificate) = certificate.split_once("ssh-ed25519-cert").unwrap();
    fs::write(&file, format!("ssh-ed25519-cert{certificate}\n")).unwrap();
    let listed = ssh_keygen_list(&file).unwrap();
    assert!(
        listed.contains("host certificate") && listed.contains(HOST),
        "{listed}"
    );
}

/// A try to get in: where, as whom, with what.
struct Try<'a> {
    what: &'a str,
    credential: &'a SshCredential,
    login: &'a str,
    /// What the log says of why.
    reason: &'a str,
    /// An agent whose keys are shown in the place of the credential.
    agent: Option<&'a Path>,
}

struct World {
    signet: Signet,
    client: Client,
    known_hosts: String,
}

impl World {
    fn ssh(&self, port: u16, alias: &str, attempt: &Try<'_>) -> Outcome {
        self.ssh_showing(port, alias, attempt, Identities::default(), &["true"])
    }

    fn ssh_showing(
        &self,
        port: u16,
        alias: &str,
        attempt: &Try<'_>,
        identities: Identities<'_>,
        words: &[&str],
    ) -> Outcome {
        let login = Login {
            port,
            user: attempt.login,
            key: &attempt.credential.key,
            certificate: &attempt.credential.certificate,
            known_hosts: &self.known_hosts,
            host_alias: Some(alias),
        };
        let identities = Identities {
            agent: attempt.agent,
            ..identities
        };
        self.client.run_showing(login, identities, words).unwrap()
    }

    /// Refused by the host, with an event of its own that says why.
    fn host_refuses(&self, attempt: &Try<'_>) {
        self.refuses(self.signet.node_port(), HOST, attempt);
    }

    /// Refused by the proxy.
    fn proxy_refuses(&self, attempt: &Try<'_>) {
        self.refuses(self.signet.jump_port(), "proxy", attempt);
    }

    fn refuses(&self, port: u16, place: &str, attempt: &Try<'_>) {
        let alias = if place == HOST { HOST } else { "localhost" };
        let before = self.signet.events("auth").len();
        let outcome = self.ssh(port, alias, attempt);
        assert_eq!(outcome.code, 255, "{} gets into {place}", attempt.what);
        assert!(
            outcome.stderr.contains("Permission denied"),
            "{}: {}",
            attempt.what,
            outcome.stderr
        );
        let action = format!("ssh {}@{place}", attempt.login);
        let mut seen = Vec::new();
        let told = wait_until(Instant::now() + EVENT_PATIENCE, || {
            seen = self.signet.events("auth").split_off(before);
            seen.iter()
                .any(|event| {
                    event.has(&[("action", &action), ("code", "SU000W")])
                        && event.text("reason").contains(attempt.reason)
                })
                .then_some(())
        });
        assert!(
            told.is_some(),
            "{} at {place}, {:?}: {seen:#?}",
            attempt.what,
            attempt.reason
        );
    }
}

#[test]
fn certificates_that_are_not_good_here_are_refused_and_the_log_says_why() {
    let clock = Clock::new();
    let signet = Signet::start_by(&clock, Settings::whole());
    let mut alice = Person::logged_in(&signet, "alice", "access");
    let world = World {
        known_hosts: signet.export(&["--type=host"]),
        client: Client::new().unwrap(),
        signet,
    };
    let login = account();
    let good = credential(&alice);
    let attempt = |what, credential, reason| Try {
        what,
        credential,
        login: &login,
        reason,
        agent: None,
    };

    // 1. What is good gets in: the tries below fail for their own reasons.
    let in_host = world.ssh(world.signet.node_port(), HOST, &attempt("alice", &good, ""));
    assert_eq!(in_host.code, 0, "{}\n{}", in_host.stderr, world.signet.log());

    // 2. A certificate of another cluster.
    let stranger = Signet::start(Settings::default());
    let foreign = stranger.sign_openssh(
        "foreign",
        &["--user=alice", &format!("--logins={login}"), "--roles=access"],
    );
    world.host_refuses(&attempt("another cluster's certificate", &foreign, "authority"));
    world.proxy_refuses(&attempt("another cluster's certificate", &foreign, "authority"));

    // 3. A host certificate: OpenSSH shows the key alone when it reads the certificate from a file, and all of it when an agent has it.
    let host = world
        .signet
        .sign_openssh("host", &["--host", &format!("{login},{HOST}")]);
    world.host_refuses(&attempt("a host certificate", &host, "without a certificate"));
    world.proxy_refuses(&attempt("a host certificate", &host, "without a certificate"));
    let agent = Agent::start(alice.directory()).unwrap();
    agent.add(&host.key).unwrap();
    // The authority of hosts is none of users.
    let shown = Try {
        agent: Some(agent.socket()),
        ..attempt("a host certificate in an agent", &host, "authority")
    };
    world.host_refuses(&shown);
    world.proxy_refuses(&shown);
    drop(agent);

    // 4. A certificate that a user signed with their certified key.
    let forged = world.signet.directory().join("forged");
    ssh_keygen("ed25519", &forged).unwrap();
    let signed = ssh_keygen_sign(SignRequest {
        ca_key: &good.key,
        public_key: &forged.with_extension("pub"),
        host: false,
        key_id: "alice",
        principals: &[&login],
        validity: "-1m:+1h",
    });
    let forged = SshCredential {
        key: forged,
        certificate: signed.unwrap(),
    };
    world.host_refuses(&attempt("a user's own certificate", &forged, "authority"));
    world.proxy_refuses(&attempt("a user's own certificate", &forged, "authority"));

    // 5. Another account than the certificate is for.
    let elsewhere = Try {
        login: "somebody-else",
        ..attempt(
            "a certificate for another account",
            &good,
            "not good for this account",
        )
    };
    world.host_refuses(&elsewhere);
    // The log names the person, and not the account.
    let _event = world.signet.event(
        "auth",
        &[
            ("user", "alice"),
            ("login", "somebody-else"),
            ("server_hostname", HOST),
        ],
    );

    // 6. One that has ended: everything about it was good a moment ago.
    let short = alice.directory().join("short");
    let out = format!("--out={}", short.display());
    alice.log_in_by_recovery_code(&world.signet, &["--ttl=10m", &out]);
    let ended = taken_apart(&short);
    let in_host = world.ssh(
        world.signet.node_port(),
        HOST,
        &attempt("a short one", &ended, ""),
    );
    assert_eq!(in_host.code, 0, "{}\n{}", in_host.stderr, world.signet.log());
    clock.set_ahead(Duration::from_secs(601));
    world.host_refuses(&attempt("an expired certificate", &ended, "certificate"));
    world.proxy_refuses(&attempt("an expired certificate", &ended, "certificate"));
}

#[test]
fn what_is_shown_first_and_refused_counts_for_nothing_and_what_is_shown_then_counts() {
    let signet = Signet::start(Settings::whole());
    let alice = Person::logged_in(&signet, "alice", "access");
    let world = World {
        known_hosts: signet.export(&["--type=host"]),
        client: Client::new().unwrap(),
        signet,
    };
    let login = account();
    let good = credential(&alice);
    let of_alice = Try {
        what: "alice",
        credential: &good,
        login: &login,
        reason: "",
        agent: None,
    };

    // 1. Certificates that name somebody else: by another cluster, and by alice's own key. They are shown before hers.
    let stranger = Signet::start(Settings::default());
    let foreign = stranger.sign_openssh(
        "foreign",
        &["--user=mallory", &format!("--logins={login}"), "--roles=access"],
    );
    let own = world.signet.directory().join("own");
    ssh_keygen("ed25519", &own).unwrap();
    let certificate = ssh_keygen_sign(SignRequest {
        ca_key: &good.key,
        public_key: &own.with_extension("pub"),
        host: false,
        key_id: "eve",
        principals: &[&login],
        validity: "-1m:+1h",
    });
    let own = SshCredential {
        key: own,
        certificate: certificate.unwrap(),
    };
    let before = [
        (foreign.key.as_path(), foreign.certificate.as_path()),
        (own.key.as_path(), own.certificate.as_path()),
    ];
    let identities = Identities {
        before: &before,
        agent: None,
    };

    // 2. The host refuses both, says of whom they are, and lets alice in as alice, by the certificate that is hers.
    let in_host = world.ssh_showing(
        world.signet.node_port(),
        HOST,
        &of_alice,
        identities,
        &["echo in"],
    );
    assert_eq!(
        (in_host.code, in_host.stdout.as_str()),
        (0, "in\n"),
        "{}\n{}",
        in_host.stderr,
        world.signet.log()
    );
    let listed = ssh_keygen_list(&good.certificate).unwrap();
    let serial = listed
        .lines()
        .find_map(|line| line.trim().strip_prefix("Serial: "))
        .unwrap();
    let started = world.signet.event("session.start", &[("login", &login)]);
    assert_eq!(started.text("user"), "alice", "{started:?}");
    assert_eq!(
        started.text("allowed_by"),
        format!("certificate {serial}"),
        "{started:?}"
    );
    for name in ["mallory", "eve"] {
        let action = format!("ssh {login}@{HOST}");
        let said = wait_until(Instant::now() + EVENT_PATIENCE, || {
            let refused = world.signet.events("auth").into_iter().find(|event| {
                event.has(&[("action", &action)]) && event.text("reason").contains(&format!("of {name}"))
            });
            refused.filter(|event| event.text("reason").contains("authority is not trusted"))
        });
        let said = said.unwrap_or_else(|| panic!("{name}: {:#?}", world.signet.events("auth")));
        assert!(
            said.has(&[("user", ""), ("claimed", name), ("login", &login)]),
            "{said:?}"
        );
        assert!(!said.text("reason").contains("alice"), "{said:?}");
    }

    // 3. So does the proxy, which leads alice to the host.
    let place = format!("{HOST}:3022");
    let led = world.ssh_showing(
        world.signet.jump_port(),
        "localhost",
        &of_alice,
        identities,
        &["-W", &place],
    );
    assert!(
        led.stdout.starts_with("SSH-2.0-"),
        "{}\n{}",
        led.text(),
        world.signet.log()
    );
    let connected = world.signet.event("session.connect", &[("success", "true")]);
    assert_eq!(connected.text("user"), "alice", "{connected:?}");

    // 4. Nothing in the log is said to have been done by the others.
    for kind in ["session.start", "session.end", "exec", "session.connect"] {
        for event in world.signet.events(kind) {
            assert_eq!(event.text("user"), "alice", "{event:?}");
        }
    }
}

/// The SSH key and certificate in an identity file, as files beside it.
fn taken_apart(identity: &Path) -> SshCredential {
    let text = fs::read_to_string(identity).unwrap();
    let end = "-----END OPENSSH PRIVATE KEY-----";
    let start = text.find("-----BEGIN OPENSSH PRIVATE KEY-----").unwrap();
    let stop = text.find(end).unwrap() + end.len();
    let key = PathBuf::from(format!("{}-key", identity.display()));
    let certificate = PathBuf::from(format!("{}-cert.pub", key.display()));
    fs::write(&key, format!("{}\n", &text[start..stop])).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("ssh-ed25519-cert-v01@openssh.com "));
    fs::write(&certificate, format!("{}\n", line.unwrap())).unwrap();
    run_ok(Command::new("chmod").arg("600").arg(&key)).unwrap();
    SshCredential { key, certificate }
}
