use key::KeyFault;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;

use crate::BuildError;
use crate::ParseError;
use crate::algorithm::read_algorithm;
use crate::algorithm::write_algorithm;
use crate::error::malformed;
use crate::read::Cursor;
use crate::write::DerWriter;
use crate::write::SEQUENCE;

/// Joins signed bytes and their signature into a certificate, a revocation list or a request: all three have the form
/// `SEQUENCE { to be signed, algorithm, signature }`.
///
/// # Errors
/// When the signature is of another scheme than planned, or cannot be written.
pub fn assemble(
    to_be_signed: &[u8],
    scheme: SignatureScheme,
    signature: &Signature,
) -> Result<Vec<u8>, BuildError> {
    if signature.scheme() != scheme {
        return Err(BuildError::WrongScheme {
            planned: scheme,
            actual: signature.scheme(),
        });
    }
    let bits = signature.to_der().map_err(BuildError::Signature)?;
    let mut writer = DerWriter::with_capacity(to_be_signed.len() + bits.len() + 64);
    writer.sequence(|writer| {
        writer.raw(to_be_signed);
        write_algorithm(writer, scheme);
        writer.bit_string(&bits);
    });
    Ok(writer.finish())
}

/// The three parts of something signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedParts<'a> {
    pub(crate) to_be_signed: &'a [u8],
    /// The outer `AlgorithmIdentifier`, whole.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> SignedParts<'a> {
    pub(crate) fn read(what: &'static str, der: &'a [u8], maximum: usize) -> Result<Self, ParseError> {
        if der.len() > maximum {
            return Err(ParseError::TooLong {
                what,
                length: der.len(),
                maximum,
            });
        }
        let mut outer = Cursor::new(what, der);
        let mut inner = outer.sequence()?;
        outer.finish()?;
        let to_be_signed = inner.expect(SEQUENCE)?.whole;
        let algorithm = inner.expect(SEQUENCE)?.whole;
        let signature = inner.bit_string()?;
        inner.finish()?;
        Ok(Self {
            to_be_signed,
            algorithm,
            signature,
        })
    }

    /// Checks the outer algorithm against the signed one (RFC 5280 section 4.1.1.2).
    pub(crate) fn check_algorithm(&self, what: &'static str, signed: &[u8]) -> Result<(), ParseError> {
        if self.algorithm == signed {
            Ok(())
        } else {
            Err(malformed(what, "its two signature algorithms differ"))
        }
    }

    /// Checks the signature.
    pub(crate) fn verify(&self, what: &'static str, key: &PublicKey) -> Result<(), ParseError> {
        let scheme = read_algorithm(self.algorithm, what)?;
        let not_signed = || ParseError::NotSigned {
            what,
            source: KeyFault::NotSigned(key.spki_sha256()),
        };
        let signature = Signature::from_der(scheme, self.signature).map_err(|_| not_signed())?;
        key.verify(self.to_be_signed, &signature)
            .map_err(|_| not_signed())
    }
}
