//! The lines by which OpenSSH trusts an authority.

use key::KeyFault;
use key::PublicKey;
use names::Principal;

use crate::BuildError;
use crate::error::unencodable;
use crate::subject_key::fingerprint;
use crate::subject_key::line;
use crate::subject_key::public_key_blob;
use crate::subject_key::public_key_name;

/// `ssh-ed25519 AAAA… comment`: for `TrustedUserCAKeys` files and everywhere a plain key is wanted.
///
/// # Errors
/// Never for a well-formed key.
pub fn public_key_line(key: &PublicKey, comment: &str) -> Result<String, KeyFault> {
    Ok(line(public_key_name(key), &public_key_blob(key)?, comment))
}

/// `cert-authority[,principals="a,b"] ssh-ed25519 AAAA… comment`: for `authorized_keys` files.
///
/// # Errors
/// Never for a well-formed key.
pub fn cert_authority_line(
    key: &PublicKey,
    principals: &[Principal],
    comment: &str,
) -> Result<String, KeyFault> {
    // A principal has neither commas nor quotes.
    let list: Vec<&str> = principals.iter().map(Principal::as_str).collect();
    let restriction = if list.is_empty() {
        String::new()
    } else {
        format!(",principals=\"{}\"", list.join(","))
    };
    Ok(format!(
        "cert-authority{restriction} {}",
        public_key_line(key, comment)?
    ))
}

/// `@cert-authority pattern,pattern ssh-ed25519 AAAA… comment`: for `known_hosts` files.
///
/// # Errors
/// When there is no pattern, or one has other characters than letters, digits and `.-_*?:[]`.
pub fn known_hosts_line(key: &PublicKey, patterns: &[&str], comment: &str) -> Result<String, BuildError> {
    let is_pattern = |text: &&str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_*?:[]".contains(&byte);
        !text.is_empty() && text.bytes().all(is_allowed)
    };
    if patterns.is_empty() || !patterns.iter().all(is_pattern) {
        return Err(unencodable(
            "a host pattern",
            "is empty or has characters other than letters, digits and .-_*?:[]",
        ));
    }
    let key = public_key_line(key, comment).map_err(BuildError::Key)?;
    Ok(format!("@cert-authority {} {key}", patterns.join(",")))
}

/// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and base64.
///
/// # Errors
/// Never for a well-formed key.
pub fn public_key_fingerprint(key: &PublicKey) -> Result<String, KeyFault> {
    Ok(fingerprint(&public_key_blob(key)?))
}
