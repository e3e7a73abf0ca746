//! What people ask to be issued, after it was read and before it is signed.

use std::collections::BTreeMap;
use std::str::FromStr;

use key::{PublicKey, SignatureScheme};
use names::{ClusterName, Serial, Ttl, UnixSeconds};
use profile::{LintedPlan, SshProfile, SshRequest, ToBeSigned, TokenProfile, TokenRequest, X509Request};
use profile::{lint_ssh, lint_token, lint_x509, plan_ssh, plan_token, plan_x509};
use ssh_cert::{CriticalOptions, ForceCommand, Network, Permit, SubjectKey};
use x509::{DistinguishedName, Issuer, NameAttribute};

const NOW: UnixSeconds = UnixSeconds(1_772_366_400);

/// A request of any profile: the first line is one of the words below, the others are names, paths, options and claims as far as
/// they can be read as such.
///
/// What can be planned and passes the lint is written, and what is written can be read.
pub fn profile_request(data: &[u8]) {
    let _granted = grants(data);
}

/// As [`profile_request`]; whether something would have been signed.
#[must_use]
pub fn grants(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let mut lines = text.lines();
    let word = lines.next().unwrap_or_default();
    let fields: Vec<&str> = lines.collect();
    let Some(authority) = authority() else {
        return false;
    };
    let ttl = fields.iter().find_map(|field| field.parse::<Ttl>().ok());
    let key = &authority.public_key;
    if let Some(request) = x509_request(word, &fields) {
        certify(&request, ttl, &authority)
    } else if let Some(request) = ssh_request(word, &fields) {
        certify_ssh(&request, ttl, key)
    } else if let Some(request) = token_request(word, &fields) {
        certify_token(&request, ttl, key)
    } else {
        profile::check_spiffe_id(word, &cluster()).is_ok()
    }
}

fn certify(request: &X509Request, ttl: Option<Ttl>, authority: &Issuer) -> bool {
    let serial = Serial::from_random([5; 16]);
    let url = Some("http://pki.example.com/crl".to_owned());
    let Ok(key) = PublicKey::from_ed25519(&[7; 32]) else {
        return false;
    };
    let planned = plan_x509(request, key, ttl, authority, &cluster(), serial, NOW, url);
    let Ok(linted) = planned.and_then(|plan| lint_x509(plan, authority)) else {
        return false;
    };
    let signed = summed_up(linted);
    let read = x509::TbsCertificate::parse(signed.bytes());
    assert!(read.is_ok(), "{request:?}: {read:?}");
    true
}

fn certify_ssh(request: &SshRequest, ttl: Option<Ttl>, authority: &PublicKey) -> bool {
    let serial = Serial::from_random([5; 16]);
    let key = PublicKey::from_ed25519(&[7; 32])
        .ok()
        .and_then(|key| SubjectKey::from_public_key(&key).ok());
    let Some(key) = key else { return false };
    let planned = plan_ssh(request, key, ttl, authority, serial, [3; 32], NOW);
    let Ok(linted) = planned.and_then(|plan| lint_ssh(plan, request.profile())) else {
        return false;
    };
    let signed = summed_up(linted);
    let read = ssh_cert::TbsCertificate::parse(signed.bytes());
    assert!(
        read.as_ref().is_ok_and(|read| !read.principals.is_empty()),
        "a certificate without principals is good for everybody: {request:?}: {read:?}"
    );
    true
}

fn certify_token(request: &TokenRequest, ttl: Option<Ttl>, authority: &PublicKey) -> bool {
    let serial = Serial::from_random([5; 16]);
    let planned = plan_token(request, ttl, "https://auth.example.com", authority, serial, NOW);
    let Ok(linted) = planned.and_then(|plan| lint_token(plan, request.profile)) else {
        return false;
    };
    let signed = summed_up(linted);
    let read = std::str::from_utf8(signed.bytes()).map(jwt::Unverified::parse);
    assert!(
        matches!(&read, Ok(Ok(token)) if token.claims.get("sub").and_then(|sub| sub.as_str()) == Some(request.subject.as_str())),
        "{request:?}: {read:?}"
    );
    true
}

