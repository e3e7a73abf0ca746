//! `oathtool`, the OATH Toolkit's maker of one-time codes: somebody else's RFC 6238.

use std::process::Command;

use crate::PartError;
use crate::place::program;
use crate::process::run_ok;

/// The length of a step in seconds, of `oathtool` as of every application that people use.
pub const STEP_SECONDS: u64 = 30;

/// The six digits of a time step, by a secret in base32.
///
/// # Errors
/// [`PartError::Missing`] when it is not installed, [`PartError::Command`] when the secret is no base32.
pub fn totp(secret: &str, step: u64) -> Result<String, PartError> {
    let moment = format!("@{}", step.saturating_mul(STEP_SECONDS));
    let mut command = Command::new(program("oathtool")?);
    command.args(["--totp", "--base32", "--now", &moment, secret]);
    run_ok(&mut command).map(|code| code.trim().to_owned())
}
