//! The roles every cluster is born with.

use std::collections::BTreeSet;

use audit::Actor;
use resource::AnyDocument;
use resource::Kind;
use resource::ResourceName;
use serde::Deserialize;
use serde::Serialize;
use state::Change;
use state::Expect;
use state::Write;

use crate::Directory;
use crate::DirectoryError;
use crate::Refusal;
use crate::announce::Announcement;
use crate::documents;

/// Which presets were ever made: `directory/presets`. One that was edited or removed since stays as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetsRecord {
    made: BTreeSet<ResourceName>,
}

impl Directory {
    /// Makes the presets that were never made before.
    pub(crate) async fn make_presets(&self) -> Result<(), DirectoryError> {
        let _one_at_a_time = self.writing.lock().await;
        let key = documents::path("directory", "presets")?;
        let stored = self.state.get(&key).await.map_err(DirectoryError::State)?;
        let (mut record, expect) = match stored {
            None => (PresetsRecord::default(), Expect::Absent),
            Some(entry) => {
                let record =
                    serde_json::from_slice(&entry.value).map_err(|error| DirectoryError::Document {
                        key: key.to_string(),
                        reason: error.to_string(),
                    })?;
                (record, Expect::At(entry.revision))
            }
        };
        let mut writes = Vec::new();
        let mut events = Vec::new();
        for preset in access::presets() {
            let name = preset.metadata.name.clone();
            if !record.made.insert(name.clone()) {
                continue;
            }
            // Somebody's own role of that name stays.
            if documents::load(self.state.as_ref(), Kind::Role, &name)
                .await?
                .is_none()
            {
                let document = AnyDocument::Role(preset);
                writes.push(documents::encode(&document, Expect::Absent)?);
                events.push(Announcement::written(None, document));
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        let value =
            serde_json::to_vec(&record).map_err(|error| DirectoryError::Internal(error.to_string()))?;
        let change = Change::Put { value, expires: None };
        let name =
            ResourceName::parse("presets").map_err(|error| DirectoryError::Internal(error.to_string()))?;
        writes.push(Write { key, expect, change });
        let conflict = Refusal::Conflict {
            kind: Kind::Role,
            name,
        };
        self.act(&Actor::System, events, writes, conflict)
            .await
            .map(|_| ())
    }
}
