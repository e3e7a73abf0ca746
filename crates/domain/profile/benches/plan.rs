//! What planning and linting cost beside the signature. The aim is about 10 µs for each of the first two.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up has nothing to measure"
)]

#[path = "../../x509/tests/x509/signer/mod.rs"]
mod signer;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use key::KeyAlgorithm;
use names::ClusterName;
use names::Principal;
use names::Serial;
use names::UnixSeconds;
use names::UserName;
use profile::SshProfile;
use profile::SshRequest;
use profile::TokenProfile;
use profile::TokenRequest;
use profile::X509Request;
use signer::Signer;
use ssh_cert::CriticalOptions;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;
use x509::DistinguishedName;
use x509::Issuer;
use x509::NameAttribute;

const NOW: UnixSeconds = UnixSeconds(1_772_366_400);

fn principals(names: &[&str]) -> Vec<Principal> {
    names.iter().map(|name| Principal::parse(name).unwrap()).collect()
}

fn x509(criterion: &mut Criterion) {
    let authority = Signer::generate(KeyAlgorithm::EcdsaP256);
    let public_key = authority.public_key();
    let cluster = ClusterName::parse("prod.example.com").unwrap();
    let issuer = Issuer {
        name: DistinguishedName::new([(NameAttribute::CommonName, cluster.as_str())]).unwrap(),
        key_identifier: public_key.key_identifier().unwrap(),
        scheme: public_key.algorithm().default_scheme(),
        public_key,
        not_before: UnixSeconds(0),
        not_after: UnixSeconds(4_000_000_000),
    };
    let request = X509Request::User {
        user: UserName::parse("alice").unwrap(),
        roles: principals(&["access", "editor"]),
        logins: principals(&["root", "alice"]),
        traits: BTreeMap::from([("team".to_owned(), vec!["infra".to_owned()])]),
        mfa_device: None,
        pinned_to: None,
    };
    let key = Signer::generate(KeyAlgorithm::EcdsaP256).public_key();
    let serial = Serial::from_random([1; 16]);
    let plan =
        || profile::plan_x509(&request, key.clone(), None, &issuer, &cluster, serial, NOW, None).unwrap();
    criterion.bench_function("x509 leaf: plan", |bencher| bencher.iter(|| black_box(plan())));
    criterion.bench_function("x509 leaf: plan and lint", |bencher| {
        bencher.iter(|| black_box(profile::lint_x509(plan(), &issuer).unwrap()));
    });
    let (_, to_be_signed) = profile::lint_x509(plan(), &issuer).unwrap().into_parts();
    criterion.bench_function("x509 leaf: P-256 signature", |bencher| {
        bencher.iter(|| black_box(authority.sign(to_be_signed.scheme(), to_be_signed.bytes())));
    });
}

fn ssh(criterion: &mut Criterion) {
    for algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::EcdsaP256] {
        let authority = Signer::generate(algorithm);
        let public_key = authority.public_key();
        let request = SshRequest::User {
            profile: SshProfile::User,
            user: UserName::parse("alice").unwrap(),
            logins: principals(&["root", "alice"]),
            roles: principals(&["access", "editor"]),
            critical_options: CriticalOptions::default(),
            facts: Default::default(),
            permits: Permit::ALL.to_vec(),
        };
        let subject =
            SubjectKey::from_public_key(&Signer::generate(KeyAlgorithm::Ed25519).public_key()).unwrap();
        let serial = Serial::from_random([1; 16]);
        let plan = || {
            let nonce = [5; 32];
            profile::plan_ssh(&request, subject.clone(), None, &public_key, serial, nonce, NOW).unwrap()
        };
        criterion.bench_function(&format!("ssh by {algorithm}: plan and lint"), |bencher| {
            bencher.iter(|| black_box(profile::lint_ssh(plan(), SshProfile::User).unwrap()));
        });
        let (_, to_be_signed) = profile::lint_ssh(plan(), SshProfile::User).unwrap().into_parts();
        criterion.bench_function(&format!("ssh by {algorithm}: signature"), |bencher| {
            bencher.iter(|| black_box(authority.sign(to_be_signed.scheme(), to_be_signed.bytes())));
        });
    }
}

fn token(criterion: &mut Criterion) {
    let authority = Signer::generate(KeyAlgorithm::EcdsaP256);
    let public_key = authority.public_key();
    let request = TokenRequest {
        profile: TokenProfile::Application,
        subject: "alice".to_owned(),
        audience: vec!["app".to_owned()],
        claims: serde_json::Map::new(),
    };
    let serial = Serial::from_random([1; 16]);
    criterion.bench_function("token: plan and lint", |bencher| {
        bencher.iter(|| {
            let plan = profile::plan_token(&request, None, "https://a.example.com", &public_key, serial, NOW)
                .unwrap();
            black_box(profile::lint_token(plan, TokenProfile::Application).unwrap())
        });
    });
}

criterion_group!(benches, x509, ssh, token);
criterion_main!(benches);
