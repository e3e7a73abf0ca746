//! Public keys and signatures.

use key::{PublicKey, PublicKeyParts, Signature, SignatureScheme};

const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::RsaPkcs1Sha256,
    SignatureScheme::RsaPkcs1Sha512,
    SignatureScheme::EcdsaP256Sha256,
    SignatureScheme::EcdsaP384Sha384,
    SignatureScheme::Ed25519,
];

/// A public key: a `SubjectPublicKeyInfo` (RFC 5280), a point (SEC 1), or the numbers of RSA.
pub fn public_key(data: &[u8]) {
    let halves = data.split_at_checked(data.len() / 2).unwrap_or_default();
    let keys = [
        PublicKey::from_spki_der(data),
        PublicKey::from_ec_point(data),
        PublicKey::from_ed25519(data),
        PublicKey::from_rsa(halves.0, halves.1),
        PublicKey::from_rsa(data, &[1, 0, 1]),
    ];
    for key in keys.into_iter().flatten() {
        assert_eq!(PublicKey::from_spki_der(key.spki_der()).as_ref().ok(), Some(&key));
        let _identifier = key.key_identifier();
        let again = match key.parts() {
            Ok(PublicKeyParts::Rsa { modulus, exponent }) => PublicKey::from_rsa(modulus, exponent),
            Ok(PublicKeyParts::Ec { point }) => PublicKey::from_ec_point(point),
            Ok(PublicKeyParts::Ed25519 { key }) => PublicKey::from_ed25519(key),
            Err(fault) => Err(fault),
        };
        assert_eq!(again.ok(), Some(key.clone()), "a key is the sum of its parts");
        for scheme in SCHEMES {
            for signature in [
                Signature::from_raw(scheme, data.to_vec()),
                Signature::from_der(scheme, data),
            ]
            .into_iter()
            .flatten()
            {
                assert!(
                    key.verify(b"a message that nobody signed", &signature).is_err(),
                    "a forgery"
                );
            }
        }
    }
}

/// A signature, raw or in DER.
pub fn signature(data: &[u8]) {
    for scheme in SCHEMES {
        for signature in [
            Signature::from_raw(scheme, data.to_vec()),
            Signature::from_der(scheme, data),
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(signature.scheme(), scheme);
            let der = signature.to_der();
            let again = der.as_ref().map(|der| Signature::from_der(scheme, der));
            assert!(
                matches!(&again, Ok(Ok(again)) if *again == signature),
                "written as DER it is another: {again:?}"
            );
        }
    }
}
