use der::Decode;
use der::Encode;
use der::asn1::UintRef;

use crate::SignatureScheme;

/// A signature, in the form that loses nothing: PKCS#1 bytes, fixed-width `r‖s`, or the 64 bytes of Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    scheme: SignatureScheme,
    raw: Vec<u8>,
}

/// Bytes that are no signature of their scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {scheme:?} signature: {reason}")]
pub struct BadSignature {
    /// The scheme asked for.
    pub scheme: SignatureScheme,
    /// What is wrong, in words.
    pub reason: &'static str,
}

#[derive(der::Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl Signature {
    /// Takes a signature as tokens and JWS write it: PKCS#1 bytes, `r‖s`, or Ed25519's 64 bytes.
    ///
    /// # Errors
    /// When the length is not one the scheme can have.
    pub fn from_raw(scheme: SignatureScheme, raw: Vec<u8>) -> Result<Self, BadSignature> {
        let is_sized = match scheme {
            SignatureScheme::RsaPkcs1Sha256 | SignatureScheme::RsaPkcs1Sha512 => {
                matches!(raw.len(), 256 | 384 | 512)
            }
            SignatureScheme::EcdsaP256Sha256 | SignatureScheme::Ed25519 => raw.len() == 64,
            SignatureScheme::EcdsaP384Sha384 => raw.len() == 96,
        };
        if is_sized {
            Ok(Self { scheme, raw })
        } else {
            Err(BadSignature {
                scheme,
                reason: "wrong length",
            })
        }
    }

    /// Takes a signature as KMS and X.509 write it: ECDSA as a DER `ECDSA-Sig-Value` (RFC 3279 section 2.2.3), others raw.
    ///
    /// # Errors
    /// When it is not DER, or a number is longer than the curve allows.
    pub fn from_der(scheme: SignatureScheme, bytes: &[u8]) -> Result<Self, BadSignature> {
        let Some(length) = scheme.ecdsa_scalar_length() else {
            return Self::from_raw(scheme, bytes.to_vec());
        };
        let value = EcdsaSigValue::from_der(bytes).map_err(|_| BadSignature {
            scheme,
            reason: "not DER",
        })?;
        let mut raw = Vec::with_capacity(length * 2);
        for scalar in [value.r.as_bytes(), value.s.as_bytes()] {
            let padding = length.checked_sub(scalar.len()).ok_or(BadSignature {
                scheme,
                reason: "scalar too long",
            })?;
            raw.resize(raw.len() + padding, 0);
            raw.extend_from_slice(scalar);
        }
        Ok(Self { scheme, raw })
    }

    /// The scheme it was made with.
    pub const fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// As tokens and JWS (RFC 7518 section 3.4) want it.
    pub fn as_raw(&self) -> &[u8] {
        &self.raw
    }

    /// As X.509 wants it.
    ///
    /// # Errors
    /// Never for a value made by the constructors; the encoder's error is passed on rather than hidden.
    pub fn to_der(&self) -> Result<Vec<u8>, BadSignature> {
        let Some((r, s)) = self.scalars() else {
            return Ok(self.raw.clone());
        };
        let bad = |_| BadSignature {
            scheme: self.scheme,
            reason: "not encodable",
        };
        let value = EcdsaSigValue {
            r: UintRef::new(r).map_err(bad)?,
            s: UintRef::new(s).map_err(bad)?,
        };
        value.to_der().map_err(bad)
    }

    /// The two numbers of an ECDSA signature, fixed width and big endian; `None` for other schemes.
    pub fn scalars(&self) -> Option<(&[u8], &[u8])> {
        self.scheme
            .ecdsa_scalar_length()
            .and_then(|length| self.raw.split_at_checked(length))
    }
}
