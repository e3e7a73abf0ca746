//! `POST /v1/agent/events`: what happened on machines.

use api_types::AgentEvent;
use api_types::AgentEventsRequest;
use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use enrollment::HostCaller;
use key::KeyId;
use ledger::Record;
use resource::SystemRole;
use serde_json::Value;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;
use crate::problem::malformed;

/// The most events of one request.
const EVENTS_MAX: usize = 500;
/// How much a machine's clock may be ahead, in milliseconds.
const AHEAD_MAX: i64 = 300_000;

/// What machines tell of. Nothing else is taken from them.
const KINDS: [&str; 11] = [
    "session.start",
    "session.end",
    "session.rejected",
    "session.connect",
    "resize",
    "exec",
    "subsystem",
    "scp",
    "port",
    "client.disconnect",
    "auth",
];

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
    let now = access.service.cluster().clock().unix_millis();
    let records = events
        .into_iter()
        .map(|event| envelope(access, &host, event, now).map(|envelope| Record::Event(Box::new(envelope))))
        .collect::<Result<Vec<_>, _>>()?;
    access.service.cluster().journal().append(records).await?;
    Ok(())
}

/// The event as it is recorded, when this machine may tell of it.
fn envelope(access: &Access, host: &HostCaller, event: AgentEvent, now: i64) -> Result<Envelope, Problem> {
    let AgentEvent {
        uid,
        unix_millis,
        user,
        remote,
        event,
    } = event;
    let uid: KeyId = uid.parse().map_err(|_| malformed("uid", "is no UUID"))?;
    check_server(host, &event)?;
    let event: AuditEvent =
        serde_json::from_value(event).map_err(|error| malformed("event", error.to_string()))?;
    if !KINDS.contains(&event.name()) {
        let problem = format!("{} is nothing that machines tell of", event.name());
        return Err(malformed("event", problem));
    }
    Ok(Envelope {
        uid: uid.to_string(),
        unix_millis: unix_millis.min(now.saturating_add(AHEAD_MAX)),
        cluster_name: access.service.cluster().name().clone(),
        actor: Actor::Identity { user, remote },
        event,
    })
}

/// A machine tells of itself; a proxy also of the machines it connects to.
fn check_server(host: &HostCaller, event: &Value) -> Result<(), Problem> {
    let is_proxy = host.roles().contains(&SystemRole::Proxy);
    match event.get("server_id") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(id)) if is_proxy || *id == host.host_id().to_string() => Ok(()),
        Some(_) => Err(malformed("server_id", "is not the machine that tells")),
    }
}
