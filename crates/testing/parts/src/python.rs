//! The Python environment with the libraries that judge what we make: PyJWT, python3-saml, pkilint, boto3 …
//!
//! `cargo xtask parts` makes it from `xtask/requirements.txt`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Outcome, run};
use crate::{PartError, place};

/// The environment, shared by all tests and never written to.
#[derive(Clone, Debug)]
pub struct Venv {
    directory: PathBuf,
}

impl Venv {
    /// Finds the environment.
    ///
    /// # Errors
    /// [`PartError::NoVenv`], which names `cargo xtask parts`.
    pub fn open() -> Result<Self, PartError> {
        Ok(Self {
            directory: place::venv()?,
        })
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// A command for a program of the environment, such as `python`, `moto_server` or `lint_pkix_cert`.
    ///
    /// # Errors
    /// [`PartError::Missing`] when the environment lacks it.
    pub fn command(&self, program: &str) -> Result<Command, PartError> {
        let path = self.directory.join("bin").join(program);
        if !path.exists() {
            return Err(PartError::Missing {
                what: path.display().to_string(),
            });
        }
        let mut command = Command::new(path);
        // The tests' own environment must not change what the libraries do: no user packages, no bytecode written.
        command
            .env("PYTHONNOUSERSITE", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("PYTHONPATH");
        Ok(command)
    }

    /// Runs Python source text with arguments (`sys.argv[1:]`). An exit code other than 0 is part of the outcome.
    ///
    /// # Errors
    /// [`PartError::Missing`] or [`PartError::Overrun`].
    pub fn run<S: AsRef<OsStr>>(
        &self,
        script: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Outcome, PartError> {
        run(self.command("python")?.arg("-c").arg(script).args(args))
    }

    /// As [`Venv::run`], with more environment, for example the variables of an emulator.
    ///
    /// # Errors
    /// As [`Venv::run`].
    pub fn run_with<S: AsRef<OsStr>>(
        &self,
        script: &str,
        args: impl IntoIterator<Item = S>,
        environment: &[(&str, String)],
    ) -> Result<Outcome, PartError> {
        let mut command = self.command("python")?;
        run(command
            .arg("-c")
            .arg(script)
            .args(args)
            .envs(environment.iter().map(|(name, value)| (name, value))))
    }

    /// Lints an X.509 certificate file (PEM or DER) against the PKIX profile with pkilint, at severity ERROR and above.
    /// The outcome's code is the number of findings, its text names them.
    ///
    /// # Errors
    /// As [`Venv::run`].
    pub fn lint_certificate(&self, certificate: &Path) -> Result<Outcome, PartError> {
        run(self
            .command("lint_pkix_cert")?
            .args(["lint", "-s", "ERROR"])
            .arg(certificate))
    }

    /// Lints a certificate revocation list file with pkilint, as [`Venv::lint_certificate`] does.
    ///
    /// # Errors
    /// As [`Venv::run`].
    pub fn lint_crl(&self, crl: &Path) -> Result<Outcome, PartError> {
        run(self
            .command("lint_crl")?
            .args(["lint", "-t", "CRL", "-p", "PKIX", "-s", "ERROR"])
            .arg(crl))
    }
}
