//! The daemon as its operator meets it: the real program, a real directory, real signals, and `curl` on the socket.

#![cfg(test)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// For what the daemon does by itself; its slowest work comes round every minute, on an idle machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// A directory with a configuration.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: TempDir::with_prefix("signetd-").unwrap(),
        };
        place.configure("auth_service: {cluster_name: example.com, listen_addr: '127.0.0.1:0', web_listen_addr: '127.0.0.1:0'}\n");
        place
    }

    fn configure(&self, text: &str) {
        // These tests are about the auth service: nothing else is to listen.
        let alone = "proxy_service: {enabled: false}\nssh_service: {enabled: false}\n";
        fs::write(self.config(), format!("{alone}{text}")).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("signet.yaml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start_command(&self) -> Command {
        let mut command = signetd();
        command
            .arg("start")
            .arg("--config")
            .arg(self.config())
            .arg("--data-dir")
            .arg(self.data());
        command.env("HOME", self.folder.path());
        command
    }

    /// Starts, and waits until the socket answers.
    fn start(&self) -> Daemon {
        let out = fs::File::create(self.folder.path().join("out")).unwrap();
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let child = self
            .start_command()
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Daemon {
            child,
            folder: self.folder.path().to_owned(),
        };
        let deadline = Instant::now() + PATIENCE;
        while !daemon.said().contains("socket ") {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("{status}: {}", daemon.log());
            }
            assert!(Instant::now() < deadline, "it does not come up: {}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    /// Whether the state holds an anchor that covers this run of the daemon: its first tick is over.
    fn state_knows_the_head_of(&self, daemon: &Daemon) -> bool {
        let events = daemon.curl("/v1/audit/events?kinds=instance.start&newest_first=true&limit=1");
        let started = events["events"][0]["ei"].as_u64().unwrap();
        let state = rusqlite::Connection::open(self.data().join("backend/state.db")).unwrap();
        let found = state.query_row(
            "SELECT value FROM document WHERE path = 'ledger/anchor'",
            [],
            |row| row.get::<_, Vec<u8>>(0),
        );
        let anchor = found
            .ok()
            .map(|value| serde_json::from_slice::<Value>(&value).unwrap());
        anchor.is_some_and(|anchor| anchor["sequence"].as_u64().unwrap() >= started)
    }

    /// Starts, and expects that to be refused.
    fn refused(&self) -> String {
        let output = self.start_command().output().unwrap();
        failure(&output)
    }
}

/// A running daemon; killed when dropped.
struct Daemon {
    child: Child,
    folder: PathBuf,
}

impl Daemon {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("out")).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    fn curl(&self, path: &str) -> Value {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--unix-socket"])
            .arg(self.folder.join("data/signet.sock"))
            .arg(format!("http://signet{path}"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{path}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn stop(mut self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signetd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signetd"));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// What a program that failed said, in the form that people are promised.
fn failure(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().any(|line| line.starts_with("error: ")), "{said}");
    said
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_cluster_is_made_once_and_comes_back_as_it_was() {
    let place = Place::new();
    let first = place.start();
    let said = first.said();
    for words in [
        "Made the cluster",
        "host       SSH",
        "Next",
        "signetctl status",
        place.data().to_str().unwrap(),
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let status = first.curl("/v1/status");
    assert_eq!(
        (
            status["cluster"].as_str(),
            status["authorities"].as_array().map(Vec::len)
        ),
        (Some("example.com"), Some(11))
    );
    assert_eq!(
        first
            .curl("/v1/doctor")
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["severity"] == "error"),
        None
    );

    // Everything is for this user alone.
    let mut folders = vec![place.data()];
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(
                    fs::metadata(&path).unwrap().mode() & 0o077,
                    0,
                    "{}",
                    path.display()
                );
            }
        }
    }
    assert_eq!(mode(&place.data().join("signet.sock")), 0o600);
    first.stop(Signal::SIGTERM);
    assert!(!place.data().join("signet.sock").exists());

    let second = place.start();
    let said = second.said();
    assert!(
        said.starts_with("Cluster example.com is up") && said.lines().count() == 1,
        "{said}"
    );
    let again = second.curl("/v1/status");
    for field in ["ca_pins", "server_id", "authorities"] {
        assert_eq!(status[field], again[field], "{field}");
    }
    let events = second.curl("/v1/audit/events?kinds=instance.start,instance.stop");
    let names: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["instance.start", "instance.stop", "instance.start"]);
    assert_eq!(second.curl("/v1/audit/verify")["ok"], true);
    second.stop(Signal::SIGINT);
}

#[test]
fn a_daemon_that_was_killed_starts_again() {
    let place = Place::new();
    let first = place.start();
    let before = first.curl("/v1/status");
    drop(first);
    assert!(
        place.data().join("signet.sock").exists(),
        "the dead leave their socket"
    );
    let second = place.start();
    assert_eq!(second.curl("/v1/status")["ca_pins"], before["ca_pins"]);
    assert_eq!(second.curl("/v1/audit/verify")["ok"], true);
}

#[test]
fn two_daemons_on_one_directory_are_one_too_many() {
    let place = Place::new();
    let first = place.start();
    let refused = place.refused();
    assert!(
        refused.contains("in use by process") && refused.contains(&first.child.id().to_string()),
        "{refused}"
    );
    assert_eq!(first.curl("/v1/version")["api"], 1, "the first is not disturbed");
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = place.refused();
    assert!(
        refused.contains("mode 0755") && refused.contains("hint: run `chmod 700"),
        "{refused}"
    );
}

#[test]
fn another_cluster_is_not_taken_for_this_one() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    place.configure("auth_service: {cluster_name: example.org, listen_addr: '127.0.0.1:0', web_listen_addr: '127.0.0.1:0'}\n");
    let refused = place.refused();
    assert!(
        refused.contains("example.com")
            && refused.contains("example.org")
            && refused.contains("auth_service.cluster_name"),
        "{refused}"
    );
    // A cluster that is not named in the configuration is the one that is there, whatever the host is called.
    place.configure("auth_service: {listen_addr: '127.0.0.1:0', web_listen_addr: '127.0.0.1:0'}\n");
    assert_eq!(place.start().curl("/v1/status")["cluster"], "example.com");
}

#[test]
fn what_was_lost_is_named_and_nothing_is_made_in_its_place() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    for (lost, words) in [
        ("backend/state.db", "would make a second cluster"),
        ("backend/ledger.db", "ledger.db is missing"),
        ("sealing.key", "sealing.key is missing"),
        ("server_id", "server_id is missing"),
    ] {
        let (path, kept) = (place.data().join(lost), place.folder.path().join("kept"));
        fs::rename(&path, &kept).unwrap();
        let refused = place.refused();
        assert!(
            refused.contains(words) && refused.contains("backup"),
            "{lost}: {refused}"
        );
        assert!(!path.exists(), "{lost} was made anew");
        fs::rename(&kept, &path).unwrap();
    }
    place.start().stop(Signal::SIGTERM);
}

