//! The key backend contract on opencryptoki's soft token: RSA alone, chosen by slot, with a token information that cannot be
//! read (its clock is none).

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
    inside("opencryptoki.sh", || {
        keystore_contract::run(TokenBench {
            name: "opencryptoki",
            module: module("opencryptoki", "libopencryptoki.so"),
            token: TokenSelector::Slot(3),
            pin: "87651234",
            max_sessions: Some(5),
            algorithms: [
                KeyAlgorithm::Rsa2048,
                KeyAlgorithm::Rsa3072,
                KeyAlgorithm::Rsa4096,
            ]
            .into(),
            cases_at_once: Some(1),
            makes_many_keys: false,
        })
    })
}
