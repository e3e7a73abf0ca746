use std::path::{Path, PathBuf};

use parts::postgres::{PgLogin, PgTls, Postgres};
use parts::process::Outcome;

use crate::certificates::Authority;

/// A server of one authority, and clients of one or two.
struct Scene {
    directory: tempfile::TempDir,
    ours: Authority,
    server: (PathBuf, PathBuf),
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ours = Authority::new(directory.path(), "ours");
        let server = ours.issue("server");
        Self {
            directory,
            ours,
            server,
        }
    }

    fn tls<'a>(&'a self, ca_file: &'a Path) -> PgTls<'a> {
        PgTls {
            server_cert: &self.server.0,
            server_key: &self.server.1,
            ca_file,
        }
    }

    fn start(&self) -> Postgres {
        let postgres = Postgres::start(self.tls(&self.ours.certificate())).unwrap();
        postgres
            .administer("create role alice login; create role bob login")
            .unwrap();
        postgres
    }

    fn who_am_i(
        &self,
        postgres: &Postgres,
        user: &str,
        client: &(PathBuf, PathBuf),
        root_ca: &Path,
    ) -> Outcome {
        let login = PgLogin {
            user,
            certificate: &client.0,
            key: &client.1,
            root_ca,
        };
        postgres
            .psql(
                login,
                "select current_user, client_dn from pg_stat_ssl where pid = pg_backend_pid()",
            )
            .unwrap()
    }
}

#[test]
fn a_certificate_logs_in_as_its_common_name_and_as_nobody_else() {
    let scene = Scene::new();
    let (postgres, alice) = (scene.start(), scene.ours.issue("alice"));
    let root = scene.ours.certificate();

    let alice_in = scene.who_am_i(&postgres, "alice", &alice, &root);
    assert_eq!(
        alice_in.stdout,
        "alice|/CN=alice\n",
        "{}\n{}",
        alice_in.stderr,
        postgres.log()
    );
    let as_bob = scene.who_am_i(&postgres, "bob", &alice, &root);
    assert!(
        as_bob.code == 2 && as_bob.stderr.contains("certificate authentication failed"),
        "{as_bob:?}"
    );
}

#[test]
fn the_client_refuses_a_server_of_another_authority() {
    let scene = Scene::new();
    let (postgres, alice) = (scene.start(), scene.ours.issue("alice"));
    let other = Authority::new(scene.directory.path(), "other");
    let outcome = scene.who_am_i(&postgres, "alice", &alice, &other.certificate());
    assert!(
        outcome.code == 2 && outcome.stderr.contains("certificate verify failed"),
        "{outcome:?}"
    );
}

#[test]
fn clients_of_a_new_authority_get_in_after_a_reload() {
    let scene = Scene::new();
    let mut postgres = scene.start();
    let next = Authority::new(scene.directory.path(), "next");
    let (alice, root) = (next.issue("alice"), scene.ours.certificate());
    let before = scene.who_am_i(&postgres, "alice", &alice, &root);
    assert!(
        before.code == 2 && before.stderr.contains("unknown ca"),
        "{before:?}"
    );

    let both = scene.directory.path().join("both.pem");
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    std::fs::write(&both, read(scene.ours.certificate()) + &read(next.certificate())).unwrap();
    postgres.reload(scene.tls(&both)).unwrap();
    assert_eq!(
        scene.who_am_i(&postgres, "alice", &alice, &root).code,
        0,
        "{}",
        postgres.log()
    );
}

#[test]
fn bad_files_are_an_error_of_the_reload() {
    let scene = Scene::new();
    let mut postgres = scene.start();
    let nonsense = scene.directory.path().join("nonsense.pem");
    std::fs::write(&nonsense, "no certificate").unwrap();
    let error = postgres.reload(scene.tls(&nonsense)).unwrap_err().to_string();
    assert!(error.contains("did not take the new TLS files"), "{error}");
}
