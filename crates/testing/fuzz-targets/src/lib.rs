//! One function for each parser of bytes that somebody else may have written. Each takes any bytes, and fails by a panic: where
//! the parser panics, or where what it read does not hold what a reader may rely on (written out again it is the same, what is
//! linted can be read).
//!
//! The same functions run in two places: in `fuzz/`, driven by libFuzzer, which needs a nightly compiler and time; and in this
//! crate's tests, with every seed of `fuzz/corpus`, thousands of mutations of them, and random bytes. See
//! `docs/internals/fuzzing.md`.
//!
//! Nothing here reads a file, a clock or an environment: an input that fails once fails always.

mod documents;
mod keys;
mod mutation;
mod requests;
mod ssh;
mod words;
mod x509;

pub use documents::{api_document, audit_log, config_yaml, identity_file, jwt_token, stored_document};
pub use keys::{public_key, signature};
pub use mutation::Mutations;
pub use requests::{grants, profile_request};
pub use ssh::{ssh_certificate, ssh_key, ssh_option};
pub use words::name;
pub use x509::{x509_certificate, x509_crl, x509_name, x509_pem, x509_request};

/// A function that takes any bytes, and the name of its corpus and its fuzzer.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the function, of the folder in `fuzz/corpus` and of the program in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        /// Every target, by name.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name }),+];
    };
}

targets!(
    api_document,
    audit_log,
    config_yaml,
    identity_file,
    jwt_token,
    name,
    profile_request,
    public_key,
    signature,
    ssh_certificate,
    ssh_key,
    ssh_option,
    stored_document,
    x509_certificate,
    x509_crl,
    x509_name,
    x509_pem,
    x509_request,
);
