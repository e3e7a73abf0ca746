//! People: signing up, logging in with `oathtool`'s codes, sessions on a host, and what the audit log says of all of it.

#![cfg(test)]

use std::time::Instant;

use e2e::{Code, EVENT_PATIENCE, HOST, Person, Settings, Signet, account};
use parts::process::{Outcome, wait_until};

/// A cluster whose host can be reached.
fn cluster() -> Signet {
    Signet::start(Settings::whole())
}

/// Somebody who is logged in and sees the host.
fn person(signet: &Signet, name: &str, roles: &str) -> Person {
    let mut person = Person::sign_up(signet, name, roles);
    person.log_in(signet);
    see_host(signet, &person, HOST);
    person
}

/// Waits until a host is online.
fn see_host(signet: &Signet, person: &Person, host: &str) {
    let seen = wait_until(Instant::now() + EVENT_PATIENCE, || {
        person.host(host).filter(|row| row["online"] == true)
    });
    assert!(seen.is_some(), "{host} is not online: {}", signet.log());
}

#[test]
fn somebody_signs_up_logs_in_runs_a_command_and_the_log_says_so() {
    // 1. A user is made; the link leads to a password and a second factor; they log in with the next code.
    let signet = cluster();
    let mut alice = Person::sign_up(&signet, "alice", "access");
    assert_eq!(alice.signet(&["status"]).code, 1, "nobody is logged in yet");
    alice.log_in(&signet);

    // 2. They see who they are and what they reach.
    let status = alice.json(&["status"]);
    assert_eq!(status["user"], "alice", "{status}");
    assert_eq!(status["roles"], serde_json::json!(["access"]), "{status}");
    assert_eq!(status["is_valid"], true, "{status}");
    see_host(&signet, &alice, HOST);
    let host = alice.host(HOST).unwrap();
    assert_eq!(host["labels"]["env"], "prod", "{host}");
    assert_eq!(host["logins"], serde_json::json!([account()]), "{host}");

    // 3. A command runs there as the account asked for; its output and its exit code come back.
    let ran = alice.ssh(HOST, "id -un; echo to stderr >&2; exit 7");
    assert_eq!((ran.code, ran.stdout), (7, format!("{}\n", account())), "{}", ran.stderr);
    assert!(ran.stderr.contains("to stderr"), "{}", ran.stderr);
    assert_eq!(alice.ssh(HOST, "true").code, 0);

    // 4. The audit log has who, where and what.
    let who = ("user", "alice");
    let login = signet.event("user.login", &[who, ("success", "true")]);
    assert!(login.text("addr.remote").starts_with("127.0.0.1:"), "{login:?}");
    assert_eq!(login.text("code"), "SU001I");
    let host_id = host["host_id"].as_str().unwrap();
    let place = ("server_id", host_id);
    let connected = signet.event("session.connect", &[who, place, ("success", "true")]);
    assert_eq!(connected.text("route"), "direct", "{connected:?}");
    let login = account();
    let ended = signet.event("session.end", &[who, place, ("login", &login), ("exit_code", "7")]);
    let sid = ended.text("sid");
    assert!(ended.has(&[("reason", "exit")]), "{ended:?}");
    let session = ("sid", sid.as_str());
    let started = signet.event("session.start", &[session, who, place, ("login", &login), ("kind", "exec")]);
    assert!(started.text("addr.remote").starts_with("127.0.0.1:"), "{started:?}");
    assert_eq!(started.text("server_hostname"), HOST);
    let command = ("command", "id -un; echo to stderr >&2; exit 7");
    let run = signet.event("exec", &[session, who, command, ("success", "true")]);
    assert!(started.text("time") <= run.text("time") && run.text("time") <= ended.text("time"));

    // 5. Logged out, there is nothing left to log in with.
    alice.ok(&["logout"]);
    assert_eq!(alice.signet(&["status"]).code, 1);
    assert_ne!(alice.ssh(HOST, "true").code, 0);
    let left = e2e::files_with(&alice.home(), b"PRIVATE KEY");
    assert_eq!(left, Vec::<std::path::PathBuf>::new());

    // 6. Nothing secret is in the log, and nobody changed it.
    signet.ok(&["audit", "verify"]);
}

/// What is the same for every log-in that is refused.
fn refusal(outcome: &Outcome) -> (i32, String) {
    assert_eq!(outcome.stdout, "");
    (outcome.code, outcome.stderr.clone())
}

#[test]
fn refused_log_ins_are_all_alike_and_five_of_them_lock_out() {
    let signet = cluster();
    let mut alice = Person::sign_up(&signet, "alice", "access");
    let good = "correct horse battery staple 9";

    // 1. Three ways to be wrong, and being nobody: one exit code, one message.
    let used = alice.next_code();
    let first = alice.try_code(&used);
    assert!(first.success(), "{}", first.text());
    let mut bob = Person::sign_up(&signet, "bob", "access");
    let code = bob.next_code();
    let wrong_password = refusal(&bob.try_log_in("correct horse battery staple 8", &code, &[]));
    assert_eq!(wrong_password.0, 3, "{}", wrong_password.1);
    assert!(wrong_password.1.contains("invalid credentials"), "{}", wrong_password.1);
    let Code::Totp(digits) = &code else { unreachable!() };
    let off = format!("{:06}", (digits.parse::<u32>().unwrap() + 1) % 1_000_000);
    let wrong_code = refusal(&alice.try_code(&Code::Totp(off)));
    assert_eq!(wrong_code, wrong_password);
    let replayed = refusal(&alice.try_code(&used));
    assert_eq!(replayed, wrong_password);
    let unknown = refusal(&alice.try_log_in(good, &used, &["--user=nobody"]));
    assert_eq!(unknown, wrong_password);
    for (user, failures) in [("alice", 2), ("bob", 1)] {
        let failed: Vec<_> = signet
            .events("user.login")
            .into_iter()
            .filter(|event| event.has(&[("user", user), ("success", "false"), ("code", "SU001W")]))
            .collect();
        assert_eq!(failed.len(), failures, "{failed:#?}");
        assert!(failed.iter().all(|event| event.text("addr.remote").starts_with("127.0.0.1:")));
    }

    // 2. Four more for bob, and then not even what is right is enough. Only the log says that it is a lock-out.
    for _ in 0..4 {
        let wrong = Code::Recovery("aaaaa-aaaaa-aaaaa-aaaaa".to_owned());
        assert_eq!(refusal(&bob.try_code(&wrong)), wrong_password);
    }
    let _locked = signet.event("user.login.lockout", &[("account", "bob"), ("failures", "5")]);
    let right = bob.recovery_code();
    assert_eq!(refusal(&bob.try_code(&right)), wrong_password);

    // 3. An operator lets them try again; others were never in the way.
    let recovery = alice.recovery_code();
    let other = alice.try_code(&recovery);
    assert!(other.success(), "{}", other.text());
    signet.ok(&["users", "unlock", "bob"]);
    let again = bob.recovery_code();
    let again = bob.try_code(&again);
    assert!(again.success(), "{}\n{}", again.text(), signet.log());
}
