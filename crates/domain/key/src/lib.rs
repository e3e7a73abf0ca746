//! Public keys, signatures and key references, in every encoding their consumers read.
//!
//! Backends and consumers disagree on encodings: PKCS#11 and JWS want ECDSA signatures as raw `r‖s`, KMS and X.509 want DER,
//! SSH wants two mpints. [`Signature`] holds one form and writes them all; [`PublicKey`] does the same for keys.
//! This crate knows no private keys.

mod algorithm;
mod public_key;
mod reference;
mod signature;

pub use algorithm::{KeyAlgorithm, SignatureScheme};
pub use public_key::{KeyFault, PublicKey, PublicKeyParts, SpkiSha256};
pub use reference::{BackendKind, KeyId, KeyRef};
pub use signature::{BadSignature, Signature};

#[cfg(test)]
mod tests;
