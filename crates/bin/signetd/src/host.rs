//! The machine: its time, its randomness, its environment.

use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rand::SystemRandom;
use config::Environment;
use nix::unistd::Uid;
use runtime::Clock;
use runtime::Entropy;
use runtime::EntropyFault;
use secrecy::SecretString;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else takes as an argument"
    )]
    fn unix_millis(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        }
    }
}

/// The system's random number generator.
#[derive(Debug, Clone)]
pub(crate) struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    pub(crate) fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
        self.0.fill(buffer).map_err(|_| EntropyFault)
    }
}

/// What the defaults of a configuration depend on.
pub(crate) fn environment() -> Environment {
    let path = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let text = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    Environment {
        is_root: Uid::effective().is_root(),
        xdg_data_home: path("XDG_DATA_HOME"),
        home: path("HOME"),
        host_name: host_name(),
        pkcs11_pin: text("SIGNET_PKCS11_PIN")
            .filter(|pin| !pin.is_empty())
            .map(SecretString::from),
    }
}

/// The data directory that the environment names. Operators export it for `signetctl`, too, so that it is the weakest wish of all.
pub(crate) fn data_dir_of_environment() -> Option<PathBuf> {
    std::env::var_os("SIGNET_DATA_DIR")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The name of this host; empty when nothing tells it.
pub(crate) fn host_name() -> String {
    // Linux tells it in a file; elsewhere the environment may.
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = || std::env::var_os("HOSTNAME").and_then(|name| name.into_string().ok());
    told.or_else(named).unwrap_or_default().trim().to_owned()
}
