//! The contract catches backends that break it: each planted defect fails the case that names it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rand::SystemRandom;
use key::BackendKind;
use key::KeyAlgorithm;
use key::KeyId;
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
use keystore_contract::Bench;
use keystore_contract::BenchError;
use keystore_contract::Capabilities;
use keystore_contract::Custody;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use names::ClusterName;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use state::State as _;
use state_memory::MemoryState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    /// Cuts long messages, as a token with a small buffer might.
    SignsTheBeginning,
    /// Answers with a key's signature whatever the scheme.
    AnyScheme,
    /// Says "later" to what will never work.
    RefusesAsTransient,
    NewKeyForKnownId,
    IgnoresLabelOfKnownId,
    TrustsThePublicKeyOfReferences,
    TrustsTheStoreOfReferences,
    ListsTheFirstPage,
    ListsOthers,
    DestroysNothing,
    DestroysAnything,
    MissingKeyIsFault,
    DeniesCustody,
    ForgetsOnReopen,
}

const ALGORITHMS: [KeyAlgorithm; 2] = [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519];

struct Broken {
    inner: SoftwareBackend,
    others: SoftwareBackend,
    description: Description,
    defect: Defect,
    _place: Place,
}

/// A cluster that is open, closed on drop.
struct Place {
    open: Arc<Mutex<Vec<ClusterName>>>,
    cluster: ClusterName,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap();
        let index = open.iter().position(|cluster| *cluster == self.cluster);
        open.swap_remove(index.unwrap());
    }
}

impl Broken {
    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// The reference as the defect sees it.
    async fn seen(&self, key: &KeyRef) -> KeyRef {
        let mut key = key.clone();
        if self.has(Defect::TrustsTheStoreOfReferences) {
            key.backend = BackendKind::Software;
            key.store = String::new();
        }
        if self.has(Defect::TrustsThePublicKeyOfReferences) {
            let found = self
                .inner
                .list()
                .await
                .unwrap()
                .into_iter()
                .find(|found| found.handle == key.handle);
            if let Some(public_key) = found.and_then(|found| found.public_key) {
                key.spki_sha256 = public_key.spki_sha256();
            }
        }
        key
    }

    fn answer<T>(&self, result: Result<T, KeyError>) -> Result<T, KeyError> {
        match result {
            Err(KeyError::NotFound { store, handle }) if self.has(Defect::MissingKeyIsFault) => {
                Err(KeyError::fault(store, "find a key", handle))
            }
            Err(_) if self.has(Defect::RefusesAsTransient) => Err(KeyError::Unavailable {
                store: String::new(),
                operation: "work",
                reason: "busy".to_owned(),
            }),
            other => other,
        }
    }
}

#[async_trait]
impl KeyBackend for Broken {
    fn describe(&self) -> &Description {
        &self.description
    }

    async fn generate(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        if !ALGORITHMS.contains(&request.algorithm) {
            let reason = "not here".to_owned();
            return Err(KeyError::Unsupported {
                store: String::new(),
                algorithm: request.algorithm,
                reason,
            });
        }
        let mut request = request.clone();
        let known = self
            .inner
            .list()
            .await?
            .into_iter()
            .find(|found| found.handle == request.id.to_string());
        if let Some(known) = known {
            if self.has(Defect::NewKeyForKnownId) {
                let mut bytes = [0; 16];
                Random.fill(&mut bytes).unwrap();
                request.id = KeyId::from_random(bytes);
            }
            if self.has(Defect::IgnoresLabelOfKnownId) {
                request.label = known.label;
            }
        }
        self.answer(self.inner.generate(&request).await)
    }

