//! What the contract does not ask, against real emulators, and judged by boto3.
//!
//! The modules are marked `cfg(test)`, which is always true here, so that the lints know their helpers for test code.

#[cfg(test)]
mod doctor;
#[cfg(test)]
mod environment;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod multi_region;
#[cfg(test)]
mod page;
#[cfg(test)]
mod refusals;
