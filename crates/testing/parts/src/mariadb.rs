//! MariaDB on loopback with TLS, and its real client.
//!
//! Which certificate a user has to show is part of the user: `create user alice@'%' require subject '/CN=alice' and issuer
//! '/CN=…'`. Users without a name are deleted first, because they would catch every log-in.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use crate::place::program;
use crate::process::{Guarded, Outcome, run, run_ok};
use crate::{PartError, port};

/// The user that the package makes, and as whom the server runs when the tests run as root.
const SERVICE_USER: &str = "mysql";

/// TLS files of one side, all PEM.
#[derive(Clone, Copy, Debug)]
pub struct MariadbTls<'a> {
    /// The side's own certificate; the server's has to name `127.0.0.1`.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// The authorities whose certificates the side accepts.
    pub ca_file: &'a Path,
}

/// A running server with its own data, stopped and deleted on drop.
#[derive(Debug)]
pub struct Mariadb {
    process: Guarded,
    port: port::Reserved,
    owner: Option<(u32, u32)>,
    directory: TempDir,
}

impl Mariadb {
    /// Makes a data directory and starts the server.
    ///
    /// # Errors
    /// [`PartError::Missing`] when MariaDB is not installed, [`PartError::NotReady`] with its log.
    pub fn start(tls: MariadbTls<'_>) -> Result<Self, PartError> {
        let (server, install) = (program("mariadbd")?, program("mariadb-install-db")?);
        let owner = owner()?;
        let port = port::free()?;
        let directory =
            TempDir::with_prefix("mariadb-").map_err(PartError::system("make a directory for MariaDB"))?;
        give(directory.path(), owner, 0o755)?;
        let data = format!("--datadir={}", directory.path().join("data").display());
        let mut command = as_owner(Command::new(install), owner, directory.path());
        run_ok(command.args(["--no-defaults", &data, "--auth-root-authentication-method=normal"]))?;
        install_tls(directory.path(), owner, tls)?;

        let at = |name: &str| directory.path().join(name).display().to_string();
        let mut command = as_owner(Command::new(server), owner, directory.path());
        command
            .args(["--no-defaults", &data, "--bind-address=127.0.0.1"])
            .args([
                format!("--port={}", port.number()),
                format!("--socket={}", at("socket")),
                format!("--pid-file={}", at("pid")),
                format!("--ssl-cert={}", at("server.crt")),
                format!("--ssl-key={}", at("server.key")),
                format!("--ssl-ca={}", at("ca.crt")),
            ]);
        command.args([
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--connect-timeout=300",
        ]);
        let process = Guarded::start("mariadbd", &mut command, &directory.path().join("log"))?;
        let mut mariadb = Self {
            process,
            port,
            owner,
            directory,
        };
        mariadb.wait_ready()?;
        mariadb.administer("delete from mysql.global_priv where user = ''; flush privileges")?;
        Ok(mariadb)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Everything the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Installs other TLS files and makes the server read them (`FLUSH SSL`).
    ///
    /// # Errors
    /// [`PartError::Command`] with the server's words when it does not take them.
    pub fn reload(&self, tls: MariadbTls<'_>) -> Result<(), PartError> {
        install_tls(self.directory.path(), self.owner, tls)?;
        self.administer("flush ssl").map(drop)
    }

    /// Runs SQL as the administrator over the fixture's own socket, and returns bare values.
    ///
    /// # Errors
    /// [`PartError::Command`] with the server's words.
    pub fn administer(&self, sql: &str) -> Result<String, PartError> {
        let mut command = client(self.directory.path())?;
        let socket = format!("--socket={}", self.directory.path().join("socket").display());
        Ok(run_ok(command.args([&socket, "--user=root", "--execute", sql]))?
            .trim_end()
            .to_owned())
    }

    /// Runs SQL over TLS, checking the server's certificate against `tls.ca_file` and the address 127.0.0.1. The
    /// outcome's code is the client's: 1 when it was refused, and standard error says why.
    ///
    /// # Errors
    /// [`PartError::Overrun`] when the client hangs.
    pub fn query(&self, user: &str, tls: MariadbTls<'_>, sql: &str) -> Result<Outcome, PartError> {
        let MariadbTls {
            certificate,
            key,
            ca_file,
        } = tls;
        let mut command = client(self.directory.path())?;
        command
            .args(["--protocol=tcp", "--host=127.0.0.1", "--connect-timeout=300"])
            .args([
                format!("--port={}", self.port()),
                format!("--user={user}"),
                format!("--ssl-cert={}", certificate.display()),
                format!("--ssl-key={}", key.display()),
                format!("--ssl-ca={}", ca_file.display()),
            ]);
        run(command.args(["--ssl-verify-server-cert", "--execute", sql]))
    }

    fn wait_ready(&mut self) -> Result<(), PartError> {
        let directory = self.directory.path().to_owned();
        let socket = format!("--socket={}", directory.join("socket").display());
        self.process.wait_ready(|_| {
            let mut command = client(&directory).ok()?;
            let outcome = run(command.args([&socket, "--user=root", "--execute", "select 1"])).ok()?;
            outcome.success().then_some(())
        })
    }
}

fn client(directory: &Path) -> Result<Command, PartError> {
    let mut command = Command::new(program("mariadb")?);
    command
        .args(["--no-defaults", "--batch", "--skip-column-names"])
        .env_clear()
        .env("HOME", directory);
    Ok(command)
}

fn owner() -> Result<Option<(u32, u32)>, PartError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user =
        User::from_name(SERVICE_USER).map_err(|errno| PartError::system("look up a user")(errno.into()))?;
    let user = user.ok_or_else(|| PartError::Missing {
        what: format!("the user {SERVICE_USER}"),
    })?;
    Ok(Some((user.uid.as_raw(), user.gid.as_raw())))
}

fn as_owner(mut command: Command, owner: Option<(u32, u32)>, directory: &Path) -> Command {
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command.current_dir(directory).env("HOME", directory);
    command
}

fn install_tls(directory: &Path, owner: Option<(u32, u32)>, tls: MariadbTls<'_>) -> Result<(), PartError> {
    let MariadbTls {
        certificate,
        key,
        ca_file,
    } = tls;
    for (source, name) in [
        (certificate, "server.crt"),
        (key, "server.key"),
        (ca_file, "ca.crt"),
    ] {
        let scratch = directory.join(format!("{name}.new"));
        std::fs::copy(source, &scratch).map_err(PartError::system(format!("copy {}", source.display())))?;
        give(&scratch, owner, 0o600)?;
        std::fs::rename(&scratch, directory.join(name)).map_err(PartError::system("install a TLS file"))?;
    }
    Ok(())
}

fn give(path: &Path, owner: Option<(u32, u32)>, mode: u32) -> Result<(), PartError> {
    let action = || format!("hand {} to the database's user", path.display());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(PartError::system(action()))?;
    match owner {
        Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(PartError::system(action())),
        None => Ok(()),
    }
}
