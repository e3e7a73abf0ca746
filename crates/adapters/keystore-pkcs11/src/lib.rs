//! Keys in a PKCS#11 token: the [`keystore::KeyBackend`] for HSMs, smart cards, TPMs and software tokens.
//!
//! - One initialisation per module and process, with operating-system locks; modules are never unloaded.
//! - One session holds the login and does nothing else; a bounded pool of sessions works, one thread each.
//! - Every return value is classified by [`classify`]; a session that failed is closed and never used again.
//! - Every call has a deadline; a call that hangs costs its thread, not the caller.
//! - A PIN is sent once. A token that refuses it is not asked again in this process, nor one that has a single try left.
//! - A private key is generated in the token as a sensitive, never extractable token object; what the token made of that is
//!   read back, and a key that could leave is destroyed on the spot.
//! - A key is found by id, key type and public key; nothing less is used or destroyed.
//!
//! Start with [`Pkcs11Config`] and [`Pkcs11Backend::open`]; [`examine`] tells an operator what is wrong.

mod backend;
mod config;
mod doctor;
mod elf;
mod error;
mod generate;
mod mechanisms;
mod module;
mod objects;
mod open;
mod pace;
mod pin;
mod pool;
mod quiet;
mod recovery;
mod seat;
mod slots;
mod token;

pub use backend::Pkcs11Backend;
pub use config::{
    DEFAULT_CALL_DEADLINE, DEFAULT_SESSIONS_MAX, PinFileError, Pkcs11Config, TokenSelector, read_pin_file,
};
pub use doctor::{Check, Finding, Severity, examine};
pub use error::OpenError;
pub use pin::{LoginVerdict, judge};
pub use recovery::{Recovery, classify};
