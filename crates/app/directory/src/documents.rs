//! Documents as the state holds them: at `resource/<kind>/<name>`, without revision and without what only the server says.

use resource::AnyDocument;
use resource::Kind;
use resource::ResourceName;
use state::Change;
use state::Entry;
use state::Expect;
use state::State;
use state::StateKey;
use state::Write;

use crate::DirectoryError;

/// Where a document lies.
///
/// # Errors
/// Never for a name that parsed; names are segments of paths.
pub fn key_of(kind: Kind, name: &ResourceName) -> Result<StateKey, DirectoryError> {
    path(kind.folder(), name)
}

pub(crate) fn path(folder: &str, name: impl std::fmt::Display) -> Result<StateKey, DirectoryError> {
    StateKey::parse(&format!("{folder}/{name}")).map_err(|error| DirectoryError::Internal(error.to_string()))
}

/// The write that stores a document.
///
/// # Errors
/// When it has no JSON form.
pub fn encode(document: &AnyDocument, expect: Expect) -> Result<Write, DirectoryError> {
    let mut stored = document.clone().without_read_only();
    let expires = stored.metadata().expires;
    stored.metadata_mut().revision = None;
    let key = key_of(stored.kind(), &stored.metadata().name)?;
    let value = serde_json::to_vec(&stored)
        .map_err(|error| DirectoryError::Internal(format!("encode {key}: {error}")))?;
    Ok(Write {
        key,
        expect,
        change: Change::Put { value, expires },
    })
}

/// The document that is stored in an entry, with its revision.
///
/// # Errors
/// When it does not read, or lies where another belongs.
pub fn decode(entry: &Entry) -> Result<AnyDocument, DirectoryError> {
    let damaged = |reason: String| DirectoryError::Document {
        key: entry.key.to_string(),
        reason,
    };
    let mut document: AnyDocument =
        serde_json::from_slice(&entry.value).map_err(|error| damaged(error.to_string()))?;
    if key_of(document.kind(), &document.metadata().name)? != entry.key {
        let (kind, name) = (document.kind(), &document.metadata().name);
        return Err(damaged(format!("it is the {kind} {name}")));
    }
    document.metadata_mut().revision = Some(entry.revision.0);
    Ok(document)
}

/// The document of this name, when there is one.
pub(crate) async fn load(
    state: &dyn State,
    kind: Kind,
    name: &ResourceName,
) -> Result<Option<AnyDocument>, DirectoryError> {
    let key = key_of(kind, name)?;
    let entry = state.get(&key).await.map_err(DirectoryError::State)?;
    entry.as_ref().map(decode).transpose()
}

/// Every document of a kind, and the revision of the store when the first of them was read.
pub(crate) async fn load_all(
    state: &dyn State,
    kind: Kind,
) -> Result<(Vec<AnyDocument>, state::Revision), DirectoryError> {
    let mut documents = Vec::new();
    let mut revision = None;
    let mut after = None;
    loop {
        let page = state
            .list(kind.folder(), after.as_ref(), state::PAGE_MAX)
            .await
            .map_err(DirectoryError::State)?;
        let first = *revision.get_or_insert(page.revision);
        for entry in &page.entries {
            documents.push(decode(entry)?);
        }
        match page.next {
            None => return Ok((documents, first)),
            next @ Some(_) => after = next,
        }
    }
}
