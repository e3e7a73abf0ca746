use serde::Deserialize;
use serde::Serialize;

use crate::NameError;

/// The serial number of an X.509 certificate: 16 random bytes, never zero and never read as negative.
///
/// RFC 5280 section 4.1.2.2 allows at most 20 octets and asks for a positive number; the first bit is cleared and the
/// second set, so that every serial is 16 octets long and 126 of its bits are random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial([u8; 16]);

impl Serial {
    /// Makes a serial of 16 random bytes.
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        let [first, ..] = &mut bytes;
        *first = (*first & 0x7f) | 0x40;
        Self(bytes)
    }

    /// The serial, big endian.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The low 64 bits, as the serial of an SSH certificate.
    pub const fn low_u64(&self) -> u64 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::str::FromStr for Serial {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let malformed = NameError::Malformed {
            what: "serial",
            reason: "is not 32 hexadecimal digits",
        };
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(malformed);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| malformed)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl TryFrom<String> for Serial {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.to_string()
    }
}
