use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use names::UnixSeconds;
use serde_json::Map;
use serde_json::Value;

use super::*;

fn pair() -> (PublicKey, lc::EcdsaKeyPair) {
    let pair = lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    (
        PublicKey::from_ec_point(pair.public_key().as_ref()).unwrap(),
        pair,
    )
}

fn claims() -> Claims {
    Claims {
        issuer: "https://example.com".into(),
        subject: "alice".into(),
        audience: vec!["app".into()],
        token_id: "1".into(),
        issued_at: UnixSeconds(1_000),
        not_before: UnixSeconds(940),
        expires: UnixSeconds(2_000),
        others: Map::new(),
    }
}

#[test]
fn a_token_verifies_under_its_key_alone() {
    let (key, pair) = pair();
    let scheme = SignatureScheme::EcdsaP256Sha256;
    let plan = TokenPlan {
        claims: claims(),
        signing_key: key.clone(),
        scheme,
    };
    let text = plan.to_be_signed().unwrap();
    let raw = pair
        .sign(&SystemRandom::new(), text.as_bytes())
        .unwrap()
        .as_ref()
        .to_vec();
    let token = assemble(&text, scheme, &Signature::from_raw(scheme, raw).unwrap()).unwrap();
    let read = Unverified::verify(&token, &key).unwrap();
    assert_eq!(read.claims["aud"], "app");
    assert_eq!(read.header["kid"], Value::from(thumbprint(&key).unwrap()));
    assert!(Unverified::verify(&token, &super::tests::pair().0).is_err());
    assert!(Unverified::verify(&token.replace('.', ".."), &key).is_err());
}

#[test]
fn the_thumbprint_is_that_of_the_rfc() {
    // RFC 7638 section 3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let modulus = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, n).unwrap();
    let key = PublicKey::from_rsa(&modulus, &[1, 0, 1]).unwrap();
    assert_eq!(
        thumbprint(&key).unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn claims_that_mean_something_else_are_refused() {
    let (key, _) = pair();
    let plan = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        TokenPlan {
            claims,
            signing_key: key.clone(),
            scheme: SignatureScheme::EcdsaP256Sha256,
        }
        .to_be_signed()
    };
    assert!(plan(&|_| ()).is_ok());
    assert!(plan(&|claims| claims.subject.clear()).is_err());
    assert!(plan(&|claims| claims.audience.clear()).is_err());
    assert!(plan(&|claims| claims.expires = UnixSeconds(900)).is_err());
    assert!(plan(&|claims| drop(claims.others.insert("exp".into(), Value::from(9)))).is_err());
    assert!(plan(&|claims| drop(claims.others.insert("x".into(), Value::from("y".repeat(9_000))))).is_err());
    assert!(plan(&|claims| drop(claims.others.insert("x".into(), Value::from("y")))).is_ok());
}

#[test]
fn key_sets_hold_every_key_once() {
    let (first, _) = pair();
    let (second, _) = pair();
    let text = key_set([&first, &second, &first].into_iter()).unwrap();
    let set: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    assert_eq!(set["keys"][0]["alg"], "ES256");
    assert_eq!(set["keys"][0]["use"], "sig");
}
