//! Who is let in, who is not, and what the log says of it.

use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use russh::kex;
use ssh_node::*;

use crate::foreign::agrees_on;
use crate::foreign::log_in;
use crate::world::*;

crate::tests! {
    certificates_of_other_authorities_are_refused
    expired_certificates_are_refused
    certificates_for_other_logins_are_refused
    host_certificates_do_not_log_in
    an_expired_certificate_alone_is_recorded_as_nothing
    a_certificate_offered_before_gives_nothing_to_the_next
    certificates_from_elsewhere_are_refused
    bare_keys_and_passwords_are_refused
    certificates_by_certified_keys_are_refused
    the_certificate_that_is_proven_counts_and_not_the_one_offered_first
    a_certificate_without_its_key_does_not_log_in
    what_cannot_be_enforced_is_refused
    the_gate_decides
    who_shows_a_certificate_of_ours_is_told_why
    who_lacks_a_second_factor_is_told_what_to_do
    whatever_a_client_says_it_brings_next_a_lacking_second_factor_is_in_the_log
    authorities_are_taken_as_they_are_now
    connections_of_one_user_are_limited
    silent_connections_are_closed
    who_asks_on_and_on_is_closed_as_well_and_counts_until_then
    who_waits_longest_without_logging_in_makes_room
    host_keys_are_seen_by_scanners_without_a_trace
    keys_are_exchanged_in_a_way_that_no_quantum_computer_reads_later
    an_account_that_does_not_exist_is_said_to_be_missing
    an_account_without_a_shell_serves_no_files_either
}

/// Tries to log in, and returns what the log says of it.
fn refused(world: &World, wanted: Wanted<'_>) -> Vec<AuthFailure> {
    let key = world.certificate("mallory", wanted);
    let outcome = world.run_as(&key, own_account(), "echo in");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (255, ""),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("Permission denied (publickey"),
        "{}",
        outcome.stderr
    );
    let started = world.recorded(|event| matches!(event.what, Happening::SessionStart { .. }).then_some(()));
    assert!(started.is_empty());
    eventually("the failure in the log", || {
        Some(world.failures()).filter(|failures| !failures.is_empty())
    })
}

fn certificates_of_other_authorities_are_refused() {
    let world = World::new();
    let wanted = Wanted {
        authority: "other-ca",
        ..good("mallory", own_account())
    };
    assert_eq!(refused(&world, wanted)[0], AuthFailure::UnknownAuthority);
}

fn expired_certificates_are_refused() {
    let world = World::new();
    let wanted = Wanted {
        validity: "-2h:-1h",
        ..good("mallory", own_account())
    };
    // The protocol's implementation refuses it before it is seen here; what is seen is the key without it.
    assert!(matches!(refused(&world, wanted)[0], AuthFailure::BareKey { .. }));
}

fn certificates_for_other_logins_are_refused() {
    let world = World::new();
    assert_eq!(
        refused(&world, good("mallory", "somebody-else"))[0],
        AuthFailure::OtherLogin
    );
}

fn host_certificates_do_not_log_in() {
    let world = World::new();
    let wanted = Wanted {
        is_host: true,
        ..good("mallory", own_account())
    };
    let key = world.certificate("mallory", wanted);
    assert!(!log_in(&world, &[(&key, &world.path("mallory-cert.pub"))]));
    assert_eq!(world.failures(), [AuthFailure::HostCertificate]);
}

fn an_expired_certificate_alone_is_recorded_as_nothing() {
    let world = World::new();
    let wanted = Wanted {
        validity: "-2h:-1h",
        ..good("mallory", own_account())
    };
    let key = world.certificate("mallory", wanted);
    assert!(!log_in(&world, &[(&key, &world.path("mallory-cert.pub"))]));
    let failures = eventually("the failure", || {
        Some(world.failures()).filter(|failures| !failures.is_empty())
    });
    assert_eq!(failures, [AuthFailure::NothingPresented]);
}

