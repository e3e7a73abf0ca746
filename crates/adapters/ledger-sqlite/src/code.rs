//! How facts are written into columns.

use authority::AuthorityType;
use authority::KeyForm;
use names::UnixSeconds;

/// The key of a serial: one byte for the authority, one for the form, one for the way the serial is written, and the serial.
///
/// Most serials are an even number of lower-case hexadecimal digits and take half their length. The third byte keeps such a serial
/// apart from one that has those bytes as its text.
pub(crate) fn serial_key(authority: AuthorityType, form: KeyForm, serial: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(3 + serial.len());
    key.extend([authority_number(authority), form_number(form)]);
    if !pack(serial, &mut key) {
        key.truncate(2);
        key.push(AS_TEXT);
        key.extend(serial.as_bytes());
    }
    key
}

const AS_TEXT: u8 = 0;
const AS_HEX: u8 = 1;

/// Appends the packed form; what was appended is of no use when the serial is not of the kind that packs.
fn pack(serial: &str, key: &mut Vec<u8>) -> bool {
    key.push(AS_HEX);
    let mut digits = serial.bytes();
    while let Some(high) = digits.next() {
        let (Some(high), Some(low)) = (nibble(high), digits.next().and_then(nibble)) else {
            return false;
        };
        key.push(high << 4 | low);
    }
    true
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Stored: a number never changes its meaning.
const fn authority_number(authority: AuthorityType) -> u8 {
    match authority {
        AuthorityType::Host => 1,
        AuthorityType::User => 2,
        AuthorityType::Db => 3,
        AuthorityType::DbClient => 4,
        AuthorityType::Openssh => 5,
        AuthorityType::Jwt => 6,
        AuthorityType::SamlIdp => 7,
        AuthorityType::OidcIdp => 8,
        AuthorityType::Spiffe => 9,
        AuthorityType::Okta => 10,
        AuthorityType::Windows => 11,
    }
}

/// Stored: a number never changes its meaning.
const fn form_number(form: KeyForm) -> u8 {
    match form {
        KeyForm::Ssh => 1,
        KeyForm::Tls => 2,
        KeyForm::Jwt => 3,
    }
}

/// SQLite's integers are signed. No log reaches the difference.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number as stored by [`to_sql`].
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(crate) const fn millis(moment: UnixSeconds) -> i64 {
    moment.0.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_two_serials_have_one_key() {
        let alphabet = ["", "0", "1", "a", "f", "A", "-", "\u{1}", "0a", "00"];
        let mut keys = HashMap::new();
        for first in alphabet {
            for second in alphabet {
                for third in alphabet {
                    let serial = format!("{first}{second}{third}");
                    let key = serial_key(AuthorityType::Host, KeyForm::Ssh, &serial);
                    let other = keys.insert(key, serial.clone());
                    assert!(
                        other.as_ref().is_none_or(|other| *other == serial),
                        "{serial:?} and {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn keys_are_stored_and_never_change() {
        let key = |authority, serial| serial_key(authority, KeyForm::Tls, serial);
        assert_eq!(key(AuthorityType::Host, "0aff"), [1, 2, 1, 0x0a, 0xff]);
        assert_eq!(
            key(AuthorityType::Windows, "0Aff"),
            [11, 2, 0, b'0', b'A', b'f', b'f']
        );
        assert_eq!(key(AuthorityType::User, "123"), [2, 2, 0, b'1', b'2', b'3']);
        assert_eq!(serial_key(AuthorityType::Jwt, KeyForm::Jwt, "-"), [6, 3, 0, b'-']);
        assert_eq!(
            serial_key(AuthorityType::Openssh, KeyForm::Ssh, "10"),
            [5, 1, 1, 0x10]
        );
        let numbers = AuthorityType::ALL.map(authority_number);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
}
