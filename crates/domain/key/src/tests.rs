use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;

use super::*;

const MESSAGE: &[u8] = b"to be signed";

fn p256() -> (PublicKey, lc::EcdsaKeyPair) {
    let pair = lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    (
        PublicKey::from_ec_point(pair.public_key().as_ref()).unwrap(),
        pair,
    )
}

#[test]
fn ecdsa_signatures_pass_between_encodings() {
    let (key, pair) = p256();
    for _ in 0..64 {
        let raw = pair
            .sign(&SystemRandom::new(), MESSAGE)
            .unwrap()
            .as_ref()
            .to_vec();
        let signature = Signature::from_raw(SignatureScheme::EcdsaP256Sha256, raw.clone()).unwrap();
        key.verify(MESSAGE, &signature).unwrap();
        let der = signature.to_der().unwrap();
        assert_eq!(
            Signature::from_der(SignatureScheme::EcdsaP256Sha256, &der)
                .unwrap()
                .as_raw(),
            raw
        );
        assert!(key.verify(b"another", &signature).is_err());
    }
}

#[test]
fn rsa_and_ed25519_verify() {
    let pair = lc::Ed25519KeyPair::generate().unwrap();
    let key = PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap();
    let signature =
        Signature::from_raw(SignatureScheme::Ed25519, pair.sign(MESSAGE).as_ref().to_vec()).unwrap();
    key.verify(MESSAGE, &signature).unwrap();

    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let numbers = pair.public_key();
    let key = PublicKey::from_rsa(
        numbers.modulus().big_endian_without_leading_zero(),
        numbers.exponent().big_endian_without_leading_zero(),
    )
    .unwrap();
    assert_eq!(key.algorithm(), KeyAlgorithm::Rsa2048);
    let mut raw = vec![0; 256];
    pair.sign(&lc::RSA_PKCS1_SHA256, &SystemRandom::new(), MESSAGE, &mut raw)
        .unwrap();
    key.verify(
        MESSAGE,
        &Signature::from_raw(SignatureScheme::RsaPkcs1Sha256, raw).unwrap(),
    )
    .unwrap();
}

#[test]
fn a_signature_of_another_scheme_or_key_is_refused() {
    let (key, _) = p256();
    let (_, other) = p256();
    let raw = other
        .sign(&SystemRandom::new(), MESSAGE)
        .unwrap()
        .as_ref()
        .to_vec();
    assert!(
        key.verify(
            MESSAGE,
            &Signature::from_raw(SignatureScheme::EcdsaP256Sha256, raw.clone()).unwrap()
        )
        .is_err()
    );
    assert!(
        key.verify(
            MESSAGE,
            &Signature::from_raw(SignatureScheme::Ed25519, raw).unwrap()
        )
        .is_err()
    );
}

#[test]
fn keys_round_trip_and_odd_ones_are_refused() {
    let (key, _) = p256();
    let text = String::from(key.clone());
    assert_eq!(PublicKey::try_from(text).unwrap(), key);
    let mut off_curve = key.spki_der().to_vec();
    *off_curve.last_mut().unwrap() ^= 1;
    assert!(PublicKey::from_spki_der(&off_curve).is_err());
    let mut trailing = key.spki_der().to_vec();
    trailing.push(0);
    assert!(PublicKey::from_spki_der(&trailing).is_err());
    assert!(PublicKey::from_ed25519(&[0; 31]).is_err());
    assert!(PublicKey::from_rsa(&[0xff; 128], &[1, 0, 1]).is_err());
    assert!(PublicKey::from_rsa(&[0xff; 256], &[3]).is_err());
}

#[test]
fn key_ids_are_uuids() {
    let id = KeyId::from_random([0xab; 16]);
    assert_eq!(id.to_string(), "abababab-abab-4bab-abab-abababababab");
    assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
    for bad in [
        "",
        "abababab-abab-4bab-abab-ababababab",
        "../../../../../../../../../etc/passw",
    ] {
        assert!(bad.parse::<KeyId>().is_err(), "{bad}");
    }
}
