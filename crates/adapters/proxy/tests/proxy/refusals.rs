//! Who is not let in by SSH, and what the log says of it.

use std::process::Command;
use std::sync::Arc;

use parts::place::program;
use parts::process::Outcome;
use parts::process::run;
use parts::process::run_ok;
use parts::ssh::ssh_keygen;
use russh::Preferred;
use russh::kex;
use russh::keys::Certificate;
use russh::keys::PrivateKey;
use russh::keys::PublicKeyOrCertificate;

use crate::openssh::config;
use crate::support::World;

/// Tries to log in at the proxy with a key and the certificate beside it.
fn try_as(world: &World, key: &str, more: &[&str]) -> Outcome {
    let config = config(world, key, "root", "ProxyJump proxy");
    run(Command::new(program("ssh").unwrap())
        .arg("-F")
        .arg(config)
        .args(more)
        .args(["-N", "-W", "web-1:22", "proxy"])
        .env_remove("SSH_AUTH_SOCK"))
    .unwrap()
}

fn assert_refused(world: &World, key: &str, claimed: Option<&str>, reason: &str) {
    let outcome = try_as(world, key, &[]);
    assert!(
        outcome.stderr.contains("Permission denied (publickey"),
        "{key}: {outcome:?}"
    );
    let (name, why) = world.log.take_auth_failure();
    assert_eq!((name.as_deref(), why.as_str()), (claimed, reason), "{key}");
}

/// A client that trusts whoever answers and shows whatever certificate it is given, as OpenSSH does not.
struct Careless;

