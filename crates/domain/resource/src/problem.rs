use std::fmt;

/// One thing that is wrong with a document: where, what, and what is allowed instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is, such as `spec.allow.logins[2]`; `.` for the document as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What is allowed there, when that can be said in a few words.
    pub allowed: Option<String>,
    /// The allowed word nearest to the one that was found.
    pub did_you_mean: Option<String>,
}

impl Problem {
    /// A problem at a path.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
            allowed: None,
            did_you_mean: None,
        }
    }

    /// Adds what is allowed there.
    #[must_use]
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// A word that is none of the allowed ones.
    pub fn unknown_word(path: impl Into<String>, what: &str, word: &str, known: &[&str]) -> Self {
        Self {
            path: path.into(),
            what: format!("unknown {what} {:?}", shortened(word)),
            allowed: Some(known.join(", ")),
            did_you_mean: closest(word, known.iter().copied()).map(str::to_owned),
        }
    }

    /// What a deserialiser complained about, with its list of expected words turned into a hint.
    pub(crate) fn from_serde(path: String, message: &str) -> Self {
        for what in ["field", "variant"] {
            let Some(rest) = message.strip_prefix(&format!("unknown {what} `")) else {
                continue;
            };
            let Some((word, expected)) = rest.rsplit_once("`, expected ") else {
                continue;
            };
            let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
            let what = if what == "field" { "field" } else { "word" };
            return Self::unknown_word(path, what, word, &known);
        }
        Self::new(path, shortened(message))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            what,
            allowed,
            did_you_mean,
        } = self;
        write!(f, "{path}: {what}")?;
        if let Some(word) = did_you_mean {
            write!(f, ", did you mean {word:?}?")?;
        }
        match allowed {
            Some(allowed) => write!(f, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The first 256 characters, so that no message grows with what somebody sent.
pub(crate) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 256;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The known word nearest to `word`, when it is at most a third of its letters (and at least one letter) away; the first
/// of several that are equally near.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CHARACTERS_MAX: usize = 64;
    let letters: Vec<char> = word.chars().take(CHARACTERS_MAX + 1).collect();
    if letters.len() > CHARACTERS_MAX {
        return None;
    }
    let farthest = (letters.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&letters, candidate), candidate))
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, remove or replace (Levenshtein) between two words.
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (column, letter) in to.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = column + 1;
        next.push(left);
        for (pair, own) in row.windows(2).zip(from) {
            let [diagonal, above] = pair else { continue };
            let replaced = diagonal + usize::from(*own != letter);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
