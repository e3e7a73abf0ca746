//! The secrets that machines join with. What is stored of one is its SHA-256.

use std::path::PathBuf;

use aws_lc_rs::digest;
use resource::ResourceName;
use resource::SystemRole;
use runtime::Entropy;
use zeroize::Zeroizing;

use crate::EnrollmentError;
use crate::Refusal;

/// The fewest and the most bytes of a secret somebody else chose.
const BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// The secret of a token. It cannot be printed.
pub struct JoinSecret(Zeroizing<String>);

impl JoinSecret {
    /// Takes a secret as it was typed or configured.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is shorter than 16 or longer than 512 bytes, or has blanks or control characters.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(Zeroizing::new(text.to_owned())));
        }
        Err(Refusal::malformed(
            "token",
            "is not 16 to 512 visible characters of ASCII",
        ))
    }

    /// A new secret: 16 random bytes in hexadecimal digits.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Self, EnrollmentError> {
        let bytes =
            runtime::sixteen(entropy).map_err(|fault| EnrollmentError::Internal(fault.to_string()))?;
        let bytes = Zeroizing::new(bytes);
        Ok(Self(Zeroizing::new(hex::encode(bytes.as_slice()))))
    }

    /// The secret itself, to be shown once or sent to who asked for it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The name its document is stored under: SHA-256 in hexadecimal digits. Looking a secret up by its hash tells nothing of it by
    /// the time it takes.
    ///
    /// # Errors
    /// Never: hexadecimal digits are a name.
    pub fn name(&self) -> Result<ResourceName, EnrollmentError> {
        let hash = digest::digest(&digest::SHA256, self.0.as_bytes());
        ResourceName::parse(&hex::encode(hash)).map_err(|error| EnrollmentError::Internal(error.to_string()))
    }
}

/// A token from the configuration, which does not end.
pub struct StaticToken {
    /// The system roles it gives.
    pub roles: Vec<SystemRole>,
    pub(crate) name: ResourceName,
}

impl StaticToken {
    /// A static token of a secret.
    ///
    /// # Errors
    /// Never for a secret that parsed.
    pub fn new(roles: Vec<SystemRole>, secret: &JoinSecret) -> Result<Self, EnrollmentError> {
        let name = secret.name()?;
        Ok(Self { roles, name })
    }
}

/// Where the secret of a static token is.
pub enum SecretSource {
    /// In the configuration itself.
    Inline(JoinSecret),
    /// In a file: its first line.
    File(PathBuf),
}

/// Reads a static token as the configuration has it: `node,proxy:SECRET`, or `node:/path/of/a/file`.
///
/// # Errors
/// [`Refusal::Malformed`]; the message has nothing of the secret.
pub fn parse_static_token(text: &str) -> Result<(Vec<SystemRole>, SecretSource), Refusal> {
    let form = || {
        Refusal::malformed(
            "token",
            "is not of the form `node,proxy:SECRET` or `node:/path/of/a/file`",
        )
    };
    let (words, secret) = text.split_once(':').ok_or_else(form)?;
    let mut roles = Vec::new();
    for word in words.split(',') {
        let word = word.trim();
        let role: SystemRole = word.parse().map_err(|_| {
            let shown: String = word.chars().take(32).collect();
            Refusal::malformed(
                "token",
                format!("{shown:?} is no system role; there are node, proxy, db, app"),
            )
        })?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    check_joinable(&roles)?;
    let secret = secret.trim();
    if secret.starts_with('/') {
        return Ok((roles, SecretSource::File(PathBuf::from(secret))));
    }
    Ok((roles, SecretSource::Inline(JoinSecret::parse(secret)?)))
}

/// Refuses roles that no machine joins in.
pub(crate) fn check_joinable(roles: &[SystemRole]) -> Result<(), Refusal> {
    if roles.is_empty() {
        return Err(Refusal::malformed(
            "roles",
            "is empty; give at least one of node, proxy, db, app",
        ));
    }
    if roles.contains(&SystemRole::Auth) {
        return Err(Refusal::RoleNotJoinable {
            role: SystemRole::Auth,
            reason: "the embedded state serves one auth server",
        });
    }
    Ok(())
}

/// What the common name of a joining machine's certificate signing request must be: it binds the request to the token, to the name and
/// to the SSH key, so that a request seen elsewhere proves nothing here.
///
/// SHA-256, in 64 hexadecimal digits, over a line of context and the three, each with its length before it.
pub fn join_proof(token: &JoinSecret, node_name: &str, ssh_public_key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"signet join v1\n");
    for part in [token.expose().as_bytes(), node_name.as_bytes(), ssh_public_key] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    hex::encode(context.finish())
}
