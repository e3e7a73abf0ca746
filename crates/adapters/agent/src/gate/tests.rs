//! What both gates say to certificates of every kind, and when they look again.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use access::Role;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use key::Signature;
use names::Principal;
use names::UnixSeconds;
use resource::AuthPreferenceSpec;
use resource::Document;
use resource::LockSpec;
use resource::NetworkingSpec;
use resource::RecordingMode;
use resource::RoleSpec;
use resource::SessionRecordingSpec;
use serde_json::Value;
use serde_json::json;
use ssh_cert::CertificatePlan;
use ssh_cert::CertificateType;
use ssh_cert::CriticalOptions;
use ssh_cert::Extensions;
use ssh_cert::SubjectKey;

use super::*;
use crate::ProxyGate;
use crate::freshness::Confirmed;
use proxy::Gate as _;

const HERE: &str = "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11";
const ELSEWHERE: &str = "1d6b4a2f-63b9-4b1f-9a1f-1a1e2e2a7b22";
const NOW: i64 = 1_772_366_400;
const PATIENCE: Duration = Duration::from_secs(120);

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn unix_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst) * 1_000
    }
}

/// A cluster of one host and one proxy.
struct World {
    pair: Ed25519KeyPair,
    known: watch::Sender<Arc<Known>>,
    confirmed: watch::Sender<Option<Confirmed>>,
    clock: Arc<TestClock>,
    node: NodeGate,
    proxy: ProxyGate,
}

/// What the cluster knows.
#[derive(Default)]
struct Says {
    options: Value,
    locks: Vec<Value>,
    preference: AuthPreferenceSpec,
    recording: RecordingMode,
}

impl World {
    fn new(says: Says) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let known = watch::Sender::new(Arc::new(known(&pair, says, 1)));
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let confirmed = watch::Sender::new(Some(Confirmed::now(UnixSeconds(NOW))));
        let freshness = Freshness::new(confirmed.subscribe());
        let labels = [("env".to_owned(), "prod".to_owned())].into();
        let node = NodeGate::new(
            known.subscribe(),
            HERE.to_owned(),
            "web-1".to_owned(),
            labels,
            freshness.clone(),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let proxy = ProxyGate::new(known.subscribe(), freshness, Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            pair,
            known,
            confirmed,
            clock,
            node,
            proxy,
        }
    }

    /// The cluster says something else.
    fn says(&self, says: Says) {
        let revision = self.known.borrow().revision + 1;
        self.known
            .send_replace(Arc::new(known(&self.pair, says, revision)));
    }

    fn certificate(&self, facts: &[(OwnFact, &str)]) -> Arc<Certificate> {
        let holder = Ed25519KeyPair::generate().unwrap();
        let holder = PublicKey::from_ed25519(holder.public_key().as_ref()).unwrap();
        let signing_key = PublicKey::from_ed25519(self.pair.public_key().as_ref()).unwrap();
        let roles = [(OwnFact::Roles, "ops")];
        let facts = roles.iter().chain(facts);
        let plan = CertificatePlan {
            nonce: [7; 32],
            subject_key: SubjectKey::from_public_key(&holder).unwrap(),
            serial: 9,
            certificate_type: CertificateType::User,
            key_id: "alice".to_owned(),
            principals: vec![Principal::parse("root").unwrap()],
            valid_after: UnixSeconds(NOW - 60),
            valid_before: UnixSeconds(NOW + 120),
            critical_options: CriticalOptions::default(),
            extensions: Extensions {
                permits: Default::default(),
                custom: facts
                    .map(|(fact, text)| (fact.name(), (*text).to_owned()))
                    .collect(),
            },
            scheme: signing_key.algorithm().ssh_scheme(),
            signing_key,
        };
        let tbs = plan.to_be_signed().unwrap();
        let raw = self.pair.sign(&tbs).as_ref().to_vec();
        let signature = Signature::from_raw(plan.scheme, raw).unwrap();
        let blob = ssh_cert::assemble(&tbs, plan.scheme, &signature).unwrap();
        Arc::new(Certificate::from_blob(&blob).unwrap())
    }

    /// Of an ordinary log-in.
    fn ordinary(&self) -> Arc<Certificate> {
        self.certificate(&[(OwnFact::MfaVerified, "phone")])
    }

    /// For one session.
    fn session(&self, host: &str) -> Arc<Certificate> {
        let ends = (NOW + 3_600).to_string();
        self.certificate(&[
            (OwnFact::MfaVerified, "phone"),
            (OwnFact::SessionNode, host),
            (OwnFact::LoginExpires, &ends),
        ])
    }

    async fn admit(&self, certificate: &Arc<Certificate>) -> Result<Grant, NotAdmitted> {
        self.node.admit(&admission(certificate)).await
    }

