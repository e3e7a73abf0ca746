use key::KeyFault;

/// Why bytes are not what they were offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes do not decode, or decode to what RFC 5280 forbids.
    #[error("malformed {what}: {reason}")]
    Malformed {
        /// The part that does not decode.
        what: &'static str,
        /// What is wrong, in words.
        reason: &'static str,
    },
    /// More than any honest document has.
    #[error("{what} is {length} long, at most {maximum} is accepted")]
    TooLong {
        /// The part that is too long.
        what: &'static str,
        /// Its length, in bytes or entries.
        length: usize,
        /// The most that is accepted.
        maximum: usize,
    },
    /// The public key in it is not one we use.
    #[error("the public key in the {what} cannot be used")]
    Key {
        /// The document.
        what: &'static str,
        /// Why.
        #[source]
        source: KeyFault,
    },
    /// It is signed in a way we do not verify.
    #[error(
        "the {what} is signed with an algorithm other than RSA with SHA-256 or SHA-512, ECDSA P-256, P-384 or Ed25519"
    )]
    UnknownSignature {
        /// The document.
        what: &'static str,
    },
    /// Its signature is not by the key it should be by.
    #[error("the signature of the {what} does not verify")]
    NotSigned {
        /// The document.
        what: &'static str,
        /// Why.
        #[source]
        source: KeyFault,
    },
}

/// Why a plan cannot be written down, or a signature not be joined to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A value has no encoding in its field.
    #[error("{what} {reason}")]
    Unencodable {
        /// The field.
        what: &'static str,
        /// Why not, in words.
        reason: &'static str,
    },
    /// The public key cannot be hashed or written.
    #[error("the public key cannot be encoded")]
    Key(#[source] KeyFault),
    /// The signature was made with another scheme than the plan says.
    #[error("the certificate was planned for {planned:?} but the signature is {actual:?}")]
    WrongScheme {
        /// The scheme in the plan.
        planned: key::SignatureScheme,
        /// The scheme of the signature.
        actual: key::SignatureScheme,
    },
    /// The signature cannot be written as X.509 wants it.
    #[error("the signature cannot be encoded")]
    Signature(#[source] key::BadSignature),
}

pub(crate) const fn malformed(what: &'static str, reason: &'static str) -> ParseError {
    ParseError::Malformed { what, reason }
}

pub(crate) const fn unencodable(what: &'static str, reason: &'static str) -> BuildError {
    BuildError::Unencodable { what, reason }
}
