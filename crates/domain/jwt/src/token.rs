use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use names::UnixSeconds;
use serde_json::Map;
use serde_json::Value;

use crate::algorithm;
use crate::base64url;
use crate::thumbprint;

/// The claims that the plan itself says (RFC 7519 section 4.1); others may be added.
pub const REGISTERED_CLAIMS: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
/// The longest token, in bytes: what common servers take as a header.
pub const TOKEN_BYTES_MAX: usize = 8_192;

/// What a token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Who issued it, a URL or the cluster's name.
    pub issuer: String,
    /// Whom it is about.
    pub subject: String,
    /// Whom it is for; at least one.
    pub audience: Vec<String>,
    /// Its id.
    pub token_id: String,
    /// When it was issued.
    pub issued_at: UnixSeconds,
    /// When it begins.
    pub not_before: UnixSeconds,
    /// When it ends.
    pub expires: UnixSeconds,
    /// Whatever else it says.
    pub others: Map<String, Value>,
}

/// Everything about a token to be signed.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenPlan {
    /// What it says.
    pub claims: Claims,
    /// The key that will sign.
    pub signing_key: PublicKey,
    /// How it signs.
    pub scheme: SignatureScheme,
}

/// Why a token cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// A claim is missing, empty, or given twice.
    #[error("claim {claim}: {problem}")]
    Claim {
        /// The claim.
        claim: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The token would be too long.
    #[error("the token would be {length} bytes long, at most {TOKEN_BYTES_MAX} are of use")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The signature is of another scheme.
    #[error("the signature is not of the planned scheme")]
    WrongScheme,
    /// The text is no token, or not signed by this key.
    #[error("not a token signed by this key: {0}")]
    NotSigned(&'static str),
    /// It cannot be encoded.
    #[error("not encodable: {0}")]
    Unencodable(String),
}

fn claim(claim: &str, problem: &'static str) -> BadToken {
    BadToken::Claim {
        claim: claim.to_owned(),
        problem,
    }
}

impl TokenPlan {
    /// The bytes to sign: header and payload, encoded and joined (RFC 7515 section 5.1).
    ///
    /// # Errors
    /// When a claim is empty or given twice, times are out of order, or the token would be too long.
    pub fn to_be_signed(&self) -> Result<String, BadToken> {
        let unencodable = |error: &dyn std::fmt::Display| BadToken::Unencodable(error.to_string());
        let header = serde_json::json!({
            "alg": algorithm(self.scheme),
            "kid": thumbprint(&self.signing_key).map_err(|error| unencodable(&error))?,
            "typ": "JWT",
        });
        let payload = self.claims.to_json()?;
        let encode = |value: &Value| {
            serde_json::to_vec(value)
                .map(base64url)
                .map_err(|error| unencodable(&error))
        };
        let text = format!("{}.{}", encode(&header)?, encode(&payload)?);
        if text.len() + 700 > TOKEN_BYTES_MAX {
            return Err(BadToken::TooLong {
                length: text.len() + 700,
            });
        }
        Ok(text)
    }
}

impl Claims {
    fn to_json(&self) -> Result<Value, BadToken> {
        let Self {
            issuer,
            subject,
            audience,
            token_id,
            issued_at,
            not_before,
            expires,
            others,
        } = self;
        for (name, text) in [("iss", issuer), ("sub", subject), ("jti", token_id)] {
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(claim(name, "is empty or has a control character"));
            }
        }
        if audience.is_empty()
            || audience
                .iter()
                .any(|text| text.is_empty() || text.chars().any(char::is_control))
        {
            return Err(claim("aud", "is empty or has a control character"));
        }
        if not_before >= expires || issued_at >= expires {
            return Err(claim("exp", "is not after nbf and iat"));
        }
        let mut payload = Map::new();
        for (name, value) in others {
            if REGISTERED_CLAIMS.contains(&name.as_str()) {
                return Err(claim(name, "is a registered claim, which the issuer says"));
            }
            payload.insert(name.clone(), value.clone());
        }
        let audience = match audience.as_slice() {
            [one] => Value::from(one.as_str()),
            many => Value::from(many.to_vec()),
        };
        payload.insert("iss".into(), Value::from(issuer.as_str()));
        payload.insert("sub".into(), Value::from(subject.as_str()));
        payload.insert("aud".into(), audience);
        payload.insert("jti".into(), Value::from(token_id.as_str()));
        payload.insert("iat".into(), Value::from(issued_at.0));
        payload.insert("nbf".into(), Value::from(not_before.0));
        payload.insert("exp".into(), Value::from(expires.0));
        Ok(Value::Object(payload))
    }
}

/// Joins signed bytes and their signature into a token in compact form (RFC 7515 section 7.1).
///
/// # Errors
/// When the signature is of another scheme than planned.
pub fn assemble(
    to_be_signed: &str,
    scheme: SignatureScheme,
    signature: &Signature,
) -> Result<String, BadToken> {
    if signature.scheme() != scheme {
        return Err(BadToken::WrongScheme);
    }
    Ok(format!("{to_be_signed}.{}", base64url(signature.as_raw())))
}

/// A token read back, for the linter and for tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Unverified {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

impl Unverified {
    /// Reads the bytes to sign, before there is a signature.
    ///
    /// # Errors
    /// When they are no header and payload.
    pub fn parse(to_be_signed: &str) -> Result<Self, BadToken> {
        let bad = BadToken::NotSigned("not two parts of base64url JSON");
        let (header, claims) = to_be_signed.split_once('.').ok_or(bad.clone())?;
        let decode = |part: &str| -> Result<Value, BadToken> {
            let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| bad.clone())?;
            serde_json::from_slice(&bytes).map_err(|_| bad.clone())
        };
        Ok(Self {
            header: decode(header)?,
            claims: decode(claims)?,
        })
    }

    /// Reads a whole token whose signature was made by `key`.
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(token: &str, key: &PublicKey) -> Result<Self, BadToken> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(BadToken::TooLong { length: token.len() });
        }
        let (to_be_signed, signature) = token
            .rsplit_once('.')
            .ok_or(BadToken::NotSigned("not three parts"))?;
        let scheme = key.algorithm().default_scheme();
        let bytes = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| BadToken::NotSigned("not base64url"))?;
        let signature =
            Signature::from_raw(scheme, bytes).map_err(|_| BadToken::NotSigned("signature length"))?;
        key.verify(to_be_signed.as_bytes(), &signature)
            .map_err(|_| BadToken::NotSigned("signature"))?;
        let token = Self::parse(to_be_signed)?;
        if token.header.get("alg").and_then(Value::as_str) != Some(algorithm(scheme)) {
            return Err(BadToken::NotSigned("another algorithm"));
        }
        Ok(token)
    }
}
