use std::collections::BTreeMap;
use std::fmt::Debug;

use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Kind;
use crate::ResourceName;
use crate::limits;
use crate::problem::Problem;
use crate::scalars;

/// One resource: what it is, which form it has, its metadata, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document<S> {
    /// What it is about.
    pub kind: Kind,
    /// The form of its spec.
    pub version: Version,
    /// Its name and whatever every resource has.
    pub metadata: Metadata,
    /// Its content.
    pub spec: S,
}

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Version {
    /// The first form.
    #[serde(rename = "v1")]
    V1,
}

/// What every resource has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Its name, unique within its kind.
    pub name: ResourceName,
    /// What it is for, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels, by which roles select nodes. A number or a boolean is read as its text.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "scalars::texts"
    )]
    pub labels: BTreeMap<String, String>,
    /// When it ceases to be; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<UnixSeconds>,
    /// The revision it was read at. On a write: the revision the change was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

impl Metadata {
    /// Metadata with nothing but a name.
    pub const fn named(name: ResourceName) -> Self {
        Self {
            name,
            description: None,
            labels: BTreeMap::new(),
            expires: None,
            revision: None,
        }
    }

    fn check(&self, kind: Kind, problems: &mut Vec<Problem>) {
        if let Some(only) = kind.singleton_name()
            && self.name.as_str() != only
        {
            problems.push(
                Problem::new(
                    "metadata.name",
                    format!("is {:?}, but a cluster has one {kind}", self.name.as_str()),
                )
                .allowed(only),
            );
        }
        if let Some(description) = &self.description {
            limits::check_optional_text("metadata.description", description, problems);
        }
        limits::check_count("metadata.labels", self.labels.len(), problems);
        for (key, value) in &self.labels {
            limits::check_key("metadata.labels", key, problems);
            limits::check_optional_text(&format!("metadata.labels.{key}"), value, problems);
        }
    }
}

/// The content of one kind of document.
pub trait Spec: Serialize + DeserializeOwned + Clone + PartialEq + Debug {
    /// The kind of the documents that have this content.
    const KIND: Kind;

    /// Adds whatever is wrong with it beyond its types.
    fn check(&self, metadata: &Metadata, problems: &mut Vec<Problem>);

    /// Takes away what only the server says and nobody may write.
    fn clear_read_only(&mut self);
}

impl<S: Spec> Document<S> {
    /// A document of its kind in the newest form.
    pub const fn new(metadata: Metadata, spec: S) -> Self {
        Self {
            kind: S::KIND,
            version: Version::V1,
            metadata,
            spec,
        }
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Every problem found: one when it cannot be read at all, otherwise all that [`Document::check`] finds.
    pub fn from_value(value: Value) -> Result<Self, Vec<Problem>> {
        let document: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            vec![Problem::from_serde(path, &error.into_inner().to_string())]
        })?;
        document.check().map(|()| document)
    }

    /// Checks what its types do not say: its kind, lengths, counts, and what belongs together.
    ///
    /// # Errors
    /// Every problem found.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        if self.kind != S::KIND {
            problems.push(Problem::new("kind", format!("is {}", self.kind)).allowed(S::KIND.as_str()));
        }
        self.metadata.check(S::KIND, &mut problems);
        self.spec.check(&self.metadata, &mut problems);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// The document without what only the server says, as it is stored.
    #[must_use]
    pub fn without_read_only(mut self) -> Self {
        self.spec.clear_read_only();
        self
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: UnixSeconds) -> bool {
        self.metadata.expires.is_some_and(|end| end <= now)
    }
}
