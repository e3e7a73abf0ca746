//! PEM (RFC 7468): strict in what is written, lenient about the text around and the line ends in what is read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ParseError;
use crate::error::malformed;

/// The most text we read.
const MAXIMUM_TEXT: usize = 4 * 1_024 * 1_024;

/// Writes PEM with lines of 64 characters and a line feed at the end.
pub fn encode(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::with_capacity(base64.len() + base64.len() / 64 + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Reads every block with this label, at least one; blocks with other labels and text between are read over.
///
/// # Errors
/// When there is none, a block has no end, or what it holds is not base64.
pub fn decode_all(what: &'static str, label: &str, text: &str) -> Result<Vec<Vec<u8>>, ParseError> {
    if text.len() > MAXIMUM_TEXT {
        return Err(ParseError::TooLong {
            what,
            length: text.len(),
            maximum: MAXIMUM_TEXT,
        });
    }
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (body, after) = after
            .split_once(&end)
            .ok_or(malformed(what, "its PEM has no END line"))?;
        let base64: String = body
            .chars()
            .filter(|character| !character.is_ascii_whitespace())
            .collect();
        blocks.push(
            STANDARD
                .decode(base64)
                .map_err(|_| malformed(what, "its PEM is not base64"))?,
        );
        rest = after;
    }
    if blocks.is_empty() {
        return Err(malformed(what, "there is no PEM block of its kind"));
    }
    Ok(blocks)
}

/// Reads the one block with this label.
///
/// # Errors
/// As [`decode_all`], and when there are several.
pub fn decode_one(what: &'static str, label: &str, text: &str) -> Result<Vec<u8>, ParseError> {
    let mut blocks = decode_all(what, label, text)?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) => Ok(block),
        (Some(_) | None, _) => Err(malformed(
            what,
            "there are several in the PEM where one was expected",
        )),
    }
}
