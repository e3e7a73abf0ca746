//! Sending what happened to the auth service.

use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api_client::Client;
use api_client::ClientError;
use api_http::Stop;
use api_types::AgentEvent;
use api_types::AgentEventsRequest;
use async_trait::async_trait;
use audit::AuditEvent;
use audit::NAME_BYTES_MAX;
use audit::clipped;
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;
use key::KeyId;
use serde_json::Value;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::Agent;
use crate::AgentError;
use crate::Spool;
use crate::follow::chain;

/// The most events of one request.
const EVENTS_MAX: usize = 200;
/// How many bytes of events make a request full: half of what the auth service reads of one.
const BYTES_FULL: usize = 512 * 1_024;
/// How long sending rests after a failure, at first and at most.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How often refusals that were only counted are looked at.
const COUNTED: Duration = Duration::from_secs(30);
/// How long the last events may take when everything stops; what is not sent by then is sent at the next start.
const LAST: Duration = Duration::from_secs(5);
/// Where events are put that the auth service does not take.
const REFUSED: &str = "refused";

/// How far a segment was sent. Kept in memory: after a start it is sent again from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    segment: PathBuf,
    bytes: u64,
}

/// Takes events: the auth service.
#[async_trait]
pub(crate) trait Taker: Sync {
    /// Takes all of them or none.
    async fn take(&self, request: &AgentEventsRequest) -> Result<(), ClientError>;
}

#[async_trait]
impl Taker for Client {
    async fn take(&self, request: &AgentEventsRequest) -> Result<(), ClientError> {
        self.agent_events(request).await
    }
}

impl Agent {
    /// Sends events as they arrive, until asked to stop.
    pub async fn upload(self: Arc<Self>, spool: Arc<Spool>, mut stop: Stop) {
        let mut rest = REST.0;
        let mut counted = tokio::time::interval(COUNTED);
        counted.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.requested() => break,
                () = spool.arrived.notified() => {}
                _ = counted.tick() => spool.record_counted(self.clock.now(), false).await,
            }
            while let Err(error) = self.send(&spool).await {
                self.events_wait_since.send_if_modified(|since| {
                    let is_first = since.is_none();
                    since.get_or_insert_with(Instant::now);
                    is_first
                });
                tracing::warn!(error = %chain(&error), "events wait on this machine: the auth service does not take them now");
                tokio::select! {
                    () = stop.requested() => break,
                    () = sleep(rest) => {}
                }
                spool.record_counted(self.clock.now(), false).await;
                rest = rest.saturating_mul(2).min(REST.1);
            }
            self.events_wait_since.send_replace(None);
            rest = REST.0;
        }
    }

    /// Sends what is left, once, within a few seconds.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn upload_last(&self, spool: &Spool) -> Result<(), AgentError> {
        spool.record_counted(self.clock.now(), true).await;
        timeout(LAST, self.send(spool))
            .await
            .unwrap_or_else(|_| Err(AgentError::Keys("the auth service takes too long".to_owned())))
    }

    async fn send(&self, spool: &Spool) -> Result<(), AgentError> {
        send(spool, &self.client()?).await
    }
}

/// Sends every complete segment, the oldest first, and removes those that were taken.
pub(crate) async fn send(spool: &Spool, taker: &dyn Taker) -> Result<(), AgentError> {
    let mut progress = spool.progress.lock().await;
    let unusable = |reason| AgentError::Keys(format!("the spool: {reason}"));
    for segment in spool.sealed().await.map_err(unusable)? {
        if progress.segment != segment {
            *progress = Progress { segment, bytes: 0 };
        }
        send_segment(&mut progress, taker).await?;
        remove(&progress.segment)?;
    }
    Ok(())
}

async fn send_segment(progress: &mut Progress, taker: &dyn Taker) -> Result<(), AgentError> {
    let Progress { segment, bytes } = progress;
    let unread = |source| crate::store::failed("read", segment, source);
    let mut file = File::open(&*segment).map_err(unread)?;
    file.seek(SeekFrom::Start(*bytes)).map_err(unread)?;
    let mut lines = BufReader::new(file);
    loop {
        let Batch { events, bytes: taken } = Batch::read(&mut lines).map_err(unread)?;
        if taken == 0 {
            return Ok(());
        }
        for (event, why) in deliver(&events, taker).await? {
            let aside = set_aside(segment, event)?;
            tracing::error!(file = %aside.display(), uid = event.uid, reason = why, "the auth service does not take an event of this machine; it is kept here");
            report(event, &why, taker).await?;
        }
        *bytes = bytes.saturating_add(taken);
    }
}

