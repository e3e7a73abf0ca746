use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

/// The query of `GET /v1/crl`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CrlParameters {
    /// The type of the authority: one that signs X.509 certificates.
    #[serde(rename = "type")]
    pub authority: String,
}

/// A certificate revocation list (RFC 5280 section 5). Every trusted key has its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Crl {
    /// The type of the authority.
    pub authority: String,
    /// The key that signed it.
    pub key_id: String,
    /// The list as PEM.
    pub pem: String,
    /// The list as base64 of DER.
    pub der_base64: String,
    /// When a newer one is due, RFC 3339.
    pub next_update: String,
}

/// The query of `GET /v1/certificates`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CertificateParameters {
    /// Only by this authority.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Only signed by the key with this SHA-256 of its `SubjectPublicKeyInfo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Only for this subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only with this serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Expired ones too.
    #[serde(default)]
    pub expired: bool,
    /// Skip this many; the newest come first.
    #[serde(default)]
    pub offset: usize,
    /// The most to return: 1 to 1000, 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A certificate as it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateRow {
    /// The type of the authority that issued it.
    pub authority: String,
    /// What it is: `SSH`, `TLS`, `JWT`.
    pub protocol: String,
    /// Its serial.
    pub serial: String,
    /// Whom it names.
    pub subject: String,
    /// SHA-256 of the `SubjectPublicKeyInfo` of the key that signed it.
    pub issuer_public_key_sha256: String,
    /// When it begins, RFC 3339.
    pub not_before: String,
    /// When it ends, RFC 3339.
    pub not_after: String,
    /// When it was revoked, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// The `uid` of the audit event that announced it.
    pub event_uid: String,
}

/// The body of `POST /v1/certificates/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// The type of the authority.
    pub authority: String,
    /// The serial of the certificate.
    pub serial: String,
    /// Why: a name of RFC 5280 section 5.3.1, such as `keyCompromise`.
    pub reason: String,
}

/// What a revocation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokeAnswer {
    /// The certificate, revoked.
    pub certificate: CertificateRow,
    /// What to do so that verifiers learn of it, in words.
    pub hints: Vec<String>,
}
