//! The state contract, on a SQLite file.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use runtime::Clock;
use state::State;
use state_contract::Bench;
use state_contract::BenchError;
use state_contract::Capabilities;
use state_sqlite::Settings;
use state_sqlite::SqliteState;

/// As small as the cases bear.
const HISTORY: usize = 12;

struct SqliteBench {
    folder: tempfile::TempDir,
}

#[async_trait]
impl Bench for SqliteBench {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persists: true,
            opens_twice: true,
            refuses_writes: false,
            history_max: Some(HISTORY),
        }
    }

    async fn open(&self, store: &str, clock: Arc<dyn Clock>) -> Result<Box<dyn State>, BenchError> {
        let path = self.folder.path().join(format!("{store}.sqlite"));
        let settings = Settings {
            history_max: HISTORY,
            ..Settings::default()
        };
        Ok(Box::new(SqliteState::open_with(&path, clock, settings)?))
    }

    async fn refuse_writes(&self, _: &str, _: bool) -> Result<(), BenchError> {
        Err("a full disk is shown in this adapter's own tests".into())
    }
}

fn main() -> ExitCode {
    match tempfile::tempdir() {
        Ok(folder) => state_contract::run(SqliteBench { folder }),
        Err(error) => {
            eprintln!("error: no temporary folder: {error}");
            ExitCode::FAILURE
        }
    }
}
