//! JSON web tokens (RFC 7519) and key sets (RFC 7517): what is signed, and what verifiers read.
//!
//! A [`TokenPlan`] says everything a token will say and writes the bytes to sign; [`assemble`] joins them with the signature. This
//! crate holds no policy, no keys, no clock and no randomness.

mod bundle;
mod discovery;
mod jwk;
mod token;

pub use bundle::spiffe_bundle;
pub use discovery::openid_configuration;
pub use jwk::{Jwk, algorithm, key_set, thumbprint};
pub use token::{BadToken, Claims, REGISTERED_CLAIMS, TOKEN_BYTES_MAX, TokenPlan, Unverified, assemble};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Base64 without padding in the alphabet of URLs (RFC 7515 section 2).
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
