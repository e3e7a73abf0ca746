use authority::AuthorityType;
use authority::KeyForm;
use key::KeyId;
use names::ClusterName;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "actor_kind", rename_all = "snake_case")]
pub enum Actor {
    /// The operator of the host, through the local socket; the audit names the account.
    Local {
        /// The account's name.
        user: String,
        /// Its numeric id.
        uid: u32,
    },
    /// Somebody with a certificate.
    Identity {
        /// The name in the certificate.
        user: String,
        /// Where the connection came from.
        #[serde(rename = "addr.remote")]
        remote: String,
    },
    /// The auth service itself: schedules, reconciliation, start.
    System,
}

/// Whether the event tells of an intent carried out, or of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "success", content = "error")]
pub enum Outcome {
    /// It was, or is about to be, done.
    #[serde(rename = "true")]
    Success,
    /// It was refused or failed, and why.
    #[serde(rename = "false")]
    Failure(String),
}

/// An event with everything its line holds, but for its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// A random id.
    pub uid: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub unix_millis: i64,
    /// In which cluster.
    pub cluster_name: ClusterName,
    /// Who.
    pub actor: Actor,
    /// What.
    pub event: AuditEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum AuditEvent {
    /// An authority came into being.
    #[serde(rename = "authority.create")]
    AuthorityCreated { authority: AuthorityType, generation: u64, storage: String },
    /// A key pair is about to be made.
    #[serde(rename = "authority.key.create")]
    KeyCreated { authority: AuthorityType, form: KeyForm, generation: u64, key_id: KeyId, algorithm: String, storage: String },
    /// An authority's rotation moves to another phase.
    #[serde(rename = "authority.rotation.phase")]
    PhaseChanged { authority: AuthorityType, rotation_id: String, from: String, to: String, mode: String, reason: Option<String>, outcome: Outcome },
    /// An operator let a rotation pass though parties were not ready.
    #[serde(rename = "authority.rotation.override")]
    RotationOverridden { authority: AuthorityType, rotation_id: String, from: String, to: String, reason: String, blocked_by: Vec<String> },
    /// A key left use and waits for its destruction.
    #[serde(rename = "authority.key.quarantine")]
    KeyQuarantined { authority: AuthorityType, form: KeyForm, generation: u64, key_id: KeyId, destroy_after: UnixSeconds, reason: String },
    /// A quarantined key was taken out of quarantine.
    #[serde(rename = "authority.key.restore")]
    KeyRestored { authority: AuthorityType, form: KeyForm, generation: u64, key_id: KeyId },
    /// A key is about to be destroyed.
    #[serde(rename = "authority.key.destroy")]
    KeyDestroyed { authority: AuthorityType, form: KeyForm, generation: u64, key_id: KeyId, storage: String, outcome: Outcome },
    /// A backend stopped answering.
    #[serde(rename = "backend.lost")]
    BackendLost { storage: String, error: String },
    /// A lost backend answers again.
    #[serde(rename = "backend.found")]
    BackendFound { storage: String },
    /// A key signs for the first time.
    #[serde(rename = "authority.key.first_use")]
    KeyFirstUsed { authority: AuthorityType, form: KeyForm, generation: u64, key_id: KeyId },
    /// Private keys, or references to them, were read.
    #[serde(rename = "authority.secrets.read")]
    SecretsRead { authority: Option<AuthorityType> },
    /// A certificate or token is about to be signed.
    #[serde(rename = "cert.create")]
    CertificateCreated { authority: AuthorityType, form: KeyForm, cert_type: String, serial: String, subject: String, principals: Vec<String>, not_before: UnixSeconds, not_after: UnixSeconds, key_id: KeyId },
    /// A certificate was revoked.
    #[serde(rename = "cert.revoke")]
    CertificateRevoked { authority: AuthorityType, serial: String, reason: String },
    /// The auth service started.
    #[serde(rename = "instance.start")]
    Started { version: String },
    /// A request was refused.
    #[serde(rename = "auth")]
    AccessDenied { action: String, reason: String },
}
