use std::hint::black_box;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Duration;

use authn::HashFault;
use authn::HashMemory;
use authn::Password;
use authn::PasswordHash;
use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;
use tokio::sync::oneshot;

use crate::IdentityError;
use crate::Refusal;

/// How many wait for a turn at most; beyond that waiting helps nobody.
const WAITING_MAX: usize = 512;
/// How long a thread keeps its memory for the next hash.
const MEMORY_KEPT: Duration = Duration::from_secs(1);
/// For how much longer the allocator of the programs keeps what was freed: `purge_delay` of mimalloc, and some.
const ALLOCATOR_KEEPS: Duration = Duration::from_secs(2);
/// An allocation that has pages of its own, in bytes.
const OTHER_PAGES: usize = 1 << 20;

type Job = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// Hashes passwords on threads of their own, a few at once: each hash takes tens of milliseconds and 19 MiB. The threads end with it.
pub(crate) struct Hashing {
    jobs: Sender<Job>,
}

impl Hashing {
    pub(crate) fn start(at_once: usize) -> Result<Self, IdentityError> {
        let (jobs, waiting) = crossbeam_channel::bounded(WAITING_MAX);
        for _ in 0..at_once.clamp(1, 256) {
            let waiting = waiting.clone();
            std::thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(move || work(&waiting))
                .map_err(|error| IdentityError::Internal(format!("start a thread for passwords: {error}")))?;
        }
        Ok(Self { jobs })
    }

    /// Whether this is the password. The hash to hold it against is of the user, or of nobody.
    pub(crate) async fn verify(
        &self,
        hash: PasswordHash,
        password: Password,
    ) -> Result<(bool, Password), IdentityError> {
        self.run(move |memory| Ok((hash.verify(&password, memory)?, password)))
            .await
    }

    pub(crate) async fn hash(
        &self,
        password: Password,
        salt: [u8; 16],
    ) -> Result<PasswordHash, IdentityError> {
        self.run(move |memory| PasswordHash::make(&password, &salt, memory))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        hash: impl FnOnce(&mut HashMemory) -> Result<T, HashFault> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let nothing = || IdentityError::Internal("nothing came of hashing a password".to_owned());
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            // Whoever gave up waiting wants no hash.
            if !answer.is_closed() {
                let _ = answer.send(hash(memory));
            }
        });
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Refusal::Busy.into(),
            TrySendError::Disconnected(_) => nothing(),
        })?;
        answered
            .await
            .map_err(|_| nothing())?
            .map_err(|fault| IdentityError::Internal(fault.to_string()))
    }
}

/// One after the other, until nobody can ask any more.
fn work(waiting: &Receiver<Job>) {
    let mut memory = HashMemory::default();
    while let Some(job) = next(waiting, &mut memory) {
        // Whoever waits for one that panics is told that nothing came of it; those after it are served.
        if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
            memory = HashMemory::default();
        }
    }
}

/// Whatever is to be done next. When nobody asks for a while, the memory goes back, wiped.
fn next(waiting: &Receiver<Job>, memory: &mut HashMemory) -> Option<Job> {
    let idle = |kept| match waiting.recv_timeout(kept) {
        Ok(job) => Some(Some(job)),
        Err(RecvTimeoutError::Disconnected) => Some(None),
        Err(RecvTimeoutError::Timeout) => None,
    };
    if let Some(job) = idle(MEMORY_KEPT) {
        return job;
    }
    *memory = HashMemory::default();
    // The allocator gives pages back to the system a second after they were freed, and then only when others are.
    if let Some(job) = idle(ALLOCATOR_KEEPS) {
        return job;
    }
    drop(black_box(Vec::<u8>::with_capacity(OTHER_PAGES)));
    waiting.recv().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use futures_util::FutureExt as _;

    use super::*;

    fn password() -> Password {
        Password::new("seven blue doors".to_owned())
    }

    #[tokio::test]
    async fn a_hash_that_panics_takes_no_thread_with_it() {
        let hashing = Hashing::start(1).unwrap();
        let failed = hashing.run::<()>(|_| panic!("an invariant is broken")).await;
        assert!(matches!(failed, Err(IdentityError::Internal(_))));
        let hash = hashing.hash(password(), [7; 16]).await.unwrap();
        assert!(hashing.verify(hash, password()).await.unwrap().0);
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_back_and_whoever_left_costs_nothing() {
        static RAN: AtomicUsize = AtomicUsize::new(0);
        let hashing = Hashing::start(1).unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let held = hashing.run(move |_| Ok(gate.recv().is_ok()));
        let crowd = async {
            // The thread takes the first one; as many as may wait do.
            while !hashing.jobs.is_empty() {
                tokio::task::yield_now().await;
            }
            let count = |_: &mut HashMemory| {
                RAN.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(hashing.run(count))).collect();
            for one in &mut waiting {
                assert!(one.now_or_never().is_none());
            }
            let refused = hashing.hash(password(), [7; 16]).await;
            assert!(matches!(refused, Err(IdentityError::Refused(Refusal::Busy))));
            drop(waiting);
            open.send(()).unwrap();
        };
        let (held, ()) = tokio::join!(held, crowd);
        assert!(held.unwrap());
        let hash = loop {
            // The thread works off what nobody waits for.
            match hashing.hash(password(), [7; 16]).await {
                Err(IdentityError::Refused(Refusal::Busy)) => tokio::task::yield_now().await,
                done => break done.unwrap(),
            }
        };
        assert!(hashing.verify(hash, password()).await.unwrap().0);
        assert_eq!(RAN.load(Ordering::Relaxed), 0);
    }
}
