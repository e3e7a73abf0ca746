use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ActiveSchedule;
use crate::Alert;
use crate::KeyUse;
use crate::Mode;
use crate::Phase;
use crate::RotationState;

/// The answer to `GET /v1/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// The server's version, such as `0.1.0`.
    pub version: String,
    /// The version of the API: 1.
    pub api: u32,
}

/// The answer to `GET /v1/status`: what an operator sees first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The cluster's name.
    pub cluster: String,
    /// The server's version.
    pub version: String,
    /// `sha256:` and the hash of the public key of every trusted TLS certificate of the host authority: one in
    /// standby, two in a rotation.
    pub ca_pins: Vec<String>,
    /// The algorithm suite that new keys follow.
    pub signature_algorithm_suite: String,
    /// The id of the auth server that answered.
    pub server_id: String,
    /// Where keys are configured to live, and where they do.
    pub custody: Custody,
    /// What needs attention, the most severe first.
    pub alerts: Vec<Alert>,
    /// Every authority, in the order to show.
    pub authorities: Vec<AuthorityStatus>,
}

/// Where keys are configured to live, and where they do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Custody {
    /// The backend that new keys go to: `software`, `PKCS#11 HSM`, `AWS KMS`.
    pub configured: String,
    /// Whether every key that signs lives there, in words.
    pub summary: String,
}

/// One authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthorityStatus {
    /// Its type, such as `host` or `db_client`.
    pub authority: String,
    /// Where its rotation stands.
    pub rotation: RotationStatus,
    /// Its trusted keys, in the order to show.
    pub keys: Vec<KeyRow>,
}

/// Where a rotation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationStatus {
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
    /// How long it takes as a whole, in automatic mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<u64>,
    /// When each phase begins at the earliest, in automatic mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ActiveSchedule>,
    /// When a rotation was last completed, RFC 3339. A rollback does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rotated: Option<String>,
    /// All of it in a few words, as the table shows it; made by [`RotationStatus::words`].
    pub text: String,
}

impl RotationStatus {
    /// The words of the `rotation` column: `standby (never rotated)`, `standby (last rotated: <t>)`,
    /// `in progress (mode: manual, phase: init)`,
    /// `in progress (mode: automatic, phase: init, started: <t>, ending: <t>)`.
    pub fn words(&self) -> String {
        match self.state {
            RotationState::Standby => match &self.last_rotated {
                None => "standby (never rotated)".to_owned(),
                Some(time) => format!("standby (last rotated: {time})"),
            },
            RotationState::InProgress => {
                let mode = self.mode.unwrap_or(Mode::Manual);
                let phase = self.phase;
                let mut text = format!("in progress (mode: {mode}, phase: {phase}");
                if mode == Mode::Automatic {
                    if let Some(started) = &self.started {
                        text.push_str(&format!(", started: {started}"));
                    }
                    if let Some(schedule) = &self.schedule {
                        text.push_str(&format!(", ending: {}", schedule.standby));
                    }
                }
                text.push(')');
                text
            }
        }
    }
}

/// One trusted key of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRow {
    /// What it signs: `SSH`, `TLS`, `JWT`.
    pub protocol: String,
    /// Whether it signs.
    pub status: KeyUse,
    /// Its algorithm: `RSA 2048`, `ECDSA P-256`, `Ed25519`.
    pub algorithm: String,
    /// What holds it: `software`, `PKCS#11 HSM`, `AWS KMS`.
    pub storage: String,
    /// Its id.
    pub key_id: String,
    /// The generation it belongs to.
    pub generation: u64,
    /// The auth server that owns it.
    pub owner: String,
    /// Its name in what holds it: `CKA_ID`, an ARN.
    pub handle: String,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub public_key_sha256: String,
    /// When its certificate ends, RFC 3339; nothing for keys without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
