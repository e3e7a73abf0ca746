//! Test programs that run in namespaces of their own, beside daemons of their own.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const INSIDE: &str = "SIGNET_TEST_INSIDE";

/// Where a distribution keeps a PKCS#11 module.
pub(crate) fn module(what: &str, file: &str) -> PathBuf {
    let folders = [
        "/usr/lib/x86_64-linux-gnu/pkcs11",
        "/usr/lib/aarch64-linux-gnu/pkcs11",
        "/usr/lib64/pkcs11",
    ];
    let candidates = folders.map(|folder| format!("{folder}/{file}"));
    parts::place::first_existing(what, &candidates.each_ref().map(String::as_str))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Runs this test program again by a script of `tests/support`, in namespaces of its own, and `work` in there.
pub(crate) fn inside(script: &str, work: impl FnOnce() -> ExitCode) -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return work();
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support")
        .join(script);
    let own = std::env::current_exe().expect("the path of this program");
    let status = Command::new("unshare")
        .args([
            "--mount",
            "--ipc",
            "--net",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
        ])
        .arg(script)
        .arg(folder.path())
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .expect("unshare of util-linux");
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}
