//! Answers of the API for tests of what is printed.

use api_types::ActiveSchedule;
use api_types::Alert;
use api_types::AuthorityStatus;
use api_types::Custody;
use api_types::KeyDetail;
use api_types::KeyRow;
use api_types::KeyState;
use api_types::KeyUse;
use api_types::Mode;
use api_types::Phase;
use api_types::RotationState;
use api_types::RotationStatus;
use api_types::Severity;
use api_types::Status;

pub(crate) const SERVER: &str = "5f0c7e0e-6f43-4f60-b7a4-3f0f1d6a9b10";

pub(crate) fn rotation() -> RotationStatus {
    let status = RotationStatus {
        state: RotationState::Standby,
        phase: Phase::Standby,
        mode: None,
        current_id: None,
        started: None,
        grace_period_seconds: None,
        schedule: None,
        last_rotated: None,
        text: String::new(),
    };
    RotationStatus {
        text: status.words(),
        ..status
    }
}

pub(crate) fn key(protocol: &str, status: KeyUse, algorithm: &str, storage: &str, generation: u64) -> KeyRow {
    KeyRow {
        protocol: protocol.to_owned(),
        status,
        algorithm: algorithm.to_owned(),
        storage: storage.to_owned(),
        key_id: format!("0d9f7a52-0000-4000-8000-00000000000{generation}"),
        generation,
        owner: SERVER.to_owned(),
        handle: "0d9f7a5200004000800000000000000".to_owned(),
        public_key_sha256: "ab".repeat(32),
        expires: (protocol == "TLS").then(|| "2036-03-01T12:00:00Z".to_owned()),
    }
}

pub(crate) fn status() -> Status {
    Status {
        cluster: "prod.example.com".to_owned(),
        version: "0.1.0".to_owned(),
        ca_pins: vec![format!("sha256:{}", "0".repeat(64))],
        signature_algorithm_suite: "balanced-v1".to_owned(),
        server_id: SERVER.to_owned(),
        custody: Custody {
            configured: "software".to_owned(),
            summary: "every signing key lives there".to_owned(),
        },
        alerts: Vec::new(),
        authorities: vec![
            AuthorityStatus {
                authority: "host".to_owned(),
                rotation: rotation(),
                keys: vec![
                    key("SSH", KeyUse::Active, "Ed25519", "software", 1),
                    key("TLS", KeyUse::Active, "ECDSA P-256", "software", 1),
                ],
            },
            AuthorityStatus {
                authority: "db_client".to_owned(),
                rotation: rotation(),
                keys: vec![key("TLS", KeyUse::Active, "RSA 2048", "software", 1)],
            },
        ],
    }
}

pub(crate) fn rotating_status() -> Status {
    let mut status = status();
    status.ca_pins.push(format!("sha256:{}", "1".repeat(64)));
    status.custody = Custody {
        configured: "PKCS#11 HSM".to_owned(),
        summary: "2 of 3 signing keys live elsewhere".to_owned(),
    };
    status.alerts.push(Alert {
        id: "custody/db_client".to_owned(),
        severity: Severity::Medium,
        message: "db_client still signs with software keys".to_owned(),
        hint: Some("signetctl auth rotate --manual --type=db_client --phase=init".to_owned()),
        created: "2026-03-01T12:00:00Z".to_owned(),
    });
    let host = status.authorities.first_mut().unwrap();
    host.rotation = RotationStatus {
        state: RotationState::InProgress,
        phase: Phase::UpdateClients,
        mode: Some(Mode::Automatic),
        current_id: Some("8a2f7a52-0000-4000-8000-000000000000".to_owned()),
        started: Some("2026-03-01T12:00:00Z".to_owned()),
        grace_period_seconds: Some(172_800),
        schedule: Some(ActiveSchedule {
            update_clients: "2026-03-02T04:00:00Z".to_owned(),
            update_servers: "2026-03-02T20:00:00Z".to_owned(),
            standby: "2026-03-03T12:00:00Z".to_owned(),
        }),
        last_rotated: None,
        text: String::new(),
    };
    host.rotation.text = host.rotation.words();
    host.keys = vec![
        key("SSH", KeyUse::Active, "ECDSA P-256", "PKCS#11 HSM", 2),
        key("SSH", KeyUse::Trusted, "Ed25519", "software", 1),
        key("TLS", KeyUse::Active, "ECDSA P-256", "PKCS#11 HSM", 2),
        key("TLS", KeyUse::Trusted, "ECDSA P-256", "software", 1),
    ];
    status
}

pub(crate) fn key_detail() -> KeyDetail {
    KeyDetail {
        id: "0d9f7a52-0000-4000-8000-000000000001".to_owned(),
        authority: Some("host".to_owned()),
        protocol: Some("TLS".to_owned()),
        generation: Some(1),
        status: KeyState::Quarantined,
        algorithm: "ECDSA P-256".to_owned(),
        backend: "PKCS#11 HSM".to_owned(),
        store: "signet/1a2b3c".to_owned(),
        handle: "0d9f7a52000040008000000000000001".to_owned(),
        owner: SERVER.to_owned(),
        made_at: Some("2026-03-01T12:00:00Z".to_owned()),
        last_used: None,
        attributes: [
            ("local", "true"),
            ("never_extractable", "true"),
            ("sensitive", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        public_key_sha256: "ab".repeat(32),
        destroy_after: Some("2026-03-08T12:00:00Z".to_owned()),
        note: Some("rotated out".to_owned()),
    }
}
