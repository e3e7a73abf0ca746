use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::words::words;

/// The query of `GET /v1/export`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParameters {
    /// What to export: an authority and, where it has several, the form (`host`, `tls-host`, `db`, `jwt` …).
    #[serde(rename = "type")]
    pub kind: String,
    /// Which keys; all trusted ones when absent.
    #[serde(default)]
    pub status: ExportStatus,
    /// In which format; the one that the type's consumers read when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ExportFormat>,
}

/// Which keys to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportStatus {
    /// Those that sign.
    Active,
    /// Those that will sign when the rotation goes on.
    Incoming,
    /// Those that will be distrusted when the rotation or the rollback completes.
    Outgoing,
    /// All that are trusted.
    #[default]
    All,
}

words!(ExportStatus, "export status",
    Active => "active", Incoming => "incoming", Outgoing => "outgoing", All => "all");

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// X.509 certificates or public keys as PEM (RFC 7468).
    Pem,
    /// One file of DER for each certificate.
    Der,
    /// `cert-authority` lines for `authorized_keys`.
    AuthorizedKeys,
    /// Bare public key lines, as `TrustedUserCAKeys` reads them.
    PublicKeys,
    /// `@cert-authority` lines for `known_hosts`.
    KnownHosts,
    /// A JSON Web Key Set (RFC 7517).
    Jwks,
    /// SAML metadata of the identity provider.
    SamlMetadata,
    /// A SPIFFE trust bundle.
    SpiffeBundle,
}

words!(ExportFormat, "export format",
    Pem => "pem",
    Der => "der",
    AuthorizedKeys => "authorized_keys",
    PublicKeys => "public_keys",
    KnownHosts => "known_hosts",
    Jwks => "jwks",
    SamlMetadata => "saml_metadata",
    SpiffeBundle => "spiffe_bundle",
);

/// An export: always the whole set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Export {
    /// The files, the signing key's first.
    pub files: Vec<ExportFile>,
}

/// One file of an export, or of what has to be trusted beside a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportFile {
    /// A name for it, such as `host-1.pem`: no path.
    pub name: String,
    /// What it is, such as `application/x-pem-file`.
    pub media_type: String,
    /// Its bytes, base64.
    pub content_base64: String,
    /// Which keys it holds: `active`, `incoming`, `outgoing`, or `all` for a set in one file.
    pub status: ExportStatus,
    /// The hash of each key or certificate in it, in order: hexadecimal SHA-256 of the DER certificate (or of the
    /// `SubjectPublicKeyInfo`, where there is no certificate), or `SHA256:` with base64 of the SSH public key.
    pub fingerprints: Vec<String>,
    /// The type of the authority.
    pub authority: String,
}
