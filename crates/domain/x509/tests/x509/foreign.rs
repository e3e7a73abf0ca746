//! OpenSSL and x509-cert judge what we write.

use std::path::PathBuf;

use der::Decode;
use der::Encode;
use key::KeyAlgorithm;
use names::HostName;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use parts::openssl;
use x509::CertificateList;
use x509::CertificateRequest;
use x509::CrlPlan;
use x509::DistinguishedName;
use x509::ExtendedKeyUsage;
use x509::KeyUsage;
use x509::LeafPlan;
use x509::NameAttribute;
use x509::RevocationReason;
use x509::RevokedCertificate;
use x509::SubjectAltName;

use super::Authority;
use super::authority;
use super::round_trip::identity;
use super::sign_leaf;
use super::signer::Signer;

const YEAR: i64 = 365 * 86_400;

/// The tests' certificates are good at the true time, because OpenSSL looks at the clock.
#[expect(
    clippy::disallowed_methods,
    reason = "openssl verify judges at the present time"
)]
fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .cast_signed()
}

fn leaf_plan(authority: &Authority, subject_algorithm: KeyAlgorithm) -> LeafPlan {
    let subject = DistinguishedName::new([(NameAttribute::CommonName, "alice")]).unwrap();
    let key = Signer::generate(subject_algorithm).public_key();
    let mut plan = LeafPlan::under(&authority.issuer, subject, key, Serial::from_random([3; 16]));
    plan.not_before = UnixSeconds(now() - 60);
    plan.not_after = plan.not_before.plus(Ttl::from_hours(12));
    plan.key_usage = KeyUsage::DIGITAL_SIGNATURE;
    plan.extended_key_usage = vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth];
    plan.alt_names = vec![
        SubjectAltName::host(&HostName::parse("web-1.example.com").unwrap()),
        SubjectAltName::host(&HostName::parse("192.0.2.7").unwrap()),
        SubjectAltName::host(&HostName::parse("2001:db8::7").unwrap()),
        SubjectAltName::uri("spiffe://prod.example.com/web").unwrap(),
        SubjectAltName::email("alice@example.com").unwrap(),
        SubjectAltName::UserPrincipal("alice@corp.example.com".to_owned()),
    ];
    plan.identity = Some(identity());
    plan.crl_urls = vec!["http://pki.example.com/crl/user".to_owned()];
    plan.windows_sid = Some("S-1-5-21-1-2-3-1000".to_owned());
    plan
}

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

