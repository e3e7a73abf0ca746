use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use key::KeyId;

use crate::private_key::PrivateKey;

/// The private keys in use, by handle. Reading takes no lock.
pub(crate) struct Cache(ArcSwap<HashMap<String, Arc<CachedKey>>>);

/// A private key in use.
pub(crate) struct CachedKey {
    pub(crate) id: KeyId,
    pub(crate) private_key: PrivateKey,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(HashMap::new()))
    }

    pub(crate) fn find(&self, handle: &str) -> Option<Arc<CachedKey>> {
        self.0.load().get(handle).cloned()
    }

    pub(crate) fn insert(&self, handle: &str, key: &Arc<CachedKey>) {
        self.0.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.insert(handle.to_owned(), Arc::clone(key));
            keys
        });
    }

    pub(crate) fn remove(&self, handle: &str) {
        self.0.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.remove(handle);
            keys
        });
    }
}
