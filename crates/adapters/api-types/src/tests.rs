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
fn keys_alone_are_what_does_not_work_in_a_terminal() {
    let me = |kinds: &[&str]| Me {
        user: "alice".to_owned(),
        roles: Vec::new(),
        traits: std::collections::BTreeMap::new(),
        logins: Vec::new(),
        second_factors: kinds
            .iter()
            .map(|kind| SecondFactorRow {
                id: (*kind).to_owned(),
                name: (*kind).to_owned(),
                kind: (*kind).to_owned(),
                added: "2026-03-01T12:00:00Z".to_owned(),
                last_used: None,
            })
            .collect(),
        recovery_codes_left: 10,
    };
    let all = ["totp", "webauthn", "recovery_code"].map(str::to_owned);
    assert!(me(&["webauthn", "webauthn"]).has_only_keys(&all));
    assert!(!me(&["webauthn", "totp"]).has_only_keys(&all));
    assert!(!me(&["totp"]).has_only_keys(&all));
    assert!(!me(&[]).has_only_keys(&all));
    // What the cluster does not take any more is of no use.
    assert!(me(&["webauthn", "totp"]).has_only_keys(&["webauthn".to_owned()]));
    assert!(!me(&["webauthn"]).has_only_keys(&["totp".to_owned()]));
}

#[test]
fn routes_are_distinct() {
    let mut seen = std::collections::BTreeSet::new();
    for route in Route::ALL {
        assert!(route.path().starts_with("/v1/"));
        assert!(seen.insert(route.path()), "{} twice", route.path());
    }
}

/// The same with something in every object that this version has never heard of.
fn from_a_later_version(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, from_a_later_version(value)));
            fields
                .chain([("of_a_later_version".to_owned(), true.into())])
                .collect()
        }
        Value::Array(values) => values.into_iter().map(from_a_later_version).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[test]
fn answers_of_a_later_version_are_read_and_requests_are_not() {
    fn reads<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq>(answer: &T) {
        let later = from_a_later_version(serde_json::to_value(answer).unwrap());
        let read: T = serde_json::from_value(later).unwrap();
        assert!(read == *answer, "{}", std::any::type_name::<T>());
    }
    fn refuses<T: serde::Serialize + serde::de::DeserializeOwned>(request: &T) {
        let later = from_a_later_version(serde_json::to_value(request).unwrap());
        assert!(
            serde_json::from_value::<T>(later).is_err(),
            "{}",
            std::any::type_name::<T>()
        );
    }
    let trust = TrustBundle {
        cluster: "example.com".to_owned(),
        keys: vec![TrustedKey {
            authority: "host".to_owned(),
            form: "tls".to_owned(),
            generation: 1,
            spki_sha256: "ab".repeat(32),
            text: "PEM".to_owned(),
        }],
        clients_use: 1,
        servers_use: 1,
    };
    // What machines read.
    reads(&JoinAnswer {
        host_id: "host-1".to_owned(),
        tls_client: vec!["PEM".to_owned()],
        tls_server: vec!["PEM".to_owned()],
        ssh_certificate: "ssh".to_owned(),
        not_after: "2026-03-01T12:00:00Z".to_owned(),
        trust: trust.clone(),
    });
    // The documents in a view are judged by whoever reads them.
    let view: AgentView = serde_json::from_value(serde_json::json!({
        "revision": 7, "cluster": "example.com", "roles": [], "locks": [], "auth_preference": {}, "networking": {}, "recording": {},
        "trust": from_a_later_version(serde_json::to_value(&trust).unwrap()), "of_a_later_version": true,
    }))
    .unwrap();
    assert_eq!((view.revision, view.trust), (7, trust));
    reads(&HeartbeatAnswer {
        clients_use: 1,
        servers_use: 1,
        revision: 7,
    });
    reads(&OpensshHostCertificateAnswer {
        ssh_certificate: "ssh".to_owned(),
        show_seconds: 60,
    });
    // What clients read.
    reads(&Ping {
        cluster_name: "example.com".to_owned(),
        server_version: "9.9.9".to_owned(),
        second_factors: vec!["totp".to_owned(), "of_a_later_version".to_owned()],
    });
    reads(&LoginChallenge {
        challenge_id: "c".to_owned(),
        second_factors: vec!["totp".to_owned(), "of_a_later_version".to_owned()],
        webauthn: None,
    });
    let host_trust = HostTrust {
        known_hosts: vec!["@cert-authority *".to_owned()],
        tls_authorities: vec!["PEM".to_owned()],
    };
    reads(&PresentTrust {
        cluster: "example.com".to_owned(),
        trust: host_trust.clone(),
        is_current: true,
    });
    reads(&LoginAnswer {
        user: "alice".to_owned(),
        cluster: "example.com".to_owned(),
        roles: Vec::new(),
        logins: Vec::new(),
        ssh_certificate: "ssh".to_owned(),
        tls_certificate: "PEM".to_owned(),
        not_after: "2026-03-01T12:00:00Z".to_owned(),
        trust: host_trust,
    });
    reads(&standby());
    // What the server is asked.
    refuses(&JoinRequest {
        token: SecretText::new("t".to_owned()),
        node_name: "web-1".to_owned(),
        roles: Vec::new(),
        host_id: None,
        ssh_public_key: String::new(),
        csr: String::new(),
        labels: Default::default(),
        public_addresses: Vec::new(),
        addr: String::new(),
    });
    refuses(&TokenRequest::default());
    refuses(&AcceptRestoreRequest {
        reason: "backup".to_owned(),
    });
}
