use std::fmt;

use names::Ttl;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;
use serde::ser::SerializeStruct;

use super::SESSION_TTL_MAX;
use crate::limits;
use crate::problem::Problem;

/// How sessions behave. What a role does not say is left to the other roles of the user and then to the default; where
/// several say something, the least permissive wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleOptions {
    /// The longest life of a certificate that may be asked for: 1 minute to 30 hours; 30 hours when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_session_ttl: Option<Ttl>,
    /// Whether the ssh-agent may be forwarded; not when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_agent: Option<bool>,
    /// Whether ports may be forwarded; yes when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_forwarding: Option<PortForwarding>,
    /// Whether X11 may be forwarded; not when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit_x11_forwarding: Option<bool>,
    /// Whether files may be copied by scp and sftp; yes when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_file_copy: Option<bool>,
    /// After how much silence a session is cut: at least 1 second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_idle_timeout: Option<Ttl>,
    /// Whether a session is cut when its certificate expires; not when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_expired_cert: Option<bool>,
    /// The most channels of one connection: at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
    /// The most connections of one user at a time: at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// What happens when a session cannot be recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_session: Option<RecordSession>,
    /// Whether each session asks for the second factor again; not when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_session_mfa: Option<bool>,
    /// Whether certificates are good from the address of the login only; not when no role says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_source_ip: Option<bool>,
    /// What happens when locks cannot be known for certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockMode>,
    /// Extensions to put into SSH certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cert_extensions: Vec<CertExtension>,
}

/// What happens when a node has lost sight of the locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// It goes on with the locks it last knew.
    BestEffort,
    /// It refuses and cuts sessions.
    Strict,
}

/// What happens when a session cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSession {
    /// For every protocol that says nothing of its own.
    pub default: RecordMode,
    /// For SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<RecordMode>,
}

/// What happens when a session cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordMode {
    /// The session goes on.
    BestEffort,
    /// The session does not start, or ends.
    Strict,
}

/// An extension to put into SSH certificates, such as a name at a code forge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertExtension {
    /// Its name, such as `login@forge.example.com`.
    pub name: String,
    /// Its value; may be a template with one value.
    pub value: String,
    /// The certificates it goes into.
    #[serde(rename = "type")]
    pub kind: CertExtensionKind,
    /// How it is added.
    pub mode: CertExtensionMode,
}

/// The certificates an extension goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertExtensionKind {
    /// SSH certificates.
    Ssh,
}

/// How an extension is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertExtensionMode {
    /// As an extension, which whoever does not know it ignores.
    Extension,
}

/// Which way ports may be forwarded. Written as one boolean for both ways, or as
/// `{local: {enabled: true}, remote: {enabled: false}}`, where a way that is not named is not permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortForwarding {
    /// From the client's side to where the node can reach (`-L`, `-D`).
    pub local: bool,
    /// From the node's side to where the client can reach (`-R`).
    pub remote: bool,
}

impl PortForwarding {
    /// The same for both ways.
    pub const fn both(enabled: bool) -> Self {
        Self {
            local: enabled,
            remote: enabled,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Way {
    enabled: bool,
}

impl Serialize for PortForwarding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { local, remote } = *self;
        if local == remote {
            return serializer.serialize_bool(local);
        }
        let mut map = serializer.serialize_struct("PortForwarding", 2)?;
        map.serialize_field("local", &Way { enabled: local })?;
        map.serialize_field("remote", &Way { enabled: remote })?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for PortForwarding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortForwardingVisitor)
    }
}

struct PortForwardingVisitor;

impl<'de> de::Visitor<'de> for PortForwardingVisitor {
    type Value = PortForwarding;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, or `local` and `remote` with `enabled`")
    }

    fn visit_bool<E: de::Error>(self, enabled: bool) -> Result<PortForwarding, E> {
        Ok(PortForwarding::both(enabled))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<PortForwarding, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Ways {
            local: Option<Way>,
            remote: Option<Way>,
        }
        let Ways { local, remote } = Ways::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(PortForwarding {
            local: local.is_some_and(|way| way.enabled),
            remote: remote.is_some_and(|way| way.enabled),
        })
    }
}

impl RoleOptions {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        if let Some(ttl) = self.max_session_ttl {
            let place = format!("{path}.max_session_ttl");
            limits::check_ttl(&place, ttl, Ttl::from_seconds(60), SESSION_TTL_MAX, problems);
        }
        if let Some(ttl) = self.client_idle_timeout {
            let place = format!("{path}.client_idle_timeout");
            limits::check_ttl(&place, ttl, Ttl::from_seconds(1), Ttl::MAX, problems);
        }
        for (field, number) in [
            ("max_sessions", self.max_sessions),
            ("max_connections", self.max_connections),
        ] {
            if number == Some(0) {
                problems.push(
                    Problem::new(format!("{path}.{field}"), "is 0, with which nobody could connect")
                        .allowed("at least 1"),
                );
            }
        }
        let place = format!("{path}.cert_extensions");
        limits::check_count(&place, self.cert_extensions.len(), problems);
        for (index, extension) in self.cert_extensions.iter().enumerate() {
            extension.check(&format!("{place}[{index}]"), problems);
        }
    }
}

impl CertExtension {
    /// Names that mean something to SSH servers or to this project are not for roles to give.
    fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        const RESERVED: [&str; 4] = [
            "force-command",
            "source-address",
            "verify-required",
            "no-touch-required",
        ];
        let name = self.name.as_str();
        let place = format!("{path}.name");
        if name.is_empty() || name.len() > 128 || !name.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
            problems.push(
                Problem::new(place, "is no name of an extension")
                    .allowed("1 to 128 visible ASCII characters without a comma"),
            );
        } else if RESERVED.contains(&name)
            || name.starts_with("permit-")
            || name.ends_with("@signet.dev")
            || name.ends_with("@openssh.com")
        {
            problems.push(
                Problem::new(place, format!("{name:?} is reserved"))
                    .allowed("a name under a domain of your own, such as login@example.com"),
            );
        }
        limits::check_optional_text(&format!("{path}.value"), &self.value, problems);
    }
}
