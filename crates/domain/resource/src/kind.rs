use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::problem::closest;

/// What a document is about. Documents say it in the word of [`Kind::as_str`]; people may type any alias of [`Kind::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person or a machine account.
    User,
    /// What its bearers may do.
    Role,
    /// The right to join the cluster, of which only a hash is stored.
    Token,
    /// A host that can be reached by SSH.
    Node,
    /// An order to refuse, and to cut, whatever matches it.
    Lock,
    /// How people prove who they are.
    ClusterAuthPreference,
    /// Where sessions are recorded.
    SessionRecordingConfig,
    /// Time-outs and keep-alives.
    ClusterNetworkingConfig,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Role,
        Self::Token,
        Self::Node,
        Self::Lock,
        Self::ClusterAuthPreference,
        Self::SessionRecordingConfig,
        Self::ClusterNetworkingConfig,
    ];

    /// The word in documents, in storage and in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Token => "token",
            Self::Node => "node",
            Self::Lock => "lock",
            Self::ClusterAuthPreference => "cluster_auth_preference",
            Self::SessionRecordingConfig => "session_recording_config",
            Self::ClusterNetworkingConfig => "cluster_networking_config",
        }
    }

    /// The word for several of them; a kind of which there is one only keeps its word.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Role => "roles",
            Self::Token => "tokens",
            Self::Node => "nodes",
            Self::Lock => "locks",
            Self::ClusterAuthPreference | Self::SessionRecordingConfig | Self::ClusterNetworkingConfig => {
                self.as_str()
            }
        }
    }

    /// The folder of its documents in the state, such as `resource/role`.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::User => "resource/user",
            Self::Role => "resource/role",
            Self::Token => "resource/token",
            Self::Node => "resource/node",
            Self::Lock => "resource/lock",
            Self::ClusterAuthPreference => "resource/cluster_auth_preference",
            Self::SessionRecordingConfig => "resource/session_recording_config",
            Self::ClusterNetworkingConfig => "resource/cluster_networking_config",
        }
    }

    /// The only name a document of this kind may have, when a cluster has exactly one.
    pub const fn singleton_name(self) -> Option<&'static str> {
        match self {
            Self::User | Self::Role | Self::Token | Self::Node | Self::Lock => None,
            Self::ClusterAuthPreference => Some("cluster-auth-preference"),
            Self::SessionRecordingConfig => Some("session-recording-config"),
            Self::ClusterNetworkingConfig => Some("cluster-networking-config"),
        }
    }

    /// The words people type for it, its own first.
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::User => &["user", "users"],
            Self::Role => &["role", "roles"],
            Self::Token => &["token", "tokens"],
            Self::Node => &["node", "nodes"],
            Self::Lock => &["lock", "locks"],
            Self::ClusterAuthPreference => &[
                "cluster_auth_preference",
                "cluster_auth_preferences",
                "cluster-auth-preference",
                "auth_preference",
                "cap",
            ],
            Self::SessionRecordingConfig => &[
                "session_recording_config",
                "session_recording_configs",
                "session-recording-config",
                "recording_config",
                "recconfig",
            ],
            Self::ClusterNetworkingConfig => &[
                "cluster_networking_config",
                "cluster_networking_configs",
                "cluster-networking-config",
                "networking_config",
                "networking",
                "netconfig",
            ],
        }
    }

    /// The kind of a word as people type it, in any case: its own word, its plural or an alias.
    ///
    /// # Errors
    /// When no kind has that word.
    pub fn parse(word: &str) -> Result<Self, UnknownKind> {
        let lower = word.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| kind.aliases().contains(&lower.as_str()))
            .ok_or_else(|| UnknownKind::new(word))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::parse(word)
    }
}

/// No kind has that word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no kind of resource{}; kinds are {}", hint(.did_you_mean), all_words())]
pub struct UnknownKind {
    /// The word, shortened.
    pub word: String,
    /// The kind whose word is nearest, when one is near.
    pub did_you_mean: Option<Kind>,
}

impl UnknownKind {
    fn new(word: &str) -> Self {
        let every_alias = Kind::ALL
            .into_iter()
            .flat_map(|kind| kind.aliases().iter().copied());
        let near = closest(&word.to_ascii_lowercase(), every_alias).and_then(|alias| Kind::parse(alias).ok());
        Self {
            word: crate::problem::shortened(word),
            did_you_mean: near,
        }
    }
}

fn hint(near: &Option<Kind>) -> String {
    near.map(|kind| format!(", did you mean {kind}?"))
        .unwrap_or_default()
}

fn all_words() -> String {
    Kind::ALL.map(Kind::as_str).join(", ")
}