#[test]
fn damaged_and_foreign_databases_are_refused() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    for database in ["backend/state.db", "backend/ledger.db"] {
        let path = place.data().join(database);
        let good = fs::read(&path).unwrap();
        fs::write(&path, "this is no database, and never was one").unwrap();
        let refused = place.refused();
        assert!(
            refused.contains(database.rsplit('/').next().unwrap()),
            "{database}: {refused}"
        );
        fs::write(&path, good).unwrap();
    }
    fs::write(
        place.data().join("sealing.key"),
        format!("signet-sealing-key-1 {}\n", "00".repeat(32)),
    )
    .unwrap();
    let refused = place.refused();
    assert!(refused.contains("sealing key"), "{refused}");
}

#[test]
fn an_audit_log_that_was_put_back_is_noticed() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    let ledger = place.data().join("backend/ledger.db");
    let older = fs::read(&ledger).unwrap();
    // Another run writes more, and how far the log goes is written down elsewhere.
    let second = place.start();
    let deadline = Instant::now() + PATIENCE;
    while !place.state_knows_the_head_of(&second) {
        assert!(Instant::now() < deadline, "the head is never written down");
        std::thread::sleep(Duration::from_millis(50));
    }
    second.stop(Signal::SIGTERM);
    fs::write(&ledger, older).unwrap();

    let third = place.start();
    let verdict = third.curl("/v1/audit/verify");
    assert_eq!(verdict["ok"], false, "{verdict}");
    let has_alert = || {
        let alerts = third.curl("/v1/alerts");
        let alerts = alerts.as_array().unwrap();
        alerts
            .iter()
            .any(|alert| alert["id"] == "audit-log/anchor" && alert["severity"] == "high")
    };
    let deadline = Instant::now() + PATIENCE;
    while !has_alert() {
        assert!(Instant::now() < deadline, "{}", third.curl("/v1/alerts"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_address_in_use_makes_no_cluster() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    place.configure(&format!("auth_service: {{cluster_name: example.com, listen_addr: '{address}', web_listen_addr: '127.0.0.1:0'}}\n"));
    let refused = place.refused();
    assert!(
        refused.contains("auth_service.listen_addr") && refused.contains(&address.to_string()),
        "{refused}"
    );
    assert!(!place.data().join("backend/state.db").exists());
}

#[test]
fn a_configuration_is_checked_before_anything_is_made() {
    let place = Place::new();
    for (text, words) in [
        (
            "auth_service: {cluster_nmae: x}\n",
            ["auth_service.cluster_nmae", "did you mean `cluster_name`?"],
        ),
        (
            "auth_service: {enabled: false}\n",
            ["auth_service.enabled", "nothing to run"],
        ),
        (
            "auth_service: {ca_key_params: {pkcs11: {module_path: /no/such.so, token_label: a, pin: '12345678'}}, listen_addr: '127.0.0.1:0', web_listen_addr: '127.0.0.1:0'}\n",
            ["auth_service.ca_key_params.pkcs11", "/no/such.so"],
        ),
    ] {
        place.configure(text);
        let refused = place.refused();
        for word in words {
            assert!(refused.contains(word), "{word:?} is not in: {refused}");
        }
        assert!(!refused.contains("12345678"), "{refused}");
    }
    let output = signetd()
        .args(["config", "check"])
        .arg(place.config())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "a missing module is found at the start, not in the text"
    );
    let missing = signetd()
        .args(["config", "check", "/no/such.yaml"])
        .output()
        .unwrap();
    assert!(failure(&missing).contains("signetd configure"));
}

#[test]
fn the_sample_is_a_configuration() {
    let place = Place::new();
    let sample = signetd().arg("configure").output().unwrap();
    fs::write(place.config(), &sample.stdout).unwrap();
    let output = signetd()
        .args(["config", "check"])
        .arg(place.config())
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let version = signetd().arg("version").output().unwrap();
    assert_eq!(
        String::from_utf8(version.stdout).unwrap(),
        format!("signetd {}\n", env!("CARGO_PKG_VERSION"))
    );
}

/// Empties a database, and what SQLite keeps beside it.
fn empty(database: &Path) {
    fs::write(database, "").unwrap();
    for beside in ["-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(beside);
        let _ = fs::remove_file(PathBuf::from(path));
    }
}

#[test]
fn emptied_databases_make_no_second_cluster() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    let folder = place.data().join("backend");
    let (state, ledger) = (folder.join("state.db"), folder.join("ledger.db"));
    let (good_state, good_ledger) = (fs::read(&state).unwrap(), fs::read(&ledger).unwrap());

    empty(&state);
    for _ in 0..2 {
        let refused = place.refused();
        assert!(
            refused.contains("would make a second one") && refused.contains("ledger.db tells of a cluster"),
            "{refused}"
        );
    }
    empty(&ledger);
    let refused = place.refused();
    assert!(refused.contains("/log tells of a cluster"), "{refused}");

    fs::write(&state, &good_state).unwrap();
    let refused = place.refused();
    assert!(
        refused.contains("ledger.db is empty") && refused.contains("backup"),
        "{refused}"
    );
    empty(&ledger);
    fs::write(&ledger, &good_ledger).unwrap();
    place.start().stop(Signal::SIGTERM);
}

