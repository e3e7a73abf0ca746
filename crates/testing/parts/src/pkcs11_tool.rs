//! `pkcs11-tool` of OpenSC: the foreign pair of eyes on a token.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::PartError;
use crate::place::program;
use crate::process::{Outcome, run};

/// The tool, bound to one module and the environment that the module needs.
#[derive(Clone, Debug)]
pub struct Pkcs11Tool {
    program: PathBuf,
    module: PathBuf,
    environment: Vec<(String, String)>,
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

impl Pkcs11Tool {
    /// Binds the tool to a module.
    ///
    /// # Errors
    /// [`PartError::Missing`] when OpenSC is not installed.
    pub fn new(
        module: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, PartError> {
        let program = program("pkcs11-tool")?;
        Ok(Self {
            program,
            module: module.to_owned(),
            environment: environment.into_iter().collect(),
        })
    }

    /// The module.
    #[must_use]
    pub fn module_path(&self) -> &Path {
        &self.module
    }

    /// Runs the tool. An exit code other than 0 is part of the outcome.
    ///
    /// # Errors
    /// [`PartError::Overrun`] or [`PartError::System`].
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Outcome, PartError> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        run(Command::new(&self.program)
            .arg("--module")
            .arg(&self.module)
            .args(args)
            .envs(environment))
    }

    /// Makes a key pair in the token by hand, for tests that need a key we did not make. `key_type` is in the words of
    /// the tool: `EC:prime256v1`, `rsa:2048`; `id` is hexadecimal.
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
        let outcome = self.run(login.into_iter().chain(key))?;
        if outcome.success() {
            return Ok(());
        }
        Err(PartError::unexpected("pkcs11-tool", outcome.text()))
    }

    /// Lists every object in the token with this label, private ones included.
    ///
    /// # Errors
    /// [`PartError::Unexpected`] when the token is absent or the PIN is wrong.
    pub fn list_objects(&self, token: &str, pin: &str) -> Result<Vec<Object>, PartError> {
        let outcome = self.run(["--token-label", token, "--login", "--pin", pin, "--list-objects"])?;
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
