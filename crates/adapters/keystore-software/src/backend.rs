use std::num::NonZero;
use std::sync::Arc;

use async_trait::async_trait;
use key::BackendKind;
use key::KeyAlgorithm;
use key::KeyRef;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use keystore::Description;
use keystore::FoundKey;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyAttributes;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore::KeyLabel;
use keystore::Pkcs8Secret;
use keystore::PrivateKeyExport;
use names::ClusterName;
use runtime::Clock;
use runtime::Entropy;
use state::Revision;
use state::State;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;

use crate::SHOWN;
use crate::SealingKey;
use crate::cache::Cache;
use crate::cache::CachedKey;
use crate::envelope::SealingCipher;
use crate::private_key::PrivateKey;
use crate::private_key::PrivateKeyError;
use crate::record::KeyRecord;
use crate::record::mismatch;
use crate::records::Records;
use crate::records::unavailable;

/// How often a write is decided anew when somebody else was first.
const ATTEMPTS: usize = 8;

/// Software keys, sealed in the cluster's state. Runs inside a tokio runtime.
pub struct SoftwareBackend {
    description: Description,
    cluster: ClusterName,
    sealing: SealingKey,
    cipher: SealingCipher,
    entropy: Arc<dyn Entropy>,
    records: Records,
    cache: Cache,
    /// Held while a key enters or leaves the cache, so that a destroyed key cannot be put back by a late reader.
    entering: Mutex<()>,
    /// Long computations at the same time.
    computing: Semaphore,
}

impl SoftwareBackend {
    /// Opens the software keys of a cluster, and checks that the sealing key is theirs.
    ///
    /// `entropy` gives data keys and nonces; the key pairs themselves come from the cryptographic library's own generator.
    ///
    /// # Errors
    /// [`KeyError::Denied`] when the keys were sealed under another sealing key; otherwise when the state does not answer
    /// or is damaged.
    pub async fn open(
        state: Arc<dyn State>,
        sealing: SealingKey,
        entropy: Arc<dyn Entropy>,
        cluster: ClusterName,
    ) -> Result<Self, KeyError> {
        let cipher = sealing
            .cipher()
            .map_err(|error| KeyError::fault(SHOWN, "use the sealing key", error))?;
        let records = Records::new(state);
        records.check_seal(&sealing).await?;
        let concurrency = std::thread::available_parallelism().map_or(1, NonZero::get);
        let description = Description {
            kind: BackendKind::Software,
            store: String::new(),
            summary: "software".to_owned(),
            algorithms: KeyAlgorithm::ALL.into(),
            concurrency,
            destroys_at_once: true,
        };
        Ok(Self {
            description,
            cluster,
            sealing,
            cipher,
            entropy,
            records,
            cache: Cache::new(),
            entering: Mutex::new(()),
            computing: Semaphore::new(concurrency),
        })
    }

    /// With a clock, new keys record when they were made.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.records.clock = Some(clock);
        self
    }

    /// The record of the key referred to.
    async fn record(&self, reference: &KeyRef) -> Result<(KeyRecord, Revision), KeyError> {
        self.check_store(reference)?;
        let found = self.find_ours(&reference.handle).await?;
        let (record, revision) = found.ok_or_else(|| not_found(reference))?;
        record.check(reference)?;
        Ok((record, revision))
    }

    async fn find_ours(&self, handle: &str) -> Result<Option<(KeyRecord, Revision)>, KeyError> {
        let found = self.records.find(handle).await?;
        Ok(found.filter(|(record, _)| record.is_labelled(&KeyLabel::prefix(&self.cluster))))
    }

    fn check_store(&self, reference: &KeyRef) -> Result<(), KeyError> {
        if reference.backend == BackendKind::Software && reference.store == self.description.store {
            return Ok(());
        }
        Err(KeyError::OtherStore {
            store: SHOWN.to_owned(),
            expected: format!("{} {}", reference.backend, reference.store)
                .trim_end()
                .to_owned(),
        })
    }

    fn unseal(
        &self,
        reference: &KeyRef,
        record: &KeyRecord,
    ) -> Result<(PrivateKey, zeroize::Zeroizing<Vec<u8>>), KeyError> {
        record
            .open(reference.id, &self.cipher)
            .map_err(|error| KeyError::fault(SHOWN, "open a key", error))
    }

    /// The private key referred to, from memory or out of its envelope.
    async fn private_key(&self, reference: &KeyRef) -> Result<Arc<CachedKey>, KeyError> {
        self.check_store(reference)?;
        if let Some(found) = self.cached(reference)? {
            return Ok(found);
        }
        let _entering = self.entering.lock().await;
        if let Some(found) = self.cached(reference)? {
            return Ok(found);
        }
        let (record, _) = self.record(reference).await?;
        let (private_key, _) = self.unseal(reference, &record)?;
        let cached = Arc::new(CachedKey {
            id: reference.id,
            private_key,
        });
        self.cache.insert(&reference.handle, &cached);
        Ok(cached)
    }

    fn cached(&self, reference: &KeyRef) -> Result<Option<Arc<CachedKey>>, KeyError> {
        let Some(found) = self.cache.find(&reference.handle) else {
            return Ok(None);
        };
        let public_key = found.private_key.public_key();
        let is_it = public_key.spki_sha256() == reference.spki_sha256
            && public_key.algorithm() == reference.algorithm
            && found.id == reference.id;
        if is_it {
            Ok(Some(found))
        } else {
            Err(mismatch(reference, public_key.spki_sha256().to_string()))
        }
    }

    /// Runs a long computation away from the async executor, at most one per processor.
    async fn compute<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, PrivateKeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let _permit = self
            .computing
            .acquire()
            .await
            .map_err(|error| KeyError::fault(SHOWN, operation, error))?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| KeyError::fault(SHOWN, operation, error))?
            .map_err(|error| KeyError::fault(SHOWN, operation, error))
    }

    fn generated(&self, request: &GenerateKey, record: &KeyRecord) -> Result<GeneratedKey, KeyError> {
        if !record.answers(request) {
            return Err(KeyError::Denied {
                store: SHOWN.to_owned(),
                reason: format!(
                    "key id {} is taken by a key of another algorithm or label; choose another id",
                    request.id
                ),
            });
        }
        let public_key = record.public_key().clone();
        let reference = KeyRef {
            id: request.id,
            backend: BackendKind::Software,
            store: self.description.store.clone(),
            handle: request.id.to_string(),
            algorithm: request.algorithm,
            spki_sha256: public_key.spki_sha256(),
        };
        Ok(GeneratedKey {
            reference,
            public_key,
        })
    }
}

