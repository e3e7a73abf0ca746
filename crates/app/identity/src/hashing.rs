use std::sync::Arc;

use authn::Password;
use authn::PasswordHash;
use tokio::sync::Semaphore;

use crate::IdentityError;
use crate::Refusal;

/// How many wait for a turn at most; beyond that waiting helps nobody.
const WAITING_MAX: usize = 512;

/// Hashes passwords on threads that may block, a few at once: each takes tens of milliseconds and 19 MiB.
pub(crate) struct Hashing {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Hashing {
    pub(crate) fn new(at_once: usize) -> Self {
        let at_once = at_once.clamp(1, 256);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once.saturating_add(WAITING_MAX))),
        }
    }

    /// Whether this is the password. The hash to hold it against is of the user, or of nobody.
    pub(crate) async fn verify(
        &self,
        hash: PasswordHash,
        password: Password,
    ) -> Result<(bool, Password), IdentityError> {
        self.run(move || {
            let is_right = hash.verify(&password);
            is_right.map(|is_right| (is_right, password))
        })
        .await
    }

    pub(crate) async fn hash(
        &self,
        password: Password,
        salt: [u8; 16],
    ) -> Result<PasswordHash, IdentityError> {
        self.run(move || PasswordHash::make(&password, &salt)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, authn::HashFault> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let closed = || IdentityError::Internal("the passwords' threads are gone".to_owned());
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Refusal::Busy)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        // A caller who goes away does not stop the work: the turn is given back when it is done, not before.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, place));
            done
        });
        done.await
            .map_err(|_| closed())?
            .map_err(|fault| IdentityError::Internal(fault.to_string()))
    }
}
