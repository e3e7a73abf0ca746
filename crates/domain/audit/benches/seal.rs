//! What sealing costs: the budget for a `cert.create` event is 3 µs.
#![expect(clippy::unwrap_used, reason = "a bench may fail")]

use std::hint::black_box;

use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use audit::Head;
use audit::Verifier;
use audit::seal;
use authority::AuthorityType;
use authority::KeyForm;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use key::KeyId;
use names::ClusterName;
use names::UnixSeconds;

fn certificate_created() -> Envelope {
    Envelope {
        uid: "0b5b5a3e-0000-4000-8000-000000000001".to_owned(),
        unix_millis: 1_772_366_400_123,
        cluster_name: ClusterName::parse("prod.example.com").unwrap(),
        actor: Actor::Identity {
            user: "alice@example.com".to_owned(),
            remote: "192.0.2.17:49152".to_owned(),
        },
        event: AuditEvent::CertificateCreated {
            authority: AuthorityType::User,
            form: KeyForm::Tls,
            cert_type: "user".to_owned(),
            serial: "4f1d2c3b4a5968778695a4b3c2d1e0ff".to_owned(),
            subject: "alice@example.com".to_owned(),
            principals: vec!["root".to_owned(), "ubuntu".to_owned(), "deploy".to_owned()],
            not_before: UnixSeconds(1_772_366_340),
            not_after: UnixSeconds(1_772_409_600),
            key_id: KeyId::from_random([0x5a; 16]),
            allowed_by: "role:access".to_owned(),
        },
    }
}

fn sealing(criterion: &mut Criterion) {
    let envelope = certificate_created();
    let entry = seal(&envelope, Head::EMPTY).unwrap();
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Bytes(entry.line.len() as u64));
    group.bench_function("seal cert.create", |bench| {
        bench.iter(|| seal(black_box(&envelope), Head::EMPTY))
    });
    group.bench_function("check cert.create", |bench| {
        bench.iter(|| Verifier::new(Head::EMPTY).check(black_box(&entry.line)));
    });
    group.finish();
}

criterion_group!(benches, sealing);
criterion_main!(benches);
