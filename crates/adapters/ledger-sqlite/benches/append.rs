//! What appending costs under concurrency: wall time by criterion, CPU time per append from the kernel's count.
//!
//! Issuing a certificate is two appends: the event with the serial before signing, the certificate after.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench may fail")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use audit::Actor;
use audit::AuditEvent;
use audit::Envelope;
use authority::AuthorityType;
use authority::KeyForm;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use key::KeyId;
use key::SpkiSha256;
use ledger::IssuedCertificate;
use ledger::Ledger;
use ledger::Record;
use ledger_sqlite::SqliteLedger;
use names::ClusterName;
use names::UnixSeconds;
use tokio::runtime::Runtime;

const TASKS: u64 = 64;
/// 2026-03-01T12:00:00Z.
const NOON: i64 = 1_772_366_400;

/// Every certificate of the process has another number.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A serial that is as good as random (splitmix64), so that the index is hit everywhere.
fn serial(number: u64) -> String {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let first = mix(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
    format!("{first:016x}{:016x}", mix(first))
}

fn announced(serial: &str, number: u64) -> Record {
    Record::Event(Box::new(Envelope {
        uid: KeyId::from_random([number as u8; 16]).to_string(),
        unix_millis: NOON * 1_000 + number as i64,
        cluster_name: ClusterName::parse("prod.example.com").unwrap(),
        actor: Actor::Identity {
            user: "alice@example.com".to_owned(),
            remote: "192.0.2.17:49152".to_owned(),
        },
        event: AuditEvent::CertificateCreated {
            authority: AuthorityType::User,
            form: KeyForm::Tls,
            cert_type: "user".to_owned(),
            serial: serial.to_owned(),
            subject: "alice@example.com".to_owned(),
            principals: vec!["root".to_owned(), "ubuntu".to_owned(), "deploy".to_owned()],
            not_before: UnixSeconds(NOON),
            not_after: UnixSeconds(NOON + 43_200),
            key_id: KeyId::from_random([0x5a; 16]),
            allowed_by: "role:access".to_owned(),
        },
    }))
}

fn issued(serial: String) -> Record {
    Record::Certificate(Box::new(IssuedCertificate {
        authority: AuthorityType::User,
        form: KeyForm::Tls,
        serial,
        subject: "alice@example.com".to_owned(),
        issuer_spki_sha256: SpkiSha256([3; 32]),
        not_before: UnixSeconds(NOON),
        not_after: UnixSeconds(NOON + 43_200),
        event_uid: "0b5b5a3e-0000-4000-8000-000000000001".to_owned(),
        bytes: vec![0x5a; 700],
    }))
}

async fn issue(ledger: &SqliteLedger) {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = serial(number);
    let taken = Record::Serial {
        authority: AuthorityType::User,
        form: KeyForm::Tls,
        serial: text.clone(),
    };
    ledger
        .append(vec![announced(&text, number), taken])
        .await
        .expect("the event is written");
    ledger
        .append(vec![issued(text)])
        .await
        .expect("the certificate is written");
}

/// Issues `count` certificates by so many tasks at the same time.
fn issue_all(runtime: &Runtime, ledger: &Arc<SqliteLedger>, tasks: u64, count: u64) {
    runtime.block_on(async {
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                let ledger = Arc::clone(ledger);
                let own = count / tasks + u64::from(task < count % tasks);
                tokio::spawn(async move {
                    for _ in 0..own {
                        issue(&ledger).await;
                    }
                })
            })
            .collect();
        for task in running {
            task.await.expect("the task ends well");
        }
    });
}

/// CPU time of the whole process so far, in clock ticks of 10 ms (proc(5): fields 14 and 15 of `stat`).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn issuing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("ledger-sqlite");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5))
        .throughput(Throughput::Elements(1));
    for with_export in [false, true] {
        for tasks in [1, TASKS] {
            let folder = tempfile::tempdir().unwrap();
            let export_dir = with_export.then(|| folder.path().join("log"));
            let ledger = Arc::new(SqliteLedger::open(folder.path().join("ledger.db"), export_dir).unwrap());
            let (before, mut certificates) = (cpu(), 0);
            let name = format!(
                "certificate, {tasks} tasks, {} export",
                if with_export { "with" } else { "without" }
            );
            group.bench_function(&name, |bench| {
                bench.iter_custom(|count| {
                    certificates += count;
                    let start = Instant::now();
                    issue_all(&runtime, &ledger, tasks, count);
                    start.elapsed()
                });
            });
            let spent = cpu().saturating_sub(before);
            let per_append = spent.as_secs_f64() * 1e6 / (certificates as f64 * 2.0);
            println!("{name}: {certificates} certificates, {per_append:.1} µs CPU an append, all told");
        }
    }
    group.finish();
}

/// What of it is the making of the records and the runtime, not the ledger.
fn making(criterion: &mut Criterion) {
    criterion.bench_function("records of a certificate", |bench| {
        bench.iter(|| {
            let text = serial(black_box(7));
            (announced(&text, 7), issued(text))
        });
    });
}

criterion_group!(benches, issuing, making);
criterion_main!(benches);