#[test]
fn the_last_entry_of_a_graceful_stop_cannot_be_cut_off_unseen() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    let ledger = rusqlite::Connection::open(place.data().join("backend/ledger.db")).unwrap();
    let last: i64 = ledger
        .query_row("SELECT sequence FROM head", [], |row| row.get(0))
        .unwrap();
    let before: String = ledger
        .query_row("SELECT line FROM event WHERE sequence = ?1", [last - 1], |row| {
            row.get(0)
        })
        .unwrap();
    let hash = before.rsplit("\"hash\":\"").next().unwrap()[..64].to_owned();
    ledger
        .execute_batch(&format!(
            "DELETE FROM event WHERE sequence = {last};
             UPDATE head SET sequence = {}, hash = x'{hash}', exported = {};",
            last - 1,
            last - 1
        ))
        .unwrap();
    drop(ledger);
    for day in fs::read_dir(place.data().join("log")).unwrap() {
        let day = day.unwrap().path();
        if day.is_symlink() {
            continue;
        }
        let kept: String = fs::read_to_string(&day)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with(&format!("{{\"ei\":{last},")))
            .map(|line| format!("{line}\n"))
            .collect();
        fs::write(&day, kept).unwrap();
    }
    // Every start appends, so that the log soon is as long as it was, and longer.
    for round in 0..3 {
        let daemon = place.start();
        let verdict = daemon.curl("/v1/audit/verify");
        assert_eq!(verdict["ok"], false, "start {round}: {verdict}");
        let alerts = daemon.curl("/v1/alerts");
        let has_alert = alerts
            .as_array()
            .unwrap()
            .iter()
            .any(|alert| alert["id"] == "audit-log/anchor");
        assert!(has_alert, "start {round}: {alerts}");
        daemon.stop(Signal::SIGTERM);
    }
}

#[test]
fn the_greeting_names_the_format_that_sshd_reads() {
    let place = Place::new();
    let said = place.start().said();
    let line = said
        .lines()
        .find(|line| line.contains("TrustedUserCAKeys"))
        .unwrap();
    assert!(line.contains("--format=public_keys"), "{said}");
}

