//! The key backend contract on SoftHSM2.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up fails by panicking"
)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/memory.rs"]
mod memory;

use std::process::ExitCode;

use bench::TokenBench;
use key::KeyAlgorithm;
use keystore_pkcs11::TokenSelector;
use parts::softhsm::SoftHsm;

fn main() -> ExitCode {
    memory::keep_temporary_files_in_memory();
    let hsm = SoftHsm::new().unwrap();
    hsm.init_token("contract", "1234").unwrap();
    for (name, value) in hsm.environment() {
        pkcs11_shim::set_environment(name, value).unwrap();
    }
    keystore_contract::run(TokenBench {
        name: "softhsm",
        module: hsm.module_path().to_owned(),
        token: TokenSelector::Label("contract".into()),
        pin: "1234",
        max_sessions: None,
        algorithms: KeyAlgorithm::ALL.into(),
        cases_at_once: None,
        makes_many_keys: true,
    })
}
