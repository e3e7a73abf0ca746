//! What machines ask: `/v1/agent/…`, and joining.

use std::collections::BTreeSet;
use std::time::Duration;

use api_types::AgentView;
use api_types::AgentViewParameters;
use api_types::HeartbeatAnswer;
use api_types::HeartbeatRequest;
use api_types::JoinAnswer;
use api_types::JoinRequest;
use api_types::RenewRequest;
use cluster::Alert;
use cluster::Severity;
use directory::AccessView;
use enrollment::Heartbeat;
use enrollment::JoinSecret;
use enrollment::Joined;
use enrollment::TlsCertificate;
use key::SpkiSha256;
use resource::SystemRole;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;
use crate::asked::Plain;
use crate::convert;
use crate::problem::internal;
use crate::problem::malformed;

/// How long an answer waits for something to change. Less than a read may take.
const WAIT: Duration = Duration::from_secs(20);

/// How long events may wait on a machine that is heard otherwise, in seconds.
const EVENTS_WAIT_MAX: u64 = 300;

/// Every machine that decides about people.
const DECIDERS: [SystemRole; 4] = [
    SystemRole::Node,
    SystemRole::Proxy,
    SystemRole::Db,
    SystemRole::App,
];

pub(crate) async fn view(access: &Access, asked: &Asked) -> Result<AgentView, Problem> {
    let host = access.machine(asked, &DECIDERS).await?;
    let AgentViewParameters { after, removals } = asked.plain.parameters()?;
    let is_proxy = host.roles().contains(&SystemRole::Proxy);
    if let Some(after) = after {
        let removed = async {
            match removals.filter(|_| is_proxy) {
                Some(known) => access.enrollment.removals_beyond(&known).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = access.directory.wait_beyond(after) => drop(changed?),
            () = removed => {}
            () = sleep(WAIT) => {}
        }
    }
    shown(access, is_proxy).await
}

/// What a proxy in the process of the auth service needs to know, without a connection: before it serves anybody, and while the API is
/// away.
///
/// # Errors
/// When the authorities cannot be read.
pub async fn view_directly(access: &Access) -> Result<AgentView, Problem> {
    shown(access, true).await
}

async fn shown(access: &Access, is_proxy: bool) -> Result<AgentView, Problem> {
    let view = access.directory.view();
    let removals = is_proxy.then(|| access.enrollment.removals());
    // The store tells of a change before whoever made it has read the authorities again.
    access.service.cluster().refresh().await?;
    let trust = convert::trust(&access.enrollment.trust_bundle()?);
    let AccessView {
        revision,
        roles,
        locks,
        auth_preference,
        networking,
        recording,
    } = view.as_ref();
    Ok(AgentView {
        revision: *revision,
        cluster: access.service.cluster().name().to_string(),
        roles: values(roles)?,
        locks: values(locks)?,
        auth_preference: value(auth_preference)?,
        networking: value(networking)?,
        recording: value(recording)?,
        trust,
        removed_hosts: removals
            .iter()
            .flat_map(|removals| removals.hosts().map(ToString::to_string))
            .collect(),
        removals: removals.map(|removals| removals.digest()).unwrap_or_default(),
    })
}

fn values<T: Serialize>(documents: &[T]) -> Result<Vec<Value>, Problem> {
    documents.iter().map(value).collect()
}

fn value<T: Serialize>(document: &T) -> Result<Value, Problem> {
    serde_json::to_value(document).map_err(internal)
}

pub(crate) async fn heartbeat(access: &Access, asked: &Asked) -> Result<HeartbeatAnswer, Problem> {
    let host = access.machine(asked, &SystemRole::ALL).await?;
    let HeartbeatRequest {
        addr,
        use_tunnel,
        version,
        labels,
        trusts,
        server_issuers,
        events_wait_seconds,
    } = asked.plain.document()?;
    let heartbeat = Heartbeat {
        addr,
        use_tunnel,
        version,
        labels,
        trusts: hashes("trusts", &trusts)?,
        server_issuers: hashes("server_issuers", &server_issuers)?,
    };
    let answer = access.enrollment.heartbeat(&host, heartbeat).await?;
    note_waiting(access, &host.host_id().to_string(), events_wait_seconds);
    Ok(HeartbeatAnswer {
        clients_use: answer.clients_use.number(),
        servers_use: answer.servers_use.number(),
        revision: access.directory.view().revision,
    })
}

/// Raises an alert while a machine cannot get rid of its events: what happens on it is in no log but its own.
fn note_waiting(access: &Access, host_id: &str, seconds: Option<u64>) {
    let id = enrollment::events_wait_alert(host_id);
    let cluster = access.service.cluster();
    match seconds.filter(|seconds| *seconds >= EVENTS_WAIT_MAX) {
        None => cluster.settle_alert(&id),
        Some(seconds) => cluster.raise_alert(Alert {
            id,
            severity: Severity::High,
            message: format!(
                "the audit log lacks what happened on machine {host_id} in the last {} minutes: its events are not taken",
                seconds / 60
            ),
            hint: "the log of signetd there says why; nothing is lost while its folder `spool` is kept".to_owned(),
            since: None,
        }),
    }
}

fn hashes(field: &'static str, texts: &[String]) -> Result<BTreeSet<SpkiSha256>, Problem> {
    let parse = |text: &String| {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash)
            .map(|()| SpkiSha256(hash))
            .map_err(|_| malformed(field, "is no SHA-256 of 64 hexadecimal digits"))
    };
    texts.iter().map(parse).collect()
}

