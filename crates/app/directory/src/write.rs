//! Writing a document: check, decide, record, commit.

use audit::Actor;
use audit::Outcome;
use resource::AnyDocument;
use state::Change;
use state::CommitError;
use state::Expect;
use state::Revision;
use state::Write;

use crate::Directory;
use crate::DirectoryError;
use crate::Refusal;
use crate::announce::Announcement;
use crate::documents;

/// What may be there before a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Nothing.
    Create,
    /// A document of this name.
    Update,
    /// Either.
    Upsert,
}

impl Directory {
    /// Writes a document. The revision in its metadata, when it has one, must be that of the stored document. Answers the document as
    /// stored, with its new revision; one that says what is stored already changes nothing.
    ///
    /// # Errors
    /// A [`Refusal`]; otherwise whatever failed. After an error nothing was changed.
    pub async fn put(
        &self,
        actor: &Actor,
        document: AnyDocument,
        put: Put,
    ) -> Result<AnyDocument, DirectoryError> {
        let kind = document.kind();
        let name = document.metadata().name.clone();
        let asked = document.metadata().revision;
        let document = document.without_read_only();
        self.check(&document)?;
        let _one_at_a_time = self.writing.lock().await;
        let stored = documents::load(self.state.as_ref(), kind, &name).await?;
        let conflict = || Refusal::Conflict {
            kind,
            name: name.clone(),
        };
        let expect = match (&stored, put, kind.singleton_name()) {
            (Some(_), Put::Create, None) => return Err(Refusal::AlreadyExists { kind, name }.into()),
            (None, Put::Update, None) => return Err(Refusal::NotFound { kind, name }.into()),
            (Some(stored), _, _) => {
                let revision = stored.metadata().revision;
                if asked.is_some() && asked != revision {
                    return Err(conflict().into());
                }
                Expect::At(Revision(revision.unwrap_or_default()))
            }
            // A revision of what is no longer there was decided on something else. Creating takes a printed document as it is.
            (None, Put::Create, _) => Expect::Absent,
            (None, Put::Update | Put::Upsert, _) if asked.is_some() => return Err(conflict().into()),
            (None, Put::Update | Put::Upsert, _) => Expect::Absent,
        };
        let document = self.completed(actor, document, stored.as_ref());
        let announcement = match stored {
            Some(stored) if is_same(&stored, &document) => return Ok(stored),
            stored => Announcement::written(stored, document.clone()),
        };
        let mut writes = self.judge(&document, expect == Expect::Absent).await?;
        writes.push(documents::encode(&document, expect)?);
        let revision = self.act(actor, vec![announcement], writes, conflict()).await?;
        let mut written = document;
        written.metadata_mut().revision = Some(revision.0);
        Ok(written)
    }

    /// Records what is about to happen, then commits it. When somebody else was first, the log says that it did not happen.
    pub(crate) async fn act(
        &self,
        actor: &Actor,
        events: Vec<Announcement>,
        writes: Vec<Write>,
        conflict: Refusal,
    ) -> Result<Revision, DirectoryError> {
        let uid = self.announce(actor, &events).await?;
        let is_seen = writes
            .iter()
            .any(|write| write.change != Change::Keep && crate::view::is_in_view(&write.key));
        let revision = match self.commit(writes, conflict).await {
            Ok(revision) => revision,
            Err(error) => {
                self.take_back(actor, &events, &uid, &error).await;
                return Err(error);
            }
        };
        if is_seen {
            self.reload_after(revision).await;
        }
        Ok(revision)
    }

    /// As [`Directory::act`], for more than one commit holds. What must be last is in the last batch.
    pub(crate) async fn act_in_batches(
        &self,
        actor: &Actor,
        events: Vec<Announcement>,
        batches: Vec<Vec<Write>>,
        conflict: Refusal,
    ) -> Result<(), DirectoryError> {
        let uid = self.announce(actor, &events).await?;
        for writes in batches {
            if let Err(error) = self.commit(writes, conflict.clone()).await {
                self.take_back(actor, &events, &uid, &error).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Records events, durably; answers the `uid` of the first.
    async fn announce(&self, actor: &Actor, events: &[Announcement]) -> Result<String, DirectoryError> {
        let journal = self.cluster.journal();
        let mut records = Vec::with_capacity(events.len());
        let mut first = None;
        for event in events.iter().filter_map(|event| event.event(Outcome::Success)) {
            let (uid, record) = journal.event(actor, event).map_err(DirectoryError::Journal)?;
            first.get_or_insert(uid);
            records.push(record);
        }
        journal.append(records).await.map_err(DirectoryError::Journal)?;
        Ok(first.unwrap_or_default())
    }

    async fn commit(&self, writes: Vec<Write>, conflict: Refusal) -> Result<Revision, DirectoryError> {
        self.state.commit(writes).await.map_err(|error| match error {
            CommitError::Conflict { key: _ } => DirectoryError::Refused(conflict),
            CommitError::Malformed(reason) => DirectoryError::Internal(reason.to_owned()),
            CommitError::Store(error) => DirectoryError::State(error),
        })
    }

    async fn take_back(&self, actor: &Actor, events: &[Announcement], uid: &str, error: &DirectoryError) {
        let words = format!("{error}; nothing that was recorded with {uid} happened");
        let first = events.first();
        let Some(undone) = first.and_then(|first| first.event(Outcome::Failure(words))) else {
            return;
        };
        if let Err(failure) = self.cluster.journal().record(actor, undone).await {
            tracing::error!(error = %failure, "that a change did not happen could not be recorded");
        }
    }
}

/// Whether two documents say the same, whatever their revisions.
fn is_same(stored: &AnyDocument, document: &AnyDocument) -> bool {
    let mut comparable = document.clone();
    comparable.metadata_mut().revision = stored.metadata().revision;
    *stored == comparable
}
