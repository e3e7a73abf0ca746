//! Base 32 (RFC 4648 section 6), without padding: how authenticator applications are told a seed.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Writes bytes in base 32.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    encode_with(ALPHABET, bytes)
}

/// Writes bytes with an alphabet of 32 characters, five bits each, the most significant first.
pub(crate) fn encode_with(alphabet: &[u8; 32], bytes: &[u8]) -> Zeroizing<String> {
    // Room for all of it, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2)));
    let mut held = 0_u16;
    let mut bits = 0_u32;
    let mut push = |five: u16| {
        text.extend(
            alphabet
                .get(usize::from(five & 31))
                .map(|letter| char::from(*letter)),
        );
    };
    for byte in bytes {
        held = (held << 8) | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(held >> bits);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        push(held << (5 - bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_section_10_hold() {
        let vectors = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (plain, encoded) in vectors {
            assert_eq!(encode(plain.as_bytes()).as_str(), encoded);
        }
    }
}
