use parts::openssl::{Chain, certificate_text, verify_strict};
use parts::python::Venv;

use crate::certificates::Authority;

#[test]
fn a_leaf_verifies_under_its_authority_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        Authority::new(directory.path(), "ours"),
        Authority::new(directory.path(), "theirs"),
    );
    let (leaf, _key) = ours.issue("alice");

    let good = verify_strict(Chain::new(&ours.certificate(), &leaf)).unwrap();
    assert!(good.success(), "{}", good.text());
    let bad = verify_strict(Chain::new(&theirs.certificate(), &leaf)).unwrap();
    assert!(
        !bad.success() && bad.text().contains("unable to get local issuer certificate"),
        "{}",
        bad.text()
    );
}

#[test]
fn a_certificate_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let (leaf, _key) = Authority::new(directory.path(), "ours").issue("alice");
    assert!(certificate_text(&leaf).unwrap().contains("Subject: CN=alice"));
    assert!(certificate_text(directory.path()).is_err());
}

#[test]
fn pkilint_reads_the_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path(), "ours");
    let clean = Venv::open()
        .unwrap()
        .lint_certificate(&authority.certificate())
        .unwrap();
    assert!(clean.success(), "{}", clean.text());
    // A leaf for "localhost" has a finding: the name is not a preferred one.
    let (leaf, _key) = authority.issue("alice");
    let found = Venv::open().unwrap().lint_certificate(&leaf).unwrap();
    assert!(!found.success() && !found.stdout.is_empty(), "{}", found.text());
}
