//! OpenSSH and ssh-key judge what we write.

use std::path::PathBuf;
use std::process::Command;

use key::KeyAlgorithm;
use parts::ssh::SignRequest;
use parts::ssh::ssh_keygen;
use parts::ssh::ssh_keygen_list;
use parts::ssh::ssh_keygen_sign;
use ssh_cert::Certificate;
use ssh_cert::CertificateType;
use ssh_cert::CriticalOptions;
use ssh_cert::Expected;
use ssh_cert::Extensions;
use ssh_cert::SubjectAlgorithm;
use ssh_cert::SubjectKey;

use super::blob;
use super::sign;
use super::signer::Signer;
use super::user_plan;

fn subject_keys() -> Vec<SubjectKey> {
    let ed25519 = Signer::generate(KeyAlgorithm::Ed25519).public_key();
    let p256 = Signer::generate(KeyAlgorithm::EcdsaP256).public_key();
    let mut keys: Vec<SubjectKey> = [KeyAlgorithm::EcdsaP384, KeyAlgorithm::Rsa2048]
        .into_iter()
        .map(|algorithm| Signer::generate(algorithm).public_key())
        .chain([ed25519.clone(), p256.clone()])
        .map(|key| SubjectKey::from_public_key(&key).unwrap())
        .collect();
    let key::PublicKeyParts::Ed25519 { key } = ed25519.parts().unwrap() else {
        panic!("no Ed25519 key")
    };
    let sk = blob(&[b"sk-ssh-ed25519@openssh.com", key, b"ssh:"]);
    keys.push(SubjectKey::from_blob(&sk).unwrap());
    let key::PublicKeyParts::Ec { point } = p256.parts().unwrap() else {
        panic!("no EC key")
    };
    let sk = blob(&[
        b"sk-ecdsa-sha2-nistp256@openssh.com",
        b"nistp256",
        point,
        b"ssh:work",
    ]);
    keys.push(SubjectKey::from_blob(&sk).unwrap());
    assert_eq!(keys.len(), SubjectAlgorithm::ALL.len());
    keys
}

fn write(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    path
}

#[test]
fn openssh_lists_user_certificates_of_every_key_by_every_authority() {
    let directory = tempfile::tempdir().unwrap();
    for algorithm in KeyAlgorithm::ALL {
        let signer = Signer::generate(algorithm);
        let authority = signer.public_key();
        for subject in subject_keys() {
            let mut plan = user_plan(subject.clone(), authority.clone());
            plan.critical_options.verify_required = subject.algorithm().is_hardware();
            let certificate = sign(&signer, &plan);
            let path = write(&directory, "id-cert.pub", &certificate.to_line("alice@laptop"));
            let listed = ssh_keygen_list(&path).unwrap();
            for part in [
                format!("Type: {} user certificate", subject.algorithm().certificate_str()),
                ssh_cert::public_key_fingerprint(&authority).unwrap(),
                subject.fingerprint(),
                "Key ID: \"alice\"".to_owned(),
                "Serial: 18364758544493064720".to_owned(),
                "force-command /bin/echo hello".to_owned(),
                "source-address 192.0.2.0/24,2001:db8::/32".to_owned(),
                "permit-X11-forwarding".to_owned(),
                "permit-agent-forwarding".to_owned(),
                "permit-port-forwarding".to_owned(),
                "permit-pty".to_owned(),
                "permit-user-rc".to_owned(),
                "roles@signet.dev UNKNOWN OPTION: 0000000a5b22616363657373225d".to_owned(),
            ] {
                assert!(listed.contains(&part), "{part} is missing in {listed}");
            }
            assert_eq!(
                listed.contains("verify-required"),
                subject.algorithm().is_hardware()
            );
            let signed_with = match algorithm {
                KeyAlgorithm::Rsa4096 => "rsa-sha2-512",
                KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => "rsa-sha2-256",
                KeyAlgorithm::EcdsaP256 => "ecdsa-sha2-nistp256",
                KeyAlgorithm::EcdsaP384 => "ecdsa-sha2-nistp384",
                KeyAlgorithm::Ed25519 => "ssh-ed25519",
            };
            assert!(listed.contains(&format!("(using {signed_with})")), "{listed}");
        }
    }
}

