//! A TPM 2.0 in software as a PKCS#11 token: swtpm, its resource manager on a message bus of its own, and tpm2-pkcs11.
//!
//! The token is slow (about 250 P-256 signatures a second), refuses RSA-4096 and any key template that differs from its
//! own defaults, and now and then fails when two processes write at once. All of it listens on Unix sockets in a temporary
//! directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::PartError;
use crate::pkcs11_tool::{Object, Pkcs11Tool};
use crate::place::{pkcs11_module, program};
use crate::process::{Guarded, run_ok};

/// The security officer's PIN of every token made here.
pub const SO_PIN: &str = "12345678";

const SESSION_BUS_TCTI: &str = "tabrmd:bus_type=session";

/// A TPM with an empty token store, stopped and deleted on drop.
#[derive(Debug)]
pub struct Tpm {
    tool: Pkcs11Tool,
    environment: Vec<(String, String)>,
    // Dropped in this order: whoever uses the next one ends first.
    _manager: Guarded,
    _bus: Guarded,
    _tpm: Guarded,
    _directory: TempDir,
}

impl Tpm {
    /// Starts a TPM and makes a token store with one primary key.
    ///
    /// # Errors
    /// [`PartError::Missing`] when a part of the chain is not installed, [`PartError::NotReady`] with its log.
    pub fn start() -> Result<Self, PartError> {
        let directory =
            TempDir::with_prefix("tpm-").map_err(PartError::system("make a directory for a TPM"))?;
        let at = |name: &str| directory.path().join(name);
        for name in ["state", "store"] {
            std::fs::create_dir(at(name)).map_err(PartError::system("make a directory for a TPM"))?;
        }
        let environment: Vec<(String, String)> = [
            (
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={}", at("bus").display()),
            ),
            ("TPM2TOOLS_TCTI", SESSION_BUS_TCTI.to_owned()),
            ("TPM2_PKCS11_TCTI", SESSION_BUS_TCTI.to_owned()),
            ("TPM2_PKCS11_STORE", at("store").display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let tool = Pkcs11Tool::new(&pkcs11_module("libtpm2_pkcs11.so")?, environment.clone())?;
        let tpm = start_tpm(directory.path())?;
        let bus = start_bus(directory.path())?;
        let manager = start_manager(directory.path(), &environment)?;
        let parts = Self {
            tool,
            environment,
            _manager: manager,
            _bus: bus,
            _tpm: tpm,
            _directory: directory,
        };
        parts.ptool(&["init"])?;
        Ok(parts)
    }

    /// Makes a token with this label and user PIN.
    ///
    /// # Errors
    /// [`PartError::Command`] when the TPM refuses.
    pub fn add_token(&self, label: &str, pin: &str) -> Result<(), PartError> {
        let (label, pin) = (format!("--label={label}"), format!("--userpin={pin}"));
        self.ptool(&["addtoken", "--pid=1", &format!("--sopin={SO_PIN}"), &pin, &label])
    }

    /// The PKCS#11 module to load.
    #[must_use]
    pub fn module_path(&self) -> &Path {
        self.tool.module_path()
    }

    /// The environment that a process needs before it loads the module.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// `pkcs11-tool` on this module.
    #[must_use]
    pub fn pkcs11_tool(&self) -> &Pkcs11Tool {
        &self.tool
    }

    /// Lists every object in the token with this label, private ones included.
    ///
    /// # Errors
    /// [`PartError::Unexpected`] when the token is absent or the PIN is wrong.
    pub fn list_objects(&self, label: &str, pin: &str) -> Result<Vec<Object>, PartError> {
        self.tool.list_objects(label, pin)
    }

    fn ptool(&self, args: &[&str]) -> Result<(), PartError> {
        let mut command = Command::new(program("tpm2_ptool")?);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        run_ok(command.args(args).envs(environment)).map(drop)
    }
}

fn start_tpm(directory: &Path) -> Result<Guarded, PartError> {
    let socket = directory.join("tpm");
    let mut command = Command::new(program("swtpm")?);
    command.args([
        "socket",
        "--tpm2",
        "--tpmstate",
        &format!("dir={}", directory.join("state").display()),
    ]);
    command.args(["--server", &format!("type=unixio,path={}", socket.display())]);
    command.args(["--ctrl", &format!("type=unixio,path={}.ctrl", socket.display())]);
    command.args(["--flags", "startup-clear,not-need-init"]);
    start_and_wait(
        "swtpm",
        &mut command,
        directory,
        &[socket.clone(), directory.join("tpm.ctrl")],
    )
}

fn start_bus(directory: &Path) -> Result<Guarded, PartError> {
    let socket = directory.join("bus");
    let mut command = Command::new(program("dbus-daemon")?);
    command.args(["--session", "--nofork", "--nopidfile"]);
    command.arg(format!("--address=unix:path={}", socket.display()));
    start_and_wait("dbus-daemon", &mut command, directory, &[socket])
}

/// Starts the resource manager. Without it, handles leak and the third object finds no memory.
fn start_manager(directory: &Path, environment: &[(String, String)]) -> Result<Guarded, PartError> {
    let mut command = Command::new(program("tpm2-abrmd")?);
    command.args(["--session", "--flush-all"]);
    command.arg(format!("--tcti=swtpm:path={}", directory.join("tpm").display()));
    if geteuid().is_root() {
        command.arg("--allow-root");
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let log = directory.join("tpm2-abrmd.log");
    let mut manager = Guarded::start("tpm2-abrmd", &mut command, &log)?;
    let random = program("tpm2_getrandom")?;
    manager.wait_ready(|_| {
        let mut probe = Command::new(&random);
        probe
            .args(["--hex", "4"])
            .envs(environment.iter().map(|(name, value)| (name, value)));
        run_ok(&mut probe).ok()
    })?;
    Ok(manager)
}

fn start_and_wait(
    service: &str,
    command: &mut Command,
    directory: &Path,
    sockets: &[PathBuf],
) -> Result<Guarded, PartError> {
    let mut process = Guarded::start(service, command, &directory.join(format!("{service}.log")))?;
    process.wait_ready(|_| sockets.iter().all(|socket| socket.exists()).then_some(()))?;
    Ok(process)
}
