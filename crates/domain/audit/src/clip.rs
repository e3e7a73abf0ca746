//! Texts of strangers, shortened so that their event fits into a line.

use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;

use crate::AuditEvent;
use crate::line::written_bytes;

/// The most bytes that a text may take in its line, unless it is one of those below.
pub const TEXT_BYTES_MAX: usize = 4 * 1_024;
/// The most bytes that a command or a path may take in its line.
pub const LONG_TEXT_BYTES_MAX: usize = 16 * 1_024;
/// The most bytes that the name of somebody may take in its line, and the id of a certificate.
pub const NAME_BYTES_MAX: usize = 256;

/// The fields that hold commands and paths, `a -> b` for two of them.
const LONG: [&str; 2] = ["command", "path"];

/// The text, when its line has at most so many bytes for it; otherwise its beginning, followed by how long it was and by its SHA-256, so that
/// whoever has the whole text can show that it is the one. Bytes are counted as the line has them, escapes included. A limit below 128 is
/// taken for 128.
pub fn clipped(text: String, bytes_max: usize) -> String {
    let bytes_max = bytes_max.max(BYTES_MIN);
    // Nearly every text is short, even if all of it were escaped.
    if text.len().saturating_mul(ESCAPED_BYTES_MAX) <= bytes_max || takes(&text) <= bytes_max {
        return text;
    }
    let told = format!(
        "… ({} bytes, SHA-256 {})",
        text.len(),
        hex::encode(digest(&SHA256, text.as_bytes()))
    );
    let mut left = bytes_max.saturating_sub(told.len());
    let mut kept = String::new();
    for character in text.chars() {
        let Some(rest) = left.checked_sub(written_bytes(character)) else {
            break;
        };
        left = rest;
        kept.push(character);
    }
    kept + &told
}

impl AuditEvent {
    /// A request that was refused, at no host in particular.
    pub const fn denied(action: String, reason: String) -> Self {
        Self::AccessDenied {
            action,
            reason,
            login: None,
            claimed: None,
            sid: None,
            server_id: None,
            server_hostname: None,
        }
    }

    /// The event with each of its texts [`clipped`]: what somebody elsewhere wrote must not be what keeps it out of the log. Lists keep
    /// all their texts.
    #[must_use]
    pub fn clipped(mut self) -> Self {
        self.clip_fields(|name| {
            if LONG.contains(&name) {
                LONG_TEXT_BYTES_MAX
            } else {
                TEXT_BYTES_MAX
            }
        });
        self
    }
}

fn takes(text: &str) -> usize {
    text.chars().map(written_bytes).sum()
}

/// What is said of a text that was shortened, and a few characters of it.
const BYTES_MIN: usize = 128;
/// A byte takes at most this many: `\u0000`, or twice that for four bytes.
const ESCAPED_BYTES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_stays_as_it_is_and_a_longer_one_tells_length_and_digest() {
        for text in ["", "ls -l", "日本語"] {
            assert_eq!(clipped(text.to_owned(), 128), text);
        }
        let fits = "x".repeat(4_096);
        assert_eq!(clipped(fits.clone(), 4_096), fits);
        let long = "x".repeat(4_097);
        let cut = clipped(long.clone(), 4_096);
        let digest = hex::encode(digest(&SHA256, long.as_bytes()));
        assert!(
            cut.ends_with(&format!("x… (4097 bytes, SHA-256 {digest})")),
            "{cut}"
        );
        assert_eq!(cut.len(), 4_096);
        assert_eq!(
            clipped(cut.clone(), 4_096),
            cut,
            "what was shortened stays as it is"
        );
    }

    #[test]
    fn escapes_count_as_the_line_has_them() {
        for text in ["\u{1}", "\"", "\u{2028}", "\u{e0041}", "é", "𝄞", "a\n"] {
            for limit in [0, 128, 256, 4_096, 16_384] {
                let cut = clipped(text.repeat(20_000), limit);
                assert!(
                    takes(&cut) <= limit.max(128),
                    "{text:?} in {limit}: {}",
                    takes(&cut)
                );
                assert!(
                    takes(&cut) + 13 > limit.max(128),
                    "{text:?} in {limit}: {}",
                    takes(&cut)
                );
            }
        }
    }
}
