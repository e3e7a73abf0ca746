//! Sending what happened to the auth service.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api_client::ClientError;
use api_http::Stop;
use api_types::AgentEvent;
use api_types::AgentEventsRequest;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::Agent;
use crate::AgentError;
use crate::Spool;
use crate::follow::chain;

/// The most events of one request.
const EVENTS_MAX: usize = 200;
/// How long sending rests after a failure, at first and at most.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How long the last events may take when everything stops; what is not sent by then is sent at the next start.
const LAST: Duration = Duration::from_secs(5);
/// Where segments are put that the auth service does not take.
const REFUSED: &str = "refused";

impl Agent {
    /// Sends events as they arrive, until asked to stop.
    pub async fn upload(self: Arc<Self>, spool: Arc<Spool>, mut stop: Stop) {
        let mut rest = REST.0;
        loop {
            tokio::select! {
                () = stop.requested() => break,
                () = spool.arrived.notified() => {}
            }
            while let Err(error) = self.send(&spool).await {
                tracing::warn!(error = %chain(&error), "events wait on this machine: the auth service does not take them now");
                tokio::select! {
                    () = stop.requested() => break,
                    () = sleep(rest) => {}
                }
                rest = rest.saturating_mul(2).min(REST.1);
            }
            rest = REST.0;
        }
    }

    /// Sends what is left, once, within a few seconds.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn upload_last(&self, spool: &Spool) -> Result<(), AgentError> {
        timeout(LAST, self.send(spool))
            .await
            .unwrap_or_else(|_| Err(AgentError::Keys("the auth service takes too long".to_owned())))
    }

    async fn send(&self, spool: &Spool) -> Result<(), AgentError> {
        let unusable = |reason| AgentError::Keys(format!("the spool: {reason}"));
        for segment in spool.sealed().await.map_err(unusable)? {
            match self.send_segment(&segment).await {
                Ok(()) => remove(&segment)?,
                // Asking again would be refused again, and hold back everything after it.
                Err(AgentError::Client(ClientError::Refused {
                    status: 400 | 413 | 422,
                    message,
                    ..
                })) => {
                    set_aside(&spool.folder, &segment)?;
                    tracing::error!(segment = %segment.display(), reason = message, "the auth service does not take events of this machine; they are kept in the folder `refused`");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send_segment(&self, segment: &Path) -> Result<(), AgentError> {
        let text =
            fs::read_to_string(segment).map_err(|source| crate::store::failed("read", segment, source))?;
        // A last line that a crash cut short was never acknowledged.
        let events: Vec<AgentEvent> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let client = self.client()?;
        for part in events.chunks(EVENTS_MAX) {
            let request = AgentEventsRequest {
                events: part.to_vec(),
            };
            client.agent_events(&request).await?;
        }
        Ok(())
    }
}

fn remove(segment: &Path) -> Result<(), AgentError> {
    fs::remove_file(segment).map_err(|source| crate::store::failed("remove", segment, source))
}

fn set_aside(folder: &Path, segment: &Path) -> Result<(), AgentError> {
    let refused = folder.join(REFUSED);
    let name = segment.file_name().unwrap_or_default();
    fs::create_dir_all(&refused)
        .and_then(|()| fs::rename(segment, refused.join(name)))
        .map_err(|source| crate::store::failed("set aside", segment, source))
}
