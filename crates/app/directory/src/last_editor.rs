//! Somebody must be left who may change things.

use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::ResourceName;
use resource::UserSpec;

use crate::Directory;
use crate::DirectoryError;
use crate::Refusal;
use crate::documents;

/// The preset role whose bearers may change everything.
const EDITOR: &str = "editor";

/// Whether a user may change everything, and does not end by itself.
pub(crate) fn is_lasting_editor(user: &Document<UserSpec>) -> bool {
    user.metadata.expires.is_none() && user.spec.roles.iter().any(|role| role.as_str() == EDITOR)
}

impl Directory {
    /// Refuses to take the last lasting editor away. A cluster that has none at all is not guarded.
    pub(crate) async fn refuse_last_editor(&self, leaving: &ResourceName) -> Result<(), DirectoryError> {
        let mut is_leaving_editor = false;
        for user in self.users().await? {
            if is_lasting_editor(&user) {
                if user.metadata.name != *leaving {
                    return Ok(());
                }
                is_leaving_editor = true;
            }
        }
        if is_leaving_editor {
            return Err(Refusal::LastEditor {
                user: leaving.clone(),
            }
            .into());
        }
        Ok(())
    }

    /// Every user.
    pub(crate) async fn users(&self) -> Result<Vec<Document<UserSpec>>, DirectoryError> {
        let (all, _) = documents::load_all(self.state.as_ref(), Kind::User).await?;
        Ok(all.into_iter().filter_map(user_of).collect())
    }
}

pub(crate) fn user_of(document: AnyDocument) -> Option<Document<UserSpec>> {
    match document {
        AnyDocument::User(user) => Some(user),
        AnyDocument::Role(_)
        | AnyDocument::Token(_)
        | AnyDocument::Node(_)
        | AnyDocument::Lock(_)
        | AnyDocument::ClusterAuthPreference(_)
        | AnyDocument::SessionRecordingConfig(_)
        | AnyDocument::ClusterNetworkingConfig(_) => None,
    }
}