    async fn sign(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        let key = self.seen(key).await;
        let scheme = if self.has(Defect::AnyScheme) {
            key.algorithm.default_scheme()
        } else {
            scheme
        };
        let cut = if self.has(Defect::SignsTheBeginning) {
            message.len().min(4_096)
        } else {
            message.len()
        };
        let (message, _) = message.split_at(cut);
        self.answer(self.inner.sign(&key, scheme, message).await)
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey, KeyError> {
        self.answer(self.inner.public_key(&self.seen(key).await).await)
    }

    async fn attributes(&self, key: &KeyRef) -> Result<KeyAttributes, KeyError> {
        let attributes = self.answer(self.inner.attributes(&self.seen(key).await).await)?;
        let asserted = KeyAttributes::AssertedByApi;
        Ok(if self.has(Defect::DeniesCustody) {
            asserted
        } else {
            attributes
        })
    }

    async fn list(&self) -> Result<Vec<FoundKey>, KeyError> {
        let mut found = self.inner.list().await?;
        if self.has(Defect::ListsTheFirstPage) {
            found.truncate(100);
        }
        if self.has(Defect::ListsOthers) {
            found.extend(self.others.list().await?);
        }
        Ok(found)
    }

    async fn destroy(&self, key: &KeyRef) -> Result<(), KeyError> {
        let mut key = self.seen(key).await;
        if self.has(Defect::DestroysNothing) {
            return Ok(());
        }
        if self.has(Defect::DestroysAnything) {
            let found = self
                .inner
                .list()
                .await?
                .into_iter()
                .find(|found| found.handle == key.handle);
            if let Some(public_key) = found.and_then(|found| found.public_key) {
                key.spki_sha256 = public_key.spki_sha256();
            }
        }
        self.answer(self.inner.destroy(&key).await)
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.inner.health().await
    }
}

struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        SystemRandom::new().fill(buffer).map_err(|_| EntropyFault)
    }
}

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        1_767_268_800_000
    }
}

struct BrokenBench {
    state: MemoryState,
    defect: Defect,
    opens_twice: bool,
    cannot: Option<&'static str>,
    open: Arc<Mutex<Vec<ClusterName>>>,
}

impl BrokenBench {
    fn new(defect: Defect) -> Self {
        Self {
            state: MemoryState::new(Arc::new(Noon)),
            defect,
            opens_twice: true,
            cannot: None,
            open: Arc::default(),
        }
    }

    fn place(&self, cluster: &ClusterName) -> Result<Place, BenchError> {
        let mut open = self.open.lock().unwrap();
        if open.contains(cluster) && !self.opens_twice {
            return Err("the cluster is open".into());
        }
        open.push(cluster.clone());
        Ok(Place {
            open: Arc::clone(&self.open),
            cluster: cluster.clone(),
        })
    }

    async fn open_in(
        &self,
        state: MemoryState,
        cluster: &ClusterName,
    ) -> Result<Box<dyn KeyBackend>, BenchError> {
        let open = |cluster: ClusterName| {
            let sealing = SealingKey::from_bytes([7; 32]);
            SoftwareBackend::open(Arc::new(state.clone()), sealing, Arc::new(Random), cluster)
        };
        let others = open(ClusterName::parse("others.example.com")?).await?;
        if others.list().await?.is_empty() {
            let label = keystore::KeyLabel {
                cluster: ClusterName::parse("others.example.com")?,
                authority: authority::AuthorityType::User,
                form: authority::KeyForm::Ssh,
                generation: 1,
            };
            let id = KeyId::from_random([1; 16]);
            others
                .generate(&GenerateKey {
                    id,
                    algorithm: KeyAlgorithm::Ed25519,
                    label,
                })
                .await?;
        }
        let inner = open(cluster.clone()).await?;
        let description = Description {
            algorithms: ALGORITHMS.into(),
            ..inner.describe().clone()
        };
        Ok(Box::new(Broken {
            inner,
            others,
            description,
            defect: self.defect,
            _place: self.place(cluster)?,
        }))
    }
}

#[async_trait]
impl Bench for BrokenBench {
    fn name(&self) -> &str {
        "broken"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            algorithms: ALGORITHMS.into(),
            custody: Custody::Sealed,
            persists: true,
            destroys_at_once: true,
            opens_twice: self.opens_twice,
            makes_many_keys: true,
        }
    }

    fn cannot(&self, case: &str, algorithm: Option<KeyAlgorithm>) -> Option<&'static str> {
        (self.cannot == Some(case) && algorithm != Some(KeyAlgorithm::EcdsaP256)).then_some("it is small")
    }

    async fn open(&self, cluster: &ClusterName) -> Result<Box<dyn KeyBackend>, BenchError> {
        self.open_in(self.state.clone(), cluster).await
    }

    async fn reopen(
        &self,
        cluster: &ClusterName,
        old: Box<dyn KeyBackend>,
    ) -> Result<Box<dyn KeyBackend>, BenchError> {
        drop(old);
        let is_lost = self.defect == Defect::ForgetsOnReopen;
        let state = if is_lost {
            MemoryState::new(Arc::new(Noon))
        } else {
            self.state.clone()
        };
        self.open_in(state, cluster).await
    }
}

fn failing(defect: Defect) -> BTreeSet<String> {
    failing_on(BrokenBench::new(defect))
}

