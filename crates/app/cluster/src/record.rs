//! What is stored of an authority, and of the keys that left use.

use std::collections::BTreeMap;

use authority::AuthorityType;
use authority::KeyForm;
use key::KeyId;
use key::KeyRef;
use key::PublicKey;
use names::ClusterName;
use names::Ttl;
use names::UnixSeconds;
use rotation::Desired;
use rotation::Generation;
use rotation::Mode;
use rotation::Rotation;
use rotation::Schedule;
use serde::Deserialize;
use serde::Serialize;

/// The cluster itself: `cluster/identity`. Written once, at birth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterRecord {
    /// Its name; it never changes.
    pub cluster: ClusterName,
    /// The algorithms of new keys, chosen at birth.
    pub suite: authority::Suite,
    /// When it was born.
    pub born_at: UnixSeconds,
    /// The version of Signet that made it.
    pub made_by: String,
}

/// An authority: `authority/<type>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRecord {
    /// Its type.
    pub authority: AuthorityType,
    /// Where its rotation stands.
    pub rotation: Rotation,
    /// What belongs to the rotation but not to its decisions.
    pub course: Course,
    /// Every trusted generation, by number; no other is here.
    pub generations: BTreeMap<Generation, KeySet>,
}

/// The course of the present rotation, or of the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// The rotation's id; kept after it ends.
    pub rotation_id: Option<String>,
    /// Who advances it; `None` in standby.
    pub mode: Option<Mode>,
    /// When it began; `None` in standby.
    pub started: Option<UnixSeconds>,
    /// How long an automatic rotation takes in all.
    pub grace_period: Option<Ttl>,
    /// When an automatic rotation enters its phases.
    pub schedule: Option<Schedule>,
    /// When the last rotation was completed; a rollback does not count.
    pub last_rotated: Option<UnixSeconds>,
    /// The `uid` of the audit event that announced the latest change of this record.
    pub event_uid: String,
}

/// One generation: its keys, of every form and every owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    /// The keys; at least one of each form of the authority.
    pub keys: Vec<AuthorityKey>,
}

/// A key of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityKey {
    /// What it signs.
    pub form: KeyForm,
    /// Where the private key lives.
    pub reference: KeyRef,
    /// The public key.
    pub public_key: PublicKey,
    /// The auth server that made it.
    pub owner: String,
    /// When it was made.
    pub made_at: UnixSeconds,
    /// The self-signed certificate of a TLS key: DER in hexadecimal.
    pub certificate: Option<HexBytes>,
}

impl AuthorityRecord {
    /// What the phase asks for.
    pub fn desired(&self) -> Desired {
        rotation::desired(&self.rotation)
    }

    /// The keys of a generation; none when it is not trusted.
    pub fn keys_of(&self, generation: Generation) -> &[AuthorityKey] {
        self.generations
            .get(&generation)
            .map_or(&[], |set| set.keys.as_slice())
    }

    /// Every trusted key with its generation, those of the signing generation first.
    pub fn trusted(&self) -> impl Iterator<Item = (Generation, &AuthorityKey)> {
        let trusted = self.desired().trusts;
        trusted
            .into_iter()
            .flat_map(|generation| self.keys_of(generation).iter().map(move |key| (generation, key)))
    }
}

/// Keys about to be made for a generation: `prepare/<type>`. Written before the first is made, so that a crash finds them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrepareRecord {
    /// The generation they are for.
    pub generation: Generation,
    /// The backend's store they are to be made in.
    pub store: String,
    /// What is to be made.
    pub keys: Vec<PlannedKey>,
    /// When it was decided.
    pub at: UnixSeconds,
}

/// A key about to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedKey {
    /// The id it will have.
    pub id: KeyId,
    /// What it will sign.
    pub form: KeyForm,
    /// Its algorithm.
    pub algorithm: key::KeyAlgorithm,
}

/// A key that left use: `retired/<key id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredRecord {
    /// Whose it was.
    pub authority: AuthorityType,
    /// In which generation.
    pub generation: Generation,
    /// The key.
    pub key: AuthorityKey,
    /// When it left use.
    pub retired_at: UnixSeconds,
    /// Why, in words.
    pub reason: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a key that left use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fate {
    /// It is destroyed after this moment.
    Quarantined {
        /// The moment.
        destroy_after: UnixSeconds,
    },
    /// An operator restored it: it is kept until it is retired again.
    Held {
        /// Since when.
        since: UnixSeconds,
    },
    /// Its destruction has begun: it cannot be restored any more.
    Destroying {
        /// Since when.
        since: UnixSeconds,
    },
    /// It was destroyed.
    Destroyed {
        /// When.
        at: UnixSeconds,
    },
}

/// When a key signed first and last: `key_use/<key id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUseRecord {
    /// Its first signature.
    pub first: UnixSeconds,
    /// Its latest signature, to the minute.
    pub last: UnixSeconds,
}

/// The certificate revocation list of a TLS key: `crl/<public key hash>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlRecord {
    /// Its number (RFC 5280 section 5.2.3); grows.
    pub number: u64,
    /// When it was made.
    pub this_update: UnixSeconds,
    /// When the next is due.
    pub next_update: UnixSeconds,
    /// DER in hexadecimal.
    pub der: HexBytes,
    /// How many revocations it lists.
    pub revoked: usize,
    /// SHA-256 of the serials it lists, in order, hexadecimal: two lists of one length may name different certificates.
    pub serials_sha256: String,
}

/// An auth server: `server/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerRecord {
    /// The version of Signet it runs.
    pub version: String,
    /// The store new keys are made in.
    pub store: String,
    /// When it was last seen.
    pub seen_at: UnixSeconds,
}

/// Bytes that documents show in hexadecimal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HexBytes(pub Vec<u8>);

impl From<HexBytes> for String {
    fn from(bytes: HexBytes) -> Self {
        hex::encode(bytes.0)
    }
}

impl TryFrom<String> for HexBytes {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

impl std::fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
