use const_oid::ObjectIdentifier;
use key::SignatureScheme;

use crate::ParseError;
use crate::oid;
use crate::read::Cursor;
use crate::write::DerWriter;
use crate::write::NULL;

/// Writes the `AlgorithmIdentifier` of a scheme: NULL parameters with RSA (RFC 4055 section 5), none with the others
/// (RFC 5758 section 3.2, RFC 8410 section 3).
pub(crate) fn write_algorithm(writer: &mut DerWriter, scheme: SignatureScheme) {
    writer.sequence(|writer| {
        writer.oid(&scheme_oid(scheme));
        if is_rsa(scheme) {
            writer.primitive(NULL, &[]);
        }
    });
}

/// Tells the scheme of an `AlgorithmIdentifier`, given as its whole element.
pub(crate) fn read_algorithm(whole: &[u8], what: &'static str) -> Result<SignatureScheme, ParseError> {
    let mut cursor = Cursor::new(what, whole).sequence()?;
    let oid = cursor.oid()?;
    let scheme = ALL
        .into_iter()
        .find(|scheme| scheme_oid(*scheme).as_bytes() == oid)
        .ok_or(ParseError::UnknownSignature { what })?;
    if is_rsa(scheme) {
        cursor.expect(NULL)?;
    }
    cursor.finish()?;
    Ok(scheme)
}

const ALL: [SignatureScheme; 5] = [
    SignatureScheme::EcdsaP256Sha256,
    SignatureScheme::RsaPkcs1Sha256,
    SignatureScheme::Ed25519,
    SignatureScheme::EcdsaP384Sha384,
    SignatureScheme::RsaPkcs1Sha512,
];

const fn is_rsa(scheme: SignatureScheme) -> bool {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 | SignatureScheme::RsaPkcs1Sha512 => true,
        SignatureScheme::EcdsaP256Sha256 | SignatureScheme::EcdsaP384Sha384 | SignatureScheme::Ed25519 => {
            false
        }
    }
}

const fn scheme_oid(scheme: SignatureScheme) -> ObjectIdentifier {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => oid::RSA_SHA256,
        SignatureScheme::RsaPkcs1Sha512 => oid::RSA_SHA512,
        SignatureScheme::EcdsaP256Sha256 => oid::ECDSA_SHA256,
        SignatureScheme::EcdsaP384Sha384 => oid::ECDSA_SHA384,
        SignatureScheme::Ed25519 => oid::ED25519,
    }
}
