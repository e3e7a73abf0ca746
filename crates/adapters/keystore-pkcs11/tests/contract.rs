//! The key backend contract on SoftHSM2.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up fails by panicking"
)]

mod support;

use std::process::ExitCode;

use key::KeyAlgorithm;
use keystore_pkcs11::TokenSelector;
use parts::softhsm::SoftHsm;
use support::TokenBench;

fn main() -> ExitCode {
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
