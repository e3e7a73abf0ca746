//! Nothing that is not a token panics, or passes for one; and what is planned is read back.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt::Claims;
use jwt::TokenPlan;
use jwt::Unverified;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use names::UnixSeconds;
use proptest::prelude::*;
use serde_json::Value;

fn pair() -> (PublicKey, lc::Ed25519KeyPair) {
    let pair = lc::Ed25519KeyPair::generate().unwrap();
    (PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap(), pair)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,6}", inner, 0..5).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_and_never_verifies(text in "([A-Za-z0-9_-]{0,40}\\.){0,4}\\PC{0,20}") {
        let key = PublicKey::from_ed25519(&[1; 32]).unwrap();
        let _ = Unverified::parse(&text);
        prop_assert!(Unverified::verify(&text, &key).is_err());
    }

    #[test]
    fn arbitrary_json_never_panics_and_never_verifies(header in json(), claims in json(), signature in prop::collection::vec(any::<u8>(), 0..70)) {
        let key = PublicKey::from_ed25519(&[1; 32]).unwrap();
        let parts = [header.to_string().into_bytes(), claims.to_string().into_bytes(), signature];
        let text = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        prop_assert!(Unverified::verify(&text, &key).is_err());
    }

    #[test]
    fn what_is_planned_is_read_back(
        subject in "\\PC{1,40}",
        audience in prop::collection::vec("\\PC{1,20}", 1..4),
        expires in 1_001_i64..i64::MAX,
        others in prop::collection::btree_map("[a-z]{4,8}", json(), 0..5),
    ) {
        let (key, pair) = pair();
        let scheme = SignatureScheme::Ed25519;
        let claims = Claims {
            issuer: "https://a.example.com".to_owned(),
            subject: subject.clone(),
            audience: audience.clone(),
            token_id: "1".to_owned(),
            issued_at: UnixSeconds(1_000),
            not_before: UnixSeconds(940),
            expires: UnixSeconds(expires),
            others: others.clone().into_iter().collect(),
        };
        let text = TokenPlan { claims, signing_key: key.clone(), scheme }.to_be_signed().unwrap();
        let signature = Signature::from_raw(scheme, pair.sign(text.as_bytes()).as_ref().to_vec()).unwrap();
        let token = jwt::assemble(&text, scheme, &signature).unwrap();
        let read = Unverified::verify(&token, &key).unwrap().claims;
        prop_assert_eq!(&read["sub"], &Value::from(subject));
        prop_assert_eq!(&read["exp"], &Value::from(expires));
        let read_audience = read["aud"].as_array().cloned().unwrap_or_else(|| vec![read["aud"].clone()]);
        prop_assert_eq!(read_audience, audience.into_iter().map(Value::from).collect::<Vec<_>>());
        for (name, value) in others {
            prop_assert_eq!(&read[name.as_str()], &value);
        }
    }
}

#[test]
fn every_single_character_change_is_noticed() {
    let (key, pair) = pair();
    let scheme = SignatureScheme::Ed25519;
    let claims = Claims {
        issuer: "https://a.example.com".to_owned(),
        subject: "alice".to_owned(),
        audience: vec!["app".to_owned()],
        token_id: "1".to_owned(),
        issued_at: UnixSeconds(1_000),
        not_before: UnixSeconds(940),
        expires: UnixSeconds(2_000),
        others: serde_json::Map::new(),
    };
    let text = TokenPlan {
        claims,
        signing_key: key.clone(),
        scheme,
    }
    .to_be_signed()
    .unwrap();
    let signature = Signature::from_raw(scheme, pair.sign(text.as_bytes()).as_ref().to_vec()).unwrap();
    let token = jwt::assemble(&text, scheme, &signature).unwrap();
    assert!(Unverified::verify(&token, &key).is_ok());
    for (at, character) in token.char_indices() {
        let other = if character == 'A' { 'B' } else { 'A' };
        let mut changed = token.clone();
        changed.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
        assert!(Unverified::verify(&changed, &key).is_err(), "character {at}");
    }
}

#[test]
fn a_token_of_another_algorithm_is_no_token_of_the_key() {
    let (key, pair) = pair();
    let scheme = SignatureScheme::Ed25519;
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"ES256"}"#,
        "{}",
        r#"{"alg":null}"#,
    ] {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode("{}")
        );
        let signature = Signature::from_raw(scheme, pair.sign(text.as_bytes()).as_ref().to_vec()).unwrap();
        let token = jwt::assemble(&text, scheme, &signature).unwrap();
        assert!(Unverified::verify(&token, &key).is_err(), "{header}");
        assert!(
            Unverified::verify(&format!("{text}."), &key).is_err(),
            "{header} without a signature"
        );
    }
}
