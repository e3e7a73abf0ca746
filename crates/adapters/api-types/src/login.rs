use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::SecretText;

/// The body of `POST /webapi/login/begin` and of `POST /v1/me/reauthenticate/begin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBeginRequest {
    /// Who wants to log in.
    pub user: String,
}

/// What a second factor is asked to prove. For users that do not exist it looks the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoginChallenge {
    /// Names this challenge in the request that finishes it.
    pub challenge_id: String,
    /// The kinds that are accepted: `totp`, `webauthn`, `recovery_code`.
    pub second_factors: Vec<String>,
    /// The options for `navigator.credentials.get` (WebAuthn Level 3, `PublicKeyCredentialRequestOptionsJSON`), where that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webauthn: Option<Value>,
}

/// What a second factor proved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorProof {
    /// Six digits (RFC 6238).
    Totp(SecretText),
    /// What `navigator.credentials.get` returned, as JSON.
    Webauthn(Value),
    /// One of the codes that were shown once.
    RecoveryCode(SecretText),
}

/// The body of `POST /webapi/login/finish`: password and second factor together, never one without the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginFinishRequest {
    /// From [`LoginChallenge`], which security keys answer; what a person types answers none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_id: Option<String>,
    /// Who logs in.
    pub user: String,
    /// The password.
    #[schema(value_type = String)]
    pub password: SecretText,
    /// The second factor.
    pub second_factor: SecondFactorProof,
    /// The SSH public key to certify, a line as in `authorized_keys`.
    pub ssh_public_key: String,
    /// The TLS public key to certify, PEM.
    pub tls_public_key: String,
    /// How long the certificates are to be good for, in seconds; as the roles allow when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// The certificates of somebody who logged in, and whom to trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginAnswer {
    /// Who.
    pub user: String,
    /// The cluster.
    pub cluster: String,
    /// The roles.
    pub roles: Vec<String>,
    /// The accounts the certificates are good for.
    pub logins: Vec<String>,
    /// The SSH certificate, a line as in `id_ed25519-cert.pub`.
    pub ssh_certificate: String,
    /// The TLS certificate, PEM.
    pub tls_certificate: String,
    /// When they end, RFC 3339.
    pub not_after: String,
    /// Whom to trust.
    pub trust: HostTrust,
}

/// How hosts of the cluster are recognised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostTrust {
    /// Lines for `known_hosts`.
    pub known_hosts: Vec<String>,
    /// The certificates of the host authority, PEM, one for each trusted key.
    pub tls_authorities: Vec<String>,
}

/// The answer of `GET /v1/me/trust`: whom somebody who is logged in is to trust from now on, in the place of what they trusted before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PresentTrust {
    /// The cluster.
    pub cluster: String,
    /// Whom to trust: in every phase of a rotation what hosts may present now, and what they will present in the next.
    pub trust: HostTrust,
    /// Whether the certificate that this was asked with is of the generation that signs now. Of another it is good until the rotation of
    /// the user authority ends, whatever it says itself.
    pub is_current: bool,
}

/// The answer of `GET /webapi/invite/{token}`: whose link it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteInfo {
    /// Whose.
    pub user: String,
    /// `signup` or `reset`.
    pub purpose: String,
    /// When it ends, RFC 3339.
    pub expires: String,
    /// The kinds of second factor the cluster accepts.
    pub second_factors: Vec<String>,
}

/// The answer of `POST /webapi/invite/{token}/begin`: what a second factor is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InviteChallenge {
    /// Names this challenge in the request that finishes it.
    pub challenge_id: String,
    /// Whose link it is.
    pub user: String,
    /// A new TOTP secret, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<TotpSecret>,
    /// The options for `navigator.credentials.create` (WebAuthn Level 3, `PublicKeyCredentialCreationOptionsJSON`), when that was asked
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webauthn: Option<Value>,
}

/// The body of `POST /webapi/invite/{token}/begin` and of `POST /v1/me/second_factors/begin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecondFactorRequest {
    /// The kind of second factor to make: `totp` or `webauthn`.
    pub kind: String,
}

/// A TOTP secret, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpSecret {
    /// Base32, for typing.
    #[schema(value_type = String)]
    pub secret: SecretText,
    /// `otpauth://totp/…`, for applications.
    #[schema(value_type = String)]
    pub url: SecretText,
    /// The URL as a QR code, SVG.
    #[schema(value_type = String)]
    pub qr_svg: SecretText,
    /// The URL as a QR code, for a terminal.
    #[schema(value_type = String)]
    pub qr_text: SecretText,
}

/// What a new second factor proved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewSecondFactor {
    /// Six digits made from the new secret.
    Totp(SecretText),
    /// What `navigator.credentials.create` returned, as JSON.
    Webauthn(Value),
}

/// The body of `POST /webapi/invite/{token}/finish`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteFinishRequest {
    /// From [`InviteChallenge`].
    pub challenge_id: String,
    /// The new password.
    #[schema(value_type = String)]
    pub password: SecretText,
    /// The new second factor.
    pub second_factor: NewSecondFactor,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
}

/// The answer of `POST /webapi/invite/{token}/finish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InviteFinished {
    /// Whose account is ready.
    pub user: String,
    /// Each is good for one log-in without the second factor. Shown once.
    #[schema(value_type = Vec<String>)]
    pub recovery_codes: Vec<SecretText>,
}
