//! The backend on SoftHSM2 behind the fault-injecting shim.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod doctor;
mod faults;
mod generation;
mod hangs;
#[path = "../support/memory.rs"]
mod memory;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Sessions of calls that hang stay open in the token until the calls return, so those come last.
    world::run(&[generation::CASES, faults::CASES, doctor::CASES, hangs::CASES].concat())
}
