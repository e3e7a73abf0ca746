use std::collections::BTreeMap;

use resource::Conditions;
use resource::Document;
use resource::Metadata;
use resource::PortForwarding;
use resource::ResourceName;
use resource::RoleOptions;
use resource::RoleSpec;
use resource::Rule;

use crate::options::MAX_SESSION_TTL;

const ACCESS: ResourceName = ResourceName::from_static("access");
const EDITOR: ResourceName = ResourceName::from_static("editor");
const AUDITOR: ResourceName = ResourceName::from_static("auditor");

/// The roles every cluster is born with: `access`, `editor`, `auditor`.
///
/// `access` reaches every node by the logins of its bearer and sees the sessions it took part in. `editor` changes
/// everything, but neither reads what happened nor logs in anywhere. `auditor` reads what happened and changes nothing.
pub fn presets() -> [Document<RoleSpec>; 3] {
    [access(), editor(), auditor()]
}

fn access() -> Document<RoleSpec> {
    let own_sessions = "contains(session.participants, user.metadata.name)";
    let allow = Conditions {
        logins: vec!["{{internal.logins}}".to_owned()],
        node_labels: BTreeMap::from([("*".to_owned(), vec!["*".to_owned()])]),
        rules: vec![
            Rule {
                condition: Some(own_sessions.to_owned()),
                ..rule(&["session", "recording"], &["list", "read"])
            },
            rule(&["node"], &["list", "readnosecrets"]),
        ],
    };
    let options = RoleOptions {
        forward_agent: Some(true),
        port_forwarding: Some(PortForwarding::both(true)),
        ..options()
    };
    preset(
        ACCESS,
        "Log in to every node by the logins of the user",
        options,
        allow,
    )
}

fn editor() -> Document<RoleSpec> {
    let everything = ["list", "create", "read", "update", "delete"];
    let allow = Conditions {
        rules: vec![
            rule(
                &[
                    "user",
                    "role",
                    "token",
                    "node",
                    "lock",
                    "cluster_auth_preference",
                    "session_recording_config",
                    "cluster_networking_config",
                    "mfa_device",
                    "instance",
                    "app",
                    "db",
                ],
                &everything,
            ),
            rule(
                &["cert_authority", "key", "certificate"],
                &[
                    "list",
                    "readnosecrets",
                    "create",
                    "update",
                    "delete",
                    "rotate",
                    "sign",
                    "use",
                ],
            ),
        ],
        ..Conditions::default()
    };
    preset(
        EDITOR,
        "Change users, roles, settings and authorities",
        options(),
        allow,
    )
}

fn auditor() -> Document<RoleSpec> {
    let allow = Conditions {
        rules: vec![
            rule(&["event", "session", "recording"], &["list", "read"]),
            rule(
                &[
                    "session_recording_config",
                    "cert_authority",
                    "certificate",
                    "instance",
                    "node",
                ],
                &["list", "readnosecrets"],
            ),
        ],
        ..Conditions::default()
    };
    preset(AUDITOR, "Read what happened", options(), allow)
}

fn options() -> RoleOptions {
    RoleOptions {
        max_session_ttl: Some(MAX_SESSION_TTL),
        ..RoleOptions::default()
    }
}

fn rule(resources: &[&str], verbs: &[&str]) -> Rule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Rule {
        resources: owned(resources),
        verbs: owned(verbs),
        condition: None,
    }
}

fn preset(
    name: ResourceName,
    description: &str,
    options: RoleOptions,
    allow: Conditions,
) -> Document<RoleSpec> {
    let mut metadata = Metadata::named(name);
    metadata.description = Some(description.to_owned());
    let spec = RoleSpec {
        options,
        allow,
        deny: Conditions::default(),
    };
    Document::new(metadata, spec)
}
