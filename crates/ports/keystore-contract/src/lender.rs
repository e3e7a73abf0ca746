use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Failure;
use contract::Outcome;
use key::KeyAlgorithm;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyBackend;
use names::ClusterName;
use tokio::sync::OnceCell;

use crate::Bench;
use crate::stage::fresh_cluster;
use crate::stage::fresh_id;
use crate::stage::label_of;

/// A bench, and keys in a cluster of their own that cases share to sign with: making one takes a device seconds, and most cases
/// do not care whether theirs is new. No case may destroy one.
pub(crate) struct Lender {
    pub(crate) bench: Arc<dyn Bench>,
    pub(crate) cluster: ClusterName,
    keys: BTreeMap<KeyAlgorithm, OnceCell<GeneratedKey>>,
}

impl Lender {
    pub(crate) fn new(bench: Arc<dyn Bench>) -> Result<Self, Failure> {
        Ok(Self {
            bench,
            cluster: fresh_cluster()?,
            keys: KeyAlgorithm::ALL
                .map(|algorithm| (algorithm, OnceCell::new()))
                .into(),
        })
    }

    /// The shared key of an algorithm, made by the first case that asks.
    pub(crate) async fn lend(
        &self,
        backend: &dyn KeyBackend,
        algorithm: KeyAlgorithm,
    ) -> Result<GeneratedKey, Failure> {
        let key = self.keys.get(&algorithm);
        let key = key.ok_or_else(|| Failure(format!("{algorithm} is not among all algorithms")))?;
        let request = GenerateKey {
            id: fresh_id(),
            algorithm,
            label: label_of(&self.cluster, 1),
        };
        let key = key.get_or_try_init(|| async { backend.generate(&request).await });
        Ok(key.await?.clone())
    }

    /// Destroys the keys lent.
    pub(crate) async fn clear(&self) -> Outcome {
        let lent: Vec<&GeneratedKey> = self.keys.values().filter_map(OnceCell::get).collect();
        if lent.is_empty() {
            return Ok(());
        }
        let backend = self.bench.open(&self.cluster).await?;
        for key in lent {
            backend.destroy(&key.reference).await?;
        }
        Ok(())
    }
}
