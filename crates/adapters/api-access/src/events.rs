//! `POST /v1/agent/events`: what happened on machines.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use api_types::AgentEvent;
use api_types::AgentEventsRequest;
use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use audit::NAME_BYTES_MAX;
use audit::clipped;
use cluster::ClusterError;
use enrollment::HostCaller;
use key::KeyId;
use ledger::LedgerError;
use ledger::Record;
use resource::SystemRole;
use serde_json::Value;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;
use crate::problem::malformed;

/// The most events of one request: what the ledger takes at once.
const EVENTS_MAX: usize = 256;
/// How much a machine's clock may be ahead, in milliseconds.
const AHEAD_MAX: i64 = 300_000;
/// How long an event may have waited on its machine, in milliseconds: thirty days.
const BEHIND_MAX: i64 = 30 * 86_400_000;
/// The longest id of a session, in bytes; a UUID has 36.
const SID_BYTES_MAX: usize = 64;
/// Sessions whose host is remembered, and of them those of one host.
const SESSIONS_MAX: usize = 65_536;
const SESSIONS_OF_HOST_MAX: usize = 4_096;

/// What machines tell of. Nothing else is taken from them.
const KINDS: [&str; 13] = [
    "session.start",
    "session.join",
    "session.leave",
    "session.end",
    "session.rejected",
    "resize",
    "exec",
    "subsystem",
    "scp",
    "port",
    "client.disconnect",
    "auth",
    "audit.event.refuse",
];
/// What only proxies tell of.
const KINDS_OF_PROXIES: [&str; 3] = ["session.connect", "tunnel.open", "tunnel.close"];

pub(crate) async fn record(access: &Access, asked: &Asked) -> Result<(), Problem> {
    let host = access
        .machine(asked, &[SystemRole::Node, SystemRole::Proxy])
        .await?;
    let AgentEventsRequest { events } = asked.plain.document()?;
    if events.len() > EVENTS_MAX {
        return Err(malformed(
            "events",
            format!("are more than {EVENTS_MAX}; send them in parts"),
        ));
    }
    if events.is_empty() {
        return Ok(());
    }
    let host_id: Arc<str> = host.host_id().to_string().into();
    let sids = sids(access, &host_id, &events)?;
    let now = access.service.cluster().clock().unix_millis();
    let records = events
        .into_iter()
        .map(|event| envelope(access, &host, event, now).map(|envelope| Record::Event(Box::new(envelope))))
        .collect::<Result<Vec<_>, _>>()?;
    let appended = access.service.cluster().journal().append(records).await;
    if let Err(ClusterError::Ledger(LedgerError::Malformed(problem))) = appended {
        // To say that it failed would have it sent again for ever.
        return Err(malformed("events", problem));
    }
    appended?;
    access.sessions.note(sids, &host_id);
    Ok(())
}

/// The event as it is recorded, when this machine may tell of it.
fn envelope(access: &Access, host: &HostCaller, event: AgentEvent, now: i64) -> Result<Envelope, Problem> {
    let AgentEvent {
        uid,
        unix_millis: told,
        user,
        remote,
        event,
    } = event;
    let uid: KeyId = uid.parse().map_err(|_| malformed("uid", "is no UUID"))?;
    check_server(host, &event)?;
    let event: AuditEvent =
        serde_json::from_value(event).map_err(|error| malformed("event", error.to_string()))?;
    let is_proxy = host.roles().contains(&SystemRole::Proxy);
    let name = event.name();
    let may_tell = KINDS.contains(&name) || is_proxy && KINDS_OF_PROXIES.contains(&name);
    if !may_tell {
        let problem = format!("{name} is nothing that this machine tells of");
        return Err(malformed("event", problem));
    }
    let unix_millis = told.clamp(now.saturating_sub(BEHIND_MAX), now.saturating_add(AHEAD_MAX));
    Ok(Envelope {
        uid: uid.to_string(),
        unix_millis,
        cluster_name: access.service.cluster().name().clone(),
        actor: Actor::Told {
            user: clipped(user, NAME_BYTES_MAX),
            remote: clipped(remote, NAME_BYTES_MAX),
            told_by: host.host_id().to_string(),
            received_unix_millis: now,
            told_unix_millis: (unix_millis != told).then_some(told),
        },
        event: event.clipped(),
    })
}

/// A machine tells of itself; a proxy also of the machines it connects to, and the auth service's own machine of what it was before.
fn check_server(host: &HostCaller, event: &Value) -> Result<(), Problem> {
    let tells_of_others = host.roles().contains(&SystemRole::Proxy) || host.is_own();
    match event.get("server_id") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(id)) if tells_of_others || *id == host.host_id().to_string() => Ok(()),
        Some(_) => Err(malformed("server_id", "is not the machine that tells")),
    }
}

