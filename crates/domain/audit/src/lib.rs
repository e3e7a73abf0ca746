//! What happened: typed audit events with stable codes, and the chain of hashes that holds them together.
//!
//! An event is written before the act it tells of; when it cannot be written the act does not happen. Each entry's hash covers the
//! entry before it, so that an edited, removed or reordered entry shows; a truncated log shows against the recorded [`Head`].

mod chain;
mod event;

pub use chain::{Break, Entry, Head, Verifier};
pub use event::{Actor, AuditEvent, Envelope, Outcome};
