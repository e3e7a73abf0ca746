//! The id under which a request is logged and its failure told.

use std::sync::Arc;

use runtime::Entropy;

/// The id of a request: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A random id. Without randomness it is all zeros: the id protects nothing, and the request meets the fault itself if it matters.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        if entropy.fill(&mut bytes).is_err() {
            bytes = [0; 8];
        }
        Self(hex::encode(bytes).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
