use std::collections::BTreeMap;

use names::Ttl;
use resource::AuthPreferenceSpec;
use resource::LockMode;
use resource::NetworkingSpec;
use resource::PortForwarding;
use resource::RecordMode;

use crate::role::Role;
use crate::template::Traits;

/// The life of a certificate for a person when none is asked for.
pub const SESSION_TTL: Ttl = Ttl::from_hours(12);
/// The longest life of a certificate for a person, whatever a role says.
pub const MAX_SESSION_TTL: Ttl = Ttl::from_hours(30);

/// How the sessions of a user behave: the options of all roles, of which the least permissive win.
///
/// | option | several roles | no role says |
/// |---|---|---|
/// | `max_session_ttl` | the shortest | 30 h |
/// | `forward_agent`, `permit_x11_forwarding` | all must permit | not permitted |
/// | `port_forwarding` (each way), `ssh_file_copy` | all must permit | permitted |
/// | `client_idle_timeout`, `max_sessions`, `max_connections` | the least | no limit |
/// | `disconnect_expired_cert`, `require_session_mfa`, `pin_source_ip` | one suffices | not |
/// | `record_session`, `lock` | strict wins | best effort; what the cluster says |
/// | `cert_extensions` | all of them; one with two values is left out | none |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// The longest life of a certificate.
    pub max_session_ttl: Ttl,
    /// Whether the ssh-agent may be forwarded.
    pub forward_agent: bool,
    /// Which way ports may be forwarded.
    pub port_forwarding: PortForwarding,
    /// Whether X11 may be forwarded.
    pub permit_x11_forwarding: bool,
    /// Whether files may be copied by scp and sftp.
    pub ssh_file_copy: bool,
    /// After how much silence a session is cut.
    pub client_idle_timeout: Option<Ttl>,
    /// Whether a session is cut when its certificate expires.
    pub disconnect_expired_cert: bool,
    /// The most channels of one connection.
    pub max_sessions: Option<u32>,
    /// The most connections at a time.
    pub max_connections: Option<u32>,
    /// What happens when an SSH session cannot be recorded.
    pub record: RecordMode,
    /// Whether each session asks for the second factor again.
    pub require_session_mfa: bool,
    /// Whether certificates are good from the address of the login only.
    pub pin_source_ip: bool,
    /// What happens when locks cannot be known for certain; the cluster's setting when no role says.
    pub lock: Option<LockMode>,
    /// Extensions for SSH certificates, by name.
    pub cert_extensions: BTreeMap<String, String>,
}

/// The life of a certificate for a person: what was asked for or else [`SESSION_TTL`], never more than the roles permit.
pub fn session_ttl(requested: Option<Ttl>, permitted: Ttl) -> Ttl {
    requested
        .unwrap_or(SESSION_TTL)
        .min(permitted)
        .min(MAX_SESSION_TTL)
}

impl SessionOptions {
    /// The options with the cluster's settings, which can only restrict further.
    #[must_use]
    pub fn tightened_by(mut self, preference: &AuthPreferenceSpec, networking: &NetworkingSpec) -> Self {
        self.require_session_mfa |= preference.require_session_mfa;
        self.disconnect_expired_cert |= preference.disconnect_expired_cert;
        self.lock = self.lock.max(Some(preference.locking_mode));
        self.client_idle_timeout = least(self.client_idle_timeout, networking.client_idle_timeout);
        self
    }

    /// The options of several roles, and what had to be left out of them.
    pub(crate) fn merge<'r>(
        roles: impl Iterator<Item = &'r Role> + Clone,
        traits: &Traits,
    ) -> (Self, Vec<String>) {
        let all = || roles.clone().map(|role| &role.options);
        let permitted = |said: &mut dyn Iterator<Item = Option<bool>>, default: bool| {
            said.flatten().reduce(|a, b| a && b).unwrap_or(default)
        };
        let restricted =
            |said: &mut dyn Iterator<Item = Option<bool>>| said.flatten().any(|restricts| restricts);
        let (cert_extensions, left_out) = merge_extensions(roles.clone(), traits);
        let merged = Self {
            max_session_ttl: all()
                .filter_map(|options| options.max_session_ttl)
                .fold(MAX_SESSION_TTL, Ttl::min),
            forward_agent: permitted(&mut all().map(|options| options.forward_agent), false),
            port_forwarding: PortForwarding {
                local: permitted(
                    &mut all().map(|options| options.port_forwarding.map(|way| way.local)),
                    true,
                ),
                remote: permitted(
                    &mut all().map(|options| options.port_forwarding.map(|way| way.remote)),
                    true,
                ),
            },
            permit_x11_forwarding: permitted(&mut all().map(|options| options.permit_x11_forwarding), false),
            ssh_file_copy: permitted(&mut all().map(|options| options.ssh_file_copy), true),
            client_idle_timeout: all().map(|options| options.client_idle_timeout).fold(None, least),
            disconnect_expired_cert: restricted(&mut all().map(|options| options.disconnect_expired_cert)),
            max_sessions: all().map(|options| options.max_sessions).fold(None, least),
            max_connections: all().map(|options| options.max_connections).fold(None, least),
            record: all()
                .filter_map(|options| options.record_session)
                .map(|record| record.ssh.unwrap_or(record.default))
                .fold(RecordMode::BestEffort, RecordMode::max),
            require_session_mfa: restricted(&mut all().map(|options| options.require_session_mfa)),
            pin_source_ip: restricted(&mut all().map(|options| options.pin_source_ip)),
            lock: all().filter_map(|options| options.lock).max(),
            cert_extensions,
        };
        (merged, left_out)
    }
}

/// The lesser of two limits, of which either may be absent.
fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The extensions that have exactly one value. Which of several is meant cannot be told, and a certificate has room for
/// one.
fn merge_extensions<'r>(
    roles: impl Iterator<Item = &'r Role>,
    traits: &Traits,
) -> (BTreeMap<String, String>, Vec<String>) {
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for extension in roles.flat_map(|role| &role.extensions) {
        let found = values.entry(&extension.name).or_default();
        found.extend(extension.value.expand(traits));
    }
    let mut extensions = BTreeMap::new();
    let mut left_out = Vec::new();
    for (name, mut found) in values {
        found.sort();
        found.dedup();
        match found.as_slice() {
            [] => left_out.push(format!(
                "certificate extension {name} is left out: its template has no value"
            )),
            [only] if only.chars().any(char::is_control) => {
                left_out.push(format!(
                    "certificate extension {name} is left out: {only:?} has a control character"
                ));
            }
            [only] => {
                extensions.insert(name.to_owned(), only.clone());
            }
            [_, _, ..] => left_out.push(format!(
                "certificate extension {name} is left out: it has {} different values",
                found.len()
            )),
        }
    }
    (extensions, left_out)
}
