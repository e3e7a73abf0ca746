//! What the profiles make passes every foreign reader and linter, and what they must not make is found.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod foreign;
#[path = "../../../x509/tests/x509/signer/mod.rs"]
mod signer;

use std::collections::BTreeMap;

use key::KeyAlgorithm;
use key::PublicKey;
use names::ClusterName;
use names::HostName;
use names::Principal;
use names::Serial;
use names::UnixSeconds;
use names::UserName;
use profile::LintedPlan;
use profile::X509Plan;
use profile::X509Request;
use signer::Signer;
use x509::CaCertificatePlan;
use x509::Certificate;
use x509::DistinguishedName;
use x509::Issuer;
use x509::KeyUsage;
use x509::NameAttribute;

/// An authority of a test: its key and its certificate.
pub(crate) struct Authority {
    pub(crate) signer: Signer,
    pub(crate) certificate: Certificate,
    pub(crate) issuer: Issuer,
}

pub(crate) fn serial(seed: u8) -> Serial {
    Serial::from_random([seed; 16])
}

pub(crate) fn cluster() -> ClusterName {
    ClusterName::parse("prod.example.com").unwrap()
}

pub(crate) fn ca_plan(public_key: &PublicKey, now: UnixSeconds) -> CaCertificatePlan {
    let serial = serial(9);
    let subject = DistinguishedName::new([
        (NameAttribute::CommonName, cluster().as_str()),
        (NameAttribute::Organization, cluster().as_str()),
        (NameAttribute::SerialNumber, serial.to_string().as_str()),
    ]);
    CaCertificatePlan {
        subject: subject.unwrap(),
        public_key: public_key.clone(),
        scheme: public_key.algorithm().default_scheme(),
        serial,
        not_before: now.minus(profile::BACKDATE),
        not_after: now.plus(names::Ttl::from_days(3_650)),
        path_length: Some(0),
        key_usage: KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN),
    }
}

/// Signs a linted plan the only way there is.
pub(crate) fn sign(signer: &Signer, linted: LintedPlan) -> Vec<u8> {
    let (_, to_be_signed) = linted.into_parts();
    let signature = signer.sign(to_be_signed.scheme(), to_be_signed.bytes());
    to_be_signed.assemble(&signature).unwrap()
}

pub(crate) fn authority(algorithm: KeyAlgorithm, now: UnixSeconds) -> Authority {
    let signer = Signer::generate(algorithm);
    let linted = profile::lint_authority(ca_plan(&signer.public_key(), now)).unwrap();
    let certificate = Certificate::from_der(&sign(&signer, linted)).unwrap();
    let issuer = Issuer::from_certificate(&certificate).unwrap();
    Authority {
        signer,
        certificate,
        issuer,
    }
}

/// A request of every profile, with everything it may ask for.
pub(crate) fn requests() -> Vec<X509Request> {
    let hosts = |names: &[&str]| {
        names
            .iter()
            .map(|name| HostName::parse(name).unwrap())
            .collect::<Vec<_>>()
    };
    let principals = |names: &[&str]| {
        names
            .iter()
            .map(|name| Principal::parse(name).unwrap())
            .collect::<Vec<_>>()
    };
    let user = UserName::parse("alice").unwrap();
    let all = vec![
        X509Request::Host {
            names: hosts(&["web-1.prod.example.com", "192.0.2.7", "2001:db8::7"]),
            roles: principals(&["node", "proxy"]),
        },
        X509Request::User {
            user: user.clone(),
            roles: principals(&["access", "editor"]),
            logins: principals(&["root", "alice"]),
            traits: BTreeMap::from([("team".to_owned(), vec!["infra".to_owned()])]),
            mfa_device: None,
            pinned_to: None,
        },
        X509Request::DatabaseServer {
            names: hosts(&["db-1.prod.example.com", "192.0.2.8"]),
            common_name: None,
            organization: None,
        },
        X509Request::DatabaseClient { user: user.clone() },
        X509Request::Windows {
            user,
            domain: HostName::parse("corp.example.com").unwrap(),
            sid: Some("S-1-5-21-1-2-3-1000".to_owned()),
        },
        X509Request::Workload {
            path: "/ns/prod/sa/web".to_owned(),
            dns_names: hosts(&["web.prod.example.com"]),
        },
    ];
    let covered: Vec<_> = all.iter().map(X509Request::profile).collect();
    assert_eq!(covered, profile::X509Profile::ALL);
    all
}

pub(crate) fn plan(request: &X509Request, key: PublicKey, issuer: &Issuer, now: UnixSeconds) -> X509Plan {
    let crl = Some("http://pki.prod.example.com/crl".to_owned());
    profile::plan_x509(request, key, None, issuer, &cluster(), serial(1), now, crl).unwrap()
}
