//! The contract's bench over any module.

use std::collections::BTreeSet;
use std::path::PathBuf;
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
        let config = Pkcs11Config {
            module_path: self.module.clone(),
            token: self.token.clone(),
            pin: self.pin.into(),
            max_sessions: self.max_sessions,
            call_deadline: Duration::from_secs(30),
            cluster: cluster.clone(),
        };
        Ok(Box::new(Pkcs11Backend::open(config).await?))
    }

    fn cases_at_once(&self) -> Option<usize> {
        self.cases_at_once
    }
}