fn a_certificate_offered_before_gives_nothing_to_the_next() {
    let world = World::new();
    let alice = world.user("alice");
    let mallory = world.certificate("mallory", good("mallory", "somebody-else"));
    // Alice's certificate with another key, then a certificate for another login with its own.
    let stolen = world.path("alice-cert.pub");
    let own = world.path("mallory-cert.pub");
    assert!(!log_in(&world, &[(&mallory, &stolen), (&mallory, &own)]));
    assert_eq!(world.failures(), [AuthFailure::OtherLogin]);
    assert!(log_in(&world, &[(&mallory, &stolen), (&alice, &stolen)]));
}

fn certificates_from_elsewhere_are_refused() {
    let world = World::new();
    let wanted = Wanted {
        options: &["source-address=192.0.2.0/24"],
        ..good("mallory", own_account())
    };
    assert_eq!(refused(&world, wanted)[0], AuthFailure::SourceAddress);
}

fn bare_keys_and_passwords_are_refused() {
    let world = World::new();
    let key = world.path("bare");
    parts::ssh::ssh_keygen("ed25519", &key).unwrap();
    let outcome = world.run_as(&key, own_account(), "echo in");
    assert_eq!(outcome.code, 255);
    eventually("the failure in the log", || {
        matches!(world.failures()[..], [AuthFailure::BareKey { .. }]).then_some(())
    });
    let outcome = run(world
        .ssh(&key, own_account(), &["-o", "PreferredAuthentications=password"])
        .arg("echo in"));
    assert!(
        outcome.stderr.contains("Permission denied (publickey)"),
        "{}",
        outcome.stderr
    );
    eventually("the second failure in the log", || {
        world
            .failures()
            .contains(&AuthFailure::NothingPresented)
            .then_some(())
    });
}

fn certificates_by_certified_keys_are_refused() {
    let world = World::new();
    // The authority certified this key, which does not make it an authority.
    world.user("deputy");
    let wanted = Wanted {
        authority: "deputy",
        ..good("mallory", own_account())
    };
    assert_eq!(refused(&world, wanted)[0], AuthFailure::UnknownAuthority);
}

fn the_certificate_that_is_proven_counts_and_not_the_one_offered_first() {
    let world = World::new();
    world.certificate("first", good("alice", "somebody-else"));
    let second = world.user("bob");
    let first = format!("CertificateFile={}", world.path("first-cert.pub").display());
    let then = format!("CertificateFile={}", world.path("bob-cert.pub").display());
    let identity = world.path("first").display().to_string();
    let mut command = world.ssh(
        &second,
        own_account(),
        &["-i", &identity, "-o", &first, "-o", &then],
    );
    let outcome = run(command.arg("echo in"));
    assert_eq!(outcome.stdout, "in\n", "{}", outcome.stderr);
    let users = world.recorded(|event| match event.what {
        Happening::SessionStart { .. } => event.user.clone(),
        _ => None,
    });
    assert_eq!(users, ["bob"]);
    assert_eq!(world.failures(), [AuthFailure::OtherLogin]);
}

fn a_certificate_without_its_key_does_not_log_in() {
    let world = World::new();
    world.user("alice");
    // Mallory has alice's certificate and a key of his own.
    let key = world.path("mallory");
    parts::ssh::ssh_keygen("ed25519", &key).unwrap();
    std::fs::copy(world.path("alice-cert.pub"), world.path("mallory-cert.pub")).unwrap();
    let outcome = world.run_as(&key, own_account(), "echo in");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (255, ""),
        "{}",
        outcome.stderr
    );
}

fn what_cannot_be_enforced_is_refused() {
    let world = World::new();
    let wanted = Wanted {
        options: &["verify-required"],
        ..good("mallory", own_account())
    };
    assert_eq!(
        refused(&world, wanted)[0],
        AuthFailure::CannotEnforce("verify-required")
    );
}

fn the_gate_decides() {
    let world = World::new();
    world.gate.deny("mallory");
    let failures = refused(&world, good("mallory", own_account()));
    assert_eq!(
        failures[0],
        AuthFailure::Denied("mallory is locked: on leave".to_owned())
    );
}

