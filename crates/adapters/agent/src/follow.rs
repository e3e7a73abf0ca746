//! Following the cluster: what changes, new certificates, and saying that the machine is here.

use std::sync::Arc;
use std::time::Duration;

use api_client::Client;
use api_http::Stop;
use api_types::AgentView;
use api_types::AgentViewParameters;
use api_types::HeartbeatAnswer;
use api_types::HeartbeatRequest;
use api_types::RenewRequest;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;

use crate::Agent;
use crate::AgentError;
use crate::HostIdentity;
use crate::Known;
use crate::agent::VIEW;
use crate::freshness::Confirmed;
use crate::shut_out::out_of_the_cluster;
use crate::shut_out::shut_out;

/// How often a machine says that it is here.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How long it rests after a failure, at first and at most.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// How long a machine with a tunnel waits for it, at the start and when it breaks off, before it asks by a connection of its own.
const TUNNEL_GRACE: Duration = Duration::from_secs(10);

/// What a machine does next to learn what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nobody tells it: it asks, and the answer waits until something changed, or a while.
    Ask,
    /// It was told of something that it does not know: it asks for all there is now.
    Look,
    /// It knows what it was told, or will be told soon, and waits for news.
    Rest,
}

/// What to do about what the proxy tells, for a machine that knows a revision, has asked because of `looked_for`, and may expect to be
/// told something soon. A proxy may know less than the machine: that is asked for once.
fn next(news: Option<u64>, known: u64, looked_for: Option<u64>, may_expect: bool) -> Next {
    match news {
        None if may_expect => Next::Rest,
        None => Next::Ask,
        Some(told) if told == known || looked_for == Some(told) => Next::Rest,
        Some(_) => Next::Look,
    }
}

/// A client that keeps its connection, and who it is.
struct Line {
    identity: Arc<HostIdentity>,
    client: Client,
}

impl Agent {
    /// Follows the cluster until asked to stop.
    pub async fn run(self: Arc<Self>, mut stop: Stop) {
        tokio::select! {
            () = stop.requested() => {}
            () = self.follow() => {}
        }
    }

    /// Learns what changed. By default it asks again and again, each answer waits until something did, or a while; in between, on the same
    /// connection, the machine says that it is here. While the proxy tells it by its tunnel when to ask, it keeps no connection for that,
    /// and compares once a minute, when it says that it is here.
    async fn follow(&self) {
        let mut rest = REST.0;
        let mut line = None;
        let mut beat_due = Instant::now();
        let mut news = self.news.subscribe();
        let mut looked_for = None;
        // It was told something until then.
        let mut silent_since = Instant::now();
        loop {
            if Instant::now() >= beat_due {
                beat_due = Instant::now() + self.beat(&mut line).await;
            }
            let told = *news.borrow_and_update();
            let known = self.known.borrow().revision;
            let expected_until = silent_since + TUNNEL_GRACE;
            let may_expect = self.profile.use_tunnel && Instant::now() < expected_until;
            let learned = match next(told, known, looked_for, may_expect) {
                Next::Ask => self.look(&mut line, Some(known)).await,
                Next::Look => self.look(&mut line, None).await,
                Next::Rest => {
                    line = None;
                    let until = told.map_or(expected_until.min(beat_due), |_| beat_due);
                    tokio::select! {
                        _ = news.changed() => {}
                        () = sleep_until(until) => {}
                    }
                    if told.is_some() {
                        silent_since = Instant::now();
                    }
                    continue;
                }
            };
            match learned {
                Ok(()) => (rest, looked_for) = (REST.0, told),
                Err(error) => {
                    self.heed(&error);
                    tracing::warn!(error = %chain(&error), "the auth service cannot be followed; deciding by what was last seen");
                    sleep(rest).await;
                    rest = rest.saturating_mul(2).min(REST.1);
                    // What it could not do is seen to with the heartbeat, whatever it is told meanwhile.
                    beat_due = Instant::now();
                }
            }
        }
    }

    /// Locks itself out when the auth service does not know the machine any more, or has a lock on it, which it is not shown then.
    fn heed(&self, error: &AgentError) {
        if let Some(words) = out_of_the_cluster(error) {
            self.lock_out(words);
        }
    }

    /// Lets nobody in any more, and ends what goes on: the machine is none of the cluster's. What it last saw may be from before that, and is
    /// what the next start goes by.
    pub(crate) fn lock_out(&self, words: &str) {
        let mut view = AgentView::clone(&self.view.borrow());
        let locked = match shut_out(&mut view, &self.host_id(), words) {
            Ok(false) => return,
            Ok(true) => Known::compile(&view),
            Err(error) => Err(error),
        };
        match locked {
            Ok(known) => {
                tracing::warn!(because = words, "this machine lets nobody in any more");
                self.known.send_replace(Arc::new(known));
                if let Err(error) = self.store.save(VIEW, &view) {
                    tracing::error!(error = %chain(&error), "that this machine lets nobody in is not on its disk, and forgotten by a restart");
                }
                self.view.send_replace(Arc::new(view));
            }
            Err(error) => tracing::error!(error = %chain(&error), "this machine could not be locked"),
        }
    }

