//! The client of Signet's API: over the host's socket, or over mutual TLS with an identity file.
//!
//! [`Client`] has one method per endpoint. Every call has a deadline and every answer a limit of size; a refusal comes
//! back as [`ClientError::Refused`] with the server's stable code, its words and its hint.

mod access;
mod call;
mod client;
mod connect;
mod error;
mod identity;
mod kept;
mod query;
mod trust;
mod waiting;

pub use client::Client;
pub use connect::Endpoint;
pub use error::ClientError;
pub use identity::{CaPin, Identity, IdentityError};
pub use trust::ServerTrust;
pub use waiting::rest_after;
pub use waiting::until_decided;
