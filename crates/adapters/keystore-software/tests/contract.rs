//! The key backend contract, on state in memory and in a SQLite file.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rand::SystemRandom;
use key::KeyAlgorithm;
use keystore::KeyBackend;
use keystore_contract::Bench;
use keystore_contract::BenchError;
use keystore_contract::Capabilities;
use keystore_contract::Custody;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use names::ClusterName;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use state::State;
use state::StateError;
use state_memory::MemoryState;
use state_sqlite::SqliteState;

struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        SystemRandom::new().fill(buffer).map_err(|_| EntropyFault)
    }
}

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        1_767_268_800_000
    }
}

/// Every cluster in one store.
struct SoftwareBench {
    name: &'static str,
    store: Store,
}

enum Store {
    Memory(MemoryState),
    /// Opened anew for each backend.
    Sqlite(tempfile::TempDir),
}

impl Store {
    fn open(&self) -> Result<Arc<dyn State>, StateError> {
        match self {
            Self::Memory(state) => Ok(Arc::new(state.clone())),
            Self::Sqlite(folder) => {
                let path = folder.path().join("state.sqlite");
                Ok(Arc::new(SqliteState::open(&path, Arc::new(Noon))?))
            }
        }
    }
}

#[async_trait]
impl Bench for SoftwareBench {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithms: KeyAlgorithm::ALL.into(),
            custody: Custody::Sealed,
            persists: true,
            destroys_at_once: true,
            opens_twice: true,
            makes_many_keys: true,
        }
    }

    async fn open(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError> {
        let sealing = SealingKey::from_bytes([7; 32]);
        let backend =
            SoftwareBackend::open(self.store.open()?, sealing, Arc::new(Random), cluster.clone()).await?;
        Ok(Box::new(backend.with_clock(Arc::new(Noon))))
    }
}

fn main() -> ExitCode {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("error: no temporary folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    let memory = Store::Memory(MemoryState::new(Arc::new(Noon)));
    keystore_contract::run_all(vec![
        Arc::new(SoftwareBench {
            name: "memory",
            store: memory,
        }),
        Arc::new(SoftwareBench {
            name: "sqlite",
            store: Store::Sqlite(folder),
        }),
    ])
}
