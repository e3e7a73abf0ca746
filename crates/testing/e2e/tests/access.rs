//! People: signing up, logging in with `oathtool`'s codes, sessions on a host, and what the audit log says of all of it.

#![cfg(test)]

use std::path::PathBuf;
use std::time::Instant;

use e2e::{Code, EVENT_PATIENCE, HOST, PASSWORD, Person, Settings, Signet, account};
use parts::process::{Outcome, wait_until};

/// A cluster whose host can be reached.
fn cluster() -> Signet {
    Signet::start(Settings::whole())
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
    let host = alice.sees(&signet, HOST);
    assert_eq!(host["labels"]["env"], "prod", "{host}");
    assert_eq!(host["logins"], serde_json::json!([account()]), "{host}");

    // 3. A command runs there as the account asked for; its output and its exit code come back.
    let ran = alice.ssh(HOST, "id -un; echo to stderr >&2; exit 7");
    assert_eq!(
        (ran.code, ran.stdout),
        (7, format!("{}\n", account())),
        "{}",
        ran.stderr
    );
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
    let ended = signet.event(
        "session.end",
        &[who, place, ("login", &login), ("exit_code", "7")],
    );
    let sid = ended.text("sid");
    assert!(ended.has(&[("reason", "exit")]), "{ended:?}");
    let session = ("sid", sid.as_str());
    let started = signet.event(
        "session.start",
        &[session, who, place, ("login", &login), ("kind", "exec")],
    );
    assert!(
        started.text("addr.remote").starts_with("127.0.0.1:"),
        "{started:?}"
    );
    assert_eq!(started.text("server_hostname"), HOST);
    let command = ("command", "id -un; echo to stderr >&2; exit 7");
    let run = signet.event("exec", &[session, who, command, ("success", "true")]);
    assert!(started.text("time") <= run.text("time") && run.text("time") <= ended.text("time"));

    // 5. Logged out, there is nothing left to log in with.
    let keys = || e2e::files_with(&alice.home(), b"PRIVATE KEY");
    assert_ne!(keys(), Vec::<PathBuf>::new());
    alice.ok(&["logout"]);
    assert_eq!(alice.signet(&["status"]).code, 1);
    assert_ne!(alice.ssh(HOST, "true").code, 0);
    assert_eq!(keys(), Vec::<PathBuf>::new());

    // 6. Nobody changed the log.
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

    // 1. Three ways to be wrong, and being nobody: one exit code, one message.
    let used = alice.next_code();
    let first = alice.try_code(&used);
    assert!(first.success(), "{}", first.text());
    let replayed = refusal(&alice.try_code(&used));
    let mut bob = Person::sign_up(&signet, "bob", "access");
    let code = bob.next_code();
    let wrong_password = refusal(&bob.try_log_in("correct horse battery staple 8", &code, &[]));
    assert_eq!(wrong_password.0, 3, "{}", wrong_password.1);
    assert!(
        wrong_password.1.contains("invalid credentials"),
        "{}",
        wrong_password.1
    );
    let Code::Totp(digits) = &code else { unreachable!() };
    let off = format!("{:06}", (digits.parse::<u32>().unwrap() + 1) % 1_000_000);
    let wrong_code = refusal(&alice.try_code(&Code::Totp(off)));
    assert_eq!(wrong_code, wrong_password);
    assert_eq!(replayed, wrong_password);
    let unknown = refusal(&alice.try_log_in(PASSWORD, &used, &["--user=nobody"]));
    assert_eq!(unknown, wrong_password);
    for (user, failures) in [("alice", 2), ("bob", 1)] {
        let failed: Vec<_> = signet
            .events("user.login")
            .into_iter()
            .filter(|event| event.has(&[("user", user), ("success", "false"), ("code", "SU001W")]))
            .collect();
        assert_eq!(failed.len(), failures, "{failed:#?}");
        assert!(
            failed
                .iter()
                .all(|event| event.text("addr.remote").starts_with("127.0.0.1:"))
        );
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

    // 4. The memory of hashing goes back to the system when nobody logs in for a while: 19 MiB at least.
    let returned = wait_until(Instant::now() + EVENT_PATIENCE, || {
        let [most, now] = ["VmHWM:", "VmRSS:"].map(|what| memory_kib(&signet, what));
        (now + 15 * 1_024 < most).then_some(())
    });
    assert!(
        returned.is_some(),
        "{} KiB are held",
        memory_kib(&signet, "VmRSS:")
    );
}

/// What the system says of a server's memory (`proc(5)`).
fn memory_kib(signet: &Signet, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", signet.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn a_lock_cuts_a_live_session_and_keeps_its_user_out_until_it_is_removed() {
    let signet = Signet::start(Settings::whole());
    let mut alice = Person::logged_in(&signet, "alice", "access");
    let bob = Person::logged_in(&signet, "bob", "access");
    let mut of_alice = alice.ssh_dialogue("of-alice", HOST, "echo begun; cat");
    let mut of_bob = bob.ssh_dialogue("of-bob", HOST, "echo begun; cat");
    let _said = of_alice.until_says("begun");
    let _said = of_bob.until_says("begun");

    // 1. The session of who is locked ends, and the log says why. Others go on.
    signet.ok(&["lock", "--user=alice", "--message=laptop stolen"]);
    assert_eq!(of_alice.outcome().code, 255);
    let who = ("user", "alice");
    let cut = signet.event("client.disconnect", &[who]);
    assert!(cut.text("reason").contains("laptop stolen"), "{cut:?}");
    let ended = signet.event("session.end", &[who]);
    assert_eq!(ended.text("reason"), "lock", "{ended:?}");
    let _event = signet.event("lock.created", &[("success", "true")]);
    of_bob.tell("still here");
    let _said = of_bob.until_says("still here");
    of_bob.hang_up();
    assert_eq!(of_bob.outcome().code, 0);

    // 2. Neither what they have nor a new log-in helps.
    assert_eq!(alice.ssh(HOST, "true").code, 255);
    let code = alice.recovery_code();
    assert_eq!(alice.try_code(&code).code, 3);

    // 3. Without the lock they are back.
    let locks = signet.json(&["get", "locks"]);
    let name = e2e::text_at(&locks, "/0/metadata/name");
    signet.ok(&["rm", &format!("lock/{name}"), "--yes"]);
    let code = alice.recovery_code();
    let back = alice.try_code(&code);
    assert!(back.success(), "{}\n{}", back.text(), signet.log());
    let ran = wait_until(Instant::now() + EVENT_PATIENCE, || {
        (alice.ssh(HOST, "true").code == 0).then_some(())
    });
    assert!(ran.is_some(), "alice does not come back: {}", signet.log());
}

const ROLE: &str = "\
kind: role
version: v1
metadata:
  name: lab
  description: The laboratory
spec:
  options:
    max_session_ttl: 2h
    forward_agent: false
  allow:
    logins: ['{{internal.logins}}', deploy]
    node_labels:
      env: [lab, '^test-.*$']
  deny:
    logins: [root]
";

#[test]
fn documents_round_trip_and_decisions_are_explained() {
    let signet = Signet::start(Settings::whole());
    let file = signet.directory().join("documents.yaml");
    let path = file.to_str().unwrap().to_owned();
    let create = ["create", "-f", &path, "--force"];

    // 1. What is there can be given back as it is, and nothing of it changes.
    std::fs::write(&file, ROLE).unwrap();
    signet.ok(&["create", "-f", &path]);
    signet.ok(&["users", "add", "alice", "--roles=access,lab", "--logins=alice"]);
    let everything = "role,user,cap,recconfig,netconfig";
    let before = signet.ok(&["get", everything, "--format", "yaml"]);
    std::fs::write(&file, &before).unwrap();
    signet.ok(&create);
    let after = signet.ok(&["get", everything, "--format", "yaml"]);
    let plain = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("revision:"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(plain(&before), plain(&after));
    assert!(
        before.contains("The laboratory") && before.contains("name: alice"),
        "{before}"
    );

    // 2. Changed, it is written; changed once more from the same reading, it is of a revision that is gone.
    std::fs::write(&file, before.replace("The laboratory", "The workshop")).unwrap();
    signet.ok(&create);
    assert!(signet.ok(&["get", "role/lab"]).contains("The workshop"));
    std::fs::write(&file, before.replace("The laboratory", "The attic")).unwrap();
    let refused = signet.ctl(&create);
    assert_eq!(refused.code, 3, "{}", refused.text());
    assert!(signet.ok(&["get", "role/lab"]).contains("The workshop"));

    // 3. Decisions name what made them.
    let explain = |login: &str| {
        let (login, node) = (format!("--login={login}"), format!("--node={HOST}"));
        let deadline = Instant::now() + EVENT_PATIENCE;
        let told = wait_until(deadline, || {
            let told = signet.ctl(&["access", "explain", "--user=alice", &login, &node]);
            // The host may not have joined yet.
            [0, 3].contains(&told.code).then_some(told)
        });
        told.unwrap_or_else(|| panic!("nothing is explained: {}", signet.log()))
    };
    let allowed = explain("alice");
    assert_eq!(allowed.code, 0, "{}", allowed.text());
    assert!(allowed.stdout.contains("role access"), "{}", allowed.stdout);
    let denied = explain("root");
    assert_eq!(denied.code, 3, "{}", denied.text());
    assert!(denied.stdout.contains("role lab"), "{}", denied.stdout);
    let elsewhere = explain("deploy");
    assert_eq!(elsewhere.code, 3, "{}", elsewhere.text());
}

#[test]
fn privileged_acts_from_elsewhere_want_a_password_and_a_second_factor_anew() {
    let signet = Signet::start(Settings::whole());
    let mut alice = Person::sign_up(&signet, "alice", "access,editor");
    let identity = alice.directory().join("alice.pem");
    let out = format!("--out={}", identity.display());
    let code = alice.next_code();
    let made = alice.try_log_in(PASSWORD, &code, &[&out]);
    assert!(made.success(), "{}", made.text());

    // 1. What an editor may do anyway needs nothing more.
    let status = signet.ctl_remote(&identity, &["status"]);
    assert!(status.success(), "{}", status.text());

    // 2. A rotation and a certificate for somebody else do, and where nobody can be asked they are refused.
    let rotate = ["auth", "rotate", "--manual", "--type=user", "--phase=init"];
    let forged = signet.directory().join("forged.pem");
    let forged_out = format!("--out={}", forged.display());
    let sign = [
        "auth",
        "sign",
        "--format=file",
        "--user=root",
        "--roles=editor",
        &forged_out,
    ];
    // So do a link for a new password, her own included, and documents.
    let three = signet.directory().join("three.yaml");
    let role = |name: &str| {
        format!("kind: role\nversion: v1\nmetadata: {{name: {name}}}\nspec: {{allow: {{logins: [root]}}}}\n")
    };
    std::fs::write(&three, ["one", "two", "three"].map(role).join("---\n")).unwrap();
    let three = three.display().to_string();
    let create = ["create", "-f", &three];
    let made = || ["role.created", "user.invite.create"].map(|name| signet.events(name).len());
    let before = made();
    for act in [
        &rotate[..],
        &sign[..],
        &["users", "reset", "alice"],
        &["users", "update", "alice", "--roles=editor"],
        &create[..],
    ] {
        let refused = signet.ctl_remote(&identity, act);
        assert_eq!(refused.code, 3, "{act:?}: {}", refused.text());
        assert!(
            refused.stderr.contains("--browser"),
            "{act:?}: {}",
            refused.text()
        );
    }
    assert_eq!(signet.status().authority("user").phase, "standby");
    assert!(!forged.exists());
    assert_eq!(made(), before);

    // 3. In a terminal it asks for both, and does it.
    let mut prove = |name: &str, act: &[&str]| {
        let mut terminal = signet.ctl_remote_in_terminal(name, &identity, act);
        let _asked = terminal.until_says("assword");
        terminal.tell(PASSWORD);
        let _asked = terminal.until_says("ode");
        let Code::Recovery(code) = alice.recovery_code() else {
            unreachable!()
        };
        terminal.tell(&code);
        let done = terminal.outcome();
        assert_eq!(done.code, 0, "{}\n{}", done.text(), signet.log());
    };
    prove("rotate", &rotate);
    assert_eq!(signet.status().authority("user").phase, "init");
    let proven = |purpose: &str| {
        let of_alice = [("user", "alice"), ("success", "true"), ("purpose", purpose)];
        signet.event("privilege_token.create", &of_alice)
    };
    let _event = proven("rotate");

    // 4. However many documents there are, it asks once.
    prove("create", &create);
    assert_eq!(made(), [before[0] + 3, before[1]]);
    let _event = proven("admin");
    assert_eq!(signet.events("privilege_token.create").len(), 2);
    prove("reset", &["users", "reset", "alice"]);
    assert_eq!(made(), [before[0] + 3, before[1] + 1]);
}
