//! When each key signed first and last.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use key::KeyId;
use names::UnixSeconds;
use state::Expect;

use crate::Cluster;
use crate::ClusterError;
use crate::documents;
use crate::record::KeyUseRecord;

/// The uses of keys, as noted since they were last written down.
#[derive(Debug, Default)]
pub(crate) struct KeyUse {
    uses: Mutex<HashMap<KeyId, Noted>>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    record: KeyUseRecord,
    is_written: bool,
}

impl KeyUse {
    /// Notes a signature; answers whether it is the key's first.
    pub(crate) fn note(&self, id: KeyId, now: UnixSeconds) -> bool {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(&id) {
            None => {
                uses.insert(
                    id,
                    Noted {
                        record: KeyUseRecord {
                            first: now,
                            last: now,
                        },
                        is_written: false,
                    },
                );
                true
            }
            Some(noted) => {
                if now.0.saturating_sub(noted.record.last.0) >= 60 {
                    noted.record.last = now;
                    noted.is_written = false;
                }
                false
            }
        }
    }

    /// Takes a first signature back that was noted but could not be recorded.
    pub(crate) fn forget(&self, id: KeyId) {
        self.uses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    pub(crate) fn of(&self, id: KeyId) -> Option<KeyUseRecord> {
        self.uses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .map(|noted| noted.record)
    }

    fn unwritten(&self) -> Vec<(KeyId, KeyUseRecord)> {
        let uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.iter()
            .filter(|(_, noted)| !noted.is_written)
            .map(|(id, noted)| (*id, noted.record))
            .collect()
    }

    fn mark_written(&self, id: KeyId, record: KeyUseRecord) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = uses.get(&id).is_none_or(|noted| noted.record == record);
        if is_same {
            uses.insert(
                id,
                Noted {
                    record,
                    is_written: true,
                },
            );
        }
    }
}

impl Cluster {
    pub(crate) async fn load_key_use(&self) -> Result<(), ClusterError> {
        for (key, stored) in documents::load_all::<KeyUseRecord>(self.state.as_ref(), "key_use").await? {
            let name = key.as_str().rsplit('/').next().unwrap_or_default();
            let Ok(id) = name.parse() else {
                return Err(ClusterError::Document {
                    key: key.to_string(),
                    reason: "its name is no key id".into(),
                });
            };
            self.key_use.mark_written(id, stored.value);
        }
        Ok(())
    }

    /// Writes down when keys were used.
    ///
    /// # Errors
    /// When the state cannot be written; what was noted is kept for the next time.
    pub async fn write_key_use(&self) -> Result<(), ClusterError> {
        for (id, record) in self.key_use.unwritten() {
            let write = documents::put(documents::path("key_use", id)?, Expect::Anything, &record)?;
            documents::commit(self.state.as_ref(), "use of keys", vec![write]).await?;
            self.key_use.mark_written(id, record);
        }
        Ok(())
    }
}