/// The sessions that are told of, when no other machine told of them.
fn sids(access: &Access, host_id: &str, events: &[AgentEvent]) -> Result<Vec<String>, Problem> {
    let mut sids = Vec::new();
    for event in events {
        let Some(sid) = event.event.get("sid").and_then(Value::as_str) else {
            continue;
        };
        if sid.len() > SID_BYTES_MAX {
            return Err(malformed("sid", format!("has more than {SID_BYTES_MAX} bytes")));
        }
        if !access.sessions.is_of(sid, host_id) {
            return Err(malformed("sid", "is the id of a session on another machine"));
        }
        // Whoever is refused has no session, and may be refused often.
        let is_refusal = event.event.get("event").and_then(Value::as_str) == Some("auth");
        if !is_refusal && sids.last().is_none_or(|last| last != sid) {
            sids.push(sid.to_owned());
        }
    }
    Ok(sids)
}

/// Which machine told of which session, for as many as are remembered: no other tells of it. A machine that tells of very many has its own
/// forgotten, and none of anybody else.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Tellers>);

#[derive(Debug, Default)]
struct Tellers {
    of: HashMap<Arc<str>, Arc<str>>,
    /// Of each machine, the sessions that are remembered, the oldest first.
    by: HashMap<Arc<str>, VecDeque<Arc<str>>>,
}

impl Sessions {
    fn is_of(&self, sid: &str, host_id: &str) -> bool {
        self.lock().of.get(sid).is_none_or(|teller| **teller == *host_id)
    }

    fn note(&self, sids: Vec<String>, host_id: &Arc<str>) {
        let mut tellers = self.lock();
        for sid in sids {
            if !tellers.of.contains_key(sid.as_str()) {
                tellers.make_room(host_id);
                let sid: Arc<str> = sid.into();
                tellers.of.insert(Arc::clone(&sid), Arc::clone(host_id));
                tellers.by.entry(Arc::clone(host_id)).or_default().push_back(sid);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tellers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tellers {
    /// Forgets a session, when one more of a machine is too many: the oldest of its own when it has its share, or otherwise of the machine
    /// that has most.
    fn make_room(&mut self, host_id: &Arc<str>) {
        let own = self.by.get(host_id).map_or(0, VecDeque::len);
        let forgets = if own >= SESSIONS_OF_HOST_MAX {
            Some(Arc::clone(host_id))
        } else if self.of.len() >= SESSIONS_MAX {
            let most = self.by.iter().max_by_key(|(_, sids)| sids.len());
            // Of as many it is the machine itself that forgets.
            let most = most.filter(|(_, sids)| sids.len() > own);
            Some(most.map_or_else(|| Arc::clone(host_id), |(teller, _)| Arc::clone(teller)))
        } else {
            None
        };
        let Some(teller) = forgets else { return };
        let Some(sids) = self.by.get_mut(&teller) else {
            return;
        };
        if let Some(oldest) = sids.pop_front() {
            self.of.remove(&oldest);
        }
        if sids.is_empty() {
            self.by.remove(&teller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sids(of: &str, count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{of}-{number}")).collect()
    }

    #[test]
    fn a_session_is_of_whoever_told_of_it_first() {
        let sessions = Sessions::default();
        let (first, second): (Arc<str>, Arc<str>) = ("host-1".into(), "host-2".into());
        assert!(sessions.is_of("0", &second));
        sessions.note(vec!["0".to_owned()], &first);
        sessions.note(vec!["0".to_owned()], &second);
        assert!(sessions.is_of("0", &first));
        assert!(!sessions.is_of("0", &second));
    }

    #[test]
    fn a_machine_that_tells_of_very_many_flushes_nobody_elses() {
        let sessions = Sessions::default();
        let (quiet, flooding): (Arc<str>, Arc<str>) = ("host-1".into(), "host-2".into());
        sessions.note(vec!["live".to_owned()], &quiet);
        sessions.note(sids("made-up", 2 * SESSIONS_MAX), &flooding);
        assert!(!sessions.is_of("live", &flooding), "it is not forgotten");
        assert!(sessions.is_of("made-up-0", &quiet), "its own oldest are");
        assert_eq!(sessions.lock().of.len(), SESSIONS_OF_HOST_MAX + 1);
    }

    #[test]
    fn when_all_places_are_taken_the_machine_with_most_forgets() {
        let sessions = Sessions::default();
        let quiet: Arc<str> = "quiet".into();
        sessions.note(vec!["live".to_owned()], &quiet);
        let hosts = SESSIONS_MAX / SESSIONS_OF_HOST_MAX;
        let host = |number: usize| -> Arc<str> { format!("host-{number}").into() };
        for number in 0..hosts + 2 {
            sessions.note(
                sids(&number.to_string(), SESSIONS_OF_HOST_MAX + 10),
                &host(number),
            );
        }
        let tellers = sessions.lock();
        assert_eq!(tellers.of.len(), SESSIONS_MAX);
        assert_eq!(
            tellers.by.values().map(VecDeque::len).sum::<usize>(),
            SESSIONS_MAX
        );
        assert_eq!(tellers.by.len(), hosts + 3, "everybody has some");
        drop(tellers);
        assert!(!sessions.is_of("live", &host(0)));
    }
}
