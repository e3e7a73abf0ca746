use std::sync::Arc;

use access::AccessSet;
use cluster::Cluster;
use resource::AnyDocument;
use resource::AuthPreferenceSpec;
use resource::Document;
use resource::Kind;
use resource::Metadata;
use resource::NetworkingSpec;
use resource::ResourceName;
use resource::SessionRecordingSpec;
use resource::UserSpec;
use state::State;
use tokio::sync::Mutex;

use crate::DirectoryError;
use crate::Refusal;
use crate::documents;
use crate::view::Watch;

/// The documents of a cluster.
pub struct Directory {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) state: Arc<dyn State>,
    /// Held while a change is decided and made: rules that look at several documents, such as that a role is held by nobody, stay true
    /// until the commit. Each document is compared with its revision all the same.
    pub(crate) writing: Mutex<()>,
    pub(crate) watch: Watch,
}

/// A page of documents, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The documents, each with its revision.
    pub documents: Vec<AnyDocument>,
    /// After which name the next page begins, when there is one.
    pub next: Option<ResourceName>,
}

impl Directory {
    /// Opens the directory of a cluster; `state` is the cluster's. Makes the preset roles that were never made before.
    ///
    /// # Errors
    /// When the state or the ledger does not answer, or a stored role, lock or setting does not read.
    pub async fn open(cluster: Arc<Cluster>, state: Arc<dyn State>) -> Result<Self, DirectoryError> {
        let directory = Self {
            cluster,
            state,
            writing: Mutex::new(()),
            watch: Watch::default(),
        };
        directory.make_presets().await?;
        directory.reload().await?;
        Ok(directory)
    }

    /// One document. A setting that was never written is its default.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is none.
    pub async fn get(&self, kind: Kind, name: &ResourceName) -> Result<AnyDocument, DirectoryError> {
        self.find(kind, name).await?.ok_or_else(|| {
            Refusal::NotFound {
                kind,
                name: name.clone(),
            }
            .into()
        })
    }

    /// One document, when there is one. A setting that was never written is its default.
    ///
    /// # Errors
    /// When the state does not answer or the document does not read.
    pub async fn find(&self, kind: Kind, name: &ResourceName) -> Result<Option<AnyDocument>, DirectoryError> {
        let stored = documents::load(self.state.as_ref(), kind, name).await?;
        Ok(match stored {
            Some(document) => Some(document),
            None => usual(kind)?.filter(|document| document.metadata().name == *name),
        })
    }

    /// The documents of a kind after a name, at most `limit` (taken as 1 to [`state::PAGE_MAX`]).
    ///
    /// # Errors
    /// When the state does not answer, or a document does not read: a list with holes invites wrong conclusions.
    pub async fn list(
        &self,
        kind: Kind,
        after: Option<&ResourceName>,
        limit: usize,
    ) -> Result<Listing, DirectoryError> {
        let after_key = after.map(|name| documents::key_of(kind, name)).transpose()?;
        let page = self
            .state
            .list(kind.folder(), after_key.as_ref(), limit)
            .await
            .map_err(DirectoryError::State)?;
        let mut documents = page
            .entries
            .iter()
            .map(documents::decode)
            .collect::<Result<Vec<_>, _>>()?;
        if documents.is_empty() && after.is_none() {
            documents.extend(usual(kind)?);
        }
        let next = page.next.and_then(|_| documents.last());
        let next = next.map(|document| document.metadata().name.clone());
        Ok(Listing { documents, next })
    }

    /// A user, when there is one of this name.
    ///
    /// # Errors
    /// When the state does not answer or the document does not read.
    pub async fn user(&self, name: &ResourceName) -> Result<Option<Document<UserSpec>>, DirectoryError> {
        match self.find(Kind::User, name).await? {
            Some(AnyDocument::User(user)) => Ok(Some(user)),
            _ => Ok(None),
        }
    }

    /// What a user may do.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such user. A role that is missing or does not compile is an error too: what it would
    /// have refused is not known.
    pub async fn access_set(&self, name: &ResourceName) -> Result<AccessSet, DirectoryError> {
        let user = self.existing_user(name).await?;
        self.access_set_of(&user)
    }

    /// What somebody with the roles and traits of this document may do.
    ///
    /// # Errors
    /// When a role is missing or does not compile.
    pub fn access_set_of(&self, user: &Document<UserSpec>) -> Result<AccessSet, DirectoryError> {
        let roles = user
            .spec
            .roles
            .iter()
            .map(|role| self.compiled(role))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(AccessSet::new(roles, &crate::rules::traits_of(user)))
    }

    async fn existing_user(&self, name: &ResourceName) -> Result<Document<UserSpec>, DirectoryError> {
        self.user(name).await?.ok_or_else(|| {
            Refusal::NotFound {
                kind: Kind::User,
                name: name.clone(),
            }
            .into()
        })
    }
}

/// The document that stands for a setting nobody wrote; `None` for the kinds of which there are several.
pub(crate) fn usual(kind: Kind) -> Result<Option<AnyDocument>, DirectoryError> {
    let Some(name) = kind.singleton_name() else {
        return Ok(None);
    };
    let name = ResourceName::parse(name).map_err(|error| DirectoryError::Internal(error.to_string()))?;
    let metadata = Metadata::named(name);
    Ok(match kind {
        Kind::User | Kind::Role | Kind::Token | Kind::Node | Kind::Lock => None,
        Kind::ClusterAuthPreference => Some(AnyDocument::ClusterAuthPreference(Document::new(
            metadata,
            AuthPreferenceSpec::default(),
        ))),
        Kind::SessionRecordingConfig => Some(AnyDocument::SessionRecordingConfig(Document::new(
            metadata,
            SessionRecordingSpec::default(),
        ))),
        Kind::ClusterNetworkingConfig => Some(AnyDocument::ClusterNetworkingConfig(Document::new(
            metadata,
            NetworkingSpec::default(),
        ))),
    })
}
