//! Finds `signetd` and `signetctl`, after building them.
//!
//! Cargo builds the programs of the package that a test belongs to, and of no other. Without the build here, `cargo test -p
//! e2e` would test whatever an earlier command left behind, or nothing. So the first test of every test process runs `cargo
//! build` for the two packages, with the cargo, the target directory and the profile that the test itself was built with.
//! When everything is up to date, as under `cargo test --workspace`, that takes well under a second. A lock on a file lets
//! the processes of parallel test runners do it one after the other.
//!
//! `SIGNET_BIN_DIR` names a directory with programs to test as they are, without a build: those of a release, say.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use parts::process::run_within;

use crate::fail;
use crate::failure::OrFail as _;

/// A first build compiles everything.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
/// Variables that Cargo sets for the one package whose test runs; build scripts would see them change and run again.
const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
    "LD_LIBRARY_PATH",
    "OUT_DIR",
];

/// The daemon.
#[must_use]
pub fn signetd() -> PathBuf {
    directory().join("signetd")
}

/// The operators' client.
#[must_use]
pub fn signetctl() -> PathBuf {
    directory().join("signetctl")
}

/// The directory with the programs, built by the first caller.
fn directory() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os("SIGNET_BIN_DIR").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let test = std::env::current_exe().or_fail("find the running test");
    // The test is `<target>/<profile>/deps/<name>`.
    let directory = test
        .ancestors()
        .nth(2)
        .or_fail("find the target directory of the running test")
        .to_owned();
    let target = directory.parent().or_fail("find the target directory");
    let lock = File::create(target.join("e2e-build.lock")).or_fail("make the file that guards the build");
    lock.lock().or_fail("lock the build");

    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--quiet",
            "-p",
            "signetd",
            "-p",
            "signetctl",
            "--target-dir",
        ])
        .arg(target);
    if directory.ends_with("release") {
        command.arg("--release");
    }
    for (name, _value) in std::env::vars_os() {
        let spelled = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|prefix| spelled.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    let outcome = run_within(&mut command, BUILD_LIMIT).or_fail("run cargo");
    if !outcome.success() {
        fail(format!("signetd and signetctl do not build:\n{}", outcome.text()));
    }
    directory
}
