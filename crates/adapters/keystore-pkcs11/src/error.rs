//! Why a token could not be opened.

use std::path::PathBuf;

use crate::config::TokenSelector;

/// Why a token could not be opened. Each says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No file at the path.
    #[error(
        "there is no PKCS#11 module at {path}; install the vendor's client package, or correct `module_path`"
    )]
    ModuleMissing {
        /// The path configured.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the PKCS#11 module {path}; check its permissions")]
    ModuleUnreadable {
        /// The path configured.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may replace the code we would run.
    #[error(
        "the PKCS#11 module {path} has mode {mode:04o}, so other users may replace it; run `chmod go-w {path}`"
    )]
    ModuleWritable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Made for another machine.
    #[error(
        "the PKCS#11 module {path} is made for {machine}, this program for {}; install the vendor's package for this machine",
        std::env::consts::ARCH
    )]
    WrongArchitecture {
        /// The file.
        path: PathBuf,
        /// What it is made for.
        machine: String,
    },
    /// No shared library, or one that does not load.
    #[error("{path} cannot be loaded as a PKCS#11 module: {reason}")]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// A shared library, but no PKCS#11 module.
    #[error(
        "{path} is no PKCS#11 module: it has no {symbol}; `module_path` must name the vendor's PKCS#11 library"
    )]
    NotPkcs11 {
        /// The file.
        path: PathBuf,
        /// The symbol missing.
        symbol: String,
    },
    /// The module refuses to start.
    #[error(
        "the PKCS#11 module {path} does not start: {reason}; check its own configuration and that its service runs"
    )]
    ModuleFailed {
        /// The file.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// No such token.
    #[error("{selector} is not there; {seen}")]
    TokenAbsent {
        /// What was looked for.
        selector: TokenSelector,
        /// The tokens seen, in words.
        seen: String,
    },
    /// Several tokens with the label.
    #[error("several tokens are labelled {label:?}, in slots {slots}; choose one by `slot_number`")]
    TokenAmbiguous {
        /// The label.
        label: String,
        /// The slots, separated by commas.
        slots: String,
    },
    /// The token refused the PIN.
    #[error(
        "the token {store} refused the PIN: {reason}; it was tried once and will not be tried again before it is changed"
    )]
    PinRefused {
        /// The token.
        store: String,
        /// The return value.
        reason: String,
    },
    /// This PIN failed before in this process.
    #[error(
        "the PIN for {store} was refused before and is not tried again; correct `pin` or `pin_path` and restart"
    )]
    PinRefusedBefore {
        /// The token.
        store: String,
    },
    /// The token has no PIN, or is locked.
    #[error("the token {store} cannot be logged in to: {reason}")]
    LoginImpossible {
        /// The token.
        store: String,
        /// Why, and what to do.
        reason: String,
    },
    /// `max_sessions: 1`.
    #[error(
        "`max_sessions: 1` leaves no session to sign with, since one holds the login; set 2 or more, or 0 to size it from the token"
    )]
    OneSession,
    /// The token's own limit is too low, or others hold its sessions.
    #[error(
        "the token admits {most} sessions and {in_use} are in use, but two are needed; close other programs that use it"
    )]
    TooFewSessions {
        /// The token's limit.
        most: u64,
        /// Sessions open before us.
        in_use: u64,
    },
    /// Nothing we could use.
    #[error("the token {store} has none of the mechanisms needed; missing: {missing}")]
    NoMechanisms {
        /// The token.
        store: String,
        /// What is missing for each algorithm.
        missing: String,
    },
    /// The module did not answer in time.
    #[error("the PKCS#11 module {path} did not answer within {seconds} s; check the connection to the token")]
    Timeout {
        /// The file.
        path: PathBuf,
        /// The deadline.
        seconds: u64,
    },
    /// Any other failure of the token.
    #[error("cannot open {selector}: {reason}")]
    Token {
        /// What was looked for.
        selector: TokenSelector,
        /// What the module said.
        reason: String,
    },
}
