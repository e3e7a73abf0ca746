//! Threads that work the sessions, and one that watches their deadlines.
//!
//! A module's calls block and may hang for ever, so each session has a thread of its own. A call that outlasts its
//! limit costs its thread: the caller gets an error, the thread is struck off and another takes its place; should the
//! call ever return, the thread closes its session and ends. Struck-off threads are bounded by the size of the pool.
//!
//! Going to sleep and being woken costs as much as a fast token's signature; [`crate::pace`] says when to do without.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use keystore::KeyError;
use tokio::sync::oneshot;

use crate::pace::Pace;
use crate::seat::{Open, Operation, Seat};
use crate::token::{Failure, Token};

/// How long the pool does without the sessions that the token had no room for.
const REST: Duration = Duration::from_secs(5);
/// How long closing waits for threads to close their sessions.
const FAREWELL: Duration = Duration::from_secs(1);

/// The sessions of one backend.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    token: Arc<Token>,
    size: usize,
    state: Mutex<State>,
    pace: Pace,
    /// The length of the queue, for those that look without the lock.
    queued: AtomicUsize,
    /// Wakes workers.
    work: Condvar,
    /// Wakes the watcher.
    watch: Condvar,
    /// Wakes whoever waits for the last worker to end.
    end: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    /// Workers in good standing, by number; what each is doing.
    workers: BTreeMap<u64, Option<Running>>,
    /// Workers that sleep.
    idle: usize,
    /// Workers about to sleep that look for work a moment longer: they need not be woken.
    lookouts: usize,
    /// Threads struck off whose call has not returned.
    lost: usize,
    next_worker: u64,
    is_closing: bool,
    /// Until when to do with fewer workers, because the token has no room for more sessions.
    resting: Option<(Instant, usize)>,
    /// When the watcher will look next; `None` while it waits to be woken.
    watcher_wakes: Option<Instant>,
}

#[derive(Clone)]
struct Running {
    task: Arc<dyn Task>,
    due: Instant,
}

struct Queued {
    task: Arc<dyn Task>,
    due: Instant,
}

enum Prepared {
    /// The session is open, or will be by the task's own attempts.
    Ready,
    /// The token has no room for this seat's session while other seats have theirs.
    NoRoom,
    /// No attempt can succeed.
    Hopeless(KeyError),
}

/// Something to do at a seat, and somebody who waits for it.
trait Task: Send + Sync {
    fn operation(&self) -> Operation;
    fn run(&self, seat: &mut Seat);
    fn give_up(&self, error: KeyError);
}

struct TaskOf<T, F> {
    operation: Operation,
    work: Mutex<Option<F>>,
    answer: Mutex<Option<oneshot::Sender<Result<T, KeyError>>>>,
}

impl<T, F> TaskOf<T, F> {
    fn answer(&self, result: Result<T, KeyError>) {
        let sender = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Whoever asked may have stopped waiting.
            let _unheard = sender.send(result);
        }
    }
}

impl<T, F> Task for TaskOf<T, F>
where
    T: Send,
    F: FnMut(&mut Open) -> Result<T, Failure> + Send,
{
    fn operation(&self) -> Operation {
        self.operation
    }

    fn run(&self, seat: &mut Seat) {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut work) = work {
            self.answer(seat.perform(self.operation, &mut work));
        }
    }

    fn give_up(&self, error: KeyError) {
        self.answer(Err(error));
    }
}

