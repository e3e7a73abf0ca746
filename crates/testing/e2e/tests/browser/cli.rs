//! What the command line has approved in a browser, by somebody who has nothing but a security key: log-ins, privileged acts, sessions.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use e2e::{CodeMaker, Dialogue, EVENT_PATIENCE, HOST, PASSWORD, Settings, Signet, account, fail, text_at};
use parts::process::{Outcome, run, wait_until};

use crate::visitor::Visitor;

/// The machine that somebody wants to be logged in on.
pub(crate) struct Desk<'a> {
    signet: &'a Signet,
    directory: PathBuf,
}

/// A program that waits for an approval.
pub(crate) struct Waiting {
    program: Dialogue,
    pub(crate) url: String,
    code: String,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(signet: &'a Signet, name: &str) -> Self {
        let directory = signet.directory().join(format!("desk-{name}"));
        std::fs::create_dir(&directory).unwrap();
        Self { signet, directory }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(e2e::programs::signet());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &self.directory)
            .env("SIGNET_HOME", self.directory.join("signet"));
        command
    }

    fn runs(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.command(arguments)).unwrap()
    }

    /// `signet login --browser` with more arguments, up to where it waits.
    #[track_caller]
    pub(crate) fn asks(&self, name: &str, more: &[&str], change: impl FnOnce(&mut Command)) -> Waiting {
        let proxy = format!("--proxy={}", self.signet.public_address());
        let pin = format!("--ca-pin={}", self.signet.status().ca_pins()[0]);
        let mut command = self.command(&[&["login", &proxy, &pin, "--browser"], more].concat());
        change(&mut command);
        self.waits(Dialogue::start(name, &self.directory, command))
    }

    /// `signet` with these arguments, up to where it waits.
    #[track_caller]
    fn wants(&self, name: &str, arguments: &[&str]) -> Waiting {
        self.waits(Dialogue::start(name, &self.directory, self.command(arguments)))
    }

    /// A program up to where it waits.
    #[track_caller]
    fn waits(&self, mut program: Dialogue) -> Waiting {
        let shown = wait_until(Instant::now() + EVENT_PATIENCE, || {
            let said = format!("{}{}", program.said(), program.complaints());
            (said.contains("Waiting until") || !program.is_running()).then_some(said)
        });
        let shown = shown.unwrap_or_default();
        let after = |label: &str| {
            let found = shown.lines().find_map(|line| line.trim().strip_prefix(label));
            found.unwrap_or_else(|| {
                fail(format!(
                    "{label:?} is not said, but {shown}\n{}",
                    self.signet.log()
                ))
            })
        };
        let url = format!("https://{}", after("https://"));
        let code = after("Type this code there: ").to_owned();
        Waiting { program, url, code }
    }
}

impl Visitor<'_> {
    /// Opens the page of a log-in.
    #[track_caller]
    fn sees_request(&self, waiting: &Waiting) {
        self.sees_asked(waiting, "Log in on the command line?");
    }

    /// Opens the page of a request, which says what is asked for, and does not tell the code.
    #[track_caller]
    fn sees_asked(&self, waiting: &Waiting, question: &str) -> String {
        self.done("open the page", self.browser.open(&waiting.url));
        let shown = self.sees(question);
        assert!(!shown.contains(&waiting.code), "{shown}");
        shown
    }

    /// Approves it with the code of the terminal, password and key.
    #[track_caller]
    fn approves(&self, code: &str, password: &str) {
        self.fill("#login_code", code);
        self.fill("#password", password);
        self.click("[data-key-button]");
    }
}

