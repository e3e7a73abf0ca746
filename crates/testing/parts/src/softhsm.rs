//! SoftHSM2: PKCS#11 tokens in software.
//!
//! **One `C_Initialize` per process and module.** SoftHSM reads `SOFTHSM2_CONF` from the environment of the process when it
//! is initialised, and a process may initialise it once. A test that loads the module must therefore run in a process of
//! its own with the variable set: give [`SoftHsm::environment`] to a child, or to [`crate::process::rerun_test`].
//! A token made after a process initialised the module is not seen by that process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::PartError;
use crate::pkcs11_tool::{Object, Pkcs11Tool};
use crate::place::{first_existing, program};
use crate::process::{Outcome, run_ok};

/// The security officer's PIN of every token made here.
pub const SO_PIN: &str = "12345678";

const CONFIGURATION: &str = "softhsm2.conf";
const MODULES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// A directory of SoftHSM2 tokens with its own configuration, deleted on drop.
#[derive(Debug)]
pub struct SoftHsm {
    directory: TempDir,
    tool: Pkcs11Tool,
}

/// A file system in memory, where there is one.
const MEMORY: &str = "/dev/shm";

impl SoftHsm {
    /// Makes an empty token directory and its configuration file.
    ///
    /// # Errors
    /// [`PartError::Missing`] when SoftHSM2 or OpenSC is not installed.
    pub fn new() -> Result<Self, PartError> {
        program("softhsm2-util")?;
        let module = first_existing("libsofthsm2.so", &MODULES)?;
        // SoftHSM writes its files anew at each change: in memory that is many times as fast.
        let directory = TempDir::with_prefix_in("softhsm-", MEMORY)
            .or_else(|_| TempDir::with_prefix("softhsm-"))
            .map_err(PartError::system("make a directory for SoftHSM"))?;
        let configuration_file = directory.path().join(CONFIGURATION).display().to_string();
        let tool = Pkcs11Tool::new(&module, [("SOFTHSM2_CONF".to_owned(), configuration_file)])?;
        let hsm = Self { directory, tool };
        let tokens = hsm.tokens_path();
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            tokens.display()
        );
        std::fs::create_dir(&tokens)
            .and_then(|()| std::fs::write(hsm.conf_path(), configuration))
            .map_err(PartError::system("write the configuration of SoftHSM"))?;
        Ok(hsm)
    }

    /// Makes a token with this label and user PIN, and returns the slot it sits in.
    ///
    /// The slot number comes from the token's serial number, so it is different every time. Two tokens may carry one label.
    ///
    /// # Errors
    /// [`PartError::Command`] when SoftHSM refuses.
    pub fn init_token(&self, label: &str, pin: &str) -> Result<u64, PartError> {
        let mut command = Command::new(program("softhsm2-util")?);
        command.args([
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            SO_PIN,
            "--pin",
            pin,
        ]);
        let stdout = run_ok(command.envs(self.environment()))?;
        // "The token has been initialized and is reassigned to slot 1234"
        let slot = stdout
            .split_whitespace()
            .next_back()
            .and_then(|word| word.parse().ok());
        slot.ok_or_else(|| PartError::unexpected("softhsm2-util", stdout))
    }

    /// Deletes every token with this label, as if it had been pulled out for good.
    ///
    /// # Errors
    /// [`PartError::Command`] when there is none.
    pub fn delete_token(&self, label: &str) -> Result<(), PartError> {
        let mut command = Command::new(program("softhsm2-util")?);
        run_ok(
            command
                .args(["--delete-token", "--token", label])
                .envs(self.environment()),
        )
        .map(drop)
    }

    /// The PKCS#11 module to load.
    #[must_use]
    pub fn module_path(&self) -> &Path {
        self.tool.module_path()
    }

    /// The configuration file, the value of `SOFTHSM2_CONF`.
    #[must_use]
    pub fn conf_path(&self) -> PathBuf {
        self.directory.path().join(CONFIGURATION)
    }

    /// The directory that holds the tokens.
    #[must_use]
    pub fn tokens_path(&self) -> PathBuf {
        self.directory.path().join("tokens")
    }

    /// The environment that a process needs before it loads the module.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, PathBuf); 1] {
        [("SOFTHSM2_CONF", self.conf_path())]
    }

    /// Runs `pkcs11-tool` on this module. An exit code other than 0 is part of the outcome.
    ///
    /// # Errors
    /// [`PartError::Overrun`] or [`PartError::System`].
    pub fn pkcs11_tool<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Outcome, PartError> {
        self.tool.run(args)
    }

    /// Makes a key pair in a token by hand; see [`Pkcs11Tool::generate_key`].
    ///
    /// # Errors
    /// [`PartError::Unexpected`] with what the tool said.
    pub fn generate_key(
        &self,
        token: &str,
        pin: &str,
        key_type: &str,
        label: &str,
        id: &str,
    ) -> Result<(), PartError> {
        self.tool.generate_key(token, pin, key_type, label, id)
    }

    /// Lists every object in the token with this label, private ones included.
    ///
    /// # Errors
    /// [`PartError::Unexpected`] when the token is absent or the PIN is wrong.
    pub fn list_objects(&self, label: &str, pin: &str) -> Result<Vec<Object>, PartError> {
        self.tool.list_objects(label, pin)
    }
}
