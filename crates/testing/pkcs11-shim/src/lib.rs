//! A PKCS#11 module for tests: it loads a real module, passes every call of the 2.40 function list through,
//! and injects faults on demand. Never part of a product.
//!
//! The shared library reads its environment:
//!
//! - `SIGNET_SHIM_MODULE`: the real module, such as `/usr/lib/softhsm/libsofthsm2.so`;
//! - `SIGNET_SHIM_CONTROL`: the control file, looked at on every call and read again when it changed;
//! - `SIGNET_SHIM_COUNTERS`: where to write the number of calls per function, at `C_Finalize` and on `dump`.
//!
//! # The control file
//!
//! One order per line; an empty or missing file passes everything through. A line that is not understood makes
//! every call fail with `CKR_GENERAL_ERROR`, so that no test passes on a misspelt fault.
//!
//! | line | effect |
//! |---|---|
//! | `C_Sign device_error 3` | the next three calls return `CKR_DEVICE_ERROR` |
//! | `C_Login pin_locked` | every call returns `CKR_PIN_LOCKED`; `0x30` instead of a name works too |
//! | `* token_not_present` | every function that takes a slot or session |
//! | `C_Sign delay_ms 5 per_session` | each call takes 5 ms, sessions side by side (`serial`: one at a time) |
//! | `C_FindObjectsInit hang 1` | the next call does not reach the module until the control file says something else |
//! | `max_sessions 4` | a fifth `C_OpenSession` returns `CKR_SESSION_COUNT`; the token info says so |
//! | `token_removed` | the token is out of its slot while the line stands; its sessions are gone for good |
//! | `drop_sessions` | closes every session once, which also logs out: a device that restarted |
//! | `logout` | logs out once, behind the application's back |
//! | `token_flag user_pin_final_try` | adds a flag to the token info |
//! | `manufacturer Yubico (www.yubico.com)` | the manufacturer reported |
//! | `hide_mechanism ecdsa` | leaves a mechanism out of the list |
//! | `refuse_attribute local general_error` | `C_GenerateKeyPair` refuses templates that have it |
//! | `lie never_extractable false` | `C_GetAttributeValue` reports this instead |
//! | `dump` | writes the counters once |
//!
//! A delay is the token's time, which this machine's timers do not stretch: what a sleep overslept is taken off the
//! session's next delay when that call follows at once.
//!
//! A `C_Sign` that only asks for the size of the signature is not a call of `C_Sign` in this sense.
//!
//! Tests link this crate for [`module_path()`], [`Shim`], [`calls()`] and [`most_at_once()`], and load the shared library like any
//! other module. Modules initialise once per process and read their environment then: set it with
//! [`set_environment`] first thing in `main` of a test with `harness = false`.

mod calls;
mod control;
mod harness;
mod state;
mod words;

pub use calls::{C_GetFunctionList, signet_shim_calls, signet_shim_most_at_once};
pub use harness::{Shim, calls, module_path, most_at_once, set_environment};

/// Names the real module.
pub const MODULE_VARIABLE: &str = "SIGNET_SHIM_MODULE";
/// Names the control file.
pub const CONTROL_VARIABLE: &str = "SIGNET_SHIM_CONTROL";
/// Names the file for the counters.
pub const COUNTERS_VARIABLE: &str = "SIGNET_SHIM_COUNTERS";