/// What is to be signed, its summary looked at.
fn summed_up(linted: LintedPlan) -> ToBeSigned {
    let (summary, signed) = linted.into_parts();
    assert!(
        !summary.serial.is_empty() && !summary.cert_type.is_empty(),
        "{summary:?}"
    );
    assert!(
        summary.not_before <= NOW && NOW < summary.not_after,
        "it is good now: {summary:?}"
    );
    assert_eq!(signed.scheme(), SignatureScheme::Ed25519);
    signed
}

/// All fields that read as this kind of name.
fn all<T: FromStr>(fields: &[&str]) -> Vec<T> {
    fields.iter().filter_map(|field| field.parse().ok()).collect()
}

/// The first of them.
fn first<T: FromStr>(fields: &[&str]) -> Option<T> {
    fields.iter().find_map(|field| field.parse().ok())
}

fn x509_request(word: &str, fields: &[&str]) -> Option<X509Request> {
    let text = fields.first().map(|field| (*field).to_owned());
    Some(match word {
        "host" => X509Request::Host {
            names: all(fields),
            roles: all(fields),
        },
        "user" => X509Request::User {
            user: first(fields)?,
            roles: all(fields),
            logins: all(fields),
            traits: fields
                .iter()
                .filter_map(|field| field.split_once('='))
                .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
                .collect::<BTreeMap<_, _>>(),
            mfa_device: None,
            pinned_to: None,
        },
        "db" => X509Request::DatabaseServer {
            names: all(fields),
            common_name: text,
            organization: fields.get(1).map(|field| (*field).to_owned()),
        },
        "db-client" => X509Request::DatabaseClient { user: first(fields)? },
        "windows" => X509Request::Windows {
            user: first(fields)?,
            domain: first(fields)?,
            sid: text,
        },
        "workload" => X509Request::Workload {
            path: text?,
            dns_names: all(fields),
        },
        _ => return None,
    })
}

fn ssh_request(word: &str, fields: &[&str]) -> Option<SshRequest> {
    let profile = match word {
        "ssh-user" => SshProfile::User,
        "ssh-session" => SshProfile::Session,
        "ssh-openssh" => SshProfile::Openssh,
        "ssh-host" => {
            return Some(SshRequest::Host {
                names: all(fields),
                roles: all(fields),
            });
        }
        _ => return None,
    };
    Some(SshRequest::User {
        profile,
        user: first(fields)?,
        logins: all(fields),
        roles: all(fields),
        critical_options: CriticalOptions {
            force_command: fields
                .iter()
                .filter_map(|field| field.strip_prefix("command="))
                .find_map(|command| ForceCommand::parse(command).ok()),
            source_addresses: fields
                .iter()
                .filter_map(|field| Network::parse(field).ok())
                .collect(),
            verify_required: fields.contains(&"verify-required"),
        },
        facts: Default::default(),
        permits: vec![Permit::Pty, Permit::PortForwarding],
    })
}

fn token_request(word: &str, fields: &[&str]) -> Option<TokenRequest> {
    let profile = match word {
        "jwt" => TokenProfile::Application,
        "oidc" => TokenProfile::Oidc,
        "okta" => TokenProfile::Okta,
        "jwt-svid" => TokenProfile::Workload,
        _ => return None,
    };
    let mut others = fields.iter().skip(1);
    Some(TokenRequest {
        profile,
        subject: (*fields.first()?).to_owned(),
        audience: others
            .next()
            .into_iter()
            .map(|field| (*field).to_owned())
            .collect(),
        claims: others
            .next()
            .and_then(|field| serde_json::from_str(field).ok())
            .unwrap_or_default(),
    })
}

#[expect(clippy::expect_used, reason = "a constant")]
fn cluster() -> ClusterName {
    ClusterName::parse("prod.example.com").expect("a name of a cluster")
}

/// The authority that would sign.
fn authority() -> Option<Issuer> {
    let public_key = PublicKey::from_ed25519(&[1; 32]).ok()?;
    Some(Issuer {
        name: DistinguishedName::new([(NameAttribute::CommonName, "prod.example.com")]).ok()?,
        key_identifier: public_key.key_identifier().ok()?,
        scheme: public_key.algorithm().default_scheme(),
        public_key,
        not_before: UnixSeconds(0),
        not_after: UnixSeconds(i64::MAX),
    })
}
