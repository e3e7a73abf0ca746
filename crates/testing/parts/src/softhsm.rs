//! SoftHSM2: a PKCS#11 token in software, and `pkcs11-tool` as the foreign pair of eyes on it.
//!
//! **One `C_Initialize` per process and module.** SoftHSM reads `SOFTHSM2_CONF` from the environment of the process when it
//! is initialised, and a process may initialise it once. A test that loads the module must therefore run in a process of
//! its own with the variable set: give [`SoftHsm::environment`] to a child, or to [`crate::process::rerun_test`].
//! A token made after a process initialised the module is not seen by that process.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::PartError;
use crate::place::{first_existing, program};
use crate::process::{Outcome, run, run_ok};

/// The security officer's PIN of every token made here.
pub const SO_PIN: &str = "12345678";

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
    module: PathBuf,
    tool: PathBuf,
}

/// An object in a token, as `pkcs11-tool --list-objects` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The class as printed, for example `Private Key Object`.
    pub class: String,
    /// What stands after the class, for example `EC` or `RSA 2048 bits`.
    pub kind: String,
    /// `CKA_LABEL`, empty when there is none.
    pub label: String,
    /// `CKA_ID` in lower-case hexadecimal, empty when there is none.
    pub id: String,
    /// Words of the `Usage:` line, for example `sign`.
    pub usage: Vec<String>,
    /// Words of the `Access:` line, for example `sensitive`, `never extractable`, `local`.
    pub access: Vec<String>,
}

impl Object {
    /// Whether this is a private key.
    #[must_use]
    pub fn is_private_key(&self) -> bool {
        self.class == "Private Key Object"
    }
}

impl SoftHsm {
    /// Makes an empty token directory and its configuration file.
    ///
    /// # Errors
    /// [`PartError::Missing`] when SoftHSM2 or OpenSC is not installed.
    pub fn new() -> Result<Self, PartError> {
        program("softhsm2-util")?;
        let module = first_existing("libsofthsm2.so", &MODULES)?;
        let tool = program("pkcs11-tool")?;
        let directory =
            TempDir::with_prefix("softhsm-").map_err(PartError::system("make a directory for SoftHSM"))?;
        let hsm = Self {
            directory,
            module,
            tool,
        };
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
        &self.module
    }

    /// The configuration file, the value of `SOFTHSM2_CONF`.
    #[must_use]
    pub fn conf_path(&self) -> PathBuf {
        self.directory.path().join("softhsm2.conf")
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
    pub fn pkcs11_tool<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Outcome, PartError> {
        let mut command = Command::new(&self.tool);
        run(command
            .arg("--module")
            .arg(&self.module)
            .args(args)
            .envs(self.environment()))
    }

    /// Makes a key pair in the token by hand, for tests that need a key we did not make. `key_type` is in the words of
    /// `pkcs11-tool`: `EC:prime256v1`, `rsa:2048`; `id` is hexadecimal.
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
        let login = ["--token-label", token, "--login", "--pin", pin];
        let key = [
            "--keypairgen",
            "--key-type",
            key_type,
            "--label",
            label,
            "--id",
            id,
            "--usage-sign",
        ];
        let outcome = self.pkcs11_tool(login.into_iter().chain(key))?;
        if outcome.success() {
            Ok(())
        } else {
            Err(PartError::unexpected("pkcs11-tool", outcome.text()))
        }
    }

    /// Lists every object in the token with this label, private ones included.
    ///
    /// # Errors
    /// [`PartError::Unexpected`] when the token is absent or the PIN is wrong.
    pub fn list_objects(&self, label: &str, pin: &str) -> Result<Vec<Object>, PartError> {
        let outcome =
            self.pkcs11_tool(["--token-label", label, "--login", "--pin", pin, "--list-objects"])?;
        if !outcome.success() {
            return Err(PartError::unexpected("pkcs11-tool", outcome.text()));
        }
        Ok(parse_objects(&outcome.stdout))
    }
}

/// Reads the listing: a line `Class; kind` at the left margin begins an object, indented `name: value` lines follow.
fn parse_objects(listing: &str) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for line in listing.lines() {
        if !line.starts_with(' ') {
            if let Some((class, kind)) = line.split_once("; ") {
                objects.push(Object {
                    class: class.trim().to_owned(),
                    kind: kind.trim().to_owned(),
                    label: String::new(),
                    id: String::new(),
                    usage: Vec::new(),
                    access: Vec::new(),
                });
            }
            continue;
        }
        let (Some(object), Some((name, value))) = (objects.last_mut(), line.trim().split_once(':')) else {
            continue;
        };
        let words = || {
            value
                .split(',')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
        };
        match name {
            "label" => value.trim().clone_into(&mut object.label),
            "ID" => value.trim().clone_into(&mut object.id),
            "Usage" => object.usage = words().collect(),
            "Access" => object.access = words().collect(),
            _ => {}
        }
    }
    objects
}