pub(crate) async fn renew(access: &Access, asked: &Asked) -> Result<JoinAnswer, Problem> {
    let host = access.machine(asked, &SystemRole::ALL).await?;
    let RenewRequest {
        csr,
        ssh_public_key,
        roles,
        public_addresses,
    } = asked.plain.document()?;
    let request = enrollment::RenewRequest {
        csr: convert::request("csr", &csr)?,
        ssh_public_key: convert::ssh_key("ssh_public_key", &ssh_public_key)?,
        roles: convert::roles(&roles)?,
        public_addresses: convert::hosts("public_addresses", &public_addresses)?,
        generation: None,
    };
    let joined = access.enrollment.renew(&host, &request).await?;
    Ok(answer(&joined))
}

/// `POST /webapi/join`.
pub(crate) async fn join(access: &Access, plain: &Plain) -> Result<JoinAnswer, Problem> {
    join_by(access, plain.document()?, &plain.remote, false).await
}

/// Joins a machine whose services run in the process of the auth service.
///
/// # Errors
/// When it is refused.
pub async fn join_directly(access: &Access, request: JoinRequest) -> Result<JoinAnswer, Problem> {
    join_by(access, request, "local", true).await
}

async fn join_by(
    access: &Access,
    request: JoinRequest,
    remote: &str,
    is_own: bool,
) -> Result<JoinAnswer, Problem> {
    let JoinRequest {
        token,
        node_name,
        roles,
        host_id,
        ssh_public_key,
        csr,
        labels,
        public_addresses,
        addr,
    } = request;
    let request = enrollment::JoinRequest {
        token: JoinSecret::parse(token.expose()).map_err(enrollment::EnrollmentError::Refused)?,
        node_name,
        roles: convert::roles(&roles)?,
        host_id,
        csr: convert::request("csr", &csr)?,
        ssh_public_key: convert::ssh_key("ssh_public_key", &ssh_public_key)?,
        labels,
        public_addresses: convert::hosts("public_addresses", &public_addresses)?,
        addr,
        is_own,
    };
    let joined = access.enrollment.join(&request, remote).await?;
    Ok(answer(&joined))
}

fn answer(joined: &Joined) -> JoinAnswer {
    let Joined {
        host_id,
        certificates,
        trust,
    } = joined;
    let ends = [
        certificates.tls_client.not_after,
        certificates.tls_server.not_after,
        certificates.ssh.not_after,
    ];
    let not_after = ends.into_iter().min().unwrap_or(certificates.ssh.not_after);
    JoinAnswer {
        host_id: host_id.to_string(),
        tls_client: chain(&certificates.tls_client),
        tls_server: chain(&certificates.tls_server),
        ssh_certificate: ssh_line(&certificates.ssh.blob),
        not_after: not_after.to_string(),
        trust: convert::trust(trust),
    }
}

fn chain(certificate: &TlsCertificate) -> Vec<String> {
    let pem = |der: &Vec<u8>| x509::pem::encode("CERTIFICATE", der);
    certificate.chain.iter().map(pem).collect()
}

/// A certificate as a line; its first word is the first field of its blob.
pub(crate) fn ssh_line(blob: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(blob);
    let length = blob
        .get(..4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes);
    let end = usize::try_from(length).unwrap_or(0).saturating_add(4);
    let name = blob.get(4..end).map(String::from_utf8_lossy).unwrap_or_default();
    format!("{name} {text}")
}
