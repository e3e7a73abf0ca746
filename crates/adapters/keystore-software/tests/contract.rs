//! The key backend contract, on state in memory.

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
use state_memory::MemoryState;

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
    state: Arc<dyn State>,
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
        let backend = SoftwareBackend::open(
            Arc::clone(&self.state),
            sealing,
            Arc::new(Random),
            cluster.clone(),
        )
        .await?;
        Ok(Box::new(backend.with_clock(Arc::new(Noon))))
    }
}

fn main() -> ExitCode {
    let memory = SoftwareBench {
        name: "memory",
        state: Arc::new(MemoryState::new(Arc::new(Noon))),
    };
    keystore_contract::run_all(vec![Arc::new(memory)])
}
