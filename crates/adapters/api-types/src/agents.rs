use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::SecretText;

/// The body of `POST /v1/tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The system roles it gives: `node`, `proxy`, `db`, `app`.
    pub roles: Vec<String>,
    /// How long it is good for, in seconds: 30 minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// How often it can be used: once when absent, as often as one likes for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// Labels for the machines that join with it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A token to join with. The secret is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenAnswer {
    /// The secret.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// What it is called in lists and in the log.
    pub name: String,
    /// When it ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The pins of the host authority, which a machine checks before it sends the secret.
    pub ca_pins: Vec<String>,
    /// Where to join: `host:port`, when a public address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// The body of `POST /webapi/join`. Private keys are made by whoever joins and never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The secret.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// What the machine calls itself.
    pub node_name: String,
    /// The system roles it asks for.
    pub roles: Vec<String>,
    /// Its SSH public key, a line as in `authorized_keys`.
    pub ssh_public_key: String,
    /// A certificate request for its TLS key (RFC 2986, PEM), which proves that the machine has it.
    pub tls_request: String,
    /// Names and addresses it is reached by, besides its own.
    #[serde(default)]
    pub names: Vec<String>,
}

/// The body of `POST /v1/agent/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// The new SSH public key.
    pub ssh_public_key: String,
    /// A certificate request for the new TLS key.
    pub tls_request: String,
    /// Names and addresses it is reached by, besides its own.
    #[serde(default)]
    pub names: Vec<String>,
}

/// The certificates of a machine, and whom it is to trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinAnswer {
    /// The machine's id.
    pub host_id: String,
    /// The cluster.
    pub cluster: String,
    /// The TLS certificate and that of its authority, PEM.
    pub tls_certificates: Vec<String>,
    /// The SSH certificate, a line.
    pub ssh_certificate: String,
    /// When the first of them ends, RFC 3339.
    pub not_after: String,
    /// From when on they are to be renewed, RFC 3339.
    pub renew_after: String,
    /// Whom to trust.
    pub trust: TrustBundle,
}

/// Whom a machine trusts: every trusted key of each authority.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustBundle {
    /// Authorities of hosts, TLS, PEM.
    pub host_tls: Vec<String>,
    /// Authorities of hosts, SSH public keys.
    pub host_ssh: Vec<String>,
    /// Authorities of users, TLS, PEM.
    pub user_tls: Vec<String>,
    /// Authorities of users, SSH public keys.
    pub user_ssh: Vec<String>,
    /// The generation of the host authority that machines are to present now.
    pub host_generation: u64,
    /// The trusted generations, by authority.
    pub generations: BTreeMap<String, Vec<u64>>,
}

/// The query of `GET /v1/agent/view`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentViewParameters {
    /// The revision that is known: the answer waits up to 20 seconds for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// What a machine needs to decide by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    /// Changes with anything below.
    pub revision: u64,
    /// The cluster.
    pub cluster: String,
    /// The documents of roles.
    pub roles: Vec<Value>,
    /// The documents of locks.
    pub locks: Vec<Value>,
    /// The document `cluster_auth_preference`.
    pub auth_preference: Value,
    /// The document `cluster_networking_config`.
    pub networking: Value,
    /// The document `session_recording_config`.
    pub recording: Value,
    /// Whom to trust.
    pub trust: TrustBundle,
}

/// The body of `POST /v1/agent/heartbeat`: the machine's own document, and what it runs with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// What it is called.
    pub hostname: String,
    /// Where it is reached, `host:port`; empty when only by its tunnel.
    pub addr: String,
    /// Whether it keeps a tunnel to the proxy.
    pub use_tunnel: bool,
    /// Signet's version.
    pub version: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The generations it trusts, by authority.
    #[serde(default)]
    pub trusts: BTreeMap<String, Vec<u64>>,
    /// The generation of the host authority whose SSH certificate it presents.
    pub serves: u64,
}

/// The body of `POST /v1/agent/events`. Sending an event twice records it once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEventsRequest {
    /// The events, in their order.
    pub events: Vec<AgentEvent>,
}

/// What happened on a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEvent {
    /// A random id.
    pub uid: String,
    /// When, in milliseconds since 1970.
    pub unix_millis: i64,
    /// Who: the user of the session.
    pub user: String,
    /// Where the user came from.
    pub remote: String,
    /// What: an event of the catalogue.
    pub event: Value,
}

/// A server that people can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeRow {
    /// Its id.
    pub host_id: String,
    /// What it is called.
    pub hostname: String,
    /// Where it is reached; empty when only by its tunnel.
    pub addr: String,
    /// `agent` or `openssh`.
    pub sub_kind: String,
    /// Whether it was seen lately.
    pub online: bool,
    /// Whether it keeps a tunnel to the proxy.
    pub use_tunnel: bool,
    /// When it was last seen, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The accounts that the caller may use there.
    #[serde(default)]
    pub logins: Vec<String>,
    /// Signet's version there.
    pub version: String,
}

/// The body of `POST /v1/agent/openssh_certificate`: a proxy asks for somebody whose session it carries to a server without an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpensshCertificateRequest {
    /// The SSH certificate that the user showed, a line.
    pub user_certificate: String,
    /// The account on the server.
    pub login: String,
    /// The server's id.
    pub host_id: String,
    /// The proxy's own ephemeral key, a line as in `authorized_keys`.
    pub ssh_public_key: String,
}

/// A certificate for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpensshCertificateAnswer {
    /// The certificate, a line.
    pub ssh_certificate: String,
    /// When it ends, RFC 3339.
    pub not_after: String,
    /// What allowed it.
    pub allowed_by: String,
}
