//! openCryptoki's software token: PKCS#11 with RSA only.
//!
//! The product keeps one daemon, one directory and one piece of shared memory for the whole machine. The fixture gives a
//! test its own of each, in fresh mount, process and IPC namespaces, and runs the test again inside them. That needs root.

use std::path::PathBuf;
use std::process::Command;

use nix::unistd::geteuid;

use crate::PartError;
use crate::place::{pkcs11_module, program};
use crate::process::{run_one_test, test_binary};

/// The label of the token inside.
pub const TOKEN_LABEL: &str = "oct1";
/// The slot of the token inside.
pub const SLOT: u64 = 3;
/// The user PIN of the token inside.
pub const PIN: &str = "87651234";
/// Set in the environment of the test that runs inside.
pub const INSIDE: &str = "PARTS_INSIDE_OPENCRYPTOKI";

/// Mounts empty directories over the product's own, starts its daemon, and makes a token: the factory's PINs are
/// 87654321 and 12345678, and a PIN that somebody else chose has to be changed before it is good for anything.
const PREPARE: &str = r#"
set -e
mount -t tmpfs -o mode=0755 tmpfs /var/lib/opencryptoki
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p /var/lib/opencryptoki/swtok/TOK_OBJ /run/lock/opencryptoki/swtok
chgrp -R pkcs11 /var/lib/opencryptoki /run/lock/opencryptoki
chmod -R 770 /var/lib/opencryptoki /run/lock/opencryptoki
pkcsslotd
{
    echo "$TOKEN_LABEL" | pkcsconf -c "$SLOT" -I -S 87654321
    pkcsconf -c "$SLOT" -P -S 87654321 -n 11223344
    pkcsconf -c "$SLOT" -u -S 11223344 -n 12345678
    pkcsconf -c "$SLOT" -p -U 12345678 -n "$PIN"
} >&2
exec "$@"
"#;

/// The PKCS#11 module to load.
///
/// # Errors
/// [`PartError::Missing`] when openCryptoki is not installed.
pub fn module_path() -> Result<PathBuf, PartError> {
    pkcs11_module("libopencryptoki.so")
}

/// Whether this process is the test that runs inside.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs one test of the running test binary again where there is a token. The test asks [`is_inside`] which run it is;
/// `test` is its full path, as `cargo test -- --list` shows it.
///
/// # Errors
/// [`PartError::Command`] with everything printed when the test failed or the token could not be made.
pub fn rerun_test_inside(test: &str) -> Result<String, PartError> {
    program("pkcsslotd")?;
    module_path()?;
    if !geteuid().is_root() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        return Err(PartError::system(
            "make namespaces for openCryptoki: run its tests as root",
        )(denied));
    }
    let mut command = Command::new(program("unshare")?);
    // The process namespace makes sure that the daemon ends with the test.
    command.args([
        "--mount",
        "--ipc",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]);
    command.args(["sh", "-c", PREPARE, "sh"]).arg(test_binary()?);
    command
        .env("TOKEN_LABEL", TOKEN_LABEL)
        .env("SLOT", SLOT.to_string())
        .env("PIN", PIN)
        .env(INSIDE, "1");
    run_one_test(&mut command, test)
}
