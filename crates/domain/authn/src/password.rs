//! Passwords: what may be one, and argon2id (RFC 9106) over them.

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::PasswordHasher as _;
use argon2::Version;
use argon2::password_hash::phc;
use names::UserName;
use serde::Deserialize;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::frequent_passwords::is_frequent;

/// The fewest characters of a new password.
const CHARACTERS_MIN: usize = 12;
/// The most characters of a new password.
const CHARACTERS_MAX: usize = 128;
/// The most bytes that are hashed: 128 characters of UTF-8. What is longer is no password of ours.
const BYTES_MAX: usize = 4 * CHARACTERS_MAX;

/// Memory in KiB: 19 MiB, with [`PASSES`] the first recommendation of OWASP's password storage cheat sheet for argon2id that a
/// server can spend on several log-ins at once.
const MEMORY_KIB: u32 = 19 * 1_024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// The bytes of the hash.
const HASH_BYTES: usize = 32;
/// What a stored hash may ask for at most: a damaged record must not take the machine's memory.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;

/// A hash of a random password that nobody knows, made with the parameters above: what the password of an unknown user is held
/// against, so that it takes as long as that of a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2lnbmV0IG5vYm9keSAxIQ$3b9vXWoRkHIaZfmnhuP1n4x0p2tUOq4QhVbBqzlYkZs";

/// A password as entered. Cannot be printed; wiped when dropped.
pub struct Password(Zeroizing<String>);

/// A password's argon2id hash in the PHC string format, with its salt and parameters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasswordHash(String);

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

/// The hash could not be made: the machine has no memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashFault;

impl Password {
    /// Takes what was entered, whatever it is.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
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

impl PasswordHash {
    /// Hashes a password with a random salt. Takes tens of milliseconds and 19 MiB: not on a thread that serves others.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn make(password: &Password, salt: &[u8; 16]) -> Result<Self, HashFault> {
        hasher()?
            .hash_password_with_salt(hashed_part(password), salt)
            .map(|hash| Self(hash.to_string()))
            .map_err(|_| HashFault)
    }

    /// The hash that no password has: what the password of an unknown user is held against.
    pub fn of_nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Whether this is the password. The work is that of [`PasswordHash::make`] with the stored parameters, whatever is entered.
    ///
    /// # Errors
    /// When there is no memory for it, which says nothing about the password.
    pub fn verify(&self, password: &Password) -> Result<bool, HashFault> {
        let stored = phc::PasswordHash::new(&self.0).map_err(|_| HashFault)?;
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
            return Err(HashFault);
        };
        let params = Params::try_from(&stored).map_err(|_| HashFault)?;
        let mut actual = Zeroizing::new([0; HASH_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(hashed_part(password), salt, &mut *actual)
            .map_err(|_| HashFault)?;
        let is_equal: bool = expected.as_bytes().ct_eq(actual.as_slice()).into();
        Ok(is_equal && password.0.len() <= BYTES_MAX)
    }

    /// Whether it was made with other parameters than new ones are; then the next log-in makes it anew.
    pub fn is_outdated(&self) -> bool {
        let is_current = phc::PasswordHash::new(&self.0)
            .ok()
            .and_then(|stored| Params::try_from(&stored).ok())
            .is_some_and(|params| {
                (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
            });
        !is_current
    }
}

/// What is hashed: nothing of what is longer than any password of ours, so that length costs nothing.
fn hashed_part(password: &Password) -> &[u8] {
    if password.0.len() > BYTES_MAX {
        &[]
    } else {
        password.0.as_bytes()
    }
}

fn hasher() -> Result<Argon2<'static>, HashFault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(|_| HashFault)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl TryFrom<String> for PasswordHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let what = "no argon2id hash in the PHC string format with parameters within bounds";
        let stored = phc::PasswordHash::new(&text).map_err(|_| what)?;
        let params = Params::try_from(&stored).map_err(|_| what)?;
        let is_bounded =
            params.m_cost() <= MEMORY_KIB_MAX && params.t_cost() <= PASSES_MAX && params.p_cost() <= 16;
        let is_ours = stored.algorithm.as_str() == "argon2id" && stored.version == Some(0x13);
        let is_whole =
            stored.salt.is_some() && stored.hash.as_ref().is_some_and(|hash| hash.len() == HASH_BYTES);
        if is_bounded && is_ours && is_whole {
            Ok(Self(text))
        } else {
            Err(what)
        }
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0
    }
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

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = PasswordHash::make(&Password::new("seven blue doors".into()), &[3; 16]).unwrap();
        let verify = |text: &str| hash.verify(&Password::new(text.to_owned())).unwrap();
        assert!(verify("seven blue doors"));
        assert!(!verify("seven blue door"));
        assert!(!verify(""));
        assert!(!verify(&"x".repeat(1_000_000)));
        assert!(!hash.is_outdated());
        let text = String::from(hash.clone());
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert!(PasswordHash::try_from(text).unwrap() == hash);
    }

    #[test]
    fn what_is_longer_than_any_password_is_not_the_empty_one() {
        let hash = PasswordHash::make(&Password::new(String::new()), &[3; 16]).unwrap();
        assert!(!hash.verify(&Password::new("x".repeat(513))).unwrap());
    }

    #[test]
    fn an_independent_implementation_agrees() {
        // printf 'password' | argon2 somesalt -id -v 13 -m 16 -t 2 -p 1 (the reference implementation's own test).
        let reference =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = PasswordHash::try_from(reference.to_owned()).unwrap();
        assert!(hash.verify(&Password::new("password".into())).unwrap());
        assert!(!hash.verify(&Password::new("Password".into())).unwrap());
        assert!(hash.is_outdated());
    }

    #[test]
    fn nobody_has_the_parameters_of_everybody_and_no_password() {
        let nobody = PasswordHash::try_from(String::from(PasswordHash::of_nobody())).unwrap();
        assert!(!nobody.is_outdated());
        for text in ["", "password", "signet nobody 1!"] {
            assert!(!nobody.verify(&Password::new(text.into())).unwrap());
        }
    }

    #[test]
    fn hashes_of_other_kinds_or_of_ruinous_cost_do_not_read() {
        for bad in [
            "",
            "password",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=2000000,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=90,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            assert!(PasswordHash::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