#[test]
fn somebody_with_nothing_but_a_key_logs_the_command_line_in() {
    let signet = Signet::start(Settings::whole());
    let alice = Visitor::new(&signet, "alice");
    let link = alice.invited("access");
    let (_key, codes) = alice.sign_up_with_key(&link);
    alice.open("/web");
    alice.log_out();
    let desk = Desk::new(&signet, "alice");

    // 1. The page wants a log-in, and leads back after it.
    let waiting = desk.asks("first", &["--no-open", "--user=alice"], |_| {});
    alice.done("open the page", alice.browser.open(&waiting.url));
    alice.sees("A program waits for your approval");
    alice.fill("#user", "alice");
    alice.fill("#password", PASSWORD);
    alice.click("[data-key-button]");
    let shown = alice.sees("Log in on the command line?");
    assert!(!shown.contains(&waiting.code), "{shown}");
    assert!(shown.contains("127.0.0.1"), "{shown}");
    assert!(!shown.contains("runs elsewhere"), "{shown}");
    assert!(shown.contains("alice") && shown.contains("access") && shown.contains(&account()));

    // 2. Being logged in is not enough, nor is a wrong password or a wrong code.
    alice.approves(&waiting.code, "wrong horse battery staple 9");
    alice.sees("nvalid credentials");
    assert_eq!(desk.runs(&["status"]).code, 1);
    alice.approves("BBBB-BBBB", PASSWORD);
    alice.sees("code is not the one of this request");
    let shown = alice.sees("Log in on the command line?");
    assert!(!shown.contains(&waiting.code), "{shown}");

    // 3. Approved, the program has certificates that are good.
    alice.approves(&waiting.code.to_lowercase(), PASSWORD);
    alice.sees("Approved");
    let outcome = waiting.program.outcome();
    assert!(outcome.success(), "{}\n{}", outcome.text(), signet.log());
    assert!(outcome.stdout.contains("as alice"), "{}", outcome.stdout);
    let status: serde_json::Value =
        serde_json::from_str(&desk.runs(&["status", "--format", "json"]).stdout).unwrap();
    assert_eq!(text_at(&status, "/user"), "alice");
    let ran = wait_until(Instant::now() + EVENT_PATIENCE, || {
        let target = format!("{}@{HOST}", account());
        let ran = desk.runs(&["ssh", &target, "--", "echo here"]);
        (ran.stdout == "here\n").then_some(())
    });
    assert!(ran.is_some(), "{}", signet.log());
    let who = ("user", "alice");
    let approved = signet.event("user.login.browser", &[who, ("success", "true")]);
    assert_eq!(approved.text("login_code"), waiting.code);
    let _event = signet.event(
        "user.login",
        &[who, ("method", "browser"), ("client", "cli"), ("success", "true")],
    );

    // 4. The page is gone with it.
    alice.done("open the page", alice.browser.open(&waiting.url));
    alice.sees("It was approved or refused already");

    // 5. A recovery code would do as well, and refusing needs no proof.
    let waiting = desk.asks("second", &["--no-open"], |_| {});
    alice.sees_request(&waiting);
    alice.click("summary");
    alice.fill("#login_code", &waiting.code);
    alice.fill("#password", PASSWORD);
    alice.fill("#recovery_code", &codes[0]);
    alice.click("form:not([action]) button:not([type=button])");
    alice.sees("Approved");
    assert!(waiting.program.outcome().success());
    let waiting = desk.asks("third", &["--no-open"], |_| {});
    alice.sees_request(&waiting);
    alice.click(".refuse");
    alice.sees("Refused");
    let outcome = waiting.program.outcome();
    assert_eq!(outcome.code, 3, "{}", outcome.text());
    assert!(
        outcome.stderr.contains("it was refused in the browser"),
        "{}",
        outcome.stderr
    );
    let _event = signet.event("user.login.browser", &[who, ("success", "false")]);
}

#[test]
fn a_log_in_is_approved_by_whom_it_is_for_and_by_nobody_who_is_locked() {
    let signet = Signet::start(Settings::whole());
    let mallory = Desk::new(&signet, "mallory");
    let alice = Visitor::new(&signet, "alice");
    let link = alice.invited("access");
    let (_key, _codes) = alice.sign_up_with_key(&link);

    // 1. One for somebody else is not hers.
    let of_bob = mallory.asks("of-bob", &["--no-open", "--user=bob"], |_| {});
    alice.done("open the page", alice.browser.open(&of_bob.url));
    alice.sees("request is for bob");
    drop(of_bob);

    // 2. A browser is opened where there is a screen, with the page and nothing else.
    let opener = mallory.directory.join("bin/xdg-open");
    let opened = mallory.directory.join("opened");
    std::fs::create_dir(opener.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\nprintf '%s|' \"$@\" > {}\n", opened.display());
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o755)).unwrap();
    let waiting = mallory.asks("opens", &[], |command| {
        let mut path = opener.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        command.env("PATH", path).env("DISPLAY", ":77");
    });
    let with = wait_until(Instant::now() + EVENT_PATIENCE, || {
        std::fs::read_to_string(&opened)
            .ok()
            .filter(|with| with.ends_with('|'))
    });
    assert_eq!(with, Some(format!("{}|", waiting.url)));

    // 3. A lock ends the session in which it would be approved, and with it the approval.
    alice.sees_request(&waiting);
    signet.ok(&["lock", "--user=alice", "--message=laptop stolen"]);
    alice.approves(&waiting.code, PASSWORD);
    alice.sees("did not ask for a key");
    alice.done("open the page", alice.browser.open(&waiting.url));
    alice.sees("Log in");
    let cut = signet.events("user.login.browser");
    assert!(cut.is_empty(), "{cut:#?}");
}

