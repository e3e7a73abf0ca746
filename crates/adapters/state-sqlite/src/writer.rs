use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use runtime::Clock;
use rusqlite::Connection;
use rusqlite::TransactionBehavior;
use state::CommitError;
use state::Newest;
use state::Revision;
use state::StateError;
use state::Write;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::documents;
use crate::fault::classify;

/// Commits that wait their turn before callers are held up.
const QUEUE: usize = 256;
/// Commits that share one transaction at most.
const BATCH_MAX: usize = 64;

type Answer = Result<Revision, CommitError>;

/// A commit asked for.
struct Job {
    writes: Vec<Write>,
    answer: oneshot::Sender<Answer>,
}

/// The thread that writes. Dropping it ends the thread after the commits already asked for.
pub(crate) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        path: &Path,
        connection: Connection,
        history_max: usize,
        clock: Arc<dyn Clock>,
        newest: Arc<watch::Sender<Newest>>,
    ) -> Result<Self, StateError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let desk = Desk {
            path: path.to_owned(),
            connection,
            history_max,
            clock,
            newest,
        };
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || desk.work(queue))
            .map_err(|error| StateError::Unavailable(Box::new(error)))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Commits. Given up, it happens all the same or not at all.
    pub(crate) async fn commit(&self, writes: Vec<Write>) -> Answer {
        let gone = || StateError::Unavailable("the writing thread has ended".into());
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { writes, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It has answered whoever waited; a panic in it was told there.
            let _ = thread.join();
        }
    }
}

/// What the writing thread works with.
struct Desk {
    path: PathBuf,
    connection: Connection,
    history_max: usize,
    clock: Arc<dyn Clock>,
    newest: Arc<watch::Sender<Newest>>,
}

impl Desk {
    fn work(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            self.finish(std::mem::take(&mut batch));
        }
    }

    /// Commits a batch. When the disk is full, each commit of it is tried alone: one too large must not fail the others.
    fn finish(&mut self, batch: Vec<Job>) {
        match self.commit(&batch) {
            Ok(answers) => {
                for (job, answer) in batch.into_iter().zip(answers) {
                    // Whoever gave up waiting does not hear it.
                    let _ = job.answer.send(answer);
                }
            }
            Err(error) => {
                let error = classify(&self.path, error);
                if batch.len() > 1 && matches!(error, StateError::Unwritable(_)) {
                    batch.into_iter().for_each(|job| self.finish(vec![job]));
                    return;
                }
                for job in batch {
                    let _ = job.answer.send(Err(CommitError::Store(again(&error))));
                }
            }
        }
    }

    /// One transaction for all; durable when it returns answers.
    fn commit(&mut self, batch: &[Job]) -> rusqlite::Result<Vec<Answer>> {
        let now = self.clock.now();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(batch.len());
        let mut done = Vec::new();
        for Job { writes, answer: _ } in batch {
            answers.push(match documents::conflict(&transaction, writes, now)? {
                Some(key) => Err(CommitError::Conflict { key }),
                None => {
                    let revision = documents::apply(&transaction, writes, now)?;
                    done.push((writes, revision));
                    Ok(revision)
                }
            });
        }
        if done.is_empty() {
            transaction.rollback()?;
            return Ok(answers);
        }
        documents::sweep(&transaction, now, self.history_max)?;
        transaction.commit()?;
        self.newest.send_modify(|newest| {
            for (writes, revision) in done {
                newest.committed(writes, revision);
            }
        });
        Ok(answers)
    }
}

/// The same error for another of those who wait.
fn again(error: &StateError) -> StateError {
    match error {
        StateError::Unwritable(reason) => StateError::Unwritable(reason.clone()),
        StateError::Damaged(reason) => StateError::Damaged(reason.clone()),
        StateError::Unavailable(source) => StateError::Unavailable(source.to_string().into()),
        StateError::Compacted(revision) => StateError::Compacted(*revision),
    }
}
