//! Parsed names and typed ids.
//!
//! A value of one of these types has been checked once, at the edge, and needs no second look inside.
//! Nothing here reads a clock, a file or the environment.

mod cluster;
mod network;
mod principal;
mod serial;
mod time;

pub use cluster::ClusterName;
pub use network::{estate_of, network_of, site_of};
pub use principal::{HostName, Principal, UserName};
pub use serial::Serial;
pub use time::{Ttl, UnixSeconds};

/// Why a text is not the name it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no characters.
    #[error("{what} is empty")]
    Empty {
        /// The kind of name.
        what: &'static str,
    },
    /// The text is longer than its kind allows.
    #[error("{what} is {length} bytes long, at most {maximum} are allowed")]
    TooLong {
        /// The kind of name.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The most its kind allows, in bytes.
        maximum: usize,
    },
    /// A character is not allowed there.
    #[error("{what} has {character:?} at position {position}; allowed are {allowed}")]
    BadCharacter {
        /// The kind of name.
        what: &'static str,
        /// The offending character.
        character: char,
        /// Its byte offset.
        position: usize,
        /// What is allowed, in words.
        allowed: &'static str,
    },
    /// The text is not of the form its kind asks for.
    #[error("{what} {reason}")]
    Malformed {
        /// The kind of name.
        what: &'static str,
        /// What is wrong, in words.
        reason: &'static str,
    },
}

pub(crate) fn check_length(what: &'static str, text: &str, maximum: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > maximum {
        return Err(NameError::TooLong {
            what,
            length: text.len(),
            maximum,
        });
    }
    Ok(())
}

/// Implements the conversions that every textual name shares: parsing, display, serde.
macro_rules! textual {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = $crate::NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}
pub(crate) use textual;

#[cfg(test)]
mod tests;
