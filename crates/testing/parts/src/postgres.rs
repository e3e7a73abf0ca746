//! PostgreSQL on loopback that logs in by client certificate, and the real `psql` with `sslmode=verify-full`.
//!
//! A certificate's common name is the database user it may become. The server refuses to run as root: started by root, it
//! runs as the user `postgres` that its package makes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use crate::place::program;
use crate::process::{Guarded, Outcome, READY_LIMIT, run, run_ok, wait_until};
use crate::{PartError, port};

/// Debian keeps every major version's programs in a folder of its own.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who may log in how: the fixture itself over its socket, everybody else with a certificate.
const ACCESS: &str = "local all all trust\nhostssl all all 127.0.0.1/32 cert clientcert=verify-full map=cn\n";
const USER_MAP: &str = "cn /^(.*)$ \\1\n";
const ADMINISTRATOR: &str = "postgres";

/// The server's TLS files, all PEM.
#[derive(Clone, Copy, Debug)]
pub struct PgTls<'a> {
    /// `ssl_cert_file`: the server's certificate, then its intermediates. It has to name `localhost`.
    pub server_cert: &'a Path,
    /// `ssl_key_file`.
    pub server_key: &'a Path,
    /// `ssl_ca_file`: the authorities whose client certificates are accepted.
    pub ca_file: &'a Path,
}

/// A log-in with a certificate.
#[derive(Clone, Copy, Debug)]
pub struct PgLogin<'a> {
    /// The database user.
    pub user: &'a str,
    /// The client's certificate.
    pub certificate: &'a Path,
    /// The client's key; `psql` insists on mode 0600.
    pub key: &'a Path,
    /// The authorities that may have signed the server's certificate.
    pub root_ca: &'a Path,
}

/// A running server with its own data, stopped and deleted on drop.
#[derive(Debug)]
pub struct Postgres {
    process: Guarded,
    port: port::Reserved,
    programs: PathBuf,
    owner: Option<Owner>,
    directory: TempDir,
}

/// The user to run as, when the tests run as root.
#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Makes a database cluster and starts it.
    ///
    /// # Errors
    /// [`PartError::Missing`] when PostgreSQL is not installed, [`PartError::NotReady`] with its log when it refuses the
    /// TLS files.
    pub fn start(tls: PgTls<'_>) -> Result<Self, PartError> {
        let programs = programs()?;
        let owner = owner()?;
        let port = port::free()?;
        let directory =
            TempDir::with_prefix("pg-").map_err(PartError::system("make a directory for PostgreSQL"))?;
        give(directory.path(), owner, 0o755)?;
        let data = directory.path().join("data");
        let mut initdb = as_owner(Command::new(programs.join("initdb")), owner, directory.path());
        initdb.args([
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--username",
            ADMINISTRATOR,
            "-D",
        ]);
        run_ok(initdb.arg(&data))?;
        install_tls(directory.path(), owner, tls)?;
        write(&data.join("pg_hba.conf"), ACCESS, owner)?;
        write(&data.join("pg_ident.conf"), USER_MAP, owner)?;
        write(
            &data.join("postgresql.conf"),
            &configuration(directory.path(), port.number()),
            owner,
        )?;

        let mut command = as_owner(Command::new(programs.join("postgres")), owner, directory.path());
        command.arg("-D").arg(&data);
        let process = Guarded::start("postgres", &mut command, &directory.path().join("log"))?
            .stopped_by(Signal::SIGINT);
        let mut server = Self {
            process,
            port,
            programs,
            owner,
            directory,
        };
        server.wait_ready()?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Everything the server has logged, reasons of refused log-ins among it.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Installs other TLS files and makes the server read them (SIGHUP), as its documentation tells operators to.
    /// Sessions that are open stay as they are.
    ///
    /// # Errors
    /// [`PartError::NotReady`] with the log when the server keeps its old files because the new ones are bad.
    pub fn reload(&mut self, tls: PgTls<'_>) -> Result<(), PartError> {
        install_tls(self.directory.path(), self.owner, tls)?;
        let (loaded, log_length) = (self.load_time()?, self.log().len());
        self.process.signal(Signal::SIGHUP)?;
        let reread = wait_until(Instant::now() + READY_LIMIT, || {
            self.load_time().ok().filter(|now| *now != loaded)
        });
        let log = self.log().get(log_length..).unwrap_or_default().to_owned();
        if reread.is_some() && !log.contains("SSL configuration was not reloaded") {
            return Ok(());
        }
        let problem = "did not take the new TLS files".to_owned();
        Err(PartError::NotReady {
            service: "postgres".to_owned(),
            problem,
            log,
        })
    }

    /// Runs SQL as the administrator, over the fixture's own socket and without TLS, and returns bare values: to make
    /// users and look at views.
    ///
    /// # Errors
    /// [`PartError::Command`] with the server's words.
    pub fn administer(&self, sql: &str) -> Result<String, PartError> {
        let mut command = self.psql_command();
        let socket = self.directory.path().display();
        let target = format!(
            "host={socket} port={} user={ADMINISTRATOR} dbname=postgres",
            self.port()
        );
        Ok(run_ok(command.args(["--dbname", &target, "--command", sql]))?
            .trim_end()
            .to_owned())
    }

    /// Runs SQL over TLS with a client certificate, checking the server's against `root_ca` and the name `localhost`.
    /// The outcome's code is `psql`'s: 2 when there was no connection, and standard error says why.
    ///
    /// # Errors
    /// [`PartError::Overrun`] when `psql` hangs.
    pub fn psql(&self, login: PgLogin<'_>, sql: &str) -> Result<Outcome, PartError> {
        let PgLogin {
            user,
            certificate,
            key,
            root_ca,
        } = login;
        let target = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user={user} dbname=postgres connect_timeout=300 gssencmode=disable \
             sslmode=verify-full sslcert='{}' sslkey='{}' sslrootcert='{}'",
            self.port(),
            certificate.display(),
            key.display(),
            root_ca.display(),
        );
        run(self.psql_command().args(["--dbname", &target, "--command", sql]))
    }

    fn psql_command(&self) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["--no-psqlrc", "--no-password", "--tuples-only", "--no-align"]);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("HOME", self.directory.path());
        command
    }

    /// When the server last read its configuration. A session that tells a new time was begun after the re-reading was
    /// complete, TLS files included.
    fn load_time(&self) -> Result<String, PartError> {
        self.administer("select pg_conf_load_time()")
    }

    fn wait_ready(&mut self) -> Result<(), PartError> {
        let socket = self.directory.path().to_owned();
        let (programs, port) = (self.programs.clone(), self.port().to_string());
        self.process.wait_ready(|_| {
            let mut command = Command::new(programs.join("pg_isready"));
            let outcome = run(command
                .args(["--quiet", "--timeout=60"])
                .arg("--host")
                .arg(&socket)
                .args(["--port", &port]));
            outcome.is_ok_and(|outcome| outcome.success()).then_some(())
        })
    }
}

