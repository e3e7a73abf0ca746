//! What a signature through the backend costs beside the raw signature.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to report"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use authority::AuthorityType;
use authority::KeyForm;
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as lc;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use key::KeyAlgorithm;
use key::KeyId;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyBackend;
use keystore::KeyLabel;
use keystore::PrivateKeyExport;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use names::ClusterName;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use state_memory::MemoryState;

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

const ALGORITHMS: [KeyAlgorithm; 4] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa4096,
];

async fn backend_with_key(algorithm: KeyAlgorithm) -> (SoftwareBackend, GeneratedKey) {
    let cluster = ClusterName::parse("example.com").expect("a name");
    let state = Arc::new(MemoryState::new(Arc::new(Noon)));
    let sealing = SealingKey::random(&Random).expect("random bytes");
    let backend = SoftwareBackend::open(state, sealing, Arc::new(Random), cluster.clone())
        .await
        .expect("a backend");
    let label = KeyLabel {
        cluster,
        authority: AuthorityType::Host,
        form: KeyForm::Tls,
        generation: 1,
    };
    let request = GenerateKey {
        id: KeyId::from_random([1; 16]),
        algorithm,
        label,
    };
    let key = backend.generate(&request).await.expect("a key");
    (backend, key)
}

type RawSigner = Box<dyn Fn(&[u8])>;

/// The same key in the hands of the cryptographic library alone.
fn raw_signer(algorithm: KeyAlgorithm, pkcs8: &[u8]) -> RawSigner {
    let random = SystemRandom::new();
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(pkcs8).expect("a key");
            Box::new(move |message| {
                let mut raw = vec![0; pair.public_modulus_len()];
                pair.sign(&lc::RSA_PKCS1_SHA256, &random, message, &mut raw)
                    .expect("a signature");
                black_box(raw);
            })
        }
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => {
            let is_p256 = algorithm == KeyAlgorithm::EcdsaP256;
            let curve = if is_p256 {
                &lc::ECDSA_P256_SHA256_FIXED_SIGNING
            } else {
                &lc::ECDSA_P384_SHA384_FIXED_SIGNING
            };
            let pair = lc::EcdsaKeyPair::from_pkcs8(curve, pkcs8).expect("a key");
            Box::new(move |message| {
                black_box(pair.sign(&random, message).expect("a signature"));
            })
        }
        KeyAlgorithm::Ed25519 => {
            let pair = lc::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).expect("a key");
            Box::new(move |message| {
                black_box(pair.sign(message));
            })
        }
    }
}

/// What is measured: one key, signing both ways.
struct Pair {
    runtime: tokio::runtime::Runtime,
    backend: SoftwareBackend,
    key: GeneratedKey,
    raw: RawSigner,
}

const MESSAGE: [u8; 900] = [0x5a; 900];

impl Pair {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (backend, key) = runtime.block_on(backend_with_key(algorithm));
        let pkcs8 = runtime
            .block_on(backend.export_pkcs8(&key.reference))
            .expect("the key");
        let raw = raw_signer(algorithm, pkcs8.expose());
        Self {
            runtime,
            backend,
            key,
            raw,
        }
    }

    fn through_backend(&self) {
        let scheme = self.key.reference.algorithm.default_scheme();
        let signature = self
            .runtime
            .block_on(self.backend.sign(&self.key.reference, scheme, &MESSAGE));
        black_box(signature.expect("a signature"));
    }

    /// The quickest slice of each way, the slices in turns, so that a busy machine hits both alike.
    fn print_ratio(&self, algorithm: KeyAlgorithm) {
        let per_slice: u32 = if algorithm.rsa_bits().is_some() { 8 } else { 100 };
        let slice = |sign: &dyn Fn()| {
            let start = Instant::now();
            (0..per_slice).for_each(|_| sign());
            start.elapsed() / per_slice
        };
        let (mut raw, mut backend) = (Duration::MAX, Duration::MAX);
        for _ in 0..100 {
            raw = raw.min(slice(&|| (self.raw)(&MESSAGE)));
            backend = backend.min(slice(&|| self.through_backend()));
        }
        let ratio = backend.as_secs_f64() / raw.as_secs_f64();
        println!("{algorithm}: raw {raw:?}, through the backend {backend:?}, ratio {ratio:.3}");
    }
}

fn sign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign");
    for algorithm in ALGORITHMS {
        let pair = Pair::new(algorithm);
        group.bench_function(BenchmarkId::new("raw", algorithm), |bencher| {
            bencher.iter(|| (pair.raw)(&MESSAGE));
        });
        group.bench_function(BenchmarkId::new("backend", algorithm), |bencher| {
            bencher.iter(|| pair.through_backend());
        });
        pair.print_ratio(algorithm);
    }
    group.finish();
}

criterion_group!(benches, sign);
criterion_main!(benches);
