//! etcd on loopback, reached with client certificates only, and the real `etcdctl`.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::place::program;
use crate::process::{Guarded, Outcome, run};
use crate::{PartError, port};

/// TLS files of one side, all PEM.
#[derive(Clone, Copy, Debug)]
pub struct EtcdTls<'a> {
    /// The side's own certificate; the server's has to name `127.0.0.1`.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// The authorities whose certificates the side accepts.
    pub ca_file: &'a Path,
}

/// A running single member, stopped and deleted on drop.
#[derive(Debug)]
pub struct Etcd {
    process: Guarded,
    port: port::Reserved,
    _peer_port: port::Reserved,
    _directory: TempDir,
}

impl Etcd {
    /// Starts a member and waits until a client with the same files can write.
    ///
    /// # Errors
    /// [`PartError::Missing`] when etcd is not installed, [`PartError::NotReady`] with its log.
    pub fn start(tls: EtcdTls<'_>) -> Result<Self, PartError> {
        let program = program("etcd")?;
        let directory =
            TempDir::with_prefix("etcd-").map_err(PartError::system("make a directory for etcd"))?;
        let (port, peer_port) = (port::free()?, port::free()?);
        let (url, peer) = (url(&port), format!("http://127.0.0.1:{}", peer_port.number()));
        let mut command = Command::new(program);
        // Settings of the machine must not reach it.
        command.env_clear();
        command.arg("--data-dir").arg(directory.path().join("data"));
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command.args([
            "--initial-cluster",
            &format!("default={peer}"),
            "--client-cert-auth",
        ]);
        command
            .arg("--cert-file")
            .arg(tls.certificate)
            .arg("--key-file")
            .arg(tls.key);
        command.arg("--trusted-ca-file").arg(tls.ca_file);
        let process = Guarded::start("etcd", &mut command, &directory.path().join("log"))?;
        let mut etcd = Self {
            process,
            port,
            _peer_port: peer_port,
            _directory: directory,
        };
        etcd.wait_ready(tls)?;
        Ok(etcd)
    }

    /// Where clients reach it, as an `https` URL.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        url(&self.port)
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Runs `etcdctl` (version 3 of the protocol) with a client's certificate. An exit code other than 0 is part of the
    /// outcome. A client without a good certificate tries until its deadline of two minutes: give it less by
    /// `--command-timeout`.
    ///
    /// # Errors
    /// [`PartError::Missing`] when the client is not installed.
    pub fn etcdctl(&self, tls: EtcdTls<'_>, args: &[&str]) -> Result<Outcome, PartError> {
        etcdctl(&self.endpoint_url(), tls, args)
    }

    fn wait_ready(&mut self, tls: EtcdTls<'_>) -> Result<(), PartError> {
        let endpoint = self.endpoint_url();
        self.process.wait_ready(|_| {
            let outcome = etcdctl(&endpoint, tls, &["endpoint", "health"]);
            outcome.is_ok_and(|outcome| outcome.success()).then_some(())
        })
    }
}

fn url(port: &port::Reserved) -> String {
    format!("https://127.0.0.1:{}", port.number())
}

fn etcdctl(endpoint: &str, tls: EtcdTls<'_>, args: &[&str]) -> Result<Outcome, PartError> {
    let EtcdTls {
        certificate,
        key,
        ca_file,
    } = tls;
    let mut command = Command::new(program("etcdctl")?);
    command.env_clear().env("ETCDCTL_API", "3").args([
        "--endpoints",
        endpoint,
        "--command-timeout",
        "120s",
        "--dial-timeout",
        "120s",
    ]);
    command
        .arg("--cert")
        .arg(certificate)
        .arg("--key")
        .arg(key)
        .arg("--cacert")
        .arg(ca_file);
    run(command.args(args))
}