    /// The connection that is kept: of the identity that the machine has now.
    fn line<'a>(&self, line: &'a mut Option<Line>) -> Result<&'a Client, AgentError> {
        let identity = Arc::clone(&self.identity.borrow());
        let kept = line.take().filter(|line| Arc::ptr_eq(&line.identity, &identity));
        let kept = match kept {
            Some(line) => line,
            None => Line {
                client: crate::agent::client(&self.address, &identity)?.keeping(),
                identity,
            },
        };
        Ok(&line.insert(kept).client)
    }

    /// Asks what there is: at once, or when it is no longer of the revision `after`.
    async fn look(&self, line: &mut Option<Line>, after: Option<u64>) -> Result<(), AgentError> {
        // From before it was asked: an answer that was long on its way is as old as that.
        let asked = Confirmed::now(self.clock.now());
        let removals = Some(self.known.borrow().removals.clone()).filter(|known| !known.is_empty());
        let parameters = AgentViewParameters { after, removals };
        let view = self.line(line)?.agent_view(&parameters).await?;
        let is_new = {
            let known = self.known.borrow();
            view.revision != known.revision || view.trust != known.trust || view.removals != known.removals
        };
        if is_new {
            self.save_view(&view)?;
        }
        self.confirmed.send_replace(Some(asked));
        self.keep_up().await
    }

    /// Makes of the machine's identity what it should be by what is known: certificates that are good, and the trust of the cluster. Says so
    /// when it changed anything.
    async fn keep_up(&self) -> Result<(), AgentError> {
        let identity = Arc::clone(&self.identity.borrow());
        let trust = self.known.borrow().trust.clone();
        if !identity.is_good(&trust, self.clock.now()) {
            self.renew(&identity).await?;
        } else if identity.trust().keys != trust.keys {
            // Written down before it is told: from now on the machine trusts what it says it does.
            self.save_identity(identity.trusting(&trust))?;
        } else {
            return Ok(());
        }
        self.heartbeat().await
    }

    /// New certificates, for the keys the machine has.
    async fn renew(&self, identity: &HostIdentity) -> Result<(), AgentError> {
        let keys = identity.keys()?;
        let request = RenewRequest {
            csr: keys.request(identity.host_id())?,
            ssh_public_key: keys.ssh_public.clone(),
            roles: identity.roles.clone(),
            public_addresses: self.profile.public_addresses.clone(),
        };
        let answer = self.client()?.agent_renew(&request).await?;
        let renewed = HostIdentity::new(&keys, &identity.roles, answer, self.clock.now())?;
        tracing::info!(until = %renewed.not_after(), "the machine's certificates were renewed");
        self.save_identity(renewed)
    }

    /// Says that the machine is here, and answers when to say so again.
    async fn beat(&self, line: &mut Option<Line>) -> Duration {
        match self.say_and_compare(line).await {
            Ok(()) => HEARTBEAT,
            Err(error) => {
                self.heed(&error);
                tracing::debug!(error = %chain(&error), "the heartbeat was not heard");
                REST.1.min(HEARTBEAT)
            }
        }
    }

    /// Says that the machine is here; the answer says whether what it knows is so. Renews what has to be renewed.
    async fn say_and_compare(&self, line: &mut Option<Line>) -> Result<(), AgentError> {
        let asked = Confirmed::now(self.clock.now());
        let said = self.heartbeat_by(self.line(line)?).await;
        if said.is_err() {
            // That its events are not taken is of interest only while it is heard otherwise.
            self.events_wait_since.send_replace(None);
        }
        let answer = said?;
        if answer.revision == self.known.borrow().revision {
            self.confirmed.send_replace(Some(asked));
        } else {
            self.look(line, None).await?;
        }
        self.keep_up().await
    }

    /// Says that the machine is here, and what it runs with.
    ///
    /// # Errors
    /// When nobody hears it.
    pub async fn heartbeat(&self) -> Result<(), AgentError> {
        self.heartbeat_by(&self.client()?).await?;
        Ok(())
    }

    async fn heartbeat_by(&self, client: &Client) -> Result<HeartbeatAnswer, AgentError> {
        let identity = Arc::clone(&self.identity.borrow());
        let request = HeartbeatRequest {
            addr: self.profile.addr.clone(),
            use_tunnel: self.profile.use_tunnel,
            version: self.profile.version.clone(),
            labels: self.profile.labels.clone(),
            trusts: identity
                .trust()
                .keys
                .iter()
                .map(|key| key.spki_sha256.clone())
                .collect(),
            server_issuers: identity.server_issuers(),
            events_wait_seconds: self
                .events_wait_since
                .borrow()
                .map(|since| since.elapsed().as_secs()),
        };
        Ok(client.agent_heartbeat(&request).await?)
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    api_http::chain(error)
}

#[cfg(test)]
mod tests;
