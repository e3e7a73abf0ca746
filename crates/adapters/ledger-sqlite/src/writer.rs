//! The one thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;

use audit::Entry;
use audit::Head;
use ledger::LedgerError;
use ledger::Record;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::Shared;
use crate::append::Statements;
use crate::append::Stop;
use crate::export::Export;
use crate::fault::is_flush_failure;
use crate::fault::write_fault;
use crate::schema::Last;

/// The most records of one transaction: a group may be larger by one append.
const GROUP_RECORDS_MAX: usize = 4_096;

/// What the writer is asked.
pub(crate) enum Message {
    /// Append.
    Append {
        records: Vec<Record>,
        reply: oneshot::Sender<Result<Head, LedgerError>>,
    },
    /// Complete the export, and answer the last entry whose line is in it.
    Exported(oneshot::Sender<u64>),
}

struct Append {
    records: Vec<Record>,
    reply: oneshot::Sender<Result<Head, LedgerError>>,
}

/// Everything the thread owns.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    connection: Connection,
    last: Last,
    export_dir: Option<PathBuf>,
}

impl Writer {
    pub(crate) const fn new(shared: Arc<Shared>, connection: Connection, last: Last, export_dir: Option<PathBuf>) -> Self {
        Self { shared, connection, last, export_dir }
    }

    /// Serves until nobody can ask any more.
    pub(crate) fn run(self, receiver: &Receiver<Message>) {
        let Self { shared, connection, last, export_dir } = self;
        let statements = match Statements::prepare(&connection) {
            Ok(statements) => statements,
            Err(error) => return refuse_all(receiver, &shared, &error),
        };
        let export = export_dir.map(|dir| Export::start(dir, &connection, last));
        let mut running = Running { shared, connection: &connection, statements, last, export, broken: None };
        running.serve(receiver);
        running.close();
        drop(running);
        drop(connection.close());
    }
}

/// The database changed under our feet between opening and now: whoever asks is told.
fn refuse_all(receiver: &Receiver<Message>, shared: &Shared, error: &rusqlite::Error) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Append { records: _, reply } => drop(reply.send(Err(write_fault(&shared.path, error)))),
            Message::Exported(reply) => {
                let _ = reply.send(0);
            }
        }
    }
}

struct Running<'c> {
    shared: Arc<Shared>,
    connection: &'c Connection,
    statements: Statements<'c>,
    last: Last,
    export: Option<Export>,
    /// Why nothing may be written any more.
    broken: Option<String>,
}

impl Running<'_> {
    fn serve(&mut self, receiver: &Receiver<Message>) {
        self.shared.set_trouble(self.export.as_ref().and_then(Export::trouble));
        loop {
            let first = match self.export.as_ref().and_then(Export::due) {
                None => receiver.recv().map(Some).map_err(drop),
                Some(wait) => match receiver.recv_timeout(wait) {
                    Ok(message) => Ok(Some(message)),
                    Err(RecvTimeoutError::Timeout) => Ok(None),
                    Err(RecvTimeoutError::Disconnected) => Err(()),
                },
            };
            let Ok(first) = first else { return };
            if let Some(us) = std::env::var("GATHER_US").ok().and_then(|t| t.parse().ok()) {
                std::thread::sleep(std::time::Duration::from_micros(us));
            }
            let (group, asked) = gather(first, receiver);
            let entries = if group.is_empty() { Vec::new() } else { self.commit(group) };
            if let Some(export) = &mut self.export {
                export.follow(&entries, self.last.head.sequence, self.connection);
                if !asked.is_empty() {
                    export.complete(self.connection);
                }
                self.shared.set_trouble(export.trouble());
            }
            for reply in asked {
                // Whoever no longer waits needs no answer.
                let _ = reply.send(self.export.as_ref().map_or(0, Export::exported));
            }
        }
    }

    /// Writes a group of appends in one transaction and answers each; the entries that were added.
    fn commit(&mut self, group: Vec<Append>) -> Vec<Entry> {
        let mut last = self.last;
        let mut entries = Vec::new();
        match self.write(&group, &mut last, &mut entries) {
            Ok(results) => {
                self.last = last;
                self.shared.set_head(last.head);
                for (append, result) in group.into_iter().zip(results) {
                    drop(append.reply.send(result));
                }
                entries
            }
            Err(error) => {
                self.statements.rollback();
                if is_flush_failure(&error) {
                    self.broken = Some(format!("the disk failed to keep what was written ({error}); check it and restart"));
                }
                for append in group {
                    drop(append.reply.send(Err(self.fault(&error))));
                }
                Vec::new()
            }
        }
    }

    fn write(
        &mut self,
        group: &[Append],
        last: &mut Last,
        entries: &mut Vec<Entry>,
    ) -> rusqlite::Result<Vec<Result<Head, LedgerError>>> {
        if let Some(broken) = &self.broken {
            let refuse = || Err(LedgerError::Unwritable(format!("{}: {broken}", self.shared.path.display())));
            return Ok(group.iter().map(|_| refuse()).collect());
        }
        self.statements.begin()?;
        let mut results = Vec::with_capacity(group.len());
        for Append { records, reply: _ } in group {
            match self.statements.append(records, last, entries) {
                Ok(()) => results.push(Ok(last.head)),
                Err(Stop::Refused(refusal)) => results.push(Err(refusal)),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        if let Some(export) = &self.export {
            last.exported = export.kept();
        }
        self.statements.commit(last)?;
        Ok(results)
    }

    fn fault(&self, error: &rusqlite::Error) -> LedgerError {
        write_fault(&self.shared.path, error)
    }

    /// Leaves the export complete and recorded as such, so that the next start has nothing to repair.
    fn close(&mut self) {
        let Some(export) = &mut self.export else { return };
        export.close();
        let kept = export.kept();
        if kept > self.last.exported && self.broken.is_none() {
            self.last.exported = kept;
            // When this fails, the next start compares a few lines more.
            let saved = self.statements.begin().and_then(|()| self.statements.commit(&self.last));
            if saved.is_err() {
                self.statements.rollback();
            }
        }
    }
}

type Asked = Vec<oneshot::Sender<u64>>;

/// Everything that waits, up to the most of one transaction.
fn gather(first: Option<Message>, receiver: &Receiver<Message>) -> (Vec<Append>, Asked) {
    let (mut group, mut asked) = (Vec::new(), Vec::new());
    let mut records_gathered = 0;
    let mut next = first;
    while let Some(message) = next {
        match message {
            Message::Append { records, reply } => {
                records_gathered += records.len();
                group.push(Append { records, reply });
            }
            Message::Exported(reply) => asked.push(reply),
        }
        next = if records_gathered < GROUP_RECORDS_MAX { receiver.try_recv().ok() } else { None };
    }
    (group, asked)
}
