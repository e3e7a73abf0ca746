use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::words::words;

/// A private key and where it lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyDetail {
    /// Its id.
    pub id: String,
    /// The authority it belongs to; nothing for one that no authority claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What it signs: `SSH`, `TLS`, `JWT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The generation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Where it stands in its life.
    pub status: KeyState,
    /// Its algorithm.
    pub algorithm: String,
    /// What holds it: `software`, `PKCS#11 HSM`, `AWS KMS`.
    pub backend: String,
    /// Which one of its kind: label and serial of a token, account and region of a cloud.
    pub store: String,
    /// Its name there: `CKA_ID`, an ARN.
    pub handle: String,
    /// The auth server that owns it.
    pub owner: String,
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<String>,
    /// When it last signed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// What keeps the key in: `sensitive`, `never_extractable`, `local` and the like with `true` or `false` as the
    /// backend reports them, or `custody` with `asserted by the API`.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub public_key_sha256: String,
    /// When it may be destroyed, RFC 3339; for a quarantined key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_after: Option<String>,
    /// Why it is held, quarantined or unknown, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs.
    Active,
    /// It is trusted and does not sign.
    Trusted,
    /// It will sign when the rotation goes on.
    Incoming,
    /// It signed, and will be distrusted when the rotation completes.
    Outgoing,
    /// Nobody trusts it; it waits for its destruction.
    Quarantined,
    /// It is not destroyed because it could not be identified beyond doubt, or was restored.
    Held,
    /// It is gone.
    Destroyed,
    /// The backend has it and we did not make it, or do not remember.
    Unknown,
}

words!(KeyState, "key status",
    Active => "active",
    Trusted => "trusted",
    Incoming => "incoming",
    Outgoing => "outgoing",
    Quarantined => "quarantined",
    Held => "held",
    Destroyed => "destroyed",
    Unknown => "unknown",
);

/// The body of `POST /v1/keys/verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The keys to verify; every key that is not destroyed when empty.
    #[serde(default)]
    pub ids: Vec<String>,
}

/// Whether a key is where it should be and signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyVerdict {
    /// The key's id.
    pub id: String,
    /// Both of the following.
    pub ok: bool,
    /// The backend's public key is the one recorded.
    pub public_key_matches: bool,
    /// It signed a challenge and the signature verifies with the recorded public key.
    pub challenge_signed: bool,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long the signature took, in microseconds.
    pub micros: u64,
}

/// The body of `POST /v1/keys/{id}/retire` and of `POST /v1/keys/{id}/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireRequest {
    /// Why, for the audit log.
    pub reason: String,
}

/// The body of `POST /v1/keys/sweep`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepRequest {
    /// Change nothing, only tell.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a sweep destroyed or would destroy, and what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SweepAnswer {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Every quarantined or held key.
    pub keys: Vec<SweepRow>,
}

/// What a sweep does with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SweepRow {
    /// The key.
    pub id: String,
    /// The authority it belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What holds it.
    pub backend: String,
    /// Its name there.
    pub handle: String,
    /// When it may be destroyed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_after: Option<String>,
    /// Whether it was destroyed; with `dry_run`, whether it would be.
    pub destroyed: bool,
    /// Why, or why not, in words.
    pub reason: String,
}