#[test]
fn a_named_configuration_comes_before_an_exported_data_directory() {
    let place = Place::new();
    let (own, exported) = (
        place.folder.path().join("own"),
        place.folder.path().join("exported"),
    );
    place.configure(&format!(
        "signet: {{data_dir: {}}}\nauth_service: {{listen_addr: '127.0.0.1:0', web_listen_addr: '127.0.0.1:0'}}\n",
        own.display()
    ));
    let mut child = signetd()
        .arg("start")
        .arg("--config")
        .arg(place.config())
        .env("SIGNET_DATA_DIR", &exported)
        .env("HOME", place.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !own.join("signet.sock").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(own.join("signet.sock").exists() && !exported.exists());
}

/// Examines without starting.
fn doctor(place: &Place, format: &str) -> (bool, String) {
    let output = signetd()
        .args(["doctor", "--format", format, "--config"])
        .arg(place.config())
        .arg("--data-dir")
        .arg(place.data())
        .env("HOME", place.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said)
}

/// Where the log and the state stand.
fn contents(place: &Place) -> Vec<Vec<String>> {
    let rows = |database: &str, select: &str| {
        let connection = rusqlite::Connection::open(place.data().join("backend").join(database)).unwrap();
        let mut statement = connection.prepare(select).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    vec![
        rows("ledger.db", "SELECT sequence || ' ' || exported FROM head"),
        rows("ledger.db", "SELECT line FROM event ORDER BY sequence"),
        rows(
            "state.db",
            "SELECT path || ' ' || hex(value) FROM document ORDER BY path",
        ),
    ]
}

#[test]
fn the_doctor_examines_a_server_that_does_not_run() {
    let place = Place::new();
    let (is_good, said) = doctor(&place, "text");
    assert!(
        is_good && !place.data().exists(),
        "before the first start nothing is made: {said}"
    );
    place.start().stop(Signal::SIGTERM);
    let content = contents(&place);
    let (is_good, said) = doctor(&place, "json");
    assert!(is_good, "{said}");
    let findings: Value = serde_json::from_str(&said).unwrap();
    for id in [
        "data_dir",
        "data_dir.files",
        "clock",
        "log",
        "state",
        "keys",
        "backend.raw",
    ] {
        let is_found = findings
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["id"] == id);
        assert!(is_found, "{id} is not in {said}");
    }
    assert_eq!(contents(&place), content, "it changes nothing");

    let daemon = place.start();
    let (is_good, said) = doctor(&place, "text");
    assert!(!is_good && said.contains("in use by process"), "{said}");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn the_doctor_says_why_a_server_does_not_start() {
    let place = Place::new();
    place.start().stop(Signal::SIGTERM);
    place.configure("auth_service: {ca_key_params: {pkcs11: {module_path: /no/such.so, token_label: a, pin: '12345678'}}}\n");
    let (is_good, said) = doctor(&place, "text");
    assert!(
        !is_good && said.contains("/no/such.so") && said.contains("fix: "),
        "{said}"
    );
    assert!(!said.contains("12345678"), "{said}");
    place.configure("auth_service: {}\n");
    fs::rename(place.data().join("sealing.key"), place.folder.path().join("kept")).unwrap();
    let (is_good, said) = doctor(&place, "text");
    assert!(!is_good && said.contains("sealing.key is missing"), "{said}");
}

#[test]
fn a_machine_that_can_never_join_says_what_to_run_and_ends() {
    let folder = TempDir::with_prefix("signetd-").unwrap();
    let ssh = folder.path().join("signet.yaml");
    fs::write(&ssh, "ssh_service: {listen_addr: '127.0.0.1:0'}\n").unwrap();
    let start = |roles: &str| {
        let mut command = signetd();
        command
            .args(["start", "--proxy=127.0.0.1:1", roles, "--config"])
            .arg(&ssh);
        command.arg("--data-dir").arg(folder.path().join("data"));
        command.env("HOME", folder.path()).env_remove("SIGNET_TOKEN");
        command.output().unwrap()
    };
    let told = failure(&start("--roles=node"));
    assert!(told.contains("this machine cannot join the cluster"), "{told}");
    assert!(told.contains("signetctl nodes add"), "{told}");
    // What has no service yet is said, and is no reason not to start.
    let told = failure(&start("--roles=node,app,db"));
    for role in ["app", "db"] {
        assert!(
            told.contains(&format!("role=\"{role}\"")) || told.contains(&format!("role={role}")),
            "{told}"
        );
    }
    assert!(told.contains("cannot join"), "{told}");
    let told = failure(&start("--roles=proxy"));
    assert!(told.contains("no machine joins as proxy"), "{told}");
}
