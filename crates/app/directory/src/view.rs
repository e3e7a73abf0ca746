//! What nodes need to decide by themselves, and waiting for it to change.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::Role;
use resource::AnyDocument;
use resource::AuthPreferenceSpec;
use resource::Document;
use resource::Kind;
use resource::LockSpec;
use resource::NetworkingSpec;
use resource::ResourceName;
use resource::RoleSpec;
use resource::SessionRecordingSpec;
use serde::Deserialize;
use serde::Serialize;
use state::Revision;
use state::StateError;
use state::StateKey;
use tokio::sync::Mutex;
use tokio::sync::watch;

use crate::Directory;
use crate::DirectoryError;
use crate::documents;

/// Everything a node needs to decide: who may do what, who is locked out, how sessions behave. No user is in it, and no secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccessView {
    /// The revision of the store it was read at. It changes with every change of what is in here, and with every change of an
    /// authority; it may change without either.
    pub revision: u64,
    /// Every role, by name.
    pub roles: Vec<Document<RoleSpec>>,
    /// Every lock that had not ended when this was read. A lock's end is in its metadata, and is no change.
    pub locks: Vec<Document<LockSpec>>,
    /// How people prove who they are.
    pub auth_preference: AuthPreferenceSpec,
    /// Time-outs and keep-alives.
    pub networking: NetworkingSpec,
    /// Where sessions are recorded.
    pub recording: SessionRecordingSpec,
}

/// The view as last read, with its roles compiled.
#[derive(Debug, Default)]
struct Read {
    view: Arc<AccessView>,
    /// Each role, or why it does not compile.
    compiled: BTreeMap<ResourceName, Result<Arc<Role>, String>>,
}

/// What was last read, and who looks for more.
pub(crate) struct Watch {
    newest: watch::Sender<Arc<Read>>,
    /// Held by the one of all that wait who waits on the store: up to which revision it looked.
    follower: Mutex<Revision>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            newest: watch::channel(Arc::default()).0,
            follower: Mutex::default(),
        }
    }
}

/// Where what the view is made of, or goes with it, is kept.
const FOLLOWED: [&str; 2] = ["resource", "authority"];

/// The kinds whose documents are in the view.
const KINDS: [Kind; 5] = [
    Kind::Role,
    Kind::Lock,
    Kind::ClusterAuthPreference,
    Kind::SessionRecordingConfig,
    Kind::ClusterNetworkingConfig,
];

impl Directory {
    /// What nodes need to decide, as last read.
    pub fn view(&self) -> Arc<AccessView> {
        Arc::clone(&self.watch.newest.borrow().view)
    }

    /// Returns when the view's revision is another than this one, with the view: at once for whoever has none (0) or an old one,
    /// otherwise with the next change of a role, a lock, a setting or an authority. May be dropped at any time, so put a time-out
    /// around it. A thousand that wait cost the store as much as one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn wait_beyond(&self, revision: u64) -> Result<Arc<AccessView>, DirectoryError> {
        let mut newest = self.watch.newest.subscribe();
        loop {
            let view = Arc::clone(&newest.borrow_and_update().view);
            if view.revision != revision {
                return Ok(view);
            }
            tokio::select! {
                _ = newest.changed() => {}
                followed = self.follow() => followed?,
            }
        }
    }

    /// Waits for the next commit, and reads the view again when it concerns it. Everybody else waits for whoever is in here.
    async fn follow(&self) -> Result<(), DirectoryError> {
        let mut looked = self.watch.follower.lock().await;
        let after = (*looked).max(Revision(self.view().revision));
        let newest = self
            .state
            .wait_beyond(&FOLLOWED, after)
            .await
            .map_err(DirectoryError::State)?;
        if self.concerns(after).await? {
            self.reload().await?;
        }
        *looked = newest;
        Ok(())
    }

    /// Whether anything of the view, or an authority, changed after a revision.
    async fn concerns(&self, after: Revision) -> Result<bool, DirectoryError> {
        for folder in FOLLOWED {
            let changes = match self.state.changes(folder, after, state::PAGE_MAX).await {
                Ok(changes) => changes,
                // What happened is no longer known: perhaps something.
                Err(StateError::Compacted(_)) => return Ok(true),
                Err(error) => return Err(DirectoryError::State(error)),
            };
            let is_full = changes.len() >= state::PAGE_MAX;
            if is_full || folder == "authority" && !changes.is_empty() {
                return Ok(true);
            }
            if changes.iter().any(|changed| is_in_view(&changed.key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the view again after a commit of ours. The commit stands whatever becomes of this; whoever waits reads again too.
    pub(crate) async fn reload_after(&self, revision: Revision) {
        if self.view().revision >= revision.0 {
            return;
        }
        if let Err(error) = self.reload().await {
            tracing::error!(error = %error, "the roles and locks could not be read after a change");
        }
    }

    /// Reads the view.
    pub(crate) async fn reload(&self) -> Result<(), DirectoryError> {
        let mut view = AccessView::default();
        let mut revision = None;
        for kind in KINDS {
            let (all, read_at) = documents::load_all(self.state.as_ref(), kind).await?;
            // What is committed while this reads is after the first page of all, and will be noticed.
            view.revision = revision.get_or_insert(read_at).0;
            for document in all {
                view.take(document);
            }
        }
        let compiled = view
            .roles
            .iter()
            .map(|role| (role.metadata.name.clone(), compile(role)))
            .collect();
        let read = Arc::new(Read {
            view: Arc::new(view),
            compiled,
        });
        self.watch.newest.send_if_modified(|newest| {
            let is_newer = read.view.revision > newest.view.revision;
            if is_newer {
                *newest = read;
            }
            is_newer
        });
        Ok(())
    }

    /// A role, compiled.
    pub(crate) fn compiled(&self, name: &ResourceName) -> Result<Arc<Role>, DirectoryError> {
        let damaged = |reason: String| DirectoryError::Document {
            key: format!("{}/{name}", Kind::Role.folder()),
            reason,
        };
        match self.watch.newest.borrow().compiled.get(name) {
            Some(Ok(role)) => Ok(Arc::clone(role)),
            Some(Err(reason)) => Err(damaged(reason.clone())),
            None => Err(damaged("it is not there, and users have it".to_owned())),
        }
    }
}

impl AccessView {
    fn take(&mut self, document: AnyDocument) {
        match document {
            AnyDocument::Role(role) => self.roles.push(role),
            AnyDocument::Lock(lock) => self.locks.push(lock),
            AnyDocument::ClusterAuthPreference(preference) => self.auth_preference = preference.spec,
            AnyDocument::SessionRecordingConfig(recording) => self.recording = recording.spec,
            AnyDocument::ClusterNetworkingConfig(networking) => self.networking = networking.spec,
            AnyDocument::User(_) | AnyDocument::Token(_) | AnyDocument::Node(_) => {}
        }
    }
}

/// Whether the document at this path is in the view.
pub(crate) fn is_in_view(key: &StateKey) -> bool {
    KINDS.iter().any(|kind| key.is_in(kind.folder()))
}

fn compile(role: &Document<RoleSpec>) -> Result<Arc<Role>, String> {
    Role::parse(role).map(Arc::new).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        words.join("; ")
    })
}
