//! Texts of the API to values and back. Pure.

use api_types::TrustBundle;
use api_types::TrustedKey;
use authority::KeyForm;
use key::PublicKey;
use names::HostName;
use resource::SystemRole;
use ssh_cert::SubjectKey;

use crate::Problem;
use crate::problem::malformed;

/// System roles.
///
/// # Errors
/// When one is not known.
pub(crate) fn roles(words: &[String]) -> Result<Vec<SystemRole>, Problem> {
    let parse = |word: &String| {
        word.parse::<SystemRole>().map_err(|_| {
            malformed(
                "roles",
                format!("{word:?} is no system role: use node, proxy, db or app"),
            )
        })
    };
    words.iter().map(parse).collect()
}

/// An SSH public key, a line as in `authorized_keys`.
///
/// # Errors
/// When it does not read.
pub(crate) fn ssh_key(field: &'static str, line: &str) -> Result<SubjectKey, Problem> {
    SubjectKey::from_line(line).map_err(|error| malformed(field, error.to_string()))
}

/// A certificate request, PEM to DER.
///
/// # Errors
/// When it is no PEM.
pub(crate) fn request(field: &'static str, text: &str) -> Result<Vec<u8>, Problem> {
    x509::pem::decode_one("certificate request", "CERTIFICATE REQUEST", text)
        .map_err(|error| malformed(field, error.to_string()))
}

/// A TLS public key, PEM.
///
/// # Errors
/// When it does not read.
pub(crate) fn tls_key(field: &'static str, text: &str) -> Result<PublicKey, Problem> {
    let der = x509::pem::decode_one("public key", "PUBLIC KEY", text)
        .map_err(|error| malformed(field, error.to_string()))?;
    PublicKey::from_spki_der(&der).map_err(|error| malformed(field, error.to_string()))
}

/// Names and addresses.
///
/// # Errors
/// When one is none.
pub(crate) fn hosts(field: &'static str, texts: &[String]) -> Result<Vec<HostName>, Problem> {
    let parse = |text: &String| HostName::parse(text).map_err(|error| malformed(field, error.to_string()));
    texts.iter().map(parse).collect()
}

/// What machines trust, as the API says it.
pub(crate) fn trust(bundle: &enrollment::TrustBundle) -> TrustBundle {
    let key = |key: &enrollment::TrustedKey| TrustedKey {
        authority: key.authority.to_string(),
        form: match key.form {
            KeyForm::Tls => "tls",
            KeyForm::Ssh => "ssh",
            KeyForm::Jwt => "jwt",
        }
        .to_owned(),
        generation: key.generation.number(),
        spki_sha256: key.spki_sha256.to_string(),
        text: key.text.clone(),
    };
    TrustBundle {
        cluster: bundle.cluster.to_string(),
        keys: bundle.keys.iter().map(key).collect(),
        clients_use: bundle.clients_use.number(),
        servers_use: bundle.servers_use.number(),
    }
}
