use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::Mode;
use crate::Phase;
use crate::RotationState;
use crate::SecretText;

/// The query of `GET /v1/cert_authorities`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CertAuthorityParameters {
    /// Only this type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Include private keys, or what stands for them where they cannot be read.
    #[serde(default)]
    pub with_secrets: bool,
}

/// An authority as a document, in the form its users know.
///
/// Every byte field (`public_key`, `private_key`, `cert`, `key`, `crl`) is base64 of a text or of DER:
/// `jq -r '.[].spec.active_keys.tls[0].key | select(.) | @base64d'` prints a PEM key, or the reference of a key that
/// lives elsewhere, such as `awskms:arn:aws:kms:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertAuthority {
    /// `cert_authority`.
    pub kind: String,
    /// The type of the authority.
    pub sub_kind: String,
    /// `v2`.
    pub version: String,
    /// Its name and revision.
    pub metadata: CertAuthorityMetadata,
    /// Its keys and where its rotation stands.
    pub spec: CertAuthoritySpec,
}

/// Name and revision of an authority's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertAuthorityMetadata {
    /// The cluster's name.
    pub name: String,
    /// Changes with every change of the document.
    pub revision: String,
}

/// Keys of an authority, and where its rotation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertAuthoritySpec {
    /// The type of the authority.
    #[serde(rename = "type")]
    pub authority: String,
    /// The cluster's name.
    pub cluster_name: String,
    /// The keys that sign. They are trusted too.
    pub active_keys: KeySet,
    /// The keys that are trusted and do not sign.
    pub additional_trusted_keys: KeySet,
    /// Where its rotation stands.
    pub rotation: RotationDocument,
}

/// Keys by what they sign. A list has one key per auth server that owns keys of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeySet {
    /// Keys that sign SSH certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<SshKeyPair>,
    /// Keys that sign X.509 certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<TlsKeyPair>,
    /// Keys that sign tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jwt: Vec<JwtKeyPair>,
}

/// A key that signs SSH certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshKeyPair {
    /// Base64 of the line as in `authorized_keys`.
    pub public_key: String,
    /// Base64 of the PEM key, or of the reference of a key that lives elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretText>,
    /// `RAW`, `PKCS11`, `AWS_KMS`.
    pub private_key_type: String,
}

/// A key that signs X.509 certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TlsKeyPair {
    /// Base64 of the PEM certificate.
    pub cert: String,
    /// Base64 of the PEM key, or of the reference of a key that lives elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<SecretText>,
    /// `RAW`, `PKCS11`, `AWS_KMS`.
    pub key_type: String,
    /// Base64 of the DER certificate revocation list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<String>,
}

/// A key that signs tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwtKeyPair {
    /// Base64 of the PEM public key.
    pub public_key: String,
    /// Base64 of the PEM key, or of the reference of a key that lives elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretText>,
    /// `RAW`, `PKCS11`, `AWS_KMS`.
    pub private_key_type: String,
}

/// Where a rotation stands, as the document says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationDocument {
    /// Whether one is under way.
    pub state: RotationState,
    /// Its phase.
    pub phase: Phase,
    /// Who moves it on; nothing in standby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The id of the rotation under way, or of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_id: Option<String>,
    /// When it began, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How long it takes as a whole, such as `2d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<String>,
    /// When a rotation was last completed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rotated: Option<String>,
    /// When each phase begins at the earliest, in automatic mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ActiveSchedule>,
}

/// When each phase of an automatic rotation begins at the earliest, RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActiveSchedule {
    /// `update_clients`.
    pub update_clients: String,
    /// `update_servers`.
    pub update_servers: String,
    /// `standby`: the end.
    pub standby: String,
}