#[async_trait]
impl PrivateKeyExport for SoftwareBackend {
    async fn export_pkcs8(&self, reference: &KeyRef) -> Result<Pkcs8Secret, KeyError> {
        let (record, _) = self.record(reference).await?;
        let (_, pkcs8) = self.unseal(reference, &record)?;
        Ok(Pkcs8Secret::new(pkcs8))
    }
}

#[async_trait]
impl KeyBackend for SoftwareBackend {
    fn exporter(&self) -> Option<&dyn PrivateKeyExport> {
        Some(self)
    }

    fn describe(&self) -> &Description {
        &self.description
    }

    async fn generate(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        if request.label.cluster != self.cluster {
            return Err(KeyError::Denied {
                store: SHOWN.to_owned(),
                reason: format!(
                    "the label names cluster {}, this is {}",
                    request.label.cluster, self.cluster
                ),
            });
        }
        let handle = request.id.to_string();
        for _ in 0..ATTEMPTS {
            if let Some((record, _)) = self.records.find(&handle).await? {
                return self.generated(request, &record);
            }
            let algorithm = request.algorithm;
            let key = self
                .compute("make a key", move || PrivateKey::generate(algorithm))
                .await?;
            let record = KeyRecord::seal(request, self.records.now(), &key, &self.cipher, &*self.entropy)?;
            if self.records.insert(request.id, &record).await? {
                return self.generated(request, &record);
            }
        }
        Err(unavailable("make a key", "its document changes under us"))
    }

    async fn sign(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        let found = self.private_key(key).await?;
        if !scheme.fits(key.algorithm) {
            return Err(KeyError::Unsupported {
                store: SHOWN.to_owned(),
                algorithm: key.algorithm,
                reason: format!("such keys do not sign {scheme:?}"),
            });
        }
        if found.private_key.is_slow() {
            let message = message.to_vec();
            return self
                .compute("sign", move || found.private_key.sign(scheme, &message))
                .await;
        }
        found
            .private_key
            .sign(scheme, message)
            .map_err(|error| KeyError::fault(SHOWN, "sign", error))
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey, KeyError> {
        let (record, _) = self.record(key).await?;
        Ok(record.public_key().clone())
    }

    async fn attributes(&self, key: &KeyRef) -> Result<KeyAttributes, KeyError> {
        self.record(key).await?;
        Ok(KeyAttributes::Sealed)
    }

    async fn list(&self) -> Result<Vec<FoundKey>, KeyError> {
        let prefix = KeyLabel::prefix(&self.cluster);
        let all = self.records.list().await?;
        all.into_iter()
            .filter(|(_, record)| record.is_labelled(&prefix))
            .map(|(handle, record)| {
                record
                    .found(&handle)
                    .map_err(|error| KeyError::fault(SHOWN, "list the keys", error))
            })
            .collect()
    }

    async fn destroy(&self, key: &KeyRef) -> Result<(), KeyError> {
        self.check_store(key)?;
        let _entering = self.entering.lock().await;
        for _ in 0..ATTEMPTS {
            let Some((record, revision)) = self.find_ours(&key.handle).await? else {
                self.cache.remove(&key.handle);
                return Ok(());
            };
            record.check(key)?;
            if self.records.remove(key.id, revision).await? {
                self.cache.remove(&key.handle);
                return Ok(());
            }
        }
        Err(unavailable("destroy a key", "its document changes under us"))
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.records.check_seal(&self.sealing).await
    }
}

fn not_found(reference: &KeyRef) -> KeyError {
    KeyError::NotFound {
        store: SHOWN.to_owned(),
        handle: reference.handle.clone(),
    }
}
