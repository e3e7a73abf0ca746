//! What the tests on real tokens share: the contract's bench over any module.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use key::KeyAlgorithm;
use keystore::KeyBackend;
use keystore_contract::{Bench, BenchError, Capabilities, Custody};
use keystore_pkcs11::{Pkcs11Backend, Pkcs11Config, TokenSelector};
use names::ClusterName;

/// The contract on one token.
pub struct TokenBench {
    pub name: &'static str,
    pub module: PathBuf,
    pub token: TokenSelector,
    pub pin: &'static str,
    pub max_sessions: Option<u32>,
    pub algorithms: BTreeSet<KeyAlgorithm>,
    pub cases_at_once: Option<usize>,
    pub makes_many_keys: bool,
}

pub fn config(module: &Path, token: TokenSelector, pin: &str, cluster: &ClusterName) -> Pkcs11Config {
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
