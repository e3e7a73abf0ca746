//! What the contract cannot see: envelopes, the sealing key and its file.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod records;
mod sealing_key;

use std::sync::Arc;

use authority::AuthorityType;
use authority::KeyForm;
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rand::SystemRandom;
use key::KeyAlgorithm;
use key::KeyId;
use keystore::GenerateKey;
use keystore::KeyError;
use keystore::KeyLabel;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use names::ClusterName;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use state_memory::MemoryState;

pub(crate) struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        SystemRandom::new().fill(buffer).map_err(|_| EntropyFault)
    }
}

pub(crate) struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyFault> {
        Err(EntropyFault)
    }
}

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        1_767_268_800_000
    }
}

pub(crate) fn memory() -> MemoryState {
    MemoryState::new(Arc::new(Noon))
}

pub(crate) async fn open(state: &MemoryState, sealing: [u8; 32]) -> Result<SoftwareBackend, KeyError> {
    let cluster = ClusterName::parse("example.com").unwrap();
    let sealing = SealingKey::from_bytes(sealing);
    SoftwareBackend::open(Arc::new(state.clone()), sealing, Arc::new(Random), cluster).await
}

pub(crate) fn request(algorithm: KeyAlgorithm, id: u8) -> GenerateKey {
    let cluster = ClusterName::parse("example.com").unwrap();
    let label = KeyLabel {
        cluster,
        authority: AuthorityType::Host,
        form: KeyForm::Ssh,
        generation: 1,
    };
    GenerateKey {
        id: KeyId::from_random([id; 16]),
        algorithm,
        label,
    }
}

/// The error with its causes, as a log shows it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
