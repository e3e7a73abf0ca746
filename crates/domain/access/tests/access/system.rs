use access::{RESOURCES, Verb, system_role_may};
use resource::SystemRole;

const L: &str = "list readnosecrets";
const CU: &str = "create update";
const CUR: &str = "create readnosecrets update";
const C: &str = "create";
const SESSIONS: &str = "create list readnosecrets update";

/// What each may do, resource by resource, in the columns node, proxy, db, app.
const TABLE: [(&str, [&str; 4]); 18] = [
    ("user", ["", "", "", ""]),
    ("role", [L, L, L, L]),
    ("token", ["", "", "", ""]),
    ("node", [CUR, L, "", ""]),
    ("lock", [L, L, L, L]),
    ("cert_authority", [L, L, L, L]),
    ("cluster_auth_preference", [L, L, L, L]),
    ("session_recording_config", [L, L, L, L]),
    ("cluster_networking_config", [L, L, L, L]),
    ("event", [C, C, C, C]),
    ("session", [CU, SESSIONS, CU, CU]),
    ("recording", [C, C, C, C]),
    ("key", ["", "", "", ""]),
    ("certificate", ["", "use", "", ""]),
    ("mfa_device", ["", "", "", ""]),
    ("instance", [CU, CU, CU, CU]),
    ("app", ["", L, "", CUR]),
    ("db", ["", L, CUR, ""]),
];

fn allowed(role: SystemRole, resource: &str) -> String {
    let mut verbs: Vec<&str> = Verb::ALL
        .into_iter()
        .filter(|verb| system_role_may(role, resource, *verb))
        .map(Verb::as_str)
        .collect();
    verbs.sort_unstable();
    verbs.join(" ")
}

#[test]
fn the_whole_table() {
    assert_eq!(TABLE.map(|(resource, _)| resource), RESOURCES);
    for (resource, columns) in TABLE {
        let roles = [
            SystemRole::Node,
            SystemRole::Proxy,
            SystemRole::Db,
            SystemRole::App,
        ];
        for (role, expected) in roles.into_iter().zip(columns) {
            assert_eq!(allowed(role, resource), expected, "{role} {resource}");
        }
        for verb in Verb::ALL {
            assert!(
                system_role_may(SystemRole::Auth, resource, verb),
                "auth {verb} {resource}"
            );
        }
    }
}

#[test]
fn only_the_auth_service_reads_secrets_signs_rotates_or_deletes() {
    for role in SystemRole::ALL {
        for resource in RESOURCES {
            for verb in [Verb::Read, Verb::Sign, Verb::Rotate, Verb::Delete] {
                assert_eq!(
                    system_role_may(role, resource, verb),
                    role == SystemRole::Auth,
                    "{role} {verb} {resource}"
                );
            }
        }
        for unknown in ["", "*", "users", "database"] {
            assert!(
                Verb::ALL
                    .iter()
                    .all(|verb| !system_role_may(role, unknown, *verb)),
                "{role} {unknown}"
            );
        }
    }
}
