//! Which backend holds which key: new keys are made in the configured one, existing keys are used where they are.

use std::sync::Arc;

use key::BackendKind;
use key::KeyRef;
use keystore::Description;
use keystore::KeyBackend;

/// The backends of an auth server.
///
/// A key configured for hardware is made there or not at all: nothing falls back to software. The others are here so that keys made
/// before the configuration changed go on signing until a rotation moves their authority over.
pub struct Custody {
    preferred: Arc<dyn KeyBackend>,
    others: Vec<Arc<dyn KeyBackend>>,
}

impl Custody {
    /// New keys are made in `preferred`; keys that already live in `others` go on signing there.
    pub fn new(preferred: Arc<dyn KeyBackend>, others: Vec<Arc<dyn KeyBackend>>) -> Self {
        Self { preferred, others }
    }

    /// Where new keys are made.
    pub fn preferred(&self) -> &Arc<dyn KeyBackend> {
        &self.preferred
    }

    /// Every backend, the preferred one first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn KeyBackend>> {
        std::iter::once(&self.preferred).chain(&self.others)
    }

    /// The backend that holds a key, if this server has it.
    pub fn holder(&self, reference: &KeyRef) -> Option<&Arc<dyn KeyBackend>> {
        self.all().find(|backend| holds(backend.describe(), reference))
    }

    /// Whether a key lives where new keys are made.
    pub fn is_preferred(&self, reference: &KeyRef) -> bool {
        holds(self.preferred.describe(), reference)
    }

    /// What kind of backend new keys are made in.
    pub fn kind(&self) -> BackendKind {
        self.preferred.describe().kind
    }
}

fn holds(description: &Description, reference: &KeyRef) -> bool {
    description.kind == reference.backend && description.store == reference.store
}
