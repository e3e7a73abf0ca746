//! The words, strings and signs that templates and conditions are made of.

/// Reads a text from the left; blanks between tokens mean nothing.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Whether nothing but blanks is left.
    pub(crate) fn is_done(&self) -> bool {
        self.rest.trim_start().is_empty()
    }

    /// The next few characters, for messages.
    pub(crate) fn next_characters(&self) -> String {
        self.rest.trim_start().chars().take(16).collect()
    }

    /// Takes a word of letters, digits, `_` and `-` that starts with a letter or `_`.
    pub(crate) fn word(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !text.starts_with(is_first) {
            return None;
        }
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        self.rest = rest;
        Some(word)
    }

    /// Takes the sign or word when it is next. A word is not taken off a longer one.
    pub(crate) fn take(&mut self, wanted: &str) -> bool {
        let mut ahead = self.clone();
        let found = match ahead.word() {
            Some(word) => word == wanted,
            None => match ahead.rest.trim_start().strip_prefix(wanted) {
                Some(rest) => {
                    ahead.rest = rest;
                    true
                }
                None => false,
            },
        };
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes the sign or word that has to be next.
    pub(crate) fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.take(wanted) {
            return Ok(());
        }
        if self.is_done() {
            Err(format!("ends where {wanted:?} is expected"))
        } else {
            Err(format!(
                "has {:?} where {wanted:?} is expected",
                self.next_characters()
            ))
        }
    }

    /// Takes a string in double quotes. `\"` and `\\` stand for the quote and the backslash; before any other character
    /// a backslash stands for itself, so that regular expressions need no doubling.
    pub(crate) fn string(&mut self) -> Result<String, String> {
        self.expect("\"")?;
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((_, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = characters.as_str();
                    return Ok(value);
                }
                '\\' => match characters.clone().next() {
                    Some((_, escaped @ ('"' | '\\'))) => {
                        characters.next();
                        value.push(escaped);
                    }
                    Some(_) | None => value.push('\\'),
                },
                other => value.push(other),
            }
        }
        Err("has a string without a closing quote".to_owned())
    }

    /// Takes `.word` or `["string"]`.
    pub(crate) fn member(&mut self) -> Result<String, String> {
        if self.take("[") {
            let name = self.string()?;
            self.expect("]")?;
            return Ok(name);
        }
        self.expect(".")?;
        match self.word() {
            Some(word) => Ok(word.to_owned()),
            None => Err(format!(
                "has {:?} where a name is expected",
                self.next_characters()
            )),
        }
    }

    /// What is left after the sign that has to be next.
    pub(crate) fn rest_after(mut self, wanted: &str) -> Option<&'a str> {
        self.take(wanted).then_some(self.rest)
    }
}
