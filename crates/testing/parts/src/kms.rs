//! AWS in small: emulators of KMS and STS, for tests of what talks to Amazon's.
//!
//! [`Ministack`] is faithful about key states, digests and errors; [`Moto`] is the second opinion, and wrong about
//! `MessageType=DIGEST` (it hashes the digest again) and about disabled keys (they still sign). Neither checks request
//! signatures as started here.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Guarded;
use crate::python::Venv;
use crate::{PartError, port};

/// The region that [`Emulator::environment`] names.
pub const REGION: &str = "eu-central-1";
/// The account that ministack answers for.
pub const MINISTACK_ACCOUNT: &str = "000000000000";
/// The account that moto answers for.
pub const MOTO_ACCOUNT: &str = "123456789012";

/// A running emulator; what [`Ministack`] and [`Moto`] have in common.
#[derive(Debug)]
pub struct Emulator {
    process: Guarded,
    port: port::Reserved,
    _directory: TempDir,
}

impl Emulator {
    /// The value for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// The environment in which any AWS SDK talks to this emulator and to nothing else.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint_url()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            ),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/nonexistent/aws-config".to_owned()),
            (
                "AWS_SHARED_CREDENTIALS_FILE",
                "/nonexistent/aws-credentials".to_owned(),
            ),
        ]
    }

    /// The process id, for tests that look at what it listens on.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything the emulator has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends the emulator, so that its endpoint refuses connections from now on: the cloud is unreachable.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    fn start(
        program: &str,
        health_path: &str,
        configure: impl FnOnce(&mut std::process::Command, u16),
    ) -> Result<Self, PartError> {
        let directory =
            TempDir::with_prefix("kms-").map_err(PartError::system("make a directory for KMS"))?;
        let port = port::free()?;
        let mut command = Venv::open()?.command(program)?;
        // Whatever credentials or profiles the tests run under are not the emulator's business.
        for (name, _value) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(directory.path())
            .env("TMPDIR", directory.path())
            .env("PYTHONUNBUFFERED", "1");
        configure(&mut command, port.number());
        let mut process = Guarded::start(program, &mut command, &directory.path().join("log"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        process.wait_ready(|_| answers(address, health_path).then_some(()))?;
        Ok(Self {
            process,
            port,
            _directory: directory,
        })
    }
}

/// The emulator of choice.
#[derive(Debug)]
pub struct Ministack(Emulator);

impl Ministack {
    /// Starts ministack with KMS, STS, IAM and tagging on loopback.
    ///
    /// # Errors
    /// [`PartError::NoVenv`] or [`PartError::Missing`] when it is not installed, [`PartError::NotReady`] with its log.
    pub fn start() -> Result<Self, PartError> {
        let emulator = Emulator::start("ministack", "/_ministack/health", |command, port| {
            // Without BIND_HOST it listens on every interface; the two listeners switched off have ports of their own.
            command
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("SERVICES", "kms,sts,iam,tagging")
                .env("SFTP_ENABLED", "0")
                .env("IOT_MTLS_ENABLED", "0")
                .env("MINISTACK_REGION", REGION);
        })?;
        Ok(Self(emulator))
    }
}

/// The second opinion.
#[derive(Debug)]
pub struct Moto(Emulator);

impl Moto {
    /// Starts moto's server on loopback.
    ///
    /// # Errors
    /// As [`Ministack::start`].
    pub fn start() -> Result<Self, PartError> {
        let emulator = Emulator::start("moto_server", "/moto-api/data.json", |command, port| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        })?;
        Ok(Self(emulator))
    }
}

impl std::ops::Deref for Ministack {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

impl std::ops::DerefMut for Ministack {
    fn deref_mut(&mut self) -> &mut Emulator {
        &mut self.0
    }
}

impl std::ops::Deref for Moto {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

impl std::ops::DerefMut for Moto {
    fn deref_mut(&mut self) -> &mut Emulator {
        &mut self.0
    }
}

/// Whether an HTTP GET of `path` is answered with 200.
fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
