use serde::Deserialize;
use serde::Serialize;

use crate::NameError;
use crate::check_length;
use crate::textual;

/// The name of a cluster: a DNS name of at most 64 bytes, lower case, so that it fits an X.509 common name
/// (RFC 5280 appendix A, `ub-common-name`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    const WHAT: &'static str = "cluster name";

    /// Parses a cluster name.
    ///
    /// # Errors
    /// When it is empty, too long, or no lower-case DNS name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(Self::WHAT, text, 64)?;
        crate::principal::check_dns(Self::WHAT, text)?;
        Ok(Self(text.to_owned()))
    }
}

textual!(ClusterName);
