use std::time::{Duration, Instant};

use parts::etcd::{Etcd, EtcdTls};
use parts::process::wait_until;

use crate::certificates::Authority;

#[test]
fn a_client_with_a_certificate_writes_and_reads_and_others_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        Authority::new(directory.path(), "ours"),
        Authority::new(directory.path(), "theirs"),
    );
    let ca_file = &ours.certificate();
    let (server, alice, mallory) = (ours.issue("server"), ours.issue("alice"), theirs.issue("mallory"));
    let side = |(certificate, key)| EtcdTls {
        certificate,
        key,
        ca_file,
    };
    let etcd = Etcd::start(side((&server.0, &server.1))).unwrap();

    let alice = side((&alice.0, &alice.1));
    let put = etcd.etcdctl(alice, &["put", "a", "1"]).unwrap();
    assert!(put.success(), "{}\n{}", put.text(), etcd.log());
    assert_eq!(
        etcd.etcdctl(alice, &["get", "--print-value-only", "a"])
            .unwrap()
            .stdout,
        "1\n"
    );

    let refused = etcd
        .etcdctl(
            side((&mallory.0, &mallory.1)),
            &["--command-timeout", "5s", "get", "a"],
        )
        .unwrap();
    assert!(!refused.success() && refused.stdout.is_empty(), "{refused:?}");
    // By the server, for her certificate, and not because the time was short.
    let told = wait_until(Instant::now() + Duration::from_secs(120), || {
        etcd.log().contains("rejected connection").then_some(())
    });
    assert!(told.is_some(), "{}", etcd.log());
}