/// Runs OpenSSH where it may ask questions: then it shows what the server says, which asks none.
fn attended(world: &World, key: &std::path::Path, login: &str) -> parts::process::Outcome {
    let command = world.ssh(key, login, &[]);
    let options = command
        .get_args()
        .map(std::ffi::OsStr::to_owned)
        .collect::<Vec<_>>();
    let options = options.iter().map(|option| match option.to_str() {
        Some("BatchMode=yes") => std::ffi::OsString::from("BatchMode=no"),
        _ => option.clone(),
    });
    let mut asking = std::process::Command::new("ssh");
    asking
        .args(options)
        .arg("true")
        .env_remove("SSH_AUTH_SOCK")
        .env("LC_ALL", "C");
    run(&mut asking)
}

fn who_shows_a_certificate_of_ours_is_told_why() {
    let world = World::new();
    let told = |outcome: parts::process::Outcome, words: &str| {
        assert_eq!(
            (outcome.code, outcome.stderr.matches(words).count()),
            (255, 1),
            "{}",
            outcome.stderr
        );
    };
    let key = world.certificate("alice", good("alice", "deploy"));
    told(
        attended(&world, &key, own_account()),
        &format!(
            "your certificate is not for the account {}; if you were given it since your log-in, log in again",
            own_account()
        ),
    );
    let key = world.user("alice");
    world.gate.grant.lock().unwrap().max_connections = Some(0);
    told(
        attended(&world, &key, own_account()),
        "you have 0 connections to this host already, and may have no more at once",
    );
    world.gate.deny("alice");
    told(attended(&world, &key, own_account()), "alice is locked: on leave");
    // One failure each, as before, and the rejection.
    assert_eq!(
        world.failures(),
        [
            AuthFailure::OtherLogin,
            AuthFailure::Denied("alice is locked: on leave".to_owned())
        ]
    );
    // Whose certificate is another's learns nothing, and is not asked either.
    let wanted = Wanted {
        authority: "other-ca",
        ..good("mallory", own_account())
    };
    let key = world.certificate("mallory", wanted);
    let outcome = attended(&world, &key, own_account());
    let said = outcome
        .stderr
        .lines()
        .filter(|line| !line.starts_with("Warning:"));
    let said = said.collect::<Vec<_>>();
    assert!(
        matches!(said[..], [only] if only.ends_with("Permission denied (publickey).")),
        "{said:?}"
    );
}

fn whatever_a_client_says_it_brings_next_a_lacking_second_factor_is_in_the_log() {
    let world = World::new();
    *world.gate.lacks_second_factor.lock().unwrap() = Some("with signet".to_owned());
    let says = ["", "session-certificate@signet.dev", "pam"];
    for submethods in says {
        assert_eq!(
            crate::foreign::lacking_a_second_factor(&world, submethods),
            Some("with signet".to_owned())
        );
    }
    world.runtime.block_on(world.node.stop());
    let wanted = AuthFailure::SecondFactor("the session needs a second factor".to_owned());
    assert_eq!(world.failures(), vec![wanted; says.len()]);
}

fn who_lacks_a_second_factor_is_told_what_to_do() {
    let world = World::new();
    let words = "This session needs your second factor: use `signet ssh`.";
    *world.gate.lacks_second_factor.lock().unwrap() = Some(words.to_owned());
    let key = world.user("alice");
    let mut command = world.ssh(&key, own_account(), &[]);
    let outcome = attended(&world, &key, own_account());
    assert_eq!(outcome.code, 255);
    assert_eq!(outcome.stderr.matches(words).count(), 1, "{}", outcome.stderr);
    // One that may ask nothing is refused all the same.
    let outcome = run(command.arg("true"));
    assert_eq!(outcome.code, 255);
    assert!(
        outcome
            .stderr
            .contains("Permission denied (keyboard-interactive)"),
        "{}",
        outcome.stderr
    );
    let wanted = AuthFailure::SecondFactor("the session needs a second factor".to_owned());
    assert_eq!(world.failures(), [wanted.clone(), wanted]);
    let started = world.recorded(|event| matches!(event.what, Happening::SessionStart { .. }).then_some(()));
    assert!(started.is_empty());
    // With it, the same certificate would do.
    *world.gate.lacks_second_factor.lock().unwrap() = None;
    assert_eq!(world.run("echo in").stdout, "in\n");
}