#[test]
fn another_implementation_reads_the_same() {
    let signer = Signer::generate(KeyAlgorithm::EcdsaP256);
    for subject in subject_keys() {
        let mut plan = user_plan(subject.clone(), signer.public_key());
        plan.certificate_type = CertificateType::Host;
        plan.critical_options = CriticalOptions::default();
        plan.extensions = Extensions::default();
        let certificate = sign(&signer, &plan);
        let read = ssh_key::Certificate::from_openssh(&certificate.to_line("")).unwrap();
        assert_eq!(read.to_bytes().unwrap(), certificate.blob());
        assert_eq!(read.serial(), plan.serial);
        assert_eq!(read.valid_principals(), ["root", "alice"]);
        assert!(
            read.cert_type().is_host() && read.critical_options().is_empty() && read.extensions().is_empty()
        );
        let line = ssh_key::PublicKey::from(read.public_key().clone())
            .to_openssh()
            .unwrap();
        assert_eq!(SubjectKey::from_line(&line).unwrap(), subject);
    }
}

#[test]
fn certificates_of_openssh_are_read_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let authority = directory.path().join(format!("ca_{kind}"));
        let subject = directory.path().join(format!("id_{kind}"));
        ssh_keygen(kind, &authority).unwrap();
        ssh_keygen(kind, &subject).unwrap();
        let public = subject.with_extension("pub");
        let request = SignRequest {
            ca_key: &authority,
            public_key: &public,
            host: false,
            key_id: "bob",
            principals: &["root", "bob"],
            validity: "20260301120000Z:20260301130000Z",
        };
        let line = std::fs::read_to_string(ssh_keygen_sign(request).unwrap()).unwrap();
        let certificate = Certificate::from_line(&line).unwrap();
        assert_eq!((certificate.key_id(), certificate.principals().len()), ("bob", 2));
        assert_eq!(certificate.extensions().permits.len(), 5);
        let own = SubjectKey::from_line(&std::fs::read_to_string(&public).unwrap()).unwrap();
        assert_eq!(certificate.subject_key(), &own);
        let authority_line = std::fs::read_to_string(authority.with_extension("pub")).unwrap();
        let own_line = ssh_cert::public_key_line(certificate.signing_key(), "").unwrap();
        assert_eq!(authority_line.trim(), own_line);
        let expected = Expected {
            authorities: std::slice::from_ref(certificate.signing_key()),
            certificate_type: CertificateType::User,
            principal: "bob",
            now: names::UnixSeconds(super::NOW + 1),
            source: None,
        };
        certificate.check(&expected).unwrap();
    }
}

#[test]
fn openssh_agrees_on_fingerprints_and_known_hosts() {
    let directory = tempfile::tempdir().unwrap();
    for algorithm in KeyAlgorithm::ALL {
        let key = Signer::generate(algorithm).public_key();
        let path = write(
            &directory,
            "ca.pub",
            &ssh_cert::public_key_line(&key, "prod user authority").unwrap(),
        );
        let listed = Command::new("ssh-keygen")
            .arg("-l")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        let fingerprint = ssh_cert::public_key_fingerprint(&key).unwrap();
        assert!(
            String::from_utf8_lossy(&listed.stdout).contains(&fingerprint),
            "{listed:?}"
        );
        let line = ssh_cert::known_hosts_line(&key, &["*.prod.example.com", "prod"], "prod").unwrap();
        let path = write(&directory, "known_hosts", &line);
        let found = Command::new("ssh-keygen")
            .args(["-F", "prod", "-f"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            String::from_utf8_lossy(&found.stdout).contains("@cert-authority"),
            "{found:?}"
        );
    }
}
