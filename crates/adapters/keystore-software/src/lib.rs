//! Private keys sealed in the cluster's own state.
//!
//! Each key is one document, `key/software/<id>`: the PKCS#8 form of the private key encrypted under a data key of its own, and
//! that data key encrypted under the sealing key ([`SealingKey`]). Whoever has the state and the sealing key has the keys; whoever
//! has one of them has nothing. Keys in use are held in memory, so that a signature costs what the raw signature costs.
//!
//! Over `state-memory` this is also the fake that other crates test with.

mod backend;
mod cache;
mod envelope;
mod private_key;
mod record;
mod records;
mod sealing_key;

pub use backend::SoftwareBackend;
pub use records::is_sealed;
pub use sealing_key::SealingKey;
pub use sealing_key::SealingKeyError;

/// What errors call this backend; [`key::KeyRef::store`] of its keys is empty.
const SHOWN: &str = "the software key store";
