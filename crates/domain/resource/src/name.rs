use std::borrow::Borrow;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// The name of a document: 1 to 128 of `[A-Za-z0-9._@:-]`, neither `.` nor `..`, so that it is also one segment of a path
/// in the state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(Cow<'static, str>);

impl ResourceName {
    /// The most bytes of a name.
    pub const BYTES_MAX: usize = 128;

    /// Parses a name.
    ///
    /// # Errors
    /// When it is not of the form the type describes.
    pub fn parse(text: &str) -> Result<Self, BadResourceName> {
        if is_name(text.as_bytes()) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(BadResourceName(crate::problem::shortened(text)))
        }
    }

    /// A name the program itself gives. Meant for constants, where a text that is no name stops the build.
    ///
    /// # Panics
    /// When the text is no name.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(is_name(text.as_bytes()), "not a name");
        Self(Cow::Borrowed(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_name(text: &[u8]) -> bool {
    if text.is_empty() || text.len() > ResourceName::BYTES_MAX || matches!(text, b"." | b"..") {
        return false;
    }
    let mut left = text;
    while let [first, rest @ ..] = left {
        if !matches!(*first, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b':' | b'-') {
            return false;
        }
        left = rest;
    }
    true
}

/// The text is no name of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name; allowed are 1 to 128 letters, digits and . _ @ : - (but not . or .. alone)")]
pub struct BadResourceName(pub String);

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ResourceName {
    type Err = BadResourceName;
    fn from_str(text: &str) -> Result<Self, BadResourceName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ResourceName {
    type Error = BadResourceName;
    fn try_from(text: String) -> Result<Self, BadResourceName> {
        Self::parse(&text)
    }
}

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.0.into_owned()
    }
}

impl AsRef<str> for ResourceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ResourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
