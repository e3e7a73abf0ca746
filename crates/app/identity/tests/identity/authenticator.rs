//! A software authenticator: answers as a browser with a key would.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

pub(crate) const ORIGIN: &str = "https://proxy.example.com:3080";

/// One key, with its counter.
pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    counter: u32,
    /// Where the browser is.
    pub(crate) origin: &'static str,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = sha256(key.public_key().as_ref());
        Self {
            key,
            id,
            counter: 0,
            origin: ORIGIN,
        }
    }

    /// A copy of the key, as a thief would have it.
    pub(crate) fn set_counter(&mut self, counter: u32) {
        self.counter = counter;
    }

    pub(crate) fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.id)
    }

    /// What `navigator.credentials.create` answers.
    pub(crate) fn create(&mut self, question: &Value) -> Value {
        let client = self.client_data("webauthn.create", question);
        let point = self.key.public_key().as_ref();
        let mut data = self.data(question.pointer("/publicKey/rp/id"), 0x45);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.id);
        // COSE (RFC 9053 section 7.1): EC2, ES256, P-256, x, y.
        data.extend_from_slice(&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend_from_slice(&point[1..33]);
        data.extend_from_slice(&[0x22, 0x58, 0x20]);
        data.extend_from_slice(&point[33..65]);
        let mut attestation = vec![0xa3];
        attestation.extend_from_slice(b"\x63fmt\x64none\x67attStmt\xa0\x68authData\x58");
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend_from_slice(&data);
        json!({
            "id": self.id(),
            "rawId": self.id(),
            "type": "public-key",
            "response": {
                "attestationObject": URL_SAFE_NO_PAD.encode(attestation),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            },
            "extensions": {},
        })
    }

    /// What `navigator.credentials.get` answers.
    pub(crate) fn get(&mut self, question: &Value) -> Value {
        self.counter += 1;
        let client = self.client_data("webauthn.get", question);
        let data = self.data(question.pointer("/publicKey/rpId"), 0x05);
        let signed = [data.clone(), sha256(client.as_bytes())].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": self.id(),
            "rawId": self.id(),
            "type": "public-key",
            "response": {
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
                "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
            },
            "extensions": {},
        })
    }

    fn client_data(&self, kind: &str, question: &Value) -> String {
        let challenge = question.pointer("/publicKey/challenge").unwrap();
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn data(&self, party: Option<&Value>, flags: u8) -> Vec<u8> {
        let mut data = sha256(party.unwrap().as_str().unwrap().as_bytes());
        data.push(flags);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}
