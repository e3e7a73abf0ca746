use std::sync::Arc;

use cluster::Cluster;
use directory::Directory;
use enrollment::Enrollment;
use identity::FactorKind;
use identity::Identity;
use resource::SecondFactor;
use runtime::Entropy;

/// What the pages work on.
pub struct WebParts {
    /// What hangs on users, and how they log in.
    pub identity: Arc<Identity>,
    /// What users may do.
    pub directory: Arc<Directory>,
    /// The nodes there are.
    pub enrollment: Arc<Enrollment>,
    /// The cluster, for its name and its time.
    pub cluster: Arc<Cluster>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Where people reach the cluster, `host:port`, as commands show it.
    pub proxy_address: String,
    /// Whether `identity` was given a relying party: without one there are no keys in authenticators.
    pub has_relying_party: bool,
}

/// The parts, as handlers share them.
pub(crate) struct Site {
    pub(crate) identity: Arc<Identity>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) enrollment: Arc<Enrollment>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) proxy_address: String,
    has_relying_party: bool,
}

impl Site {
    pub(crate) fn new(parts: WebParts) -> Self {
        let WebParts {
            identity,
            directory,
            enrollment,
            cluster,
            entropy,
            proxy_address,
            has_relying_party,
        } = parts;
        Self {
            identity,
            directory,
            enrollment,
            cluster,
            entropy,
            proxy_address,
            has_relying_party,
        }
    }

    /// Whether a kind of second factor may be used now. The same for everybody.
    pub(crate) fn allows(&self, kind: FactorKind) -> bool {
        let view = self.directory.view();
        let allowed = &view.auth_preference.second_factors;
        match kind {
            FactorKind::Totp => allowed.contains(&SecondFactor::Totp),
            FactorKind::Webauthn => self.has_relying_party && allowed.contains(&SecondFactor::Webauthn),
        }
    }
}
