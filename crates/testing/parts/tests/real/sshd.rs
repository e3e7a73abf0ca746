use std::fs::read_to_string;
use std::path::PathBuf;

use parts::process::Outcome;
use parts::ssh::{
    Client, Login, SignRequest, cert_authority_lines, ssh_keygen, ssh_keygen_list, ssh_keygen_sign,
};
use parts::sshd::{Sshd, SshdOptions};
use tempfile::TempDir;

/// Two authorities, a host key with its certificate, and a user's key.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for name in ["user_ca", "other_ca", "host_ca", "host", "alice"] {
            ssh_keygen("ed25519", &keys.path(name)).unwrap();
        }
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        read_to_string(self.path(name)).unwrap()
    }

    fn sign(&self, ca: &str, key: &str, host: bool, principals: &[&str]) -> PathBuf {
        let request = SignRequest {
            ca_key: &self.path(ca),
            public_key: &self.path(&format!("{key}.pub")),
            host,
            key_id: key,
            principals,
            validity: "-5m:+1h",
        };
        ssh_keygen_sign(request).unwrap()
    }

    fn server(&self) -> SshdOptions {
        let certificate = self.sign("host_ca", "host", true, &["node.example"]);
        SshdOptions {
            trusted_user_cas: self.text("user_ca.pub"),
            host_key: self.text("host"),
            host_certificate: Some(read_to_string(certificate).unwrap()),
            ..SshdOptions::default()
        }
    }

    fn login(&self, server: &Sshd, known_hosts: &str) -> Outcome {
        let login = Login {
            port: server.port(),
            user: server.user(),
            key: &self.path("alice"),
            certificate: &self.path("alice-cert.pub"),
            known_hosts,
            host_alias: Some("node.example"),
        };
        Client::new().unwrap().run(login, "echo in; exit 7").unwrap()
    }

    fn known_hosts(&self, ca: &str) -> String {
        cert_authority_lines("node.example", [self.text(&format!("{ca}.pub")).as_str()])
    }
}

#[test]
fn a_certificate_for_the_account_logs_in() {
    let keys = Keys::new();
    let server = Sshd::start(&keys.server()).unwrap();
    let certificate = keys.sign("user_ca", "alice", false, &[server.user()]);
    assert!(
        ssh_keygen_list(&certificate)
            .unwrap()
            .contains("Key ID: \"alice\"")
    );

    let outcome = keys.login(&server, &keys.known_hosts("host_ca"));
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (7, "in\n"),
        "{}\n{}",
        outcome.stderr,
        server.log()
    );
    assert!(server.log().contains("ID alice"), "{}", server.log());
}

#[test]
fn a_certificate_for_someone_else_is_refused() {
    let keys = Keys::new();
    let server = Sshd::start(&keys.server()).unwrap();
    keys.sign("user_ca", "alice", false, &["somebody-else"]);
    let outcome = keys.login(&server, &keys.known_hosts("host_ca"));
    assert_eq!(outcome.code, 255, "{}", outcome.text());
    assert!(
        server.log().contains("name is not a listed principal"),
        "{}",
        server.log()
    );
}

#[test]
fn principals_and_revocations_come_from_files() {
    let keys = Keys::new();
    let options = SshdOptions {
        authorized_principals: Some("ops\n".to_owned()),
        revoked_keys: Some(Vec::new()),
        ..keys.server()
    };
    let server = Sshd::start(&options).unwrap();
    keys.sign("user_ca", "alice", false, &["ops"]);
    assert_eq!(
        keys.login(&server, &keys.known_hosts("host_ca")).code,
        7,
        "{}",
        server.log()
    );

    server
        .set_revoked_keys(keys.text("alice.pub").as_bytes())
        .unwrap();
    assert_eq!(
        keys.login(&server, &keys.known_hosts("host_ca")).code,
        255,
        "{}",
        server.log()
    );
}

#[test]
fn trust_in_users_changes_at_once() {
    let keys = Keys::new();
    let server = Sshd::start(&keys.server()).unwrap();
    keys.sign("other_ca", "alice", false, &[server.user()]);
    assert_eq!(
        keys.login(&server, &keys.known_hosts("host_ca")).code,
        255,
        "{}",
        server.log()
    );

    server
        .set_trusted_user_cas(&(keys.text("user_ca.pub") + &keys.text("other_ca.pub")))
        .unwrap();
    assert_eq!(
        keys.login(&server, &keys.known_hosts("host_ca")).code,
        7,
        "{}",
        server.log()
    );
}

#[test]
fn a_host_of_another_authority_is_refused_until_it_presents_a_certificate_of_this_one() {
    let keys = Keys::new();
    let mut server = Sshd::start(&keys.server()).unwrap();
    keys.sign("user_ca", "alice", false, &[server.user()]);
    let refused = keys.login(&server, &keys.known_hosts("other_ca"));
    assert!(
        refused.code == 255 && refused.stderr.contains("Host key verification failed"),
        "{}",
        refused.text()
    );

    let certificate = keys.sign("other_ca", "host", true, &["node.example"]);
    server
        .set_host_certificate(&keys.text("host"), &read_to_string(certificate).unwrap())
        .unwrap();
    assert_eq!(
        keys.login(&server, &keys.known_hosts("other_ca")).code,
        7,
        "{}",
        server.log()
    );
}
