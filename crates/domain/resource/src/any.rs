use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::AuthPreferenceSpec;
use crate::Document;
use crate::Kind;
use crate::LockSpec;
use crate::Metadata;
use crate::NetworkingSpec;
use crate::NodeSpec;
use crate::RoleSpec;
use crate::SessionRecordingSpec;
use crate::TokenSpec;
use crate::UserSpec;
use crate::problem::Problem;

/// A document of any kind. Serialises as the document it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AnyDocument {
    /// A user.
    User(Document<UserSpec>),
    /// A role.
    Role(Document<RoleSpec>),
    /// A join token.
    Token(Document<TokenSpec>),
    /// A node.
    Node(Document<NodeSpec>),
    /// A lock.
    Lock(Document<LockSpec>),
    /// How people prove who they are.
    ClusterAuthPreference(Document<AuthPreferenceSpec>),
    /// Where sessions are recorded.
    SessionRecordingConfig(Document<SessionRecordingSpec>),
    /// Time-outs and keep-alives.
    ClusterNetworkingConfig(Document<NetworkingSpec>),
}

/// Does the same with the document of whichever kind.
macro_rules! with_document {
    ($any:expr, $document:ident => $body:expr) => {
        match $any {
            AnyDocument::User($document) => $body,
            AnyDocument::Role($document) => $body,
            AnyDocument::Token($document) => $body,
            AnyDocument::Node($document) => $body,
            AnyDocument::Lock($document) => $body,
            AnyDocument::ClusterAuthPreference($document) => $body,
            AnyDocument::SessionRecordingConfig($document) => $body,
            AnyDocument::ClusterNetworkingConfig($document) => $body,
        }
    };
}

impl AnyDocument {
    /// Reads and checks a document of whichever kind it says it is.
    ///
    /// # Errors
    /// Every problem found.
    pub fn from_value(value: Value) -> Result<Self, Vec<Problem>> {
        Ok(match kind_of(&value).map_err(|problem| vec![problem])? {
            Kind::User => Self::User(Document::from_value(value)?),
            Kind::Role => Self::Role(Document::from_value(value)?),
            Kind::Token => Self::Token(Document::from_value(value)?),
            Kind::Node => Self::Node(Document::from_value(value)?),
            Kind::Lock => Self::Lock(Document::from_value(value)?),
            Kind::ClusterAuthPreference => Self::ClusterAuthPreference(Document::from_value(value)?),
            Kind::SessionRecordingConfig => Self::SessionRecordingConfig(Document::from_value(value)?),
            Kind::ClusterNetworkingConfig => Self::ClusterNetworkingConfig(Document::from_value(value)?),
        })
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Role(_) => Kind::Role,
            Self::Token(_) => Kind::Token,
            Self::Node(_) => Kind::Node,
            Self::Lock(_) => Kind::Lock,
            Self::ClusterAuthPreference(_) => Kind::ClusterAuthPreference,
            Self::SessionRecordingConfig(_) => Kind::SessionRecordingConfig,
            Self::ClusterNetworkingConfig(_) => Kind::ClusterNetworkingConfig,
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &Metadata {
        with_document!(self, document => &document.metadata)
    }

    /// Its metadata, to change.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        with_document!(self, document => &mut document.metadata)
    }

    /// Checks what its types do not say.
    ///
    /// # Errors
    /// Every problem found.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        with_document!(self, document => document.check())
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: UnixSeconds) -> bool {
        with_document!(self, document => document.is_expired(now))
    }

    /// The document without what only the server says, as it is stored.
    #[must_use]
    pub fn without_read_only(self) -> Self {
        match self {
            Self::User(document) => Self::User(document.without_read_only()),
            Self::Role(document) => Self::Role(document.without_read_only()),
            Self::Token(document) => Self::Token(document.without_read_only()),
            Self::Node(document) => Self::Node(document.without_read_only()),
            Self::Lock(document) => Self::Lock(document.without_read_only()),
            Self::ClusterAuthPreference(document) => {
                Self::ClusterAuthPreference(document.without_read_only())
            }
            Self::SessionRecordingConfig(document) => {
                Self::SessionRecordingConfig(document.without_read_only())
            }
            Self::ClusterNetworkingConfig(document) => {
                Self::ClusterNetworkingConfig(document.without_read_only())
            }
        }
    }
}

/// Reads and checks, as [`AnyDocument::from_value`] does.
impl<'de> Deserialize<'de> for AnyDocument {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(value).map_err(|problems| {
            let words: Vec<String> = problems.iter().map(Problem::to_string).collect();
            serde::de::Error::custom(words.join("; "))
        })
    }
}

fn kind_of(value: &Value) -> Result<Kind, Problem> {
    let known = Kind::ALL.map(Kind::as_str);
    let Some(object) = value.as_object() else {
        return Err(Problem::new(".", "is no document").allowed("kind, version, metadata and spec"));
    };
    let Some(kind) = object.get("kind") else {
        return Err(Problem::new("kind", "is missing").allowed(known.join(", ")));
    };
    let Some(word) = kind.as_str() else {
        return Err(Problem::new("kind", "is no text").allowed(known.join(", ")));
    };
    Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| Problem::unknown_word("kind", "kind", word, &known))
}
