use std::net::IpAddr;

use serde::Deserialize;
use serde::Serialize;

use crate::NameError;
use crate::check_length;
use crate::textual;

/// One name an SSH certificate is good for.
///
/// A principal with a comma, a blank, a control character, a wildcard or nothing in it is refused: each of these
/// means something else to one of the programs that read certificates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal(String);

impl Principal {
    const WHAT: &'static str = "principal";

    /// Parses a principal.
    ///
    /// # Errors
    /// When it is empty, longer than 255 bytes, or has a character that some reader of certificates takes for
    /// more than itself.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(Self::WHAT, text, 255)?;
        check_visible(Self::WHAT, text)?;
        Ok(Self(text.to_owned()))
    }
}

textual!(Principal);

/// The name of a person or a machine account, as it stands in the common name of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    const WHAT: &'static str = "user name";

    /// Parses a user name.
    ///
    /// # Errors
    /// When it is empty, longer than 64 bytes (RFC 5280 `ub-common-name`), or has a character a principal may not have.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(Self::WHAT, text, 64)?;
        check_visible(Self::WHAT, text)?;
        Ok(Self(text.to_owned()))
    }
}

textual!(UserName);

/// A host as certificates name it: a DNS name or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    const WHAT: &'static str = "host name";

    /// Parses a DNS name (lower-cased) or an IP address (in canonical form).
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(Self::WHAT, text, 253)?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        let lower = text.to_ascii_lowercase();
        check_dns(Self::WHAT, &lower)?;
        Ok(Self(lower))
    }

    /// The address, when the host is named by one.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

textual!(HostName);

/// Refuses whatever is not a visible character with one meaning.
fn check_visible(what: &'static str, text: &str) -> Result<(), NameError> {
    const ALLOWED: &str =
        "visible characters except comma, asterisk, question mark, exclamation mark and quotes";
    for (position, character) in text.char_indices() {
        let is_bad = character.is_control()
            || character.is_whitespace()
            || matches!(character, ',' | '*' | '?' | '!' | '"' | '\'' | '`' | '\\')
            || is_invisible(character);
        if is_bad {
            return Err(NameError::BadCharacter {
                what,
                character,
                position,
                allowed: ALLOWED,
            });
        }
    }
    Ok(())
}

/// Characters that print as nothing or reorder their neighbours (Unicode general category Cf, the usual suspects).
const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// RFC 1123 section 2.1: labels of 1 to 63 letters, digits and inner hyphens. Upper case is refused.
pub(crate) fn check_dns(what: &'static str, text: &str) -> Result<(), NameError> {
    for label in text.split('.') {
        if label.is_empty() {
            return Err(NameError::Malformed {
                what,
                reason: "has an empty label",
            });
        }
        if label.len() > 63 {
            return Err(NameError::Malformed {
                what,
                reason: "has a label of more than 63 bytes",
            });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Malformed {
                what,
                reason: "has a label that starts or ends with a hyphen",
            });
        }
    }
    let allowed = "lower-case letters, digits, hyphens and dots";
    for (position, character) in text.char_indices() {
        if !matches!(character, 'a'..='z' | '0'..='9' | '-' | '.' | '_') {
            return Err(NameError::BadCharacter {
                what,
                character,
                position,
                allowed,
            });
        }
    }
    Ok(())
}
