use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const BEARER_BYTES: usize = 32;

/// A secret of 256 random bits that gives rights to whoever bears it: a session of the web, a link to sign up with, a proof of
/// having authenticated anew. Written as 43 characters of base64url. Only its hash is stored.
#[derive(Clone)]
pub struct Bearer(Zeroizing<[u8; BEARER_BYTES]>);

/// SHA-256 of a bearer, under which what it stands for is found. Tells nothing about the bearer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BearerHash(String);

/// Proof that a request comes from a page of ours: derived from the bearer of the session, which other sites do not know.
#[derive(Clone)]
pub struct CsrfToken(Zeroizing<String>);

impl Bearer {
    /// A bearer of random bytes.
    pub fn from_random(bytes: [u8; BEARER_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what [`Bearer::expose`] writes; `None` when the text is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; BEARER_BYTES]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
        (length == BEARER_BYTES).then_some(Self(bytes))
    }

    /// The text to hand out.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// What is stored of it.
    pub fn hash(&self) -> BearerHash {
        BearerHash(hex::encode(digest::digest(&digest::SHA256, &*self.0)))
    }

    /// The proof that forms of this session carry (HMAC-SHA256 under the bearer).
    pub fn csrf_token(&self) -> CsrfToken {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.0);
        let tag = hmac::sign(&key, b"signet csrf 1");
        CsrfToken(Zeroizing::new(URL_SAFE_NO_PAD.encode(tag)))
    }

    /// Whether a request carries the proof of this session; in a time that does not depend on where it differs.
    pub fn accepts_csrf(&self, offered: &str) -> bool {
        self.csrf_token().0.as_bytes().ct_eq(offered.as_bytes()).into()
    }
}

impl BearerHash {
    /// The hash, 64 lower-case hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for BearerHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BearerHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err("the hash of a bearer is 64 lower-case hexadecimal digits")
        }
    }
}

impl From<BearerHash> for String {
    fn from(hash: BearerHash) -> Self {
        hash.0
    }
}

impl CsrfToken {
    /// The text to put into forms.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_reads_back_and_nothing_else_reads() {
        let bearer = Bearer::from_random([7; 32]);
        let text = bearer.expose();
        assert_eq!(text.len(), 43);
        assert_eq!(Bearer::parse(&text).unwrap().hash(), bearer.hash());
        for bad in [
            "",
            "AAAA",
            &format!("{}A", *text),
            &text[1..],
            &format!("{}=", *text),
        ] {
            assert!(Bearer::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_bearer_hash_is_the_sha_256_of_its_bytes() {
        // FIPS 180-4 example input of 32 zero bytes, as `sha256sum` says it.
        let zeros = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(Bearer::from_random([0; 32]).hash().as_str(), zeros);
        assert!(BearerHash::try_from(zeros.to_uppercase()).is_err());
        assert!(BearerHash::try_from("../../x".to_owned()).is_err());
    }

    #[test]
    fn csrf_proofs_belong_to_their_session() {
        let one = Bearer::from_random([1; 32]);
        let two = Bearer::from_random([2; 32]);
        assert!(one.accepts_csrf(one.csrf_token().as_str()));
        assert!(!one.accepts_csrf(two.csrf_token().as_str()));
        assert!(!one.accepts_csrf(""));
        assert_ne!(one.csrf_token().as_str(), one.expose().as_str());
    }
}
