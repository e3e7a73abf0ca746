use resource::SystemRole;

use crate::rules::RESOURCES;
use crate::rules::Verb;

/// Whether members of the cluster with a system role may do something with a resource.
///
/// The auth service may do everything. Everybody else sees what it needs to decide and to serve, writes what it has to
/// report, and never reads a secret. The caller still checks *which* one: an agent updates the entry of its own host id
/// only, and a proxy has a certificate made only for the user in front of it.
///
/// | resource | node | db | app | proxy |
/// |---|---|---|---|---|
/// | role, lock, cert_authority, settings of the cluster | list, readnosecrets | the same | the same | the same |
/// | node | create, update, readnosecrets | – | – | list, readnosecrets |
/// | db | – | create, update, readnosecrets | – | list, readnosecrets |
/// | app | – | – | create, update, readnosecrets | list, readnosecrets |
/// | instance | create, update | create, update | create, update | create, update |
/// | event, recording | create | create | create | create |
/// | session | create, update | create, update | create, update | create, update, list, readnosecrets |
/// | certificate | – | – | – | use |
pub fn system_role_may(role: SystemRole, resource: &str, verb: Verb) -> bool {
    let own = match role {
        SystemRole::Auth => return RESOURCES.contains(&resource),
        SystemRole::Node => "node",
        SystemRole::Db => "db",
        SystemRole::App => "app",
        SystemRole::Proxy => return shared(resource).contains(&verb) || proxy(resource).contains(&verb),
    };
    let entry: &[Verb] = if resource == own {
        &[Verb::Create, Verb::Update, Verb::ReadNoSecrets]
    } else {
        &[]
    };
    shared(resource).contains(&verb) || entry.contains(&verb)
}

/// What every member needs.
fn shared(resource: &str) -> &'static [Verb] {
    match resource {
        "role"
        | "lock"
        | "cert_authority"
        | "cluster_auth_preference"
        | "session_recording_config"
        | "cluster_networking_config" => &[Verb::List, Verb::ReadNoSecrets],
        "instance" | "session" => &[Verb::Create, Verb::Update],
        "event" | "recording" => &[Verb::Create],
        _ => &[],
    }
}

/// What the public face needs beyond that.
fn proxy(resource: &str) -> &'static [Verb] {
    match resource {
        "node" | "db" | "app" | "session" => &[Verb::List, Verb::ReadNoSecrets],
        "certificate" => &[Verb::Use],
        _ => &[],
    }
}
