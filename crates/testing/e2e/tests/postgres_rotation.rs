//! PostgreSQL that logs in by certificate, through rotations of both database authorities, configured as
//! `docs/operating/databases.md` says: each server is reconfigured twice in a rotation, and each client once or twice.
//! MariaDB shows once that the same files serve it.

#![cfg(test)]

use std::path::PathBuf;

use e2e::{Phase, Settings, Signet, TlsCredential, rotate};
use parts::mariadb::{Mariadb, MariadbTls};
use parts::openssl::{Chain, verify_strict};
use parts::postgres::{PgLogin, PgTls, Postgres};
use parts::process::Outcome;

const AUTHORITIES: [&str; 2] = ["db", "db_client"];

/// A cluster, a database server configured with its files, and what clients trust.
struct World {
    signet: Signet,
    postgres: Postgres,
    /// What clients trust servers by: `sslrootcert`.
    root_ca: PathBuf,
    reconfigured: usize,
    issued: usize,
}

/// A client's certificate, and what it is called in messages.
struct Alice {
    what: String,
    credential: TlsCredential,
}

impl World {
    fn new() -> Self {
        let signet = Signet::start(Settings::default());
        let server = server_files(&signet, "server-0");
        let postgres = Postgres::start(tls(&server)).unwrap();
        postgres.administer("create user alice; create user bob").unwrap();
        let root_ca = signet.export_to("root-0.pem", &["--type=db"]);
        Self {
            signet,
            postgres,
            root_ca,
            reconfigured: 0,
            issued: 0,
        }
    }

    fn rotate_all(&self, phase: Phase) {
        for authority in AUTHORITIES {
            rotate(&self.signet, authority, phase);
        }
    }

    /// The document's "reconfigure the database": new files by `auth sign --format db`, and a reload.
    fn reconfigure_server(&mut self) {
        self.reconfigured += 1;
        let server = server_files(&self.signet, &format!("server-{}", self.reconfigured));
        self.postgres.reload(tls(&server)).unwrap();
    }

    /// The document's "teach the clients": the server authority's certificates, exported again.
    fn export_to_clients(&mut self) {
        self.issued += 1;
        self.root_ca = self
            .signet
            .export_to(&format!("root-{}.pem", self.issued), &["--type=db"]);
    }

    fn issue_client(&mut self, when: &str) -> Alice {
        self.issued += 1;
        let credential = client_files(&self.signet, &format!("alice-{}", self.issued), "alice");
        Alice {
            what: format!("the certificate issued {when}"),
            credential,
        }
    }

    fn login(&self, alice: &Alice, user: &str) -> Outcome {
        let login = PgLogin {
            user,
            certificate: &alice.credential.certificate,
            key: &alice.credential.key,
            root_ca: &self.root_ca,
        };
        let sql = "select current_user, client_dn from pg_stat_ssl where pid = pg_backend_pid()";
        self.postgres.psql(login, sql).unwrap()
    }

    #[track_caller]
    fn logs_in<'a>(&self, clients: impl IntoIterator<Item = &'a Alice>, now: &str) {
        for alice in clients {
            let outcome = self.login(alice, "alice");
            assert!(
                outcome.success() && outcome.stdout.starts_with("alice|"),
                "{} does not log in {now}: {}\n{}",
                alice.what,
                outcome.text(),
                self.postgres.log()
            );
        }
    }

    /// The server refuses the client, not the client the server.
    #[track_caller]
    fn refuses<'a>(&self, clients: impl IntoIterator<Item = &'a Alice>, now: &str) {
        for alice in clients {
            let outcome = self.login(alice, "alice");
            assert_eq!(
                outcome.code,
                2,
                "{} logs in {now}: {}",
                alice.what,
                outcome.text()
            );
            assert!(outcome.stderr.contains("unknown ca"), "{}", outcome.stderr);
        }
    }
}

fn server_files(signet: &Signet, name: &str) -> TlsCredential {
    signet.sign_tls("db", name, &["--host=localhost,127.0.0.1"])
}

fn client_files(signet: &Signet, name: &str, user: &str) -> TlsCredential {
    signet.sign_tls("db-client", name, &["--user", user])
}

fn tls(server: &TlsCredential) -> PgTls<'_> {
    PgTls {
        server_cert: &server.certificate,
        server_key: &server.key,
        ca_file: &server.authorities,
    }
}