/// The events of one request.
struct Batch {
    events: Vec<AgentEvent>,
    /// The bytes of their lines.
    bytes: u64,
}

impl Batch {
    /// The next events of a segment; without a byte at its end.
    fn read(lines: &mut impl BufRead) -> std::io::Result<Self> {
        let mut batch = Self {
            events: Vec::new(),
            bytes: 0,
        };
        let (mut line, mut sent) = (Vec::new(), 0);
        while batch.events.len() < EVENTS_MAX && sent < BYTES_FULL {
            line.clear();
            let length = lines.read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            batch.bytes = batch
                .bytes
                .saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            match serde_json::from_slice(&line) {
                Ok(event) => {
                    batch.events.push(event);
                    sent = sent.saturating_add(length);
                }
                // What a write that broke off left was never acknowledged.
                Err(error) if line != b"\n" => {
                    tracing::warn!(%error, bytes = length, "a line of the spool is no event; it is passed over");
                }
                Err(_) => {}
            }
        }
        Ok(batch)
    }
}

/// Sends events in their order, and answers those that are not taken, with why. Of a request that is refused each half is sent, until it is
/// known which events are meant: to ask again would be refused again, and the others are to be in the log.
async fn deliver<'a>(
    events: &'a [AgentEvent],
    taker: &dyn Taker,
) -> Result<Vec<(&'a AgentEvent, String)>, AgentError> {
    let mut refused = Vec::new();
    let mut waiting: Vec<Range<usize>> = Vec::new();
    if !events.is_empty() {
        waiting.push(0..events.len());
    }
    while let Some(range) = waiting.pop() {
        let part = events.get(range.clone()).unwrap_or_default();
        let request = AgentEventsRequest {
            events: part.to_vec(),
        };
        let why = match taker.take(&request).await {
            Ok(()) => continue,
            Err(ClientError::Refused {
                status: 400 | 413 | 422,
                message,
                ..
            }) => message,
            Err(error) => return Err(error.into()),
        };
        if let [event] = part {
            refused.push((event, why));
        } else {
            let middle = range.start.midpoint(range.end);
            waiting.push(middle..range.end);
            waiting.push(range.start..middle);
        }
    }
    Ok(refused)
}

/// Tells the log of an event that it does not take.
async fn report(event: &AgentEvent, why: &str, taker: &dyn Taker) -> Result<(), AgentError> {
    let unusable = |error: serde_json::Error| AgentError::Keys(error.to_string());
    let line = serde_json::to_vec(event).map_err(unusable)?;
    let hash = digest(&SHA256, &line);
    let name = event.event.get("event").and_then(Value::as_str);
    let told = AuditEvent::EventRefused {
        refused_uid: event.uid.clone(),
        refused_event: name.unwrap_or_default().to_owned(),
        bytes: u64::try_from(line.len()).unwrap_or(u64::MAX),
        sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        error: why.to_owned(),
    };
    // The same each time it is told of.
    let uid = KeyId::from_random(hash.as_ref().first_chunk().copied().unwrap_or_default());
    let stand_in = AgentEvent {
        uid: uid.to_string(),
        unix_millis: event.unix_millis,
        user: clipped(event.user.clone(), NAME_BYTES_MAX),
        remote: clipped(event.remote.clone(), NAME_BYTES_MAX),
        event: serde_json::to_value(told.clipped()).map_err(unusable)?,
    };
    for (stand_in, why) in deliver(&[stand_in], taker).await? {
        tracing::error!(
            uid = stand_in.uid,
            reason = why,
            "nor does the auth service take word of that event"
        );
    }
    Ok(())
}

fn remove(segment: &Path) -> Result<(), AgentError> {
    fs::remove_file(segment).map_err(|source| crate::store::failed("remove", segment, source))
}

/// Keeps an event that is not taken, as it is; answers where.
fn set_aside(segment: &Path, event: &AgentEvent) -> Result<PathBuf, AgentError> {
    let folder = segment.parent().unwrap_or(segment).join(REFUSED);
    let aside = folder.join(segment.file_name().unwrap_or_default());
    let unwritten = |source| crate::store::failed("set an event aside in", &aside, source);
    let mut line = serde_json::to_vec(event).map_err(|error| unwritten(error.into()))?;
    line.push(b'\n');
    fs::create_dir_all(&folder).map_err(unwritten)?;
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&aside)
        .map_err(unwritten)?;
    file.write_all(&line)
        .and_then(|()| file.sync_all())
        .map_err(unwritten)?;
    Ok(aside)
}

#[cfg(test)]
mod tests;