    /// Whether a session that was begun with everything goes on.
    async fn goes_on(&self, certificate: &Arc<Certificate>) -> Result<(), Fallen> {
        let grant = Grant::unlimited("alice");
        self.node.standing(&admission(certificate), &grant).await
    }

    fn at_proxy(&self, certificate: &Arc<Certificate>) -> Result<(), String> {
        self.proxy.user_may(&proxy::SshUser {
            name: "alice".to_owned(),
            login: "alice".to_owned(),
            remote: ([192, 0, 2, 7], 40_000).into(),
            certificate: Arc::clone(certificate),
        })
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn known(pair: &Ed25519KeyPair, says: Says, revision: u64) -> Known {
    let Says {
        options,
        locks,
        preference,
        recording,
    } = says;
    let options = if options.is_null() { json!({}) } else { options };
    let role: Document<RoleSpec> = serde_json::from_value(json!({
        "kind": "role", "version": "v1", "metadata": {"name": "ops"},
        "spec": {"options": options, "allow": {"logins": ["root"], "node_labels": {"env": "prod"}}},
    }))
    .unwrap();
    let lock = |(index, target): (usize, Value)| -> Document<LockSpec> {
        serde_json::from_value(json!({
            "kind": "lock", "version": "v1", "metadata": {"name": format!("lock-{index}")},
            "spec": {"target": target, "message": "ask the desk"},
        }))
        .unwrap()
    };
    let user_key = PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap();
    Known {
        revision,
        roles: [(role.metadata.name.clone(), Arc::new(Role::parse(&role).unwrap()))].into(),
        locks: locks.into_iter().enumerate().map(lock).collect(),
        auth_preference: preference,
        networking: NetworkingSpec::default(),
        recording: SessionRecordingSpec { mode: recording },
        user_keys: vec![user_key].into(),
        host_keys: Vec::new().into(),
        trust: api_types::TrustBundle {
            cluster: "prod.example.com".to_owned(),
            keys: Vec::new(),
            clients_use: 1,
            servers_use: 1,
        },
        removed_hosts: BTreeSet::new(),
        removals: String::new(),
    }
}

fn admission(certificate: &Arc<Certificate>) -> Admission {
    Admission {
        certificate: Arc::clone(certificate),
        login: "root".to_owned(),
        peer: ssh_node::Peer {
            remote: ([192, 0, 2, 7], 40_000).into(),
            local: ([192, 0, 2, 8], 22).into(),
        },
    }
}

fn denied<T: std::fmt::Debug>(answer: Result<T, NotAdmitted>) -> String {
    match answer.unwrap_err() {
        NotAdmitted::Denied(reason) | NotAdmitted::Told(reason) => reason.0,
        NotAdmitted::SecondFactor { reason, .. } => panic!("asked for a second factor: {reason}"),
    }
}

fn asks() -> Says {
    Says {
        options: json!({"require_session_mfa": true, "disconnect_expired_cert": true}),
        ..Says::default()
    }
}

fn strict() -> Says {
    Says {
        options: json!({"lock": "strict"}),
        ..Says::default()
    }
}

#[tokio::test]
async fn a_session_that_needs_a_second_factor_begins_by_a_certificate_for_it_and_for_here() {
    let world = World::new(asks());
    match world.admit(&world.ordinary()).await {
        Err(NotAdmitted::SecondFactor { reason, words }) => {
            assert!(
                reason.0.contains("role ops, spec.options.require_session_mfa"),
                "{reason}"
            );
            assert!(words.contains("`signet ssh root@web-1`"), "{words}");
        }
        other => panic!("{other:?}"),
    }
    let elsewhere = denied(world.admit(&world.session(ELSEWHERE)).await);
    assert!(elsewhere.contains(ELSEWHERE), "{elsewhere}");
    // What names a host and no second factor is none for a session.
    let factorless = world.certificate(&[(OwnFact::SessionNode, HERE)]);
    assert!(matches!(
        world.admit(&factorless).await,
        Err(NotAdmitted::SecondFactor { .. })
    ));
    let grant = world.admit(&world.session(HERE)).await.unwrap();
    // It may last as long as the log-in behind it, not as long as the certificate.
    assert!(grant.disconnect_expired_cert);
    assert_eq!(grant.login_ends, Some((NOW + 3_600) as u64));
}

#[tokio::test]
async fn a_certificate_for_a_session_elsewhere_opens_nothing_even_where_none_is_asked_for() {
    let world = World::new(Says::default());
    let elsewhere = denied(world.admit(&world.session(ELSEWHERE)).await);
    assert!(elsewhere.contains("another host"), "{elsewhere}");
    assert!(world.admit(&world.session(HERE)).await.is_ok());
    let grant = world.admit(&world.ordinary()).await.unwrap();
    assert_eq!(grant.login_ends, None);
}

#[tokio::test]
async fn the_cluster_asks_for_a_second_factor_where_no_role_does() {
    let world = World::new(Says {
        preference: AuthPreferenceSpec {
            require_session_mfa: true,
            ..AuthPreferenceSpec::default()
        },
        ..Says::default()
    });
    assert!(matches!(
        world.admit(&world.ordinary()).await,
        Err(NotAdmitted::SecondFactor { .. })
    ));
    assert!(world.admit(&world.session(HERE)).await.is_ok());
    // The proxy is on the way there, and lets both through.
    assert_eq!(world.at_proxy(&world.ordinary()), Ok(()));
}

#[tokio::test]
async fn the_proxy_ends_a_session_with_the_log_in_behind_it_and_not_before() {
    let world = World::new(asks());
    let (ordinary, session) = (world.ordinary(), world.session(HERE));
    world.pass(121);
    assert!(world.at_proxy(&ordinary).is_err());
    assert_eq!(world.at_proxy(&session), Ok(()));
    world.pass(3_600);
    assert!(world.at_proxy(&session).is_err());
}

#[tokio::test]
async fn a_lock_on_a_second_factor_refuses_and_cuts_those_who_gave_it() {
    let world = World::new(Says::default());
    let mut changes = world.node.changes();
    let (ordinary, session) = (world.ordinary(), world.session(HERE));
    let other = world.certificate(&[(OwnFact::MfaVerified, "key")]);
    let without = world.certificate(&[]);
    for certificate in [&ordinary, &session, &other, &without] {
        assert!(world.admit(certificate).await.is_ok());
    }
    world.says(Says {
        locks: vec![json!({"mfa_device": "phone"})],
        ..Says::default()
    });
    tokio::time::timeout(PATIENCE, changes.changed())
        .await
        .unwrap()
        .unwrap();
    for certificate in [&ordinary, &session] {
        assert_eq!(denied(world.admit(certificate).await), "locked: ask the desk");
        assert_eq!(
            world.goes_on(certificate).await.unwrap_err(),
            Fallen::Locked(Denial("locked: ask the desk".to_owned()))
        );
        assert_eq!(world.at_proxy(certificate).unwrap_err(), "locked: ask the desk");
    }
    for certificate in [&other, &without] {
        assert!(world.admit(certificate).await.is_ok());
        assert!(world.goes_on(certificate).await.is_ok());
        assert_eq!(world.at_proxy(certificate), Ok(()));
    }
}

#[tokio::test]
async fn strict_locks_refuse_and_cut_where_they_are_not_certain() {
    let world = World::new(strict());
    let certificate = world.ordinary();
    assert!(world.admit(&certificate).await.is_ok());
    world.pass(300);
    assert!(world.goes_on(&certificate).await.is_ok());
    world.pass(1);
    let refused = denied(world.admit(&certificate).await);
    assert!(refused.contains("role ops, spec.options.lock"), "{refused}");
    let fallen = world.goes_on(&certificate).await.unwrap_err();
    assert!(
        matches!(fallen, Fallen::Denied(_)),
        "there is no lock: {fallen:?}"
    );
    assert!(world.at_proxy(&certificate).is_err());
    // Whoever is not held to it goes on.
    world.says(Says::default());
    assert!(world.goes_on(&certificate).await.is_ok());
    assert_eq!(world.at_proxy(&certificate), Ok(()));
    // Unless the cluster says so of everybody.
    world.says(Says {
        preference: AuthPreferenceSpec {
            locking_mode: resource::LockMode::Strict,
            ..AuthPreferenceSpec::default()
        },
        ..Says::default()
    });
    assert!(world.goes_on(&certificate).await.is_err());
    assert!(world.at_proxy(&certificate).is_err());
    // Heard of again, it is as before.
    world
        .confirmed
        .send_replace(Some(Confirmed::now(world.clock.now())));
    assert!(world.admit(&certificate).await.is_ok());
    assert_eq!(world.at_proxy(&certificate), Ok(()));
}

#[tokio::test]
async fn after_a_start_nothing_is_certain_until_the_auth_service_is_heard_of() {
    let world = World::new(strict());
    world.confirmed.send_replace(None);
    let certificate = world.ordinary();
    let refused = denied(world.admit(&certificate).await);
    assert!(refused.contains("since this host started"), "{refused}");
    assert!(world.at_proxy(&certificate).is_err());
    world
        .confirmed
        .send_replace(Some(Confirmed::now(world.clock.now())));
    assert!(world.admit(&certificate).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_certain() {
    let world = World::new(strict());
    world
        .confirmed
        .send_replace(Some(Confirmed::now(UnixSeconds(NOW - 301))));
    assert!(world.admit(&world.ordinary()).await.is_err());
    // Set back to before the auth service was heard of, the time that really passed counts.
    world.pass(-1_000);
    assert!(world.admit(&world.ordinary()).await.is_ok());
}

#[tokio::test]
async fn sessions_are_judged_again_when_locks_stop_being_certain_and_when_they_are_again() {
    let world = World::new(strict());
    let mut changes = world.node.changes();
    changes.borrow_and_update();
    // Two seconds are left, by whatever clock.
    world
        .confirmed
        .send_replace(Some(Confirmed::now(UnixSeconds(NOW - 299))));
    tokio::task::yield_now().await;
    world.pass(60);
    tokio::time::timeout(PATIENCE, changes.changed())
        .await
        .unwrap()
        .unwrap();
    assert!(world.goes_on(&world.ordinary()).await.is_err());
    world
        .confirmed
        .send_replace(Some(Confirmed::now(world.clock.now())));
    tokio::time::timeout(PATIENCE, changes.changed())
        .await
        .unwrap()
        .unwrap();
    assert!(world.goes_on(&world.ordinary()).await.is_ok());
}

#[tokio::test]
async fn a_session_that_would_have_to_be_recorded_is_refused() {
    let demanded = [
        Says {
            options: json!({"record_session": {"default": "strict"}}),
            ..Says::default()
        },
        Says {
            recording: RecordingMode::NodeSync,
            ..Says::default()
        },
    ];
    for says in demanded {
        let world = World::new(says);
        let refused = denied(world.admit(&world.ordinary()).await);
        assert!(refused.contains("recorded"), "{refused}");
    }
    let wished = Says {
        options: json!({"record_session": {"default": "best_effort"}}),
        recording: RecordingMode::Proxy,
        ..Says::default()
    };
    let world = World::new(wished);
    assert!(world.admit(&world.ordinary()).await.is_ok());
}

#[tokio::test]
async fn an_end_of_a_log_in_that_does_not_read_has_passed() {
    let world = World::new(asks());
    let certificate = world.certificate(&[
        (OwnFact::MfaVerified, "phone"),
        (OwnFact::SessionNode, HERE),
        (OwnFact::LoginExpires, "tomorrow"),
    ]);
    assert_eq!(world.admit(&certificate).await.unwrap().login_ends, Some(0));
    assert!(world.at_proxy(&certificate).is_err());
}

#[tokio::test]
async fn a_host_has_a_tunnel_until_it_is_removed() {
    let world = World::new(Says::default());
    let agent = tunnel::Agent {
        host: tunnel::HostId::parse(HERE).unwrap(),
        name: Some("web-1".to_owned()),
        roles: Vec::new(),
        serial: "07".to_owned(),
        issuer: world.known.borrow().user_keys[0].spki_sha256(),
        not_after: UnixSeconds(NOW + 3_600),
        remote: ([192, 0, 2, 8], 40_000).into(),
    };
    let is_refused = |words: &str| {
        let refused = world.proxy.host_may(&agent).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    };
    is_refused("no longer trusted");

    let mut known = Known::clone(&world.known.borrow());
    known.trust.keys.push(api_types::TrustedKey {
        authority: "host".to_owned(),
        form: "tls".to_owned(),
        generation: 1,
        spki_sha256: agent.issuer.to_string(),
        text: String::new(),
    });
    world.known.send_replace(Arc::new(known.clone()));
    assert_eq!(world.proxy.host_may(&agent), Ok(()));

    known.removed_hosts.insert(ELSEWHERE.to_owned());
    world.known.send_replace(Arc::new(known.clone()));
    assert_eq!(world.proxy.host_may(&agent), Ok(()), "another was removed");
    // A lock names a host by what it is called, or by its id.
    let locked = |node: &str| {
        let mut known = known.clone();
        let lock = json!({
            "kind": "lock", "version": "v1", "metadata": {"name": "lock-1"}, "spec": {"target": {"node": node}},
        });
        known.locks = vec![serde_json::from_value(lock).unwrap()];
        world.known.send_replace(Arc::new(known));
        world.proxy.host_may(&agent)
    };
    assert_eq!(locked("web-2"), Ok(()), "another is locked");
    for node in ["web-1", HERE] {
        assert_eq!(locked(node), Err("the lock lock-1 is on it".to_owned()));
    }
    known.removed_hosts.insert(HERE.to_owned());
    world.known.send_replace(Arc::new(known));
    is_refused("removed");
}