fn authorities_are_taken_as_they_are_now() {
    let world = World::new();
    assert_eq!(world.run("true").code, 0);
    *world.gate.authorities.lock().unwrap() = vec![authority(&world.path("other-ca.pub"))];
    assert_eq!(world.run("true").code, 255);
    let wanted = Wanted {
        authority: "other-ca",
        ..good("carol", own_account())
    };
    let key = world.certificate("carol", wanted);
    assert_eq!(world.run_as(&key, own_account(), "true").code, 0);
}

fn connections_of_one_user_are_limited() {
    let world = World::new();
    world.gate.grant.lock().unwrap().max_connections = Some(1);
    let key = world.user("alice");
    let mut first = world
        .ssh(&key, own_account(), &["-T"])
        .arg("echo; cat")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world.wait_for("the first session", |what| {
        matches!(what, Happening::Exec { .. }).then_some(())
    });
    assert_eq!(world.run_as(&key, own_account(), "true").code, 255);
    world.wait_for("the rejection", |what| {
        matches!(what, Happening::SessionRejected { .. }).then_some(())
    });
    drop(first.stdin.take());
    first.wait().unwrap();
    eventually("the place is free", || {
        (world.run_as(&key, own_account(), "true").code == 0).then_some(())
    });
}

fn silent_connections_are_closed() {
    let world = World::with(|config| config.login_grace = std::time::Duration::from_secs(2));
    let mut silent = greeted(&world);
    let _closed_or_reset = silent.read_to_end(&mut Vec::new());
    assert!(world.failures().is_empty());
}