fn issuer(credential: &TlsCredential) -> String {
    let text = parts::openssl::certificate_text(&credential.certificate).unwrap();
    text.lines()
        .find(|line| line.contains("Issuer: "))
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn postgresql_is_reconfigured_twice_in_a_rotation_and_never_closed_to_anybody() {
    // 1. Standby. The command says what to put into the configuration.
    let mut world = World::new();
    let server = server_files(&world.signet, "hints");
    for word in ["ssl_cert_file", "ssl_key_file", "ssl_ca_file"] {
        assert!(server.hints.contains(word), "no {word} in: {}", server.hints);
    }
    let before = world.issue_client("in standby");
    world.logs_in([&before], "in standby");
    let other = world.login(&before, "bob");
    assert_eq!(other.code, 2, "alice's certificate logs bob in: {}", other.text());

    // 2. Init: clients learn the new authority of servers; only then is the server reconfigured, for the first time. Its
    //    certificate is of the new keys already.
    world.rotate_all(Phase::Init);
    world.logs_in([&before], "in init, before anything was done");
    world.export_to_clients();
    world.logs_in([&before], "in init, clients taught");
    world.reconfigure_server();
    let in_init = world.issue_client("in init");
    world.logs_in([&before, &in_init], "in init, the server reconfigured");
    let new_server = server_files(&world.signet, "new-server");
    assert_ne!(
        issuer(&server),
        issuer(&new_server),
        "the db authority does not issue from its new keys in init"
    );
    assert_eq!(
        issuer(&before.credential),
        issuer(&in_init.credential),
        "the db_client authority does"
    );

    // 3. Update clients: clients get certificates of the new keys.
    world.rotate_all(Phase::UpdateClients);
    let in_clients = world.issue_client("in update_clients");
    assert_ne!(issuer(&before.credential), issuer(&in_clients.credential));
    world.logs_in([&before, &in_init, &in_clients], "in update_clients");

    // 4. Update servers: nothing to do, they were reconfigured in init.
    world.rotate_all(Phase::UpdateServers);
    let in_servers = world.issue_client("in update_servers");
    world.logs_in([&before, &in_init, &in_clients, &in_servers], "in update_servers");

    // 5. Standby: the second and last visit to the server, and clients drop the old authority.
    world.rotate_all(Phase::Standby);
    world.logs_in([&in_clients, &in_servers], "in standby, before the last visit");
    world.reconfigure_server();
    world.export_to_clients();
    let after = world.issue_client("after the rotation");
    world.logs_in([&in_clients, &in_servers, &after], "after the rotation");
    assert_eq!(world.reconfigured, 2);

    // 6. Clients with certificates of the old keys are refused.
    world.refuses([&before, &in_init], "after the rotation");

    // 7. A server with its old certificate is refused by the client.
    world.postgres.reload(tls(&server)).unwrap();
    let outcome = world.login(&after, "alice");
    assert_eq!(outcome.code, 2, "{}", outcome.text());
    assert!(
        outcome.stderr.contains("certificate verify failed"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn postgresql_stays_open_through_rollbacks() {
    // 1. Standby.
    let mut world = World::new();
    let before = world.issue_client("in standby");
    let server = server_files(&world.signet, "standby-server");
    for last in [Phase::Init, Phase::UpdateServers] {
        // 2. Forward, as the document says.
        let mut during = Vec::new();
        for phase in Phase::FORWARD {
            world.rotate_all(phase);
            if phase == Phase::Init {
                world.export_to_clients();
                world.reconfigure_server();
            }
            during.push(world.issue_client(&format!("in {}", phase.word())));
            if phase == last {
                break;
            }
        }
        let now = format!("rolling back from {}", last.word());

        // 3. Back. Nothing has been done yet: everybody is in.
        world.rotate_all(Phase::Rollback);
        world.logs_in(during.iter().chain([&before]), &now);

        // 4. The server gets a certificate of the old keys again; both anchors stay.
        world.reconfigure_server();
        let again = world.issue_client(&now);
        assert_eq!(issuer(&again.credential), issuer(&before.credential));
        assert_eq!(
            issuer(&server_files(&world.signet, &format!("{}-server", last.word()))),
            issuer(&server)
        );
        world.logs_in(
            during.iter().chain([&before, &again]),
            &format!("{now}, reconfigured"),
        );

        // 5. Complete: the abandoned authority is dropped everywhere.
        world.rotate_all(Phase::Standby);
        world.reconfigure_server();
        world.export_to_clients();
        world.logs_in([&before, &again], "after the rollback");
        let abandoned = during
            .iter()
            .filter(|alice| issuer(&alice.credential) != issuer(&before.credential));
        world.refuses(abandoned, "after the rollback");
    }
}

#[test]
fn mariadb_takes_the_same_files() {
    // 1. A server with files of `auth sign --format db`, and a user who has to show a certificate of our authority.
    let signet = Signet::start(Settings::default());
    let server = server_files(&signet, "server");
    let strict = verify_strict(Chain {
        purpose: Some("sslserver"),
        ..Chain::new(&signet.export_to("db.pem", &["--type=db"]), &server.certificate)
    });
    assert!(strict.as_ref().unwrap().success(), "{}", strict.unwrap().text());
    let mariadb = Mariadb::start(MariadbTls {
        certificate: &server.certificate,
        key: &server.key,
        ca_file: &server.authorities,
    })
    .unwrap();
    mariadb
        .administer("create user alice@'%' require subject '/CN=alice'")
        .unwrap();

    // 2. She logs in; somebody else's certificate does not log her in.
    for (name, may) in [("alice", true), ("mallory", false)] {
        let client = client_files(&signet, name, name);
        let root = signet.export_to(&format!("{name}-root.pem"), &["--type=db"]);
        let tls = MariadbTls {
            certificate: &client.certificate,
            key: &client.key,
            ca_file: &root,
        };
        let outcome = mariadb.query("alice", tls, "select current_user()").unwrap();
        assert_eq!(
            outcome.success(),
            may,
            "{name}: {}\n{}",
            outcome.text(),
            mariadb.log()
        );
        if may {
            assert_eq!(outcome.stdout.trim(), "alice@%");
        } else {
            assert!(outcome.stderr.contains("1045"), "{}", outcome.stderr);
        }
    }
}
