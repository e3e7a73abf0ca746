//! Sessions that end here and go on to a real `sshd`, with a credential made for it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use parts::sshd::Sshd;
use parts::sshd::SshdOptions;
use runtime::Clock;
use ssh_node::*;
use tempfile::TempDir;

use crate::world::*;

crate::tests! {
    commands_files_and_terminals_go_on_to_sshd
    a_host_that_cannot_prove_itself_gets_nothing
}

/// Connects to the test's sshd with a certificate of the authority it trusts.
struct ToSshd {
    directory: PathBuf,
    port: u16,
    host_name: &'static str,
}

#[async_trait::async_trait]
impl Connector for ToSshd {
    async fn connect(&self, admission: &Admission) -> Result<Route, BackendFault> {
        let read = |name: &str| std::fs::read_to_string(self.directory.join(name)).unwrap();
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await;
        let clock = SystemClock {
            ahead: std::sync::Mutex::new(0),
        };
        Ok(Route {
            stream: Box::new(stream.map_err(|error| BackendFault(error.to_string()))?),
            login: admission.login.clone(),
            credential: Credential::from_openssh(&read("ephemeral"), &read("ephemeral-cert.pub")).unwrap(),
            trust: HostTrust {
                authorities: vec![authority(&self.directory.join("openssh-ca.pub"))].into(),
                names: vec![self.host_name.to_owned()],
                fingerprints: Vec::new(),
                now: clock.now(),
            },
        })
    }
}

fn behind(host_name: &'static str) -> (Sshd, TempDir, World) {
    let directory = TempDir::with_prefix("ssh-node-remote-").unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["openssh-ca", "ephemeral", "sshd-host"] {
        parts::ssh::ssh_keygen("ed25519", &path(name)).unwrap();
    }
    let by_openssh = Wanted {
        authority: "openssh-ca",
        ..good("alice", own_account())
    };
    sign(directory.path(), "ephemeral", by_openssh);
    let host = Wanted {
        is_host: true,
        principals: "web-1",
        ..by_openssh
    };
    sign(directory.path(), "sshd-host", host);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let sshd = Sshd::start(&SshdOptions {
        trusted_user_cas: read("openssh-ca.pub"),
        host_key: read("sshd-host"),
        host_certificate: Some(read("sshd-host-cert.pub")),
        extra_configuration: "Subsystem sftp internal-sftp\n".to_owned(),
        ..SshdOptions::default()
    })
    .unwrap();
    let connector = ToSshd {
        directory: directory.path().to_owned(),
        port: sshd.port(),
        host_name,
    };
    let target = RemoteTarget {
        connector: Arc::new(connector),
    };
    let world = World::build(|_| {}, Arc::new(NoTee), Some(Arc::new(target)));
    (sshd, directory, world)
}

fn commands_files_and_terminals_go_on_to_sshd() {
    let (_sshd, _directory, world) = behind("web-1");
    let outcome = world.run("echo out; echo err >&2; exit 7");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (7, "out\n"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("err"), "{}", outcome.stderr);
    let key = world.user("alice");
    let outcome = run(world.ssh(&key, own_account(), &["-tt"]).arg("tty"));
    assert!(outcome.stdout.contains("/dev/pts/"), "{}", outcome.text());
    assert_eq!(world.run("kill -KILL $$").code, 255);
    let local = world.path("local");
    let data: Vec<u8> = (0..4_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8)
        .collect();
    std::fs::write(&local, &data).unwrap();
    let there = world.path("there");
    let mut scp = Command::new("scp");
    scp.args(world.options(&key))
        .args(["-q", "-P", &world.address.port().to_string()]);
    let outcome = run(scp
        .arg(&local)
        .arg(format!("{}@127.0.0.1:{}", own_account(), there.display())));
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert!(std::fs::read(&there).unwrap() == data);
    let outcome = world.run(&format!("cat {}", there.display()));
    assert_eq!(outcome.code, 0);
    let signal = Exit::Signal {
        name: "KILL".to_owned(),
        is_core_dumped: false,
    };
    assert!(world.ends().contains(&signal), "{:?}", world.ends());
}

fn a_host_that_cannot_prove_itself_gets_nothing() {
    let (sshd, _directory, world) = behind("web-2");
    let outcome = world.run("echo in");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (255, ""));
    assert!(
        outcome.stderr.contains("did not prove who it is"),
        "{}",
        outcome.stderr
    );
    assert!(!sshd.log().contains("Accepted"), "{}", sshd.log());
}
