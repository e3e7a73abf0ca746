//! Passwords: what may be one.

use names::UserName;
use zeroize::Zeroizing;

use crate::frequent_passwords::is_frequent;

/// The fewest characters of a new password.
const CHARACTERS_MIN: usize = 12;
/// The most characters of a new password.
const CHARACTERS_MAX: usize = 128;
/// The most bytes that are hashed: 128 characters of UTF-8. What is longer is no password of ours.
const BYTES_MAX: usize = 4 * CHARACTERS_MAX;

/// A password as entered. Cannot be printed; wiped when dropped.
pub struct Password(Zeroizing<String>);

/// Why a text may not become a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Too few characters.
    #[error("the password is too short; take at least 12 characters")]
    TooShort,
    /// Too many characters.
    #[error("the password is too long; take at most 128 characters")]
    TooLong,
    /// A character that cannot be typed everywhere.
    #[error("the password has a control character, such as a line break or a tab; leave it out")]
    ControlCharacter,
    /// Among those tried first.
    #[error(
        "the password is among those that guessers try first; take several words that do not belong together"
    )]
    Frequent,
    /// Hardly more than the user's name.
    #[error("the password is hardly more than the user name; take another")]
    UserName,
    /// The same few characters over and over, or a row of the alphabet.
    #[error("the password repeats itself or follows the alphabet; take several words")]
    Pattern,
}

impl Password {
    /// Takes what was entered, whatever it is.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// What is hashed: nothing of what is longer than any password of ours, so that length costs nothing.
    pub(crate) fn hashed_part(&self) -> &[u8] {
        if self.is_too_long() {
            &[]
        } else {
            self.0.as_bytes()
        }
    }

    /// Whether it is longer than any password of ours.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > BYTES_MAX
    }
}

/// Whether a text may become the password of a user: 12 to 128 characters, no control characters, not among those tried first,
/// and more than the user's name.
///
/// # Errors
/// The first rule it breaks.
pub fn check_new_password(password: &Password, user: &UserName) -> Result<(), PasswordProblem> {
    let text = password.0.as_str();
    let characters = text.chars().count();
    if characters < CHARACTERS_MIN {
        return Err(PasswordProblem::TooShort);
    }
    if characters > CHARACTERS_MAX {
        return Err(PasswordProblem::TooLong);
    }
    if text.contains(char::is_control) {
        return Err(PasswordProblem::ControlCharacter);
    }
    let lower = Zeroizing::new(text.to_lowercase());
    let rest = Zeroizing::new(lower.replace(&user.as_str().to_lowercase(), ""));
    if rest.len() < lower.len() && !rest.contains(char::is_alphabetic) {
        return Err(PasswordProblem::UserName);
    }
    if is_frequent(&lower) {
        return Err(PasswordProblem::Frequent);
    }
    if is_pattern(&lower) {
        return Err(PasswordProblem::Pattern);
    }
    Ok(())
}

/// Whether the text repeats at most four characters, or every character follows the one before it by the same step of -1, 0 or 1.
/// Where digits roll over (`…8901…`), the row goes on.
fn is_pattern(lower: &str) -> bool {
    let letters: Zeroizing<Vec<char>> = Zeroizing::new(lower.chars().collect());
    let repeats = (1..=4).any(|period| {
        letters
            .iter()
            .zip(letters.iter().skip(period))
            .all(|(one, other)| one == other)
    });
    let follows = |step: i64| {
        letters.iter().zip(letters.iter().skip(1)).all(|(one, other)| {
            let distance = i64::from(u32::from(*other)) - i64::from(u32::from(*one));
            distance == step || (distance == -9 * step && one.is_ascii_digit() && other.is_ascii_digit())
        })
    };
    repeats || follows(1) || follows(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), PasswordProblem> {
        let user = UserName::parse("alice").unwrap();
        check_new_password(&Password::new(text.to_owned()), &user)
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("elf chars 1"), Err(PasswordProblem::TooShort));
        assert_eq!(check("zwölf zeich."), Ok(()));
        assert_eq!(check("żółć żółć żó"), Ok(()));
        assert_eq!(check(&"plum tree, ".repeat(11)[..120]), Ok(()));
        let longest: String = "🦀 crab walks sideways; ".chars().cycle().take(128).collect();
        assert_eq!(check(&longest), Ok(()));
        assert_eq!(check(&format!("{longest}x")), Err(PasswordProblem::TooLong));
    }

    #[test]
    fn what_guessers_try_first_is_refused() {
        for (text, problem) in [
            ("seven\tblue doors", PasswordProblem::ControlCharacter),
            ("seven\u{0}blue doors", PasswordProblem::ControlCharacter),
            ("Password123456", PasswordProblem::Frequent),
            ("CorrectHorseBatteryStaple", PasswordProblem::Frequent),
            ("alicealicealice", PasswordProblem::UserName),
            ("!!Alice-2024-!!", PasswordProblem::UserName),
            ("aaaaaaaaaaaaaaaa", PasswordProblem::Pattern),
            ("xyzzxyzzxyzzxyzz", PasswordProblem::Pattern),
            ("123456789012", PasswordProblem::Frequent),
            ("345678901234567", PasswordProblem::Pattern),
            ("zyxwvutsrqponml", PasswordProblem::Pattern),
        ] {
            assert_eq!(check(text), Err(problem), "{text}");
        }
        assert_eq!(check("alice likes plums"), Ok(()));
    }
}
