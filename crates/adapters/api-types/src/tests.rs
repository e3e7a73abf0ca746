use super::*;

fn standby() -> RotationStatus {
    RotationStatus {
        state: RotationState::Standby,
        phase: Phase::Standby,
        mode: None,
        current_id: None,
        started: None,
        grace_period_seconds: None,
        schedule: None,
        last_rotated: None,
        text: String::new(),
    }
}

#[test]
fn rotation_reads_as_operators_know_it() {
    assert_eq!(standby().words(), "standby (never rotated)");
    let rotated = RotationStatus {
        last_rotated: Some("2026-03-01T12:00:00Z".to_owned()),
        ..standby()
    };
    assert_eq!(rotated.words(), "standby (last rotated: 2026-03-01T12:00:00Z)");
    let manual = RotationStatus {
        state: RotationState::InProgress,
        phase: Phase::Init,
        mode: Some(Mode::Manual),
        started: Some("2026-03-01T12:00:00Z".to_owned()),
        ..standby()
    };
    assert_eq!(manual.words(), "in progress (mode: manual, phase: init)");
    let automatic = RotationStatus {
        mode: Some(Mode::Automatic),
        phase: Phase::UpdateClients,
        schedule: Some(ActiveSchedule {
            update_clients: "2026-03-01T20:00:00Z".to_owned(),
            update_servers: "2026-03-02T04:00:00Z".to_owned(),
            standby: "2026-03-02T12:00:00Z".to_owned(),
        }),
        ..manual
    };
    assert_eq!(
        automatic.words(),
        "in progress (mode: automatic, phase: update_clients, started: 2026-03-01T12:00:00Z, ending: 2026-03-02T12:00:00Z)"
    );
}

#[test]
fn requests_refuse_what_they_do_not_know() {
    let unknown_field = r#"{"authority":"host","mode":"manual","phase":"init"}"#;
    assert!(serde_json::from_str::<RotateRequest>(unknown_field).is_err());
    let unknown_phase = r#"{"authority":"host","mode":"manual","target_phase":"Init"}"#;
    assert!(serde_json::from_str::<RotateRequest>(unknown_phase).is_err());
    let missing_mode = r#"{"authority":"host"}"#;
    assert!(serde_json::from_str::<RotateRequest>(missing_mode).is_err());
    let unknown_format = r#"{"format":"kubernetes","user":"alice"}"#;
    assert!(serde_json::from_str::<SignRequest>(unknown_format).is_err());
    let unknown_in_tagged = r#"{"format":"db","public_key":"x","hosts":["db"],"tll_seconds":1}"#;
    assert!(serde_json::from_str::<SignRequest>(unknown_in_tagged).is_err());
    assert!(serde_json::from_str::<SweepRequest>(r#"{"dryrun":true}"#).is_err());
}

#[test]
fn sign_requests_are_told_apart_by_format() {
    let request = SignRequest::Db(SignDatabase {
        public_key: "PEM".to_owned(),
        hosts: vec!["db.example.com".to_owned()],
        ttl_seconds: Some(60),
        flavor: DatabaseFlavor::Mongodb,
    });
    let json = serde_json::to_value(&request).unwrap();
    assert_eq!(json["format"], "db");
    assert_eq!(json["flavor"], "mongodb");
    assert_eq!(serde_json::from_value::<SignRequest>(json).unwrap(), request);
}

#[test]
fn documents_have_the_shape_scripts_rely_on() {
    let pair = TlsKeyPair {
        cert: "Q0VSVA==".to_owned(),
        key: Some(SecretText::new("YXdza21zOmFybg==".to_owned())),
        key_type: "AWS_KMS".to_owned(),
        crl: None,
    };
    let document = CertAuthority {
        kind: "cert_authority".to_owned(),
        sub_kind: "db".to_owned(),
        version: "v2".to_owned(),
        metadata: CertAuthorityMetadata {
            name: "example.com".to_owned(),
            revision: "7".to_owned(),
        },
        spec: CertAuthoritySpec {
            authority: "db".to_owned(),
            cluster_name: "example.com".to_owned(),
            active_keys: KeySet {
                tls: vec![pair],
                ..KeySet::default()
            },
            additional_trusted_keys: KeySet::default(),
            rotation: RotationDocument {
                state: RotationState::Standby,
                phase: Phase::Standby,
                mode: None,
                current_id: None,
                started: None,
                grace_period: None,
                last_rotated: None,
                schedule: None,
            },
        },
    };
    let json = serde_json::to_value(&document).unwrap();
    assert_eq!(json["spec"]["active_keys"]["tls"][0]["key"], "YXdza21zOmFybg==");
    assert_eq!(json["spec"]["type"], "db");
    assert!(json["spec"]["active_keys"].get("ssh").is_none());
    assert_eq!(serde_json::from_value::<CertAuthority>(json).unwrap(), document);
    assert!(
        !format!("{document:?}").contains("YXdza21z"),
        "a secret was printed"
    );
}

#[test]
fn i9_secrets_are_not_printed() {
    let credential = Credential {
        name: "jwt".to_owned(),
        content: SecretText::new("eyJhbGciOi".to_owned()),
        serial: "1".to_owned(),
    };
    assert!(!format!("{credential:?}").contains("eyJ"));
    assert!(serde_json::to_string(&credential).unwrap().contains("eyJhbGciOi"));
}

#[test]
fn words_in_text_and_in_json_are_the_same() {
    fn check<T>(all: &[T])
    where
        T: Copy
            + std::fmt::Display
            + std::fmt::Debug
            + PartialEq
            + serde::Serialize
            + std::str::FromStr<Err = String>,
    {
        for &word in all {
            assert_eq!(
                serde_json::to_value(word).unwrap(),
                serde_json::Value::String(word.to_string())
            );
            assert_eq!(word.to_string().parse::<T>().unwrap(), word);
        }
        assert!("nonsense".parse::<T>().unwrap_err().contains("use "));
    }
    check(Phase::ALL);
    check(Mode::ALL);
    check(RotationState::ALL);
    check(KeyUse::ALL);
    check(KeyState::ALL);
    check(ExportStatus::ALL);
    check(ExportFormat::ALL);
    check(DatabaseFlavor::ALL);
    check(SshPermission::ALL);
}

#[test]
fn routes_are_distinct() {
    let mut seen = std::collections::BTreeSet::new();
    for route in Route::ALL {
        assert!(route.path().starts_with("/v1/"));
        assert!(seen.insert(route.path()), "{} twice", route.path());
    }
}