/// A client that goes on asking, slowly and politely, and never proves anything.
async fn asks_on_and_on(world: &World) -> usize {
    struct Careless;
    impl russh::client::Handler for Careless {
        type Error = russh::Error;

        async fn check_server_key(
            &mut self,
            _: &russh::keys::PublicKeyOrCertificate,
        ) -> Result<bool, russh::Error> {
            Ok(true)
        }
    }
    let config = Arc::new(russh::client::Config::default());
    let mut polite = loop {
        // It begins anew where the machine is too busy for that.
        if let Ok(polite) = russh::client::connect(Arc::clone(&config), world.address, Careless).await {
            break polite;
        }
    };
    let mut asked = 0;
    while polite.authenticate_none("alice").await.is_ok() {
        asked += 1;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    asked
}

fn who_asks_on_and_on_is_closed_as_well_and_counts_until_then() {
    let world = World::with(|config| {
        config.login_grace = std::time::Duration::from_secs(3);
        config.auth_attempts_max = usize::MAX;
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asks = runtime.block_on(async { tokio::time::timeout(PATIENCE, asks_on_and_on(&world)).await });
    assert!(asks.is_ok_and(|asked| asked > 1));
    // One that has its place taken is cut, however much it says: whoever logs in gets in.
    let world = World::with(|config| {
        config.login_grace = std::time::Duration::from_secs(3_600);
        config.auth_attempts_max = usize::MAX;
        config.unauthenticated_per_address_max = 1;
    });
    runtime.block_on(async {
        let asking = asks_on_and_on(&world);
        tokio::pin!(asking);
        let started = tokio::time::timeout(std::time::Duration::from_secs(1), &mut asking).await;
        assert!(started.is_err(), "it is asking");
        let in_there = tokio::task::block_in_place(|| world.run("echo in").stdout);
        assert_eq!(in_there, "in\n");
        assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok());
    });
}

/// A connection that says nothing, once it was greeted.
fn greeted(world: &World) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(world.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    stream
}

/// Whether a connection is closed, at the latest after some patience.
fn is_closed(stream: &mut std::net::TcpStream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn who_waits_longest_without_logging_in_makes_room() {
    let world = World::with(|config| {
        config.login_grace = std::time::Duration::from_secs(3_600);
        config.unauthenticated_per_address_max = 3;
    });
    let mut silent: Vec<_> = (0..3).map(|_| greeted(&world)).collect();
    // All places are taken, and whoever has a certificate gets in.
    assert_eq!(world.run("echo in").stdout, "in\n");
    assert!(is_closed(&mut silent[0]));
    // Who is in has no such place, and stays.
    let key = world.user("alice");
    let mut session = world.ssh(&key, own_account(), &[]);
    let mut session = session
        .arg("echo ready; read line; echo $line")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = session.stdout.take().unwrap();
    said.read_exact(&mut [0; 6]).unwrap();
    let _more: Vec<_> = (0..4).map(|_| greeted(&world)).collect();
    assert!(is_closed(&mut silent[1]) && is_closed(&mut silent[2]));
    session.stdin.take().unwrap().write_all(b"still here\n").unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    session.wait().unwrap();
    assert_eq!(rest, "still here\n");
}

/// With whoever can do that; who cannot is not shut out, and nobody falls behind that.
fn keys_are_exchanged_in_a_way_that_no_quantum_computer_reads_later() {
    let world = World::new();
    assert!(agrees_on(&world, &[kex::MLKEM768X25519_SHA256]));
    assert!(agrees_on(&world, &[kex::CURVE25519]));
    assert!(!agrees_on(&world, &[kex::DH_G14_SHA1]));
}

fn host_keys_are_seen_by_scanners_without_a_trace() {
    let world = World::new();
    let port = world.address.port().to_string();
    let mut scan = std::process::Command::new("ssh-keyscan");
    let outcome = run(scan.args(["-T", "60", "-c", "-p", &port, "127.0.0.1"]));
    assert!(
        outcome.stdout.contains("ssh-ed25519-cert-v01@openssh.com"),
        "{}",
        outcome.text()
    );
    let mut scan = std::process::Command::new("ssh-keyscan");
    let outcome = run(scan.args(["-T", "60", "-p", &port, "127.0.0.1"]));
    assert!(outcome.stdout.contains("ssh-ed25519 "), "{}", outcome.text());
    assert!(!outcome.stdout.contains("ssh-rsa"), "{}", outcome.text());
    assert!(world.events.kept.lock().unwrap().is_empty());
}

fn an_account_that_does_not_exist_is_said_to_be_missing() {
    let world = World::new();
    let key = world.certificate("alice", good("alice", "no-such-account"));
    let outcome = world.run_as(&key, "no-such-account", "true");
    assert_eq!(outcome.code, 255);
    assert!(
        outcome
            .stderr
            .contains("there is no account no-such-account on this host"),
        "{}",
        outcome.stderr
    );
    assert!(matches!(&world.ends()[..], [Exit::Failed(_)]));
}

fn an_account_without_a_shell_serves_no_files_either() {
    // Only root can become another account.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let key = world.certificate("alice", good("alice", "daemon"));
    let why = "the account daemon has no shell to log in with";
    let outcome = world.run_as(&key, "daemon", "true");
    assert!(
        outcome.code == 255 && outcome.stderr.contains(why),
        "{}",
        outcome.text()
    );
    let target = format!("daemon@127.0.0.1:{}", world.path("user-ca.pub").display());
    let mut copy = std::process::Command::new("scp");
    copy.args(world.options(&key))
        .args(["-s", "-P", &world.address.port().to_string()]);
    let outcome = run(copy.arg(target).arg(world.path("copy")));
    assert_ne!(outcome.code, 0, "{}", outcome.text());
    assert!(matches!(&world.ends()[..], [Exit::Failed(_), Exit::Failed(_)]));
    let files = world.recorded(|event| matches!(event.what, Happening::File(_)).then_some(()));
    assert!(files.is_empty());
}
