//! What is done again and again: what is due, what ages, what may have changed elsewhere.

use std::sync::Arc;
use std::time::Duration;

use api_http::Front;
use api_http::ReloadError;
use api_http::Service;
use api_http::Stop;
use audit::Actor;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::Refusal;
use cluster::SweepVerdict;
use runtime::Entropy;
use state::Revision;
use state::State;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;

use crate::failure::chain;
use crate::log_check::LogCheck;

/// How often everything is looked at. Up to a quarter is added or taken by chance, so that several servers do not act at once.
const PERIOD: Duration = Duration::from_secs(10);
/// How often backends are asked whether they answer, and retired keys are swept.
const SLOW_PERIOD: Duration = Duration::from_secs(60);
/// How long changes of the state are gathered before they are read.
const GATHER: Duration = Duration::from_millis(200);

/// Where it is kept whom the listeners trust: the authorities, and the lists of what was revoked.
const FOLLOWED: [&str; 2] = ["authority", "crl"];

/// The parts that ticks work on.
pub(crate) struct Ticker {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) service: Arc<Service>,
    pub(crate) state: Arc<dyn State>,
    pub(crate) front: Arc<Front>,
    pub(crate) log: Arc<LogCheck>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Ticker {
    /// Ticks until asked to stop.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut seen = Revision(0);
        let mut next = Instant::now();
        let mut next_slow = Instant::now();
        loop {
            tokio::select! {
                () = stop.requested() => return,
                () = sleep_until(next) => {
                    next = Instant::now() + self.jittered(PERIOD);
                    let is_slow = Instant::now() >= next_slow;
                    if is_slow {
                        next_slow = Instant::now() + SLOW_PERIOD;
                    }
                    self.tick(is_slow).await;
                }
                changed = self.state.wait_beyond(&FOLLOWED, seen) => match changed {
                    Ok(revision) => {
                        seen = revision;
                        sleep(GATHER).await;
                        self.follow().await;
                    }
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "the state cannot be watched; it is read every {} s", PERIOD.as_secs());
                        sleep(PERIOD).await;
                    }
                },
            }
        }
    }

    /// Follows what changed in the state, without writing to it.
    async fn follow(&self) {
        note(
            "the authorities could not be read again",
            self.cluster.refresh().await,
        );
        match self.front.reload().await {
            Ok(_) => {}
            // Told when it was tried; the alert says so until it succeeds.
            Err(error @ ReloadError::Resting { .. }) => {
                tracing::debug!(error = %error, "the listeners wait for a certificate");
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the listeners do not follow the cluster as a whole");
            }
        }
    }

    async fn tick(&self, is_slow: bool) {
        if is_slow {
            // First, so that what waited for a backend that answers again goes on at once.
            note(
                "the backends could not be checked",
                self.cluster.check_backends().await,
            );
        }
        self.follow().await;
        note(
            "this server could not say that it is here",
            self.cluster.heartbeat().await,
        );
        self.advance().await;
        if is_slow {
            self.cluster.check_keys().await;
            self.sweep().await;
            note(
                "a revocation list could not be made",
                self.cluster.refresh_crls().await,
            );
        }
        self.log.follow(&self.cluster).await;
        note("alerts could not be recorded", self.cluster.note_alerts().await);
        note(
            "refusals could not be recorded",
            self.service.record_counted_denials(false).await,
        );
        note(
            "when keys were used could not be written down",
            self.cluster.write_key_use().await,
        );
    }

    async fn advance(&self) {
        let mut has_moved = false;
        for (authority, result) in self.cluster.advance_due().await {
            match result {
                Ok(rotated) => {
                    has_moved = true;
                    tracing::info!(%authority, from = %rotated.from, to = %rotated.to, "an automatic rotation went on");
                    for warning in rotated.evidence.iter().flat_map(|evidence| evidence.warnings()) {
                        tracing::warn!(%authority, party = %warning.name, cut_off = warning.cut_off, "{}", warning.missing);
                    }
                    for gone in rotated.cut_off {
                        tracing::warn!(%authority, "no longer trusted: {gone}");
                    }
                }
                // The alert says who holds it; another server was first.
                Err(ClusterError::Refused(Refusal::Blocked { .. } | Refusal::Conflict { .. })) => {}
                Err(error) => {
                    tracing::error!(%authority, error = %chain(&error), "an automatic rotation could not go on; it is tried again");
                }
            }
        }
        if has_moved {
            self.follow().await;
        }
    }

    async fn sweep(&self) {
        match self.cluster.sweep(&Actor::System, false).await {
            Err(error) => {
                tracing::error!(error = %chain(&error), "retired keys could not be swept; all are kept")
            }
            Ok(swept) => {
                for key in swept.iter().filter(|key| key.verdict == SweepVerdict::Destroyed) {
                    tracing::info!(key_id = %key.id, authority = %key.authority, "a retired key was destroyed");
                }
            }
        }
    }

    /// Three to five quarters of a length of time.
    fn jittered(&self, period: Duration) -> Duration {
        let mut byte = [0; 1];
        // Without chance there is no jitter, and nothing else is lost.
        let _ = self.entropy.fill(&mut byte);
        let [chance] = byte;
        period.mul_f64(0.75 + 0.5 * f64::from(chance) / 255.0)
    }
}

fn note(what: &str, result: Result<(), ClusterError>) {
    if let Err(error) = result {
        tracing::error!(error = %chain(&error), "{what}");
    }
}
