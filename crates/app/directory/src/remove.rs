//! Removing a document, with everything that hangs on it.

use audit::Actor;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::ResourceName;
use resource::UserSpec;
use state::Change;
use state::Expect;
use state::Revision;
use state::StateKey;
use state::Write;

use crate::Directory;
use crate::DirectoryError;
use crate::Refusal;
use crate::announce::Announcement;
use crate::documents;

/// How a document is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delete {
    /// The revision the removal was decided on; whichever there is when absent.
    pub revision: Option<u64>,
    /// Whether to take a role from its holders, and to remove the last editor.
    pub force: bool,
}

/// How many holders of a role are named; the rest is counted.
const HOLDERS_NAMED: usize = 5;
/// The most documents that one commit changes besides the one removed.
const HANGERS_ON_MAX: usize = 100;

impl Directory {
    /// Removes a document; a setting goes back to its default. With a user go its passwords, second factors and sessions: whatever
    /// lies at or below `identity/user/<name>`.
    ///
    /// # Errors
    /// A [`Refusal`]; otherwise whatever failed.
    pub async fn delete(
        &self,
        actor: &Actor,
        kind: Kind,
        name: &ResourceName,
        delete: Delete,
    ) -> Result<(), DirectoryError> {
        let _one_at_a_time = self.writing.lock().await;
        let Some(stored) = documents::load(self.state.as_ref(), kind, name).await? else {
            if crate::directory::usual(kind)?.is_some_and(|usual| usual.metadata().name == *name) {
                return Ok(());
            }
            let name = name.clone();
            return Err(Refusal::NotFound { kind, name }.into());
        };
        let conflict = Refusal::Conflict {
            kind,
            name: name.clone(),
        };
        let revision = stored.metadata().revision;
        if delete.revision.is_some() && delete.revision != revision {
            return Err(conflict.into());
        }
        let mut writes = vec![Write {
            key: documents::key_of(kind, name)?,
            expect: Expect::At(Revision(revision.unwrap_or_default())),
            change: Change::Delete,
        }];
        let mut events = vec![Announcement::removed(stored.clone())];
        match &stored {
            AnyDocument::User(_) => {
                if !delete.force {
                    self.refuse_last_editor(name).await?;
                }
                return self.delete_user(actor, name, events, writes, conflict).await;
            }
            AnyDocument::Role(_) => {
                let (held_writes, held_events) = self.take_from_holders(name, delete.force).await?;
                writes.extend(held_writes);
                events.extend(held_events);
            }
            AnyDocument::Node(_) => {
                let hint = "remove the host, which also ends its certificates";
                return Err(Refusal::Elsewhere { kind, hint }.into());
            }
            AnyDocument::Token(_)
            | AnyDocument::Lock(_)
            | AnyDocument::ClusterAuthPreference(_)
            | AnyDocument::SessionRecordingConfig(_)
            | AnyDocument::ClusterNetworkingConfig(_) => {}
        }
        self.act(actor, events, writes, conflict).await.map(|_| ())
    }

    /// Removes a user after its credentials, so that no later user of the same name inherits any.
    async fn delete_user(
        &self,
        actor: &Actor,
        name: &ResourceName,
        events: Vec<Announcement>,
        mut writes: Vec<Write>,
        conflict: Refusal,
    ) -> Result<(), DirectoryError> {
        let mut credentials = self.credentials_of(name).await?;
        let gone = |key: StateKey| Write {
            key,
            expect: Expect::Anything,
            change: Change::Delete,
        };
        if credentials.len() <= HANGERS_ON_MAX {
            writes.extend(credentials.into_iter().map(gone));
            return self.act(actor, events, writes, conflict).await.map(|_| ());
        }
        let last = credentials.split_off(credentials.len() - HANGERS_ON_MAX);
        let mut batches: Vec<Vec<Write>> = credentials
            .chunks(HANGERS_ON_MAX)
            .map(|batch| batch.iter().cloned().map(gone).collect())
            .collect();
        writes.extend(last.into_iter().map(gone));
        batches.push(writes);
        self.act_in_batches(actor, events, batches, conflict).await
    }

    /// Everything that lies at or below `identity/user/<name>`.
    async fn credentials_of(&self, name: &ResourceName) -> Result<Vec<StateKey>, DirectoryError> {
        let top = documents::path("identity/user", name)?;
        let mut keys = Vec::new();
        if self
            .state
            .get(&top)
            .await
            .map_err(DirectoryError::State)?
            .is_some()
        {
            keys.push(top.clone());
        }
        let mut after = None;
        loop {
            let page = self
                .state
                .list(top.as_str(), after.as_ref(), state::PAGE_MAX)
                .await
                .map_err(DirectoryError::State)?;
            keys.extend(page.entries.into_iter().map(|entry| entry.key));
            match page.next {
                None => return Ok(keys),
                next @ Some(_) => after = next,
            }
        }
    }

    /// Takes a role from everybody who has it, or says who does.
    async fn take_from_holders(
        &self,
        role: &ResourceName,
        force: bool,
    ) -> Result<(Vec<Write>, Vec<Announcement>), DirectoryError> {
        let mut holders: Vec<Document<UserSpec>> = self.users().await?;
        holders.retain(|user| user.spec.roles.contains(role));
        let (role, count) = (role.clone(), holders.len());
        if count > 0 && !force {
            let mut named: Vec<String> = holders
                .iter()
                .take(HOLDERS_NAMED)
                .map(|user| user.metadata.name.to_string())
                .collect();
            if count > HOLDERS_NAMED {
                named.push(format!("{} more", count - HOLDERS_NAMED));
            }
            return Err(Refusal::RoleHeld { role, holders: named }.into());
        }
        if count > HANGERS_ON_MAX {
            return Err(Refusal::RoleHeldByTooMany { role, count }.into());
        }
        let mut writes = Vec::new();
        let mut events = Vec::new();
        for mut holder in holders {
            let expect = Expect::At(Revision(holder.metadata.revision.unwrap_or_default()));
            let before = AnyDocument::User(holder.clone());
            holder.spec.roles.retain(|held| *held != role);
            let document = AnyDocument::User(holder);
            writes.push(documents::encode(&document, expect)?);
            events.push(Announcement::written(Some(before), document));
        }
        Ok((writes, events))
    }
}
