use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key::KeyFault;
use key::PublicKey;
use serde::Serialize;

use crate::jwk::Jwk;
use crate::jwk::Members;
use crate::jwk::members;

#[derive(Serialize)]
struct Bundle {
    keys: Vec<Entry>,
    spiffe_sequence: u64,
    spiffe_refresh_hint: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Certificate {
        #[serde(rename = "use")]
        purpose: &'static str,
        #[serde(flatten)]
        members: Members,
        x5c: [String; 1],
    },
    Token(Jwk),
}

/// How often consumers should fetch the bundle again, in seconds.
const REFRESH_HINT_SECONDS: u64 = 300;

/// A SPIFFE trust bundle (SPIFFE Trust Domain and Bundle, section 4): authorities of X.509 SVIDs with their certificates, and the keys
/// of JWT SVIDs. `sequence` grows whenever the bundle changes.
///
/// # Errors
/// Never for well-formed keys.
pub fn spiffe_bundle<'a>(
    sequence: u64,
    certificates: impl Iterator<Item = (&'a PublicKey, &'a [u8])>,
    tokens: impl Iterator<Item = &'a PublicKey>,
) -> Result<String, KeyFault> {
    let mut keys = Vec::new();
    for (key, der) in certificates {
        let x5c = [STANDARD.encode(der)];
        keys.push(Entry::Certificate {
            purpose: "x509-svid",
            members: members(key)?,
            x5c,
        });
    }
    for key in tokens {
        keys.push(Entry::Token(Jwk {
            purpose: "jwt-svid",
            ..Jwk::new(key)?
        }));
    }
    let bundle = Bundle {
        keys,
        spiffe_sequence: sequence,
        spiffe_refresh_hint: REFRESH_HINT_SECONDS,
    };
    serde_json::to_string_pretty(&bundle).map_err(|_| KeyFault::Malformed("not encodable"))
}
