//! Telling those who append how it went.

use audit::Head;
use ledger::LedgerError;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How an append went.
pub(crate) type Answer = Result<Head, LedgerError>;

/// Who waits for the answer to an append.
pub(crate) struct Waiter {
    reply: oneshot::Sender<Answer>,
    /// The runtime it waits in.
    runtime: Option<Handle>,
}

impl Waiter {
    /// A waiter in the present runtime, if there is one, and what it waits on.
    pub(crate) fn new() -> (Self, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                reply,
                runtime: Handle::try_current().ok(),
            },
            answer,
        )
    }

    pub(crate) fn answer(self, answer: Answer) {
        // Whoever no longer waits needs no answer.
        drop(self.reply.send(answer));
    }
}

/// Answers a group. Waking a task from outside its runtime costs a system call or two; so each runtime is woken once, and its
/// tasks are woken from inside.
pub(crate) fn answer_all(answers: impl Iterator<Item = (Waiter, Answer)>) {
    let mut of_runtimes: Vec<(Handle, Vec<(Waiter, Answer)>)> = Vec::new();
    for (waiter, answer) in answers {
        let Some(runtime) = &waiter.runtime else {
            waiter.answer(answer);
            continue;
        };
        match of_runtimes
            .iter_mut()
            .find(|(known, _)| known.id() == runtime.id())
        {
            Some((_, answers)) => answers.push((waiter, answer)),
            None => of_runtimes.push((runtime.clone(), vec![(waiter, answer)])),
        }
    }
    for (runtime, answers) in of_runtimes {
        let answer_each = move || {
            answers
                .into_iter()
                .for_each(|(waiter, answer)| waiter.answer(answer))
        };
        // A runtime that shut down has nobody left who waits.
        drop(runtime.spawn(async move { answer_each() }));
    }
}
