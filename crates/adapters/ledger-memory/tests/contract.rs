//! The ledger contract, in memory.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use ledger::Ledger;
use ledger_contract::Bench;
use ledger_contract::BenchError;
use ledger_contract::Capabilities;
use ledger_contract::Opened;
use ledger_memory::MemoryLedger;

struct MemoryBench;

#[async_trait]
impl Bench for MemoryBench {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persists: false,
            refuses_writes: true,
        }
    }

    async fn open(&self) -> Result<Box<dyn Opened>, BenchError> {
        Ok(Box::new(InMemory(Arc::new(MemoryLedger::new()))))
    }
}

struct InMemory(Arc<MemoryLedger>);

#[async_trait]
impl Opened for InMemory {
    fn ledger(&self) -> Arc<dyn Ledger> {
        self.0.clone()
    }

    async fn reopen(&mut self) -> Result<(), BenchError> {
        Err("memory does not survive".into())
    }

    async fn refuse_writes(&mut self, refuse: bool) -> Result<(), BenchError> {
        self.0.fail_writes(refuse);
        Ok(())
    }
}

fn main() -> ExitCode {
    ledger_contract::run(MemoryBench)
}
