//! The seeds are what their targets read: a fuzzer that begins with rubbish never leaves it, and a property of what nobody reads
//! holds without being looked at.

#![cfg(test)]

use std::fs;
use std::path::Path;

use audit::{Head, Verifier};
use config::Environment;

fn seed(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../fuzz/corpus")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(name: &str) -> String {
    String::from_utf8(seed(name)).unwrap()
}

#[test]
fn certificates_requests_and_lists_are_read() {
    for name in ["tls", "host", "db", "win", "ca"] {
        x509::Certificate::from_der(&seed(&format!("x509_certificate/{name}.der"))).unwrap();
    }
    let chain = text("x509_certificate/chain.pem");
    assert!(x509::Certificate::from_pem_bundle(&chain).unwrap().len() >= 2);
    for name in ["tls", "db"] {
        x509::CertificateRequest::from_der(&seed(&format!("x509_request/{name}.der"))).unwrap();
    }
    x509::CertificateRequest::from_pem(&text("x509_request/bob.pem")).unwrap();
    x509::CertificateList::from_der(&seed("x509_crl/user.der")).unwrap();
    x509::CertificateList::from_pem(&text("x509_crl/user.pem")).unwrap();
    for name in ["issuer", "subject", "windows"] {
        x509::DistinguishedName::from_der(&seed(&format!("x509_name/{name}"))).unwrap();
    }
    for name in ["bundle", "crlf"] {
        let found = x509::pem::decode_all("a seed", "CERTIFICATE", &text(&format!("x509_pem/{name}")));
        assert!(!found.unwrap().is_empty(), "{name}");
    }
}

#[test]
fn keys_and_certificates_of_ssh_are_read() {
    for name in ["user", "host"] {
        let blob = seed(&format!("ssh_certificate/{name}.blob"));
        let line = text(&format!("ssh_certificate/{name}.line"));
        let certificate = ssh_cert::Certificate::from_blob(&blob).unwrap();
        assert_eq!(ssh_cert::Certificate::from_line(&line).unwrap(), certificate);
    }
    let foreign = ssh_cert::Certificate::from_blob(&seed("ssh_certificate/options.blob")).unwrap();
    assert!(foreign.critical_options().force_command.is_some());
    for name in ["ed25519", "ecdsa256", "ecdsa384", "rsa2048"] {
        let key = ssh_cert::SubjectKey::from_blob(&seed(&format!("ssh_key/{name}.blob"))).unwrap();
        let line = text(&format!("ssh_key/{name}.line"));
        assert_eq!(ssh_cert::SubjectKey::from_line(&line).unwrap(), key);
    }
    ssh_cert::SubjectKey::from_line(&text("ssh_key/sk.line")).unwrap();
    for name in ["network", "network6", "address"] {
        ssh_cert::Network::parse(&text(&format!("ssh_option/{name}"))).unwrap();
    }
    for name in ["tls", "db", "ed25519", "p384"] {
        key::PublicKey::from_spki_der(&seed(&format!("public_key/{name}.spki"))).unwrap();
    }
    key::PublicKey::from_ec_point(&seed("public_key/p256.point")).unwrap();
}

#[test]
fn documents_are_read() {
    let token = text("jwt_token/jwt");
    let (signed, _) = token.rsplit_once('.').unwrap();
    jwt::Unverified::parse(signed).unwrap();
    api_client::Identity::parse(&seed("identity_file/identity.pem")).unwrap();
    text("identity_file/pin").parse::<api_client::CaPin>().unwrap();
    let environment = Environment {
        home: Some("/home/signet".into()),
        host_name: "auth.example.com".to_owned(),
        ..Environment::default()
    };
    for name in ["sample", "pkcs11", "kms"] {
        config::load(&text(&format!("config_yaml/{name}.yaml")), &environment).unwrap();
    }
    let mut verifier = Verifier::new(Head::EMPTY);
    let log = text("audit_log/first.jsonl");
    for line in log.lines() {
        verifier.check(line).unwrap();
    }
    assert!(verifier.head.sequence > 3);
    for name in ["standby", "init", "clients", "rollback"] {
        serde_json::from_slice::<rotation::Rotation>(&seed(&format!("stored_document/{name}.json"))).unwrap();
    }
    serde_json::from_slice::<rotation::Schedule>(&seed("stored_document/schedule.json")).unwrap();
    serde_json::from_slice::<key::KeyRef>(&seed("stored_document/key_ref.json")).unwrap();
    serde_json::from_slice::<key::PublicKey>(&seed("stored_document/public_key.json")).unwrap();
    serde_json::from_slice::<api_types::Status>(&seed("api_document/status.json")).unwrap();
    serde_json::from_slice::<api_types::KeyDetail>(&seed("api_document/keys.json")).unwrap();
    serde_json::from_slice::<api_types::CertAuthority>(&seed("api_document/cas.json")).unwrap();
    serde_json::from_slice::<api_types::RotateRequest>(&seed("api_document/rotate_request.json")).unwrap();
    serde_json::from_slice::<api_types::RotateAnswer>(&seed("api_document/rotate.json")).unwrap();
    for name in ["sign_ssh", "sign_jwt", "sign_db", "sign_windows"] {
        serde_json::from_slice::<api_types::SignRequest>(&seed(&format!("api_document/{name}.json")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn requests_are_granted_but_for_one() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/profile_request");
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        // A key that is not in hardware cannot promise that somebody touched it.
        let is_refused = path.ends_with("ssh_verify");
        let granted = fuzz_targets::grants(&fs::read(&path).unwrap());
        assert_eq!(granted, !is_refused, "{}", path.display());
    }
}
