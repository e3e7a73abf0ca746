//! How much of anything a document may hold.

use names::Ttl;

use crate::problem::Problem;
use crate::problem::shortened;

/// The most entries of one list or map in a document.
pub const ENTRIES_MAX: usize = 1_000;
/// The most bytes of one text in a document.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// Complains of a list or map with too many entries.
pub(crate) fn check_count(path: &str, count: usize, problems: &mut Vec<Problem>) {
    if count > ENTRIES_MAX {
        problems.push(
            Problem::new(path, format!("has {count} entries")).allowed(format!("at most {ENTRIES_MAX}")),
        );
    }
}

/// Complains of a text that is empty, too long, or has control characters in it.
pub(crate) fn check_text(path: &str, text: &str, problems: &mut Vec<Problem>) {
    if text.is_empty() {
        problems.push(Problem::new(path, "is empty"));
    }
    check_optional_text(path, text, problems);
}

/// Complains of a text that is too long or has control characters in it.
pub(crate) fn check_optional_text(path: &str, text: &str, problems: &mut Vec<Problem>) {
    if text.len() > TEXT_BYTES_MAX {
        problems.push(
            Problem::new(path, format!("is {} bytes long", text.len()))
                .allowed(format!("at most {TEXT_BYTES_MAX} bytes")),
        );
    }
    if let Some(character) = text.chars().find(|c| c.is_control()) {
        problems.push(Problem::new(
            path,
            format!("has the control character {character:?}"),
        ));
    }
}

/// Complains of a list whose entries are not all proper texts, or that has too many.
pub(crate) fn check_texts(path: &str, texts: &[String], problems: &mut Vec<Problem>) {
    check_count(path, texts.len(), problems);
    for (index, text) in texts.iter().enumerate() {
        check_text(&format!("{path}[{index}]"), text, problems);
    }
}

/// Complains of the key of a label or trait that no selector could name.
pub(crate) fn check_key(path: &str, key: &str, problems: &mut Vec<Problem>) {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._/:@-".contains(&b);
    if key.is_empty() || key.len() > 128 || !key.bytes().all(is_allowed) {
        problems.push(
            Problem::new(path, format!("{:?} is no key", shortened(key)))
                .allowed("1 to 128 letters, digits and . _ / : @ -"),
        );
    }
}

/// Complains of a length of time outside its bounds.
pub(crate) fn check_ttl(path: &str, ttl: Ttl, least: Ttl, most: Ttl, problems: &mut Vec<Problem>) {
    if ttl < least || ttl > most {
        problems.push(Problem::new(path, format!("is {ttl}")).allowed(format!("{least} to {most}")));
    }
}
