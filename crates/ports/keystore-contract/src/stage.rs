use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use authority::AuthorityType;
use authority::KeyForm;
use contract::Failure;
use contract::Outcome;
use key::KeyAlgorithm;
use key::KeyId;
use key::KeyRef;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore::KeyLabel;
use names::ClusterName;

use crate::BenchError;
use crate::Capabilities;
use crate::lender::Lender;

/// Where one case runs: a bench, and a cluster of its own.
pub(crate) struct Stage {
    lender: Arc<Lender>,
    pub(crate) cluster: ClusterName,
    pub(crate) has: Capabilities,
    made: Mutex<Vec<KeyRef>>,
}

/// A key that is not the case's own, and a backend of its cluster.
pub(crate) struct Borrowed {
    pub(crate) backend: Box<dyn KeyBackend>,
    pub(crate) key: GeneratedKey,
    cluster: ClusterName,
}

impl Stage {
    pub(crate) fn new(lender: Arc<Lender>) -> Result<Self, Failure> {
        let has = lender.bench.capabilities();
        Ok(Self {
            lender,
            cluster: fresh_cluster()?,
            has,
            made: Mutex::default(),
        })
    }

    /// Opens the backend for the case's cluster.
    pub(crate) async fn open(&self) -> Result<Box<dyn KeyBackend>, BenchError> {
        self.lender.bench.open(&self.cluster).await
    }

    /// Opens the backend for a cluster.
    pub(crate) async fn open_for(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError> {
        self.lender.bench.open(cluster).await
    }

    /// Closes a backend of the case's cluster and opens it anew.
    pub(crate) async fn reopen(&self, old: Box<dyn KeyBackend>) -> Result<Box<dyn KeyBackend>, BenchError> {
        self.lender.bench.reopen(&self.cluster, old).await
    }

    /// The algorithm whose keys are quickest to make, for cases to which it does not matter.
    pub(crate) fn quick(&self) -> Result<KeyAlgorithm, Failure> {
        let order = [
            KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::Ed25519,
            KeyAlgorithm::EcdsaP384,
            KeyAlgorithm::Rsa2048,
            KeyAlgorithm::Rsa3072,
            KeyAlgorithm::Rsa4096,
        ];
        let found = order
            .into_iter()
            .find(|algorithm| self.has.algorithms.contains(algorithm));
        found.ok_or_else(|| Failure("the bench declares no algorithm".to_owned()))
    }

    /// A request for a key with a fresh id, labelled with the case's cluster.
    pub(crate) fn request(&self, algorithm: KeyAlgorithm, generation: u64) -> GenerateKey {
        GenerateKey {
            id: fresh_id(),
            algorithm,
            label: self.label(generation),
        }
    }

    /// A label of the case's cluster.
    pub(crate) fn label(&self, generation: u64) -> KeyLabel {
        label_of(&self.cluster, generation)
    }

    /// Makes what is requested, and remembers it for [`Stage::clear`].
    pub(crate) async fn make(
        &self,
        backend: &dyn KeyBackend,
        request: &GenerateKey,
    ) -> Result<GeneratedKey, KeyError> {
        let key = backend.generate(request).await?;
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(key.reference.clone());
        Ok(key)
    }

    /// Makes a key of an algorithm.
    pub(crate) async fn make_one(
        &self,
        backend: &dyn KeyBackend,
        algorithm: KeyAlgorithm,
    ) -> Result<GeneratedKey, KeyError> {
        self.make(backend, &self.request(algorithm, 1)).await
    }

    /// Makes a key of the quickest algorithm.
    pub(crate) async fn make_quick(&self, backend: &dyn KeyBackend) -> Result<GeneratedKey, Failure> {
        Ok(self.make_one(backend, self.quick()?).await?)
    }

    /// A key of an algorithm that other cases may use at the same time, not to be destroyed.
    pub(crate) async fn borrow(&self, algorithm: KeyAlgorithm) -> Result<Borrowed, Failure> {
        // Every case opens a backend, so where a cluster opens once, each has to make its own key.
        if !self.has.opens_twice {
            let backend = self.open().await?;
            let key = self.make_one(&*backend, algorithm).await?;
            let cluster = self.cluster.clone();
            return Ok(Borrowed {
                backend,
                key,
                cluster,
            });
        }
        let cluster = self.lender.cluster.clone();
        let backend = self.open_for(&cluster).await?;
        let key = self.lender.lend(&*backend, algorithm).await?;
        Ok(Borrowed {
            backend,
            key,
            cluster,
        })
    }

    /// Closes the backend of a borrowed key and opens it anew.
    pub(crate) async fn reopen_borrowed(&self, borrowed: Borrowed) -> Result<Borrowed, BenchError> {
        let Borrowed {
            backend,
            key,
            cluster,
        } = borrowed;
        let backend = self.lender.bench.reopen(&cluster, backend).await?;
        Ok(Borrowed {
            backend,
            key,
            cluster,
        })
    }

    /// Destroys what the case left behind: tokens are small.
    pub(crate) async fn clear(&self) -> Outcome {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        if made.is_empty() {
            return Ok(());
        }
        let backend = self.open().await?;
        for reference in made {
            backend.destroy(&reference).await?;
        }
        Ok(())
    }
}

/// A cluster name no other case, process or run has.
pub(crate) fn fresh_cluster() -> Result<ClusterName, Failure> {
    Ok(ClusterName::parse(&format!(
        "c{}.example.com",
        uuid::Uuid::new_v4().simple()
    ))?)
}

/// A key id no other key has.
pub(crate) fn fresh_id() -> KeyId {
    KeyId::from_random(uuid::Uuid::new_v4().into_bytes())
}

/// A label of a cluster.
pub(crate) fn label_of(cluster: &ClusterName, generation: u64) -> KeyLabel {
    KeyLabel {
        cluster: cluster.clone(),
        authority: AuthorityType::Host,
        form: KeyForm::Tls,
        generation,
    }
}

/// Checks that a backend signs with a key and that the signature is the key's.
pub(crate) async fn signs(backend: &dyn KeyBackend, key: &GeneratedKey, message: &[u8]) -> Outcome {
    let scheme = key.reference.algorithm.default_scheme();
    let signature = backend.sign(&key.reference, scheme, message).await?;
    Ok(key.public_key.verify(message, &signature)?)
}
