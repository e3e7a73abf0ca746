//! A module, loaded and initialised once per process.
//!
//! A module is never unloaded. Every call into it holds [`Module::enter`]'s guard, so that the rare second
//! initialisation, which makes every session invalid, waits until no call is under way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use crate::OpenError;
use crate::pin::PinRecord;
use crate::recovery::describe;

static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A module is initialised again at most this often.
const INITIALISATIONS_APART: Duration = Duration::from_secs(10);

/// How long to wait for a moment without calls: on a busy module that works for others there is none, and no need.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(1);

/// A loaded and initialised module.
pub(crate) struct Module {
    path: PathBuf,
    functions: Pkcs11,
    calls: RwLock<()>,
    /// Counts initialisations; sessions of an earlier one are void.
    epoch: AtomicU64,
    initialised_again_at: Mutex<Option<Instant>>,
    pins: PinRecord,
}

impl Module {
    /// The module at this (resolved) path; loads and initialises it the first time.
    pub(crate) fn load(path: &Path) -> Result<Arc<Self>, OpenError> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(path) {
            return Ok(Arc::clone(module));
        }
        let functions = Pkcs11::new(path).map_err(|error| cannot_load(path, &error))?;
        initialise(&functions).map_err(|error| OpenError::ModuleFailed {
            path: path.to_owned(),
            reason: describe(&error),
        })?;
        let module = Arc::new(Self {
            path: path.to_owned(),
            functions,
            calls: RwLock::new(()),
            epoch: AtomicU64::new(0),
            initialised_again_at: Mutex::new(None),
            pins: PinRecord::default(),
        });
        modules.insert(path.to_owned(), Arc::clone(&module));
        Ok(module)
    }

    /// The module's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The functions; hold the guard of [`Self::enter`] while calling any.
    pub(crate) fn functions(&self) -> &Pkcs11 {
        &self.functions
    }

    /// Keeps the module initialised while the guard lives.
    pub(crate) fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.calls.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which initialisation is in force.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Finalises and initialises again, unless somebody else did since `seen`, or did just now (which does not hold back
    /// an urgent call), or a call hangs in the module. Every session of the process becomes void. The caller holds no guard.
    pub(crate) fn initialise_again(&self, seen: u64, is_urgent: bool, until: Instant) -> Result<(), Error> {
        let until = until.min(Instant::now() + QUIET_WAIT_MAX);
        let guard = loop {
            match self.calls.try_write() {
                Ok(guard) => break guard,
                Err(std::sync::TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(std::sync::TryLockError::WouldBlock) if Instant::now() >= until => return Ok(()),
                Err(std::sync::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
            }
        };
        let mut at = self
            .initialised_again_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.epoch() != seen || (!is_urgent && at.is_some_and(|at| at.elapsed() < INITIALISATIONS_APART)) {
            return Ok(());
        }
        *at = Some(Instant::now());
        self.epoch.fetch_add(1, Ordering::AcqRel);
        tracing::warn!(module = %self.path.display(), "initialising the PKCS#11 module again");
        match self.functions.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            Err(error) => return Err(error),
        }
        let result = initialise(&self.functions);
        drop(guard);
        result
    }

    /// How the module's tokens took their PINs.
    pub(crate) fn pins(&self) -> &PinRecord {
        &self.pins
    }
}

/// With operating-system locks: without, SoftHSM and others have none at all.
fn initialise(functions: &Pkcs11) -> Result<(), Error> {
    match functions.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn cannot_load(path: &Path, error: &Error) -> OpenError {
    let path = path.to_owned();
    match error {
        Error::LibraryLoading(reason) => OpenError::NotALibrary {
            path,
            reason: reason.to_string(),
        },
        Error::MissingSymbol(symbol) => OpenError::NotPkcs11 {
            path,
            symbol: (*symbol).to_owned(),
        },
        Error::NullFunctionPointer => OpenError::NotPkcs11 {
            path,
            symbol: "C_GetFunctionList".to_owned(),
        },
        other @ (Error::Pkcs11(..)
        | Error::NotSupported
        | Error::TryFromInt(_)
        | Error::TryFromSlice(_)
        | Error::ParseInt(_)
        | Error::Utf8(_)
        | Error::NulError(_)
        | Error::InvalidValue
        | Error::PinNotSet) => OpenError::ModuleFailed {
            path,
            reason: describe(other),
        },
    }
}
