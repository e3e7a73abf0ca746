use std::path::{Path, PathBuf};

use parts::mariadb::{Mariadb, MariadbTls};

use crate::certificates::Authority;

#[test]
fn a_user_needs_a_certificate_of_the_right_authority_and_a_reload_changes_it() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, next) = (
        Authority::new(directory.path(), "ours"),
        Authority::new(directory.path(), "next"),
    );
    let (root, server) = (ours.certificate(), ours.issue("server"));
    let (alice, alice_next) = (ours.issue("alice"), next.issue("alice"));
    let mariadb = Mariadb::start(side(&server, &root)).unwrap();
    mariadb
        .administer("create user alice@'%' require subject '/CN=alice' and issuer '/CN=ours'")
        .unwrap();

    let who = "select current_user()";
    let good = mariadb.query("alice", side(&alice, &root), who).unwrap();
    assert_eq!(good.stdout, "alice@%\n", "{}\n{}", good.stderr, mariadb.log());
    let before = mariadb.query("alice", side(&alice_next, &root), who).unwrap();
    assert_eq!(before.code, 1, "{before:?}");

    let both = directory.path().join("both.pem");
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    std::fs::write(&both, read(ours.certificate()) + &read(next.certificate())).unwrap();
    mariadb.reload(side(&server, &both)).unwrap();
    mariadb
        .administer("alter user alice@'%' require subject '/CN=alice'")
        .unwrap();
    let after = mariadb.query("alice", side(&alice_next, &root), who).unwrap();
    assert_eq!(after.stdout, "alice@%\n", "{}\n{}", after.stderr, mariadb.log());
}

#[test]
fn another_subject_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ours = Authority::new(directory.path(), "ours");
    let (root, server, bob) = (ours.certificate(), ours.issue("server"), ours.issue("bob"));
    let mariadb = Mariadb::start(side(&server, &root)).unwrap();
    mariadb
        .administer("create user alice@'%' require subject '/CN=alice'")
        .unwrap();
    let refused = mariadb.query("alice", side(&bob, &root), "select 1").unwrap();
    assert!(
        refused.code == 1 && refused.stderr.contains("1045"),
        "{refused:?}"
    );
}

fn side<'a>((certificate, key): &'a (PathBuf, PathBuf), ca_file: &'a Path) -> MariadbTls<'a> {
    MariadbTls {
        certificate,
        key,
        ca_file,
    }
}
