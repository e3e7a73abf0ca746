//! What the tests on real tokens share: the contract's bench over any module.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses its part"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use key::KeyAlgorithm;
use keystore::KeyBackend;
use keystore_contract::{Bench, BenchError, Capabilities, Custody};
use keystore_pkcs11::{Pkcs11Backend, Pkcs11Config, TokenSelector};
use names::ClusterName;

/// The contract on one token.
pub(crate) struct TokenBench {
    pub(crate) name: &'static str,
    pub(crate) module: PathBuf,
    pub(crate) token: TokenSelector,
    pub(crate) pin: &'static str,
    pub(crate) max_sessions: Option<u32>,
    pub(crate) algorithms: BTreeSet<KeyAlgorithm>,
    pub(crate) cases_at_once: Option<usize>,
    pub(crate) makes_many_keys: bool,
}

pub(crate) fn config(module: &Path, token: TokenSelector, pin: &str, cluster: &ClusterName) -> Pkcs11Config {
    Pkcs11Config {
        module_path: module.to_owned(),
        token,
        pin: pin.into(),
        max_sessions: None,
        call_deadline: Duration::from_secs(30),
        cluster: cluster.clone(),
    }
}

#[async_trait::async_trait]
impl Bench for TokenBench {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithms: self.algorithms.clone(),
            custody: Custody::Token,
            persists: true,
            destroys_at_once: true,
            opens_twice: true,
            makes_many_keys: self.makes_many_keys,
        }
    }

    async fn open(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError> {
        let mut config = config(&self.module, self.token.clone(), self.pin, cluster);
        config.max_sessions = self.max_sessions;
        Ok(Box::new(Pkcs11Backend::open(config).await?))
    }

    fn cases_at_once(&self) -> Option<usize> {
        self.cases_at_once
    }
}

const INSIDE: &str = "SIGNET_TEST_INSIDE";

/// Where a distribution keeps a PKCS#11 module.
pub(crate) fn module(what: &str, file: &str) -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu/pkcs11", "/usr/lib/aarch64-linux-gnu/pkcs11", "/usr/lib64/pkcs11"];
    let candidates = folders.map(|folder| format!("{folder}/{file}"));
    parts::place::first_existing(what, &candidates.each_ref().map(String::as_str)).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs this test program again by a script of `tests/support`, in namespaces of its own, and `work` in there.
pub(crate) fn inside(script: &str, work: impl FnOnce() -> ExitCode) -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return work();
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(script);
    let own = std::env::current_exe().expect("the path of this program");
    let status = Command::new("unshare")
        .args(["--mount", "--ipc", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(script)
        .arg(folder.path())
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .expect("unshare of util-linux");
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}