fn failing_on(bench: BrokenBench) -> BTreeSet<String> {
    keystore_contract::failing(Arc::new(bench))
        .unwrap()
        .into_iter()
        .collect()
}

#[test]
fn a_sound_backend_fails_nothing() {
    assert_eq!(failing(Defect::None), BTreeSet::new());
}

#[test]
fn a_sound_backend_that_opens_once_fails_nothing() {
    let bench = BrokenBench {
        opens_twice: false,
        ..BrokenBench::new(Defect::None)
    };
    assert_eq!(failing_on(bench), BTreeSet::new());
}

#[test]
fn what_a_bench_cannot_show_is_left_out_and_nothing_else() {
    let case = "sign::messages_of_every_length_verify";
    let bench = BrokenBench {
        cannot: Some(case),
        ..BrokenBench::new(Defect::SignsTheBeginning)
    };
    assert_eq!(failing_on(bench), BTreeSet::from([format!("{case}::ecdsa_p256")]));
}

#[test]
fn keys_that_cases_share_are_destroyed_with_the_others() {
    let state = MemoryState::new(Arc::new(Noon));
    let bench = BrokenBench {
        state: state.clone(),
        ..BrokenBench::new(Defect::None)
    };
    assert_eq!(failing_on(bench), BTreeSet::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let left = runtime.block_on(state.list("key/software", None, 100)).unwrap();
    assert_eq!(left.entries.len(), 1, "the one key of others.example.com");
}

#[test]
fn every_planted_defect_is_caught_by_the_case_that_names_it() {
    let caught = [
        (
            Defect::SignsTheBeginning,
            "sign::messages_of_every_length_verify::ecdsa_p256",
        ),
        (
            Defect::AnyScheme,
            "sign::other_schemes_are_refused_as_unsupported::ed25519",
        ),
        (
            Defect::RefusesAsTransient,
            "destroy::a_destroyed_key_cannot_sign::ecdsa_p256",
        ),
        (
            Defect::NewKeyForKnownId,
            "generate::the_same_id_finds_the_same_key",
        ),
        (
            Defect::NewKeyForKnownId,
            "restart::the_same_id_finds_the_same_key_after_reopening",
        ),
        (
            Defect::IgnoresLabelOfKnownId,
            "generate::the_same_id_with_another_label_is_refused",
        ),
        (
            Defect::TrustsThePublicKeyOfReferences,
            "references::a_reference_with_another_public_key_is_a_mismatch",
        ),
        (
            Defect::TrustsThePublicKeyOfReferences,
            "references::a_reference_to_another_key_of_ours_is_a_mismatch",
        ),
        (
            Defect::TrustsTheStoreOfReferences,
            "references::a_reference_to_another_store_is_refused",
        ),
        (
            Defect::TrustsTheStoreOfReferences,
            "references::a_reference_to_another_kind_of_backend_is_refused",
        ),
        (Defect::ListsTheFirstPage, "list::many_keys_are_all_listed"),
        (Defect::ListsOthers, "list::a_new_cluster_has_no_keys"),
        (Defect::ListsOthers, "list::keys_of_another_cluster_never_appear"),
        (
            Defect::DestroysNothing,
            "destroy::a_destroyed_key_cannot_sign::ed25519",
        ),
        (
            Defect::DestroysNothing,
            "destroy::a_destroyed_key_is_not_listed_as_usable",
        ),
        (Defect::DestroysAnything, "destroy::a_mismatch_destroys_nothing"),
        (
            Defect::MissingKeyIsFault,
            "references::a_missing_key_is_not_found",
        ),
        (
            Defect::MissingKeyIsFault,
            "destroy::a_key_destroyed_at_once_is_not_found",
        ),
        (
            Defect::DeniesCustody,
            "attributes::the_key_is_kept_in::ecdsa_p256",
        ),
        (
            Defect::ForgetsOnReopen,
            "restart::a_key_survives_reopening_and_signs::ecdsa_p256",
        ),
        (Defect::ForgetsOnReopen, "restart::the_list_survives_reopening"),
    ];
    for group in caught.chunk_by(|one, next| one.0 == next.0) {
        let failing = group
            .first()
            .map(|(defect, _)| failing(*defect))
            .unwrap_or_default();
        for (defect, case) in group {
            assert!(
                failing.contains(*case),
                "{defect:?} passes {case}; it fails {failing:?}"
            );
        }
    }
}