#[test]
fn somebody_with_nothing_but_a_key_does_everything_in_a_terminal() {
    let signet = Signet::start(Settings::whole());
    signet.create_role("guarded", "{require_session_mfa: true}");
    let alice = Visitor::new(&signet, "alice");
    let link = alice.invited("editor,guarded");
    let (_key, _codes) = alice.sign_up_with_key(&link);
    let desk = Desk::new(&signet, "alice");
    let identity = desk.directory.join("alice.pem");
    let out = format!("--out={}", identity.display());
    let waiting = desk.asks("log-in", &["--no-open", "--user=alice", &out], |_| {});
    alice.sees_request(&waiting);
    alice.approves(&waiting.code, PASSWORD);
    alice.sees("Approved");
    let outcome = waiting.program.outcome();
    assert!(outcome.success(), "{}\n{}", outcome.text(), signet.log());
    let who = ("user", "alice");

    // 1. A rotation from elsewhere asks for the key by itself, on a page that says so.
    let rotate = ["auth", "rotate", "--manual", "--type=user", "--phase=init"];
    let refused = signet.ctl_remote(&identity, &rotate);
    assert_eq!(refused.code, 3, "{}", refused.text());
    assert!(refused.stderr.contains("--browser"), "{}", refused.stderr);
    let waiting = desk.waits(signet.ctl_remote_in_terminal("rotate", &identity, &rotate));
    let shown = alice.sees_asked(&waiting, "Approve for the command line?");
    assert!(
        shown.contains("alice asks to rotate authorities") && shown.contains("127.0.0.1"),
        "{shown}"
    );
    alice.judges("cli-act");
    assert_eq!(signet.status().authority("user").phase, "standby");
    alice.approves(&waiting.code, PASSWORD);
    alice.sees("The program goes on");
    let code = waiting.code.clone();
    let done = waiting.program.outcome();
    assert_eq!(done.code, 0, "{}\n{}", done.text(), signet.log());
    assert_eq!(signet.status().authority("user").phase, "init");
    let good = ("success", "true");
    let _event = signet.event(
        "privilege_token.create",
        &[who, good, ("purpose", "rotate"), ("method", "password+webauthn")],
    );
    let approved = signet.event("privilege_token.browser", &[who, good, ("purpose", "rotate")]);
    assert_eq!(approved.text("shown_code"), code);

    // 2. So does a session on a server that wants one.
    let as_alice = format!("--identity={}", identity.display());
    let is_online = wait_until(Instant::now() + EVENT_PATIENCE, || {
        let listed = desk.runs(&[&as_alice, "ls"]).stdout;
        listed.contains("online").then_some(())
    });
    assert!(is_online.is_some(), "{}", signet.log());
    let target = format!("{}@{HOST}", account());
    let session = ["ssh", "--browser", "--no-open", &target, "--", "echo here"];
    let waiting = desk.wants("ssh", &[&[as_alice.as_str()], &session[..]].concat());
    let shown = alice.sees_asked(&waiting, &format!("Open a session on {HOST}?"));
    assert!(shown.contains(&format!("on {HOST} as {}", account())), "{shown}");
    alice.judges("cli-session");
    alice.approves(&waiting.code, PASSWORD);
    alice.sees("The program goes on");
    let ran = waiting.program.outcome();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "here\n"),
        "{}\n{}",
        ran.stderr,
        signet.log()
    );
    let _event = signet.event("mfa.session", &[who, good, ("method", "password+webauthn")]);

    // 3. And a change of second factors.
    let add = [
        as_alice.as_str(),
        "mfa",
        "add",
        "--name=phone",
        "--browser",
        "--no-open",
    ];
    let mut waiting = desk.wants("mfa-add", &add);
    alice.sees_asked(&waiting, "Approve for the command line?");
    alice.sees("add or remove one of your second factors");
    alice.approves(&waiting.code, PASSWORD);
    alice.sees("The program goes on");
    let said = waiting.program.until_says("URL:");
    let secret = said.lines().find_map(|line| line.strip_prefix("Secret: "));
    waiting.program.tell(&CodeMaker::new(secret.unwrap()).next_code());
    let added = waiting.program.outcome();
    assert!(added.success(), "{}\n{}", added.text(), signet.log());
    let _event = signet.event("mfa.add", &[who, good, ("device_name", "phone")]);

    // 4. What is refused in the browser does not happen.
    let remove = [
        as_alice.as_str(),
        "mfa",
        "rm",
        "blue key",
        "--browser",
        "--no-open",
    ];
    let waiting = desk.wants("mfa-rm", &remove);
    alice.sees_asked(&waiting, "Approve for the command line?");
    alice.click(".refuse");
    alice.sees("Refused");
    let outcome = waiting.program.outcome();
    assert_eq!(outcome.code, 3, "{}", outcome.text());
    let _event = signet.event("privilege_token.browser", &[who, ("success", "false")]);
    alice.has_no_complaints();
}
