//! Events of one connection, with what they have in common.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use runtime::Clock;

use crate::event::Event;
use crate::event::Events;
use crate::event::Happening;
use crate::event::NotRecorded;
use crate::gate::Peer;
use crate::limits::lock;

/// Records the events of one connection, or of one session in it.
#[derive(Clone)]
pub(crate) struct Recorder {
    sink: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    server_id: Arc<str>,
    connection_id: Arc<str>,
    session_id: Option<Arc<str>>,
    peer: Peer,
    who: Arc<Mutex<Who>>,
}

#[derive(Default)]
struct Who {
    user: Option<String>,
    login: Option<String>,
}

impl Recorder {
    pub(crate) fn new(
        sink: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
        timeout: Duration,
        server_id: Arc<str>,
        connection_id: Arc<str>,
        peer: Peer,
    ) -> Self {
        Self {
            sink,
            clock,
            timeout,
            server_id,
            connection_id,
            session_id: None,
            peer,
            who: Arc::default(),
        }
    }

    /// The same for a session.
    pub(crate) fn of_session(&self, session_id: Arc<str>) -> Self {
        Self {
            session_id: Some(session_id),
            ..self.clone()
        }
    }

    pub(crate) fn asked_for(&self, login: &str) {
        let mut who = lock(&self.who);
        if who.user.is_none() {
            // What somebody calls himself who is not let in is cut to what an account can be called.
            who.login = Some(login.chars().take(256).collect());
        }
    }

    pub(crate) fn is_user(&self, user: &str) {
        lock(&self.who).user = Some(user.to_owned());
    }

    pub(crate) fn now_millis(&self) -> i64 {
        self.clock.unix_millis()
    }

    pub(crate) async fn record(&self, what: Happening) -> Result<(), NotRecorded> {
        let (user, login) = {
            let who = lock(&self.who);
            (who.user.clone(), who.login.clone())
        };
        let event = Event {
            unix_millis: self.clock.unix_millis(),
            server_id: self.server_id.to_string(),
            connection_id: self.connection_id.to_string(),
            session_id: self.session_id.as_deref().map(str::to_owned),
            user,
            login,
            remote: self.peer.remote,
            local: self.peer.local,
            what,
        };
        let recorded = tokio::time::timeout(self.timeout, self.sink.record(event)).await;
        let result = recorded.unwrap_or_else(|_late| Err(NotRecorded("it took too long".to_owned())));
        if let Err(error) = &result {
            tracing::error!(connection_id = %self.connection_id, %error, "an audit event was not recorded");
        }
        result
    }

    /// Records that something was refused. When that cannot be recorded it is refused all the same.
    pub(crate) async fn refused(&self, what: &str, reason: &str) {
        let happening = Happening::Refused {
            what: what.to_owned(),
            reason: reason.to_owned(),
        };
        let _refused_anyway = self.record(happening).await;
    }
}
