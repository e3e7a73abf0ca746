//! The state contract, in memory.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use runtime::Clock;
use state::State;
use state_contract::Bench;
use state_contract::BenchError;
use state_contract::Capabilities;
use state_memory::MemoryState;

/// As small as the cases bear.
const HISTORY: usize = 12;

/// Stores live as long as the bench, so that "closing" one is dropping a handle.
#[derive(Default)]
struct MemoryBench {
    stores: Mutex<BTreeMap<String, MemoryState>>,
}

impl MemoryBench {
    fn store(&self, name: &str, clock: Option<Arc<dyn Clock>>) -> Option<MemoryState> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(clock)) = (stores.get(name), clock) {
            stores.insert(name.to_owned(), MemoryState::with_history(clock, HISTORY));
        }
        stores.get(name).cloned()
    }
}

#[async_trait]
impl Bench for MemoryBench {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persists: true,
            opens_twice: true,
            refuses_writes: true,
            history_max: Some(HISTORY),
        }
    }

    async fn open(&self, store: &str, clock: Arc<dyn Clock>) -> Result<Box<dyn State>, BenchError> {
        let store = self.store(store, Some(clock)).ok_or("no such store")?;
        Ok(Box::new(store))
    }

    async fn refuse_writes(&self, store: &str, is_refusing: bool) -> Result<(), BenchError> {
        self.store(store, None)
            .ok_or("no such store")?
            .fail_writes(is_refusing);
        Ok(())
    }
}

fn main() -> ExitCode {
    state_contract::run(MemoryBench::default())
}
