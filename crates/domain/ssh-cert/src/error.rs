use key::KeyFault;

/// Why a text or bytes are not the SSH key or certificate they were offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes do not decode.
    #[error("malformed {what}: {reason}")]
    Malformed {
        /// The part that does not decode.
        what: &'static str,
        /// What is wrong, in words.
        reason: &'static str,
    },
    /// A key of an algorithm we do not certify.
    #[error(
        "SSH key algorithm {0:?} is not accepted; accepted are ssh-ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ssh-rsa of 2048 bits or more, and their sk- forms"
    )]
    Algorithm(String),
    /// A key too weak to certify.
    #[error(
        "the RSA key has {bits} bits, at least {minimum} are required; make a new key, for example with `ssh-keygen -t ed25519`"
    )]
    Weak {
        /// Its bits.
        bits: usize,
        /// The fewest accepted.
        minimum: usize,
    },
    /// A certificate stood where a plain key is wanted.
    #[error(
        "a certificate was given where a public key is wanted; pass the .pub file, not the -cert.pub file"
    )]
    IsCertificate,
    /// The numbers are no key.
    #[error("the SSH key cannot be used")]
    Key(#[source] KeyFault),
    /// The signature is not by the authority's key.
    #[error("the signature of the SSH certificate does not verify")]
    NotSigned(#[source] KeyFault),
}

/// Why a plan cannot be written down, or a signature not be joined to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A value has no encoding in its field, or one that means something else there.
    #[error("{what} {reason}")]
    Unencodable {
        /// The field.
        what: &'static str,
        /// Why not, in words.
        reason: &'static str,
    },
    /// The authority's key cannot be written.
    #[error("the authority's public key cannot be encoded")]
    Key(#[source] KeyFault),
    /// The signature was made with another scheme than the plan says.
    #[error("the SSH certificate was planned for {planned:?} but the signature is {actual:?}")]
    WrongScheme {
        /// The scheme in the plan.
        planned: key::SignatureScheme,
        /// The scheme of the signature.
        actual: key::SignatureScheme,
    },
}

pub(crate) const fn malformed(what: &'static str, reason: &'static str) -> ParseError {
    ParseError::Malformed { what, reason }
}

pub(crate) const fn unencodable(what: &'static str, reason: &'static str) -> BuildError {
    BuildError::Unencodable { what, reason }
}