impl Pool {
    /// A pool of at most `size` sessions; threads and sessions come with the work.
    pub(crate) fn new(token: Arc<Token>, size: usize) -> Result<Self, std::io::Error> {
        let shared = Arc::new(Shared {
            token,
            size,
            state: Mutex::default(),
            pace: Pace::new(thread::available_parallelism().map_or(1, usize::from)),
            queued: AtomicUsize::new(0),
            work: Condvar::new(),
            watch: Condvar::new(),
            end: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        thread::Builder::new()
            .name("pkcs11-watch".into())
            .spawn(move || watched.watch())?;
        Ok(Self { shared })
    }

    /// Does `work` at some seat. It may be begun several times when the token stumbles.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnMut(&mut Open) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, KeyError> {
        let (answer, answered) = oneshot::channel();
        let task = TaskOf {
            operation,
            work: Mutex::new(Some(work)),
            answer: Mutex::new(Some(answer)),
        };
        let caller = self.shared.pace.caller();
        self.shared.submit(Arc::new(task));
        caller.look_for_answer(|| !answered.is_empty());
        match answered.await {
            Ok(result) => result,
            Err(_) => Err(self.shared.unavailable(operation, "the backend is closing")),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closing = true;
        let dropped: Vec<_> = state.queue.drain(..).collect();
        self.shared.publish(&state);
        self.shared.work.notify_all();
        self.shared.watch.notify_all();
        // Idle workers end at once; a busy one finishes its call. Waiting a moment keeps sessions from outliving a
        // process that exits right after.
        let waited = self
            .shared
            .end
            .wait_timeout_while(state, FAREWELL, |state| !state.workers.is_empty());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_quiet = state.workers.is_empty() && state.lost == 0;
        drop(state);
        if is_quiet {
            self.shared.token.close();
        }
        for queued in dropped {
            queued.task.give_up(
                self.shared
                    .unavailable(queued.task.operation(), "the backend is closing"),
            );
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unavailable(&self, operation: Operation, reason: impl Into<String>) -> KeyError {
        KeyError::Unavailable {
            store: self.token.store().to_owned(),
            operation: operation.name,
            reason: reason.into(),
        }
    }

    fn timeout(&self, operation: Operation) -> KeyError {
        let seconds = operation.limit.as_secs().max(1);
        KeyError::Timeout {
            store: self.token.store().to_owned(),
            operation: operation.name,
            seconds,
        }
    }

    fn submit(self: &Arc<Self>, task: Arc<dyn Task>) {
        let now = Instant::now();
        let operation = task.operation();
        let due = now + operation.limit;
        let mut state = self.lock();
        if state.lost >= self.size {
            let reason = format!("{} calls hang in the module", state.lost);
            drop(state);
            return task.give_up(self.unavailable(operation, reason));
        }
        state.queue.push_back(Queued { task, due });
        let waiting = state.queue.len();
        let is_short_of_workers = waiting > state.idle + state.lookouts;
        let spawned = if is_short_of_workers && state.workers.len() < self.room(&mut state, now) {
            self.spawn(&mut state)
        } else {
            Ok(())
        };
        let wakes_worker = waiting > state.lookouts && state.idle > 0;
        let wakes_watcher = state.watcher_wakes.is_none_or(|wakes| due < wakes);
        let orphan = match spawned {
            Err(error) if state.workers.is_empty() => state.queue.pop_back().map(|queued| (queued, error)),
            Err(_) | Ok(()) => None,
        };
        self.publish(&state);
        drop(state);
        // Whoever is woken wants the lock.
        if wakes_worker {
            self.work.notify_one();
        }
        if wakes_watcher {
            self.watch.notify_one();
        }
        if let Some((queued, error)) = orphan {
            queued
                .task
                .give_up(self.unavailable(operation, format!("no thread: {error}")));
        }
    }

    /// Shows the length of the queue to those that look without the lock.
    fn publish(&self, state: &State) {
        self.queued.store(state.queue.len(), Ordering::Release);
    }

    /// How many workers there may be now.
    fn room(&self, state: &mut State, now: Instant) -> usize {
        match state.resting {
            Some((until, most)) if now < until => most,
            Some(_) => {
                state.resting = None;
                self.size
            }
            None => self.size,
        }
    }

    fn spawn(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let number = state.next_worker;
        let shared = Arc::clone(self);
        thread::Builder::new()
            .name(format!("pkcs11-{number}"))
            .spawn(move || shared.work(number))?;
        state.next_worker += 1;
        state.workers.insert(number, None);
        Ok(())
    }

    /// The life of a worker.
    fn work(self: Arc<Self>, number: u64) {
        let mut seat = Seat::new(Arc::clone(&self.token));
        while let Some(task) = self.next(number) {
            match self.prepare(&mut seat) {
                Prepared::Ready => {}
                Prepared::NoRoom => {
                    if self.hand_back(number, &task) {
                        return;
                    }
                    continue;
                }
                Prepared::Hopeless(error) => {
                    task.give_up(error);
                    continue;
                }
            }
            let begun = Instant::now();
            // A panic would otherwise leave the worker counted for ever and its caller without an answer.
            if catch_unwind(AssertUnwindSafe(|| task.run(&mut seat))).is_err() {
                task.give_up(KeyError::fault(
                    self.token.store(),
                    task.operation().name,
                    "internal error",
                ));
            }
            self.pace.note(begun.elapsed());
        }
        drop(seat);
        let mut state = self.lock();
        if state.workers.remove(&number).is_none() {
            state.lost = state.lost.saturating_sub(1);
        }
        self.end.notify_all();
        if state.is_closing {
            self.watch.notify_all();
        }
    }

    /// The next task for this worker; `None` when it shall end.
    fn next(&self, number: u64) -> Option<Arc<dyn Task>> {
        let mut state = self.lock();
        let mut has_looked = false;
        loop {
            // Struck off while it was away.
            let place = state.workers.get_mut(&number)?;
            *place = None;
            if let Some(Queued { task, .. }) = state.queue.pop_front() {
                self.publish(&state);
                let due = Instant::now() + task.operation().limit;
                if let Some(place) = state.workers.get_mut(&number) {
                    *place = Some(Running {
                        task: Arc::clone(&task),
                        due,
                    });
                }
                return Some(task);
            }
            if state.is_closing {
                return None;
            }
            if !has_looked && state.lookouts < self.pace.lookouts_max() {
                has_looked = true;
                state.lookouts += 1;
                drop(state);
                self.pace
                    .look_for_work(|| self.queued.load(Ordering::Acquire) > 0);
                state = self.lock();
                state.lookouts -= 1;
                continue;
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Opens the seat's session ahead of the task, to tell what concerns the seat from what concerns the task.
    fn prepare(&self, seat: &mut Seat) -> Prepared {
        match seat.prepare() {
            Err(Failure::Call(Error::Pkcs11(RvError::SessionCount, _)))
                if self.token.sessions_open.load(Ordering::Relaxed) > 0 =>
            {
                Prepared::NoRoom
            }
            // Beginning the task would only repeat it, and a login is not to be repeated.
            Err(Failure::Final(error) | Failure::Missing(error)) => Prepared::Hopeless(error),
            // The task recovers from what can be recovered from.
            Err(Failure::Call(_)) | Ok(()) => Prepared::Ready,
        }
    }

    /// Leaves the task to the workers that have sessions, and ends this one. False when it was struck off meanwhile:
    /// then the task was answered.
    fn hand_back(&self, number: u64, task: &Arc<dyn Task>) -> bool {
        let mut state = self.lock();
        let Some(running) = state.workers.remove(&number) else {
            return false;
        };
        let most = state.workers.len().max(1);
        if state.resting.is_none() {
            tracing::warn!(token = %self.token.store(), sessions = most, "the token has no room for more sessions");
        }
        state.resting = Some((Instant::now() + REST, most));
        let due = running.map_or_else(|| Instant::now() + task.operation().limit, |running| running.due);
        state.queue.push_front(Queued {
            task: Arc::clone(task),
            due,
        });
        self.publish(&state);
        self.work.notify_one();
        self.end.notify_all();
        true
    }

    /// The life of the watcher.
    fn watch(self: Arc<Self>) {
        let mut state = self.lock();
        while !(state.is_closing && state.workers.is_empty()) {
            let now = Instant::now();
            let overdue = self.strike_off(&mut state, now);
            let expired = take_expired(&mut state.queue, now);
            self.publish(&state);
            if !(overdue.is_empty() && expired.is_empty()) {
                // Those who still wait get the place of a worker struck off.
                if !state.queue.is_empty()
                    && state.idle == 0
                    && state.workers.len() < self.room(&mut state, now)
                {
                    let _next_submit_tries_again = self.spawn(&mut state);
                }
                drop(state);
                for task in overdue.into_iter().chain(expired) {
                    task.give_up(self.timeout(task.operation()));
                }
                state = self.lock();
                continue;
            }
            let running = state.workers.values().flatten().map(|running| running.due);
            let wakes = running.chain(state.queue.iter().map(|queued| queued.due)).min();
            state.watcher_wakes = wakes;
            state = match wakes {
                Some(wakes) => {
                    let wait = self
                        .watch
                        .wait_timeout(state, wakes.saturating_duration_since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.watch.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Workers whose call outlasted its limit are no longer ours.
    fn strike_off(&self, state: &mut State, now: Instant) -> Vec<Arc<dyn Task>> {
        let is_overdue = |place: &Option<Running>| place.as_ref().is_some_and(|running| running.due <= now);
        let overdue: Vec<u64> = state
            .workers
            .iter()
            .filter(|(_, place)| is_overdue(place))
            .map(|(number, _)| *number)
            .collect();
        let tasks: Vec<_> = overdue
            .iter()
            .filter_map(|number| state.workers.remove(number).flatten())
            .map(|running| running.task)
            .collect();
        state.lost += tasks.len();
        for task in &tasks {
            let operation = task.operation().name;
            tracing::error!(token = %self.token.store(), operation, "a call hangs in the module; its session is given up");
        }
        tasks
    }
}

fn take_expired(queue: &mut VecDeque<Queued>, now: Instant) -> Vec<Arc<dyn Task>> {
    let mut expired = Vec::new();
    queue.retain(|queued| {
        let is_expired = queued.due <= now;
        if is_expired {
            expired.push(Arc::clone(&queued.task));
        }
        !is_expired
    });
    expired
}
