//! Hashes of passwords: argon2id (RFC 9106).

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Block;
use argon2::Params;
use argon2::Version;
use argon2::password_hash::phc;
use serde::Deserialize;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;
use zeroize::Zeroizing;

use crate::Password;

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

/// A password's argon2id hash in the PHC string format, with its salt and parameters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasswordHash(String);

/// The hash could not be made: the machine has no memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashFault;

/// The memory that hashing takes. What one hash leaves in it the next one writes over, which saves asking for it each time. Cannot be
/// printed; wiped when dropped.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    /// As many blocks as the parameters say. What is in them does not matter: the first pass writes all of them.
    fn blocks(&mut self, params: &Params) -> Result<&mut [Block], HashFault> {
        let count = params.block_count();
        if self.0.len() != count {
            // Others of another size are not made to fit: that would leave what they held where they were.
            *self = Self::default();
            self.0.try_reserve_exact(count).map_err(|_| HashFault)?;
            self.0.resize(count, Block::new());
        }
        Ok(&mut self.0)
    }
}

impl Drop for HashMemory {
    fn drop(&mut self) {
        for block in &mut self.0 {
            block.as_mut().zeroize();
        }
    }
}

impl PasswordHash {
    /// Hashes a password with a random salt. Takes tens of milliseconds and 19 MiB: not on a thread that serves others.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn make(password: &Password, salt: &[u8; 16], memory: &mut HashMemory) -> Result<Self, HashFault> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(|_| HashFault)?;
        let hash = hash(password, salt, &params, memory)?;
        let made = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: phc::ParamsString::try_from(&params).map_err(|_| HashFault)?,
            salt: Some(phc::Salt::new(salt).map_err(|_| HashFault)?),
            hash: Some(phc::Output::new(hash.as_slice()).map_err(|_| HashFault)?),
        };
        Ok(Self(made.to_string()))
    }

    /// The hash that no password has: what the password of an unknown user is held against.
    pub fn of_nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Whether this is the password. The work is that of [`PasswordHash::make`] with the stored parameters, whatever is entered.
    ///
    /// # Errors
    /// When there is no memory for it, which says nothing about the password.
    pub fn verify(&self, password: &Password, memory: &mut HashMemory) -> Result<bool, HashFault> {
        let stored = phc::PasswordHash::new(&self.0).map_err(|_| HashFault)?;
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
            return Err(HashFault);
        };
        let params = Params::try_from(&stored).map_err(|_| HashFault)?;
        let actual = hash(password, salt, &params, memory)?;
        let is_equal: bool = expected.as_bytes().ct_eq(actual.as_slice()).into();
        Ok(is_equal && !password.is_too_long())
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

fn hash(
    password: &Password,
    salt: &[u8],
    params: &Params,
    memory: &mut HashMemory,
) -> Result<Zeroizing<[u8; HASH_BYTES]>, HashFault> {
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password.hashed_part(), salt, &mut *hash, memory.blocks(params)?)
        .map_err(|_| HashFault)?;
    Ok(hash)
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

    fn make(text: &str) -> PasswordHash {
        PasswordHash::make(
            &Password::new(text.to_owned()),
            &[3; 16],
            &mut HashMemory::default(),
        )
        .unwrap()
    }

    fn verify(hash: &PasswordHash, text: &str) -> bool {
        let password = Password::new(text.to_owned());
        hash.verify(&password, &mut HashMemory::default()).unwrap()
    }

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = make("seven blue doors");
        assert!(verify(&hash, "seven blue doors"));
        for wrong in ["seven blue door", "", &"x".repeat(1_000_000)] {
            assert!(!verify(&hash, wrong));
        }
        assert!(!hash.is_outdated());
        let text = String::from(hash.clone());
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert!(PasswordHash::try_from(text).unwrap() == hash);
    }

    #[test]
    fn what_is_longer_than_any_password_is_not_the_empty_one() {
        assert!(!verify(&make(""), &"x".repeat(513)));
    }

    #[test]
    fn an_independent_implementation_agrees() {
        // printf 'password' | argon2 somesalt -id -v 13 -m 16 -t 2 -p 1 (the reference implementation's own test).
        let reference =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = PasswordHash::try_from(reference.to_owned()).unwrap();
        assert!(verify(&hash, "password"));
        assert!(!verify(&hash, "Password"));
        assert!(hash.is_outdated());
    }

    #[test]
    fn what_the_last_hash_left_in_memory_changes_nothing() {
        let small = "$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let small = PasswordHash::try_from(small.to_owned()).unwrap();
        let (right, wrong) = (
            Password::new("right".to_owned()),
            Password::new("wrong".to_owned()),
        );
        let mut memory = HashMemory::default();
        let hash = PasswordHash::make(&right, &[3; 16], &mut memory).unwrap();
        assert!(hash == make("right"));
        for _ in 0..2 {
            assert!(!hash.verify(&wrong, &mut memory).unwrap());
            assert!(!small.verify(&right, &mut memory).unwrap());
            assert!(hash.verify(&right, &mut memory).unwrap());
        }
    }

    #[test]
    fn nobody_has_the_parameters_of_everybody_and_no_password() {
        let nobody = PasswordHash::try_from(String::from(PasswordHash::of_nobody())).unwrap();
        assert!(!nobody.is_outdated());
        for text in ["", "password", "signet nobody 1!"] {
            assert!(!verify(&nobody, text));
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