/// The folder with the server's programs: the newest version that Debian has installed, or where `PATH` finds `initdb`.
fn programs() -> Result<PathBuf, PartError> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .collect();
    versions.sort();
    match versions.pop() {
        Some((_, programs)) => Ok(programs),
        None => Ok(program("initdb")?.parent().unwrap_or(Path::new("/")).to_owned()),
    }
}

fn owner() -> Result<Option<Owner>, PartError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user =
        User::from_name(ADMINISTRATOR).map_err(|errno| PartError::system("look up a user")(errno.into()))?;
    let user = user.ok_or_else(|| PartError::Missing {
        what: format!("the user {ADMINISTRATOR}"),
    })?;
    Ok(Some(Owner {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    }))
}

fn as_owner(mut command: Command, owner: Option<Owner>, directory: &Path) -> Command {
    if let Some(Owner { uid, gid }) = owner {
        command.uid(uid).gid(gid);
    }
    command.current_dir(directory).env("LC_ALL", "C");
    command
}

fn configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    // Data need not survive a power cut, and one test needs few connections.
    format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{directory}'\n\
         ssl = on\nssl_cert_file = '{directory}/server.crt'\nssl_key_file = '{directory}/server.key'\n\
         ssl_ca_file = '{directory}/ca.crt'\nfsync = off\nmax_connections = 20\nshared_buffers = 16MB\n\
         authentication_timeout = 10min\nwal_level = minimal\nmax_wal_senders = 0\nlog_connections = on\nlog_min_messages = info\n"
    )
}

fn install_tls(directory: &Path, owner: Option<Owner>, tls: PgTls<'_>) -> Result<(), PartError> {
    let PgTls {
        server_cert,
        server_key,
        ca_file,
    } = tls;
    for (source, name) in [
        (server_cert, "server.crt"),
        (server_key, "server.key"),
        (ca_file, "ca.crt"),
    ] {
        let target = directory.join(name);
        // The key must never be readable by others, not even between two calls: a new file is made and moved in.
        let scratch = directory.join(format!("{name}.new"));
        fs::copy(source, &scratch).map_err(PartError::system(format!("copy {}", source.display())))?;
        give(&scratch, owner, 0o600)?;
        fs::rename(&scratch, &target).map_err(PartError::system(format!("install {}", target.display())))?;
    }
    Ok(())
}

fn write(path: &Path, content: &str, owner: Option<Owner>) -> Result<(), PartError> {
    fs::write(path, content).map_err(PartError::system(format!("write {}", path.display())))?;
    give(path, owner, 0o600)
}

fn give(path: &Path, owner: Option<Owner>, mode: u32) -> Result<(), PartError> {
    let action = || format!("hand {} to the database's user", path.display());
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(PartError::system(action()))?;
    match owner {
        Some(Owner { uid, gid }) => chown(path, Some(uid), Some(gid)).map_err(PartError::system(action())),
        None => Ok(()),
    }
}
