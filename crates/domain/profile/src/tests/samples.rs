//! Plans that keep every rule, to be broken.

use std::collections::BTreeMap;

use key::KeyAlgorithm;
use key::PublicKey;
use key::SignatureScheme;
use names::ClusterName;
use names::HostName;
use names::Principal;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use ssh_cert::CertificatePlan;
use ssh_cert::CriticalOptions;
use ssh_cert::OwnFact;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;
use x509::CaCertificatePlan;
use x509::CrlPlan;
use x509::DistinguishedName;
use x509::Issuer;
use x509::KeyUsage;
use x509::NameAttribute;

use crate::SshProfile;
use crate::SshRequest;
use crate::TokenProfile;
use crate::TokenRequest;
use crate::X509Plan;
use crate::X509Request;

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_772_366_400);
/// A little before 2050-01-01T00:00:00Z, where times change their type.
pub(crate) const LATE: UnixSeconds = UnixSeconds(2_524_608_000 - 3_600);

pub(crate) fn key(seed: u8) -> PublicKey {
    PublicKey::from_ed25519(&[seed; 32]).unwrap()
}

pub(crate) fn cluster() -> ClusterName {
    ClusterName::parse("prod.example.com").unwrap()
}

pub(crate) fn authority() -> CaCertificatePlan {
    let public_key = key(1);
    CaCertificatePlan {
        subject: DistinguishedName::new([(NameAttribute::CommonName, cluster().as_str())]).unwrap(),
        scheme: public_key.algorithm().default_scheme(),
        public_key,
        serial: Serial::from_random([9; 16]),
        not_before: NOW,
        not_after: NOW.plus(Ttl::from_days(3_650)),
        path_length: Some(0),
        key_usage: KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN),
    }
}

pub(crate) fn issuer() -> Issuer {
    let CaCertificatePlan {
        subject,
        public_key,
        scheme,
        ..
    } = authority();
    let key_identifier = public_key.key_identifier().unwrap();
    let (not_before, not_after) = (UnixSeconds(0), UnixSeconds(i64::MAX));
    Issuer {
        name: subject,
        key_identifier,
        public_key,
        scheme,
        not_before,
        not_after,
    }
}

pub(crate) fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::parse(name).unwrap()).collect()
}

pub(crate) fn principals(names: &[&str]) -> Vec<Principal> {
    names.iter().map(|name| Principal::parse(name).unwrap()).collect()
}

pub(crate) fn host_request() -> X509Request {
    X509Request::Host {
        names: hosts(&["web-1.example.com", "192.0.2.7"]),
        roles: principals(&["node"]),
    }
}

pub(crate) fn user_request() -> X509Request {
    X509Request::User {
        user: UserName::parse("alice").unwrap(),
        roles: principals(&["access"]),
        logins: principals(&["root"]),
        traits: BTreeMap::new(),
        mfa_device: None,
        pinned_to: None,
    }
}

pub(crate) fn windows_request() -> X509Request {
    X509Request::Windows {
        user: UserName::parse("alice").unwrap(),
        domain: HostName::parse("corp.example.com").unwrap(),
        sid: Some("S-1-5-21-1".to_owned()),
    }
}

pub(crate) fn x509_at(request: &X509Request, now: UnixSeconds) -> X509Plan {
    let url = Some("http://pki.example.com/crl".to_owned());
    crate::plan_x509(
        request,
        key(2),
        None,
        &issuer(),
        &cluster(),
        Serial::from_random([5; 16]),
        now,
        url,
    )
    .unwrap()
}

pub(crate) fn x509(request: &X509Request) -> X509Plan {
    x509_at(request, NOW)
}

pub(crate) fn ssh_user_request() -> SshRequest {
    SshRequest::User {
        profile: SshProfile::User,
        user: UserName::parse("alice").unwrap(),
        logins: principals(&["root", "alice"]),
        roles: principals(&["access"]),
        critical_options: CriticalOptions::default(),
        facts: [(
            ssh_cert::ExtensionName::own("traits").unwrap(),
            r#"{"logins":["root"]}"#.to_owned(),
        )]
        .into(),
        permits: vec![Permit::Pty],
    }
}

/// For one session.
pub(crate) fn ssh_session_request() -> SshRequest {
    let facts = [
        (OwnFact::SessionNode, "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11"),
        (OwnFact::MfaVerified, "0b5c"),
        (OwnFact::LoginExpires, "1772400000"),
    ];
    SshRequest::User {
        profile: SshProfile::Session,
        user: UserName::parse("alice").unwrap(),
        logins: principals(&["root"]),
        roles: principals(&["access"]),
        critical_options: CriticalOptions::default(),
        facts: facts.map(|(fact, text)| (fact.name(), text.to_owned())).into(),
        permits: vec![Permit::Pty],
    }
}

pub(crate) fn ssh_host_request() -> SshRequest {
    SshRequest::Host {
        names: hosts(&["web-1.example.com"]),
        roles: Vec::new(),
    }
}

pub(crate) fn nonce() -> [u8; 32] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}

pub(crate) fn ssh(request: &SshRequest) -> CertificatePlan {
    let subject = SubjectKey::from_public_key(&key(2)).unwrap();
    crate::plan_ssh(
        request,
        subject,
        None,
        &key(1),
        Serial::from_random([5; 16]),
        nonce(),
        NOW,
    )
    .unwrap()
}

pub(crate) fn token_request(profile: TokenProfile) -> TokenRequest {
    TokenRequest {
        profile,
        subject: "spiffe://prod.example.com/web".to_owned(),
        audience: vec!["app".to_owned()],
        claims: serde_json::Map::new(),
    }
}

pub(crate) fn token(profile: TokenProfile) -> jwt::TokenPlan {
    let serial = Serial::from_random([5; 16]);
    crate::plan_token(
        &token_request(profile),
        None,
        "https://a.example.com",
        &key(1),
        serial,
        NOW,
    )
    .unwrap()
}

pub(crate) fn crl() -> CrlPlan {
    let mut plan = CrlPlan::under(&issuer(), 7, NOW, NOW.plus(Ttl::from_days(7)));
    plan.revoked = [3_u8, 4]
        .map(|seed| x509::RevokedCertificate {
            serial: Serial::from_random([seed; 16]),
            revoked_at: NOW,
            reason: x509::RevocationReason::KeyCompromise,
        })
        .to_vec();
    plan
}

/// The bytes with the one place where `from` stands changed to `to`, which is as long.
pub(crate) fn edited(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(
        places.len(),
        1,
        "{from:x?} stands {} times in {bytes:x?}",
        places.len()
    );
    let mut edited = bytes.to_vec();
    edited[places[0]..places[0] + to.len()].copy_from_slice(to);
    edited
}

#[test]
fn samples_keep_every_rule() {
    for request in [host_request(), user_request(), windows_request()] {
        crate::lint_x509(x509(&request), &issuer()).unwrap();
        crate::lint_x509(x509_at(&request, LATE), &issuer()).unwrap();
    }
    crate::lint_authority(authority()).unwrap();
    crate::lint_crl(crl(), &issuer()).unwrap();
    for request in [ssh_user_request(), ssh_host_request()] {
        crate::lint_ssh(ssh(&request), request.profile()).unwrap();
    }
    for profile in TokenProfile::ALL {
        crate::lint_token(token(profile), profile).unwrap();
    }
    assert_eq!(key(1).algorithm(), KeyAlgorithm::Ed25519);
    assert_eq!(issuer().scheme, SignatureScheme::Ed25519);
}