impl russh::client::Handler for Careless {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Shows a certificate and proves to hold its key, and says whether that let it in.
fn is_let_in(world: &World, key: &str) -> bool {
    let private = Arc::new(PrivateKey::from_openssh(world.keys.read(key)).unwrap());
    let certificate = Certificate::from_openssh(world.keys.read(&format!("{key}-cert.pub")).trim()).unwrap();
    world.runtime.block_on(async {
        let config = Arc::new(russh::client::Config::default());
        let mut session = russh::client::connect(config, world.jump, Careless)
            .await
            .unwrap();
        let answer = session
            .authenticate_openssh_cert("alice", private, certificate)
            .await;
        answer.unwrap().success()
    })
}

/// With whoever can do that; who cannot is not shut out, and nobody falls behind that.
#[test]
fn keys_are_exchanged_in_a_way_that_no_quantum_computer_reads_later() {
    let world = World::new();
    for (kex, is_agreed) in [
        (kex::MLKEM768X25519_SHA256, true),
        (kex::CURVE25519, true),
        (kex::DH_G14_SHA1, false),
    ] {
        let config = russh::client::Config {
            preferred: Preferred {
                kex: vec![kex].into(),
                ..Preferred::DEFAULT
            },
            ..russh::client::Config::default()
        };
        let session = russh::client::connect(Arc::new(config), world.jump, Careless);
        let session = world.runtime.block_on(session);
        assert_eq!(session.is_ok(), is_agreed, "{}", kex.as_ref());
    }
}

#[test]
fn only_a_users_certificate_of_the_cluster_lets_anybody_in() {
    let world = World::new();
    let keys = &world.keys;
    keys.certified("foreign", "other_ca", false, "alice", &["alice"], "-1m:+1h");
    keys.certified("machine", "user_ca", true, "web-1", &["web-1"], "-1m:+1h");
    keys.certified("hosts", "host_ca", true, "web-1", &["web-1"], "-1m:+1h");
    keys.certified("late", "user_ca", false, "alice", &["alice"], "-2h:-1h");
    keys.certified("early", "user_ca", false, "alice", &["alice"], "+1h:+2h");
    let unseen = "no certificate was shown that is within its time and whole";
    for (key, claimed, reason) in [
        (
            "foreign",
            Some("alice"),
            "the certificate's authority is not trusted",
        ),
        (
            "machine",
            Some("web-1"),
            "the certificate is for a host, which is not what is wanted here",
        ),
        (
            "hosts",
            Some("web-1"),
            "the certificate's authority is not trusted",
        ),
        ("late", None, unseen),
        ("early", None, unseen),
    ] {
        assert!(!is_let_in(&world, key), "{key}");
        let (name, why) = world.log.take_auth_failure();
        assert_eq!((name.as_deref(), why.as_str()), (claimed, reason), "{key}");
    }
    assert!(is_let_in(&world, "alice"));
    ssh_keygen("ed25519", &keys.path("bare")).unwrap();
    assert_refused(
        &world,
        "foreign",
        Some("alice"),
        "the certificate's authority is not trusted",
    );
    assert_refused(&world, "bare", None, "a key without a certificate lets nobody in");
}

#[test]
fn a_certificate_counts_where_its_source_address_allows() {
    let world = World::new();
    for (name, address, is_in) in [
        ("here", "127.0.0.0/8", true),
        ("elsewhere", "192.0.2.0/24", false),
    ] {
        world
            .keys
            .certified(name, "user_ca", false, "alice", &["alice"], "-1m:+1h");
        let path = |file: String| world.keys.path(&file);
        run_ok(
            Command::new(program("ssh-keygen").unwrap())
                .args(["-q", "-s"])
                .arg(path("user_ca".to_owned()))
                .args(["-I", "alice", "-n", "alice", "-V", "-1m:+1h", "-O"])
                .arg(format!("source-address={address}"))
                .arg(path(format!("{name}.pub"))),
        )
        .unwrap();
        if is_in {
            let outcome = try_as(&world, name, &[]);
            assert!(outcome.stderr.contains("there is no node"), "{outcome:?}");
        } else {
            assert_refused(
                &world,
                name,
                Some("alice"),
                "the certificate is not accepted from this address",
            );
        }
    }
}

#[test]
fn a_certificate_signed_by_a_certificate_is_none() {
    let world = World::new();
    let keys = &world.keys;
    // The holder of a user certificate plays authority.
    keys.certified("middle", "user_ca", false, "alice", &["alice"], "-1m:+1h");
    keys.certified("chained", "middle", false, "root-admin", &["root"], "-1m:+1h");
    assert_refused(
        &world,
        "chained",
        Some("root-admin"),
        "the certificate's authority is not trusted",
    );
}

#[test]
fn what_was_offered_first_does_not_count_for_what_comes_then() {
    let world = World::new();
    // The certificate is alice's, the key is mallory's: offered, and never proved.
    ssh_keygen("ed25519", &world.keys.path("mallory")).unwrap();
    std::fs::copy(
        world.keys.path("alice-cert.pub"),
        world.keys.path("mallory-cert.pub"),
    )
    .unwrap();
    let outcome = try_as(&world, "mallory", &[]);
    assert!(
        outcome.stderr.contains("Permission denied (publickey)"),
        "{outcome:?}"
    );
    let (claimed, reason) = world.log.take_auth_failure();
    assert_eq!(claimed, None, "nobody proved to be alice");
    assert_eq!(reason, "a key without a certificate lets nobody in");
    // Several refused ones, then a good one, on one connection.
    world
        .keys
        .certified("foreign", "other_ca", false, "alice", &["alice"], "-1m:+1h");
    let identity = format!("IdentityFile={}", world.keys.path("foreign").display());
    let certificate = format!(
        "CertificateFile={}",
        world.keys.path("foreign-cert.pub").display()
    );
    let outcome = try_as(&world, "alice", &["-o", &identity, "-o", &certificate]);
    assert!(outcome.stderr.contains("there is no node"), "{outcome:?}");
}

#[test]
fn a_locked_user_is_not_let_in() {
    let world = World::new();
    world.gate.locked_users.lock().unwrap().insert("alice".to_owned());
    assert_refused(&world, "alice", Some("alice"), "alice is locked");
    // Where OpenSSH may ask questions, it shows what it is told.
    let asking = [
        "-o",
        "BatchMode=no",
        "-o",
        "PreferredAuthentications=publickey,keyboard-interactive",
    ];
    let outcome = try_as(&world, "alice", &asking);
    assert_eq!(
        outcome.stderr.matches("alice is locked").count(),
        1,
        "{outcome:?}"
    );
    let (name, why) = world.log.take_auth_failure();
    assert_eq!(
        (name.as_deref(), why.as_str()),
        (Some("alice"), "alice is locked")
    );
    // Strangers are told nothing, and not asked either.
    let outcome = try_as(&world, "bare", &asking);
    assert!(
        outcome.stderr.contains("Permission denied (publickey)"),
        "{outcome:?}"
    );
}
