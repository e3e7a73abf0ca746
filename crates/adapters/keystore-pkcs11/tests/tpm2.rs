//! The key backend contract on a TPM 2.0: tpm2-pkcs11 over swtpm.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/inside.rs"]
mod inside;

use std::process::ExitCode;

use bench::TokenBench;
use inside::{inside, module};
use key::KeyAlgorithm;
use keystore_pkcs11::TokenSelector;

fn main() -> ExitCode {
    inside("tpm2.sh", || {
        keystore_contract::run(TokenBench {
            name: "tpm2",
            module: module("tpm2-pkcs11", "libtpm2_pkcs11.so"),
            token: TokenSelector::Label("tpm1".into()),
            pin: "1234",
            max_sessions: Some(3),
            algorithms: [
                KeyAlgorithm::Rsa2048,
                KeyAlgorithm::Rsa3072,
                KeyAlgorithm::EcdsaP256,
                KeyAlgorithm::EcdsaP384,
            ]
            .into(),
            // A TPM does one thing at a time, slowly.
            cases_at_once: Some(1),
            makes_many_keys: false,
        })
    })
}