#[test]
fn openssl_verifies_certificates_of_every_algorithm_strictly() {
    let files = Files::new();
    for algorithm in KeyAlgorithm::ALL {
        let authority = authority(algorithm, now() - 60, now() + 10 * YEAR);
        let certificate = sign_leaf(&authority, &leaf_plan(&authority, KeyAlgorithm::EcdsaP256));
        certificate.verify_issued(&authority.signer.public_key()).unwrap();
        let ca = files.write("ca.pem", &authority.certificate.to_pem());
        let leaf = files.write("leaf.pem", &certificate.to_pem());
        for purpose in ["sslclient", "sslserver"] {
            let chain = openssl::Chain {
                purpose: Some(purpose),
                ..openssl::Chain::new(&ca, &leaf)
            };
            let outcome = openssl::verify_strict(chain).unwrap();
            assert!(outcome.success(), "{algorithm}: {outcome:?}");
        }
        let text = openssl::certificate_text(&leaf).unwrap();
        for part in [
            "Version: 3 (0x2)",
            "Subject: CN=alice",
            "CA:FALSE",
            "TLS Web Client Authentication, TLS Web Server Authentication",
            "DNS:web-1.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, URI:spiffe://prod.example.com/web, email:alice@example.com",
            "URI:http://pki.example.com/crl/user",
            "S-1-5-21-1-2-3-1000",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}

#[test]
fn openssl_refuses_a_changed_certificate() {
    let files = Files::new();
    let authority = authority(KeyAlgorithm::EcdsaP256, now() - 60, now() + YEAR);
    let certificate = sign_leaf(&authority, &leaf_plan(&authority, KeyAlgorithm::EcdsaP256));
    let at = certificate
        .der()
        .windows(5)
        .position(|window| window == b"alice")
        .unwrap();
    let mut changed = certificate.der().to_vec();
    changed[at] = b'A';
    let changed = x509::Certificate::from_der(&changed).unwrap();
    assert!(changed.verify_issued(&authority.signer.public_key()).is_err());
    let ca = files.write("ca.pem", &authority.certificate.to_pem());
    let leaf = files.write("leaf.pem", &changed.to_pem());
    assert!(
        !openssl::verify_strict(openssl::Chain::new(&ca, &leaf))
            .unwrap()
            .success()
    );
}

#[test]
fn openssl_obeys_the_revocation_list() {
    let files = Files::new();
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Ed25519,
    ] {
        let authority = authority(algorithm, now() - 60, now() + YEAR);
        let certificate = sign_leaf(&authority, &leaf_plan(&authority, KeyAlgorithm::Ed25519));
        let ca = files.write("ca.pem", &authority.certificate.to_pem());
        let leaf = files.write("leaf.pem", &certificate.to_pem());
        let other = Serial::from_random([4; 16]);
        for (revoked, is_good) in [(None, true), (Some(other), true), (certificate.serial(), false)] {
            let now = UnixSeconds(now());
            let mut plan = CrlPlan::under(&authority.issuer, 129, now, now.plus(Ttl::from_days(7)));
            plan.revoked.extend(revoked.map(|serial| RevokedCertificate {
                serial,
                revoked_at: now,
                reason: RevocationReason::KeyCompromise,
            }));
            let tbs = plan.to_be_signed().unwrap();
            let der = x509::assemble(&tbs, plan.scheme, &authority.signer.sign(plan.scheme, &tbs)).unwrap();
            let list = CertificateList::from_der(&der).unwrap();
            list.verify_issued(&authority.signer.public_key()).unwrap();
            assert_eq!(
                (list.number(), list.revoked()),
                (Some(129), plan.revoked.as_slice())
            );
            let crl = files.write("crl.pem", &list.to_pem());
            let outcome = openssl::verify_strict(openssl::Chain {
                crl: Some(&crl),
                ..openssl::Chain::new(&ca, &leaf)
            })
            .unwrap();
            assert_eq!(outcome.success(), is_good, "{outcome:?}");
            let text = openssl::crl_text(&crl).unwrap();
            assert_eq!(text.contains("No Revoked Certificates"), revoked.is_none());
            x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der).unwrap();
        }
    }
}

#[test]
fn a_foreign_reader_reads_and_rewrites_the_same_bytes() {
    for algorithm in KeyAlgorithm::ALL {
        let authority = authority(algorithm, now(), now() + 30 * YEAR);
        let certificate = sign_leaf(&authority, &leaf_plan(&authority, algorithm));
        for der in [authority.certificate.der(), certificate.der()] {
            let read = x509_cert::Certificate::from_der(der).unwrap();
            assert_eq!(read.to_der().unwrap(), der);
        }
    }
}

#[test]
fn requests_of_openssl_are_read_and_their_signature_is_checked() {
    let files = Files::new();
    for key in [["-newkey", "rsa:2048"], ["-newkey", "ed25519"], ["-newkey", "ec"]] {
        let path = files.directory.path().join("request.pem");
        let mut arguments = vec!["req", "-new", "-nodes", "-keyout", "/dev/null"];
        arguments.extend(key);
        if key[1] == "ec" {
            arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-256"]);
        }
        arguments.extend([
            "-subj",
            "/CN=web",
            "-addext",
            "subjectAltName=DNS:web.example.com,IP:192.0.2.1",
        ]);
        arguments.extend(["-out", path.to_str().unwrap()]);
        openssl::openssl_ok(arguments).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let request = CertificateRequest::from_pem(&text).unwrap();
        assert_eq!(request.subject().common_name().as_deref(), Some("web"));
        let names = [
            SubjectAltName::Dns("web.example.com".to_owned()),
            SubjectAltName::Ip([192, 0, 2, 1].into()),
        ];
        assert_eq!(request.alt_names(), names);

        let mut der = x509::pem::decode_one("request", "CERTIFICATE REQUEST", &text).unwrap();
        let at = der.windows(3).position(|window| window == b"web").unwrap();
        der[at] = b'W';
        assert!(matches!(
            CertificateRequest::from_der(&der),
            Err(x509::ParseError::NotSigned { .. })
        ));
    }
}
