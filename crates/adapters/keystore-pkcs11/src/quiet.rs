//! Nobody looks for objects while one is being made or destroyed.
//!
//! Modules are to be safe for threads (PKCS #11 section 6.7.5, `CKF_OS_LOCKING_OK`), and SoftHSM 2.6 is not quite: when one thread looks for
//! objects while another makes some, the one finds objects that are half there, and of the other's a second, empty one may stay. Only
//! looking waits: a session that has a key's handle signs on while keys are made.

use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::sync::TryLockError;
use std::time::Duration;
use std::time::Instant;

static OBJECTS: RwLock<()> = RwLock::new(());

/// How long somebody waits. A token that makes a key for longer, or hangs, is not waited for: it is not the one that is confused.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether the wait is over.
const STEP: Duration = Duration::from_micros(200);

/// Held while objects are looked for.
pub(crate) fn looking() -> Option<RwLockReadGuard<'static, ()>> {
    wait(|| OBJECTS.try_read().map(Some), |error| error.into_inner())
}

/// Held while an object is made or destroyed.
pub(crate) fn making() -> Option<RwLockWriteGuard<'static, ()>> {
    wait(|| OBJECTS.try_write().map(Some), |error| error.into_inner())
}

fn wait<G>(
    attempt: impl Fn() -> Result<Option<G>, TryLockError<G>>,
    poisoned: impl Fn(std::sync::PoisonError<G>) -> G,
) -> Option<G> {
    let until = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(guard) => return guard,
            // It guards nothing that could be damaged.
            Err(TryLockError::Poisoned(error)) => return Some(poisoned(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(STEP),
        }
    }
}
