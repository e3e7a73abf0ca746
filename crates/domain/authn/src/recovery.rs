use aws_lc_rs::digest;
use serde::Deserialize;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::base32;

/// How many recovery codes a user gets.
pub const RECOVERY_CODES: usize = 10;
/// The random bytes of a code: 80 bits.
const CODE_BYTES: usize = 10;
/// Crockford's alphabet: no I, L, O or U, so that nobody mistakes one character for another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A code that stands in once for a lost second factor: 80 random bits, written `xxxx-xxxx-xxxx-xxxx`. Shown once.
pub struct RecoveryCode(Zeroizing<String>);

/// What is stored of a recovery code. 80 random bits need no slow hash: there is nothing to guess from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCodeHash(String);

/// Ten codes of random bytes, and what is stored of them in the same order.
pub fn recovery_codes(
    random: &[[u8; CODE_BYTES]; RECOVERY_CODES],
) -> (Vec<RecoveryCode>, Vec<RecoveryCodeHash>) {
    random
        .iter()
        .map(|bytes| {
            let plain = base32::encode_with(ALPHABET, bytes);
            let hash = RecoveryCodeHash::of_plain(&plain);
            let mut shown = Zeroizing::new(String::with_capacity(19));
            for (position, letter) in plain.chars().enumerate() {
                if position > 0 && position.is_multiple_of(4) {
                    shown.push('-');
                }
                shown.push(letter);
            }
            (RecoveryCode(shown), hash)
        })
        .unzip()
}

impl RecoveryCode {
    /// The code as shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl RecoveryCodeHash {
    fn of_plain(plain: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"signet recovery code 1\0");
        context.update(plain.as_bytes());
        Self(hex::encode(context.finish()))
    }

    /// Which of the stored codes was entered, if any: upper case, blanks and hyphens do not matter, and what is easily mistaken
    /// is read as what was meant. Takes the same time wherever and whether it is found.
    pub fn find(stored: &[Self], entered: &str) -> Option<usize> {
        let mut plain = Zeroizing::new(String::with_capacity(64));
        for letter in entered.chars().take(64) {
            match letter.to_ascii_lowercase() {
                '-' | ' ' => {}
                'o' => plain.push('0'),
                'i' | 'l' => plain.push('1'),
                other => plain.push(other),
            }
        }
        let offered = Self::of_plain(&plain);
        let mut found = None;
        for (index, hash) in stored.iter().enumerate() {
            if bool::from(hash.0.as_bytes().ct_eq(offered.0.as_bytes())) {
                found = Some(index);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> (Vec<RecoveryCode>, Vec<RecoveryCodeHash>) {
        let mut random = [[0; CODE_BYTES]; RECOVERY_CODES];
        for (number, bytes) in random.iter_mut().enumerate() {
            for (place, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from((number * 37 + place * 101 + 5) % 256).unwrap();
            }
        }
        recovery_codes(&random)
    }

    #[test]
    fn every_code_is_found_as_shown_and_as_people_type_it() {
        let (codes, hashes) = codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        for (index, code) in codes.iter().enumerate() {
            let shown = code.expose();
            assert_eq!(shown.len(), 19);
            assert_eq!(RecoveryCodeHash::find(&hashes, shown), Some(index));
            let typed = format!(" {} ", shown.to_uppercase().replace('-', " ").replace('0', "O"));
            assert_eq!(RecoveryCodeHash::find(&hashes, &typed), Some(index));
            let typed = shown.replace('1', "l");
            assert_eq!(RecoveryCodeHash::find(&hashes, &typed), Some(index));
        }
    }

    #[test]
    fn what_is_not_a_code_is_not_found() {
        let (codes, hashes) = codes();
        let almost = format!("{}0", codes[0].expose());
        for bad in [
            "",
            "----",
            "0000-0000-0000-0000",
            &almost,
            &codes[0].expose()[1..],
        ] {
            assert_eq!(RecoveryCodeHash::find(&hashes, bad), None, "{bad}");
        }
        assert_eq!(RecoveryCodeHash::find(&hashes[1..], codes[0].expose()), None);
    }

    #[test]
    fn a_stored_code_does_not_tell_the_code() {
        let (codes, hashes) = codes();
        let stored = serde_json::to_string(&hashes).unwrap();
        for code in &codes {
            assert!(!stored.contains(code.expose()));
            assert!(!stored.contains(&code.expose().replace('-', "")));
        }
    }
}
