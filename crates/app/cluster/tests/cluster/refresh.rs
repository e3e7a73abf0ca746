//! The view never goes back.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use audit::Actor;
use authority::AuthorityType;
use cluster::Cluster;
use cluster::Custody;
use cluster::Parts;
use cluster::RotateRequest;
use cluster::Step;
use rotation::Phase;
use state::CommitError;
use state::Page;
use state::Revision;
use state::State;
use state::StateError;
use state::StateKey;
use state::Write;
use tokio::sync::Notify;

use crate::support::World;
use crate::support::settings;

/// A state of which one reading, once asked for, is kept back after it was done.
struct Hesitant {
    inner: Arc<dyn State>,
    is_armed: AtomicBool,
    has_read: Notify,
    may_tell: Notify,
}

#[async_trait]
impl State for Hesitant {
    async fn get(&self, key: &StateKey) -> Result<Option<state::Entry>, StateError> {
        self.inner.get(key).await
    }
    async fn get_all(&self, keys: &[StateKey]) -> Result<Vec<Option<state::Entry>>, StateError> {
        self.inner.get_all(keys).await
    }
    async fn list(&self, folder: &str, after: Option<&StateKey>, limit: usize) -> Result<Page, StateError> {
        let page = self.inner.list(folder, after, limit).await;
        if folder == "authority" && self.is_armed.swap(false, Ordering::SeqCst) {
            self.has_read.notify_one();
            self.may_tell.notified().await;
        }
        page
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Revision, CommitError> {
        self.inner.commit(writes).await
    }
    async fn changes(
        &self,
        folder: &str,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<state::Changed>, StateError> {
        self.inner.changes(folder, after, limit).await
    }
    async fn wait_beyond(&self, folders: &[&str], revision: Revision) -> Result<Revision, StateError> {
        self.inner.wait_beyond(folders, revision).await
    }
}

/// A reader that began before a rotation went on and ended after it would have had issuance sign with the old keys again.
#[tokio::test]
async fn a_slow_reader_does_not_undo_what_was_seen_since() {
    let world = World::with_software().await;
    let state = Arc::new(Hesitant {
        inner: world.state.clone(),
        is_armed: AtomicBool::new(false),
        has_read: Notify::new(),
        may_tell: Notify::new(),
    });
    let parts = Parts {
        state: state.clone(),
        ledger: world.ledger.clone(),
        custody: Custody::new(world.backends.lock().unwrap().remove(0), Vec::new()),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    };
    let cluster = Arc::new(Cluster::open(parts, settings()).await.unwrap().0);

    // 1. Somebody reads the authorities, and hesitates.
    state.is_armed.store(true, Ordering::SeqCst);
    let reader = tokio::spawn({
        let cluster = cluster.clone();
        async move { cluster.refresh().await }
    });
    state.has_read.notified().await;

    // 2. Meanwhile a rotation begins.
    let request = RotateRequest::new(AuthorityType::User, Step::To(Phase::Init));
    cluster.rotate(&Actor::System, &request).await.unwrap();

    // 3. What was read before it is not what is seen after it.
    state.may_tell.notify_one();
    reader.await.unwrap().unwrap();
    let seen = cluster.authority(AuthorityType::User).unwrap();
    assert_eq!(seen.record.rotation.phase(), Phase::Init);
}
