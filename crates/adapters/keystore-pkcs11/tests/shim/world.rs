//! SoftHSM2 behind the fault-injecting shim, and cases run one after another: faults are global, and a module is
//! initialised once per process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authority::{AuthorityType, KeyForm};
use key::{KeyAlgorithm, KeyId};
use keystore::{GenerateKey, GeneratedKey, KeyBackend, KeyError, KeyLabel};
use keystore_pkcs11::{OpenError, Pkcs11Backend, Pkcs11Config, TokenSelector};
use libtest_mimic::{Arguments, Trial};
use names::ClusterName;
use parts::softhsm::SoftHsm;
use pkcs11_shim::Shim;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::memory;

/// Every token there is; those that lose their PIN or their patience have one each.
const TOKENS: [&str; 8] = [
    "main",
    "second",
    "wrong",
    "locked",
    "forgetful",
    "last-try",
    "twin",
    "twin",
];
pub(crate) const PIN: &str = "1234";
const MESSAGE: &[u8] = b"to be signed";

/// Names the test functions of a file as its cases.
macro_rules! cases {
    ($($case:ident,)*) => {
        pub(crate) const CASES: &[$crate::world::Case] = &[$((stringify!($case), $case)),*];
    };
}
pub(crate) use cases;

/// A named case.
pub(crate) type Case = (&'static str, fn(&World));

/// Runs the cases one after another, each from a shim without orders.
pub(crate) fn run(cases: &[Case]) -> ExitCode {
    let world = Arc::new(World::make());
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = cases.iter().map(|(name, case)| {
        let (world, case) = (Arc::clone(&world), *case);
        Trial::test(*name, move || {
            world.shim.clear()?;
            case(&world);
            world.shim.clear()?;
            // Calls that hung return now. Their threads must be gone before another case counts, or the process ends.
            wait_until("no call is left in the module", || !has_threads_of_the_pool());
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

pub(crate) struct World {
    pub(crate) hsm: SoftHsm,
    pub(crate) shim: Shim,
    pub(crate) runtime: Runtime,
    _folder: TempDir,
}

impl World {
    fn make() -> Self {
        memory::keep_temporary_files_in_memory();
        let folder = tempfile::tempdir().unwrap();
        let hsm = SoftHsm::new().unwrap();
        for label in TOKENS {
            hsm.init_token(label, PIN).unwrap();
        }
        for (name, value) in hsm.environment() {
            pkcs11_shim::set_environment(name, value).unwrap();
        }
        let shim = Shim::before(hsm.module_path(), folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            hsm,
            shim,
            runtime,
            _folder: folder,
        }
    }

    pub(crate) fn order(&self, lines: &[&str]) {
        self.shim.order(lines).unwrap();
    }

    pub(crate) fn config(&self, token: &str, cluster: &str) -> Pkcs11Config {
        let cluster = ClusterName::parse(cluster).unwrap();
        let module = pkcs11_shim::module_path().unwrap();
        Pkcs11Config {
            module_path: module,
            token: TokenSelector::Label(token.into()),
            pin: PIN.into(),
            max_sessions: None,
            call_deadline: Duration::from_secs(20),
            cluster,
        }
    }

    pub(crate) fn open(&self, config: Pkcs11Config) -> Result<Pkcs11Backend, OpenError> {
        self.runtime.block_on(Pkcs11Backend::open(config))
    }

    pub(crate) fn refused(&self, config: Pkcs11Config) -> OpenError {
        self.open(config)
            .err()
            .unwrap_or_else(|| panic!("the token opened"))
    }

    /// A backend on the main token with a key that has signed.
    pub(crate) fn ready(&self, cluster: &str) -> (Pkcs11Backend, GeneratedKey) {
        self.ready_with(self.config("main", cluster))
    }

    pub(crate) fn ready_with(&self, config: Pkcs11Config) -> (Pkcs11Backend, GeneratedKey) {
        let request = request(config.cluster.as_str(), 1);
        let backend = self.open(config).unwrap();
        let key = self.runtime.block_on(backend.generate(&request)).unwrap();
        self.sign(&backend, &key).unwrap();
        (backend, key)
    }

    pub(crate) fn sign(&self, backend: &Pkcs11Backend, key: &GeneratedKey) -> Result<(), KeyError> {
        self.runtime.block_on(sign(backend, key))
    }

    /// Signs this many times at once.
    pub(crate) fn sign_at_once(
        &self,
        backend: &Arc<Pkcs11Backend>,
        key: &GeneratedKey,
        times: usize,
    ) -> Vec<Result<(), KeyError>> {
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..times)
                .map(|_| {
                    let (backend, key) = (Arc::clone(backend), key.clone());
                    tokio::spawn(async move { sign(&backend, &key).await })
                })
                .collect();
            let mut results = Vec::new();
            for task in tasks {
                results.push(task.await.unwrap());
            }
            results
        })
    }
}

pub(crate) async fn sign(backend: &Pkcs11Backend, key: &GeneratedKey) -> Result<(), KeyError> {
    let signature = backend
        .sign(&key.reference, key.reference.algorithm.default_scheme(), MESSAGE)
        .await?;
    key.public_key.verify(MESSAGE, &signature).unwrap();
    Ok(())
}

pub(crate) fn request(cluster: &str, number: u8) -> GenerateKey {
    let cluster = ClusterName::parse(cluster).unwrap();
    let mut id = [number; 16];
    for (byte, letter) in id.iter_mut().skip(1).zip(cluster.as_str().bytes()) {
        *byte = letter;
    }
    GenerateKey {
        id: KeyId::from_random(id),
        algorithm: KeyAlgorithm::EcdsaP256,
        label: KeyLabel {
            cluster,
            authority: AuthorityType::Host,
            form: KeyForm::Tls,
            generation: number.into(),
        },
    }
}

/// Whether a thread lives that works a session.
fn has_threads_of_the_pool() -> bool {
    let names = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    names
        .flat_map(|thread| std::fs::read_to_string(thread.path().join("comm")))
        .any(|name| name.starts_with("pkcs11-"))
}

/// Waits for what must come, however slow the machine.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "still waiting until {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn calls(function: &str) -> u64 {
    pkcs11_shim::calls(function).unwrap()
}
