//! What operators are told before it bites: authorities that end, backends that do not answer, parties that are not ready.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use audit::Actor;
use authority::AuthorityType;
use cluster::Cluster;
use cluster::Custody;
use cluster::Parts;
use cluster::Presence;
use cluster::RotateRequest;
use cluster::Step;
use key::KeyRef;
use key::PublicKey;
use key::Signature;
use key::SignatureScheme;
use keystore::Description;
use keystore::FoundKey;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyAttributes;
use keystore::KeyBackend;
use keystore::KeyError;
use names::Ttl;
use rotation::PartyKind;
use rotation::Phase;

use crate::support::World;
use crate::support::settings;

#[tokio::test]
async fn the_end_of_an_authority_is_told_90_30_and_7_days_before() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let user = cluster.authority(AuthorityType::User).unwrap().record.clone();
    let certificate = user
        .trusted()
        .find_map(|(_, key)| key.certificate.clone())
        .unwrap();
    let ends = x509::Certificate::from_der(&certificate.0).unwrap().not_after().0;
    let told = |days: i64| {
        let now = world.clock_now();
        let until = u64::try_from(ends - now - days * 86_400).unwrap();
        world.clock.advance(Ttl::from_seconds(until));
        let alerts = cluster.alerts().into_iter();
        let about_user = alerts.filter(|alert| alert.id.starts_with("expiry/user"));
        about_user
            .map(|alert| (alert.id, alert.severity, alert.hint))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(91), []);
    for (days, limit, severity) in [
        (89, 90, cluster::Severity::Low),
        (29, 30, cluster::Severity::Medium),
        (6, 7, cluster::Severity::High),
    ] {
        let hint = "rotate it: `signetctl auth rotate --type=user`".to_owned();
        assert_eq!(
            told(days),
            [(format!("expiry/user/{limit}"), severity, hint)],
            "{days} days before"
        );
    }
}

/// A backend that can be away, or get tired of signing.
pub(crate) struct Moody {
    inner: Arc<dyn KeyBackend>,
    is_away: AtomicBool,
    pub(crate) signatures_left: AtomicUsize,
}

impl Moody {
    /// The world's own backend, and a server that uses nothing else.
    pub(crate) async fn start(world: &World) -> (Arc<Self>, Cluster) {
        let moody = Arc::new(Self {
            inner: world.backends.lock().unwrap().remove(0),
            is_away: AtomicBool::new(false),
            signatures_left: AtomicUsize::new(usize::MAX),
        });
        let parts = Parts {
            state: world.state.clone(),
            ledger: world.ledger.clone(),
            custody: Custody::new(moody.clone(), Vec::new()),
            clock: world.clock.clone(),
            entropy: world.entropy.clone(),
        };
        let (cluster, _) = Cluster::open(parts, settings()).await.unwrap();
        (moody, cluster)
    }

    fn gone(operation: &'static str) -> KeyError {
        KeyError::Unavailable {
            store: "token ca".into(),
            operation,
            reason: "it was pulled out".into(),
        }
    }
}

#[async_trait]
impl KeyBackend for Moody {
    fn describe(&self) -> &Description {
        self.inner.describe()
    }
    async fn generate(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        self.inner.generate(request).await
    }
    async fn sign(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = self
            .signatures_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        left.map_err(|_| Self::gone("sign"))?;
        self.inner.sign(key, scheme, message).await
    }
    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey, KeyError> {
        self.inner.public_key(key).await
    }
    async fn attributes(&self, key: &KeyRef) -> Result<KeyAttributes, KeyError> {
        self.inner.attributes(key).await
    }
    async fn list(&self) -> Result<Vec<FoundKey>, KeyError> {
        self.inner.list().await
    }
    async fn destroy(&self, key: &KeyRef) -> Result<(), KeyError> {
        self.inner.destroy(key).await
    }
    async fn health(&self) -> Result<(), KeyError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Self::gone("answer"));
        }
        self.inner.health().await
    }
}

#[tokio::test]
async fn a_backend_lost_and_found_is_recorded_once_each_and_an_alert_meanwhile() {
    let world = World::with_software().await;
    let (moody, cluster) = Moody::start(&world).await;
    let has_alert = |cluster: &Cluster| {
        let alerts = cluster.alerts();
        alerts.iter().any(|alert| alert.id.starts_with("backend-lost/"))
    };
    for is_away in [false, true, true, false, false] {
        moody.is_away.store(is_away, Ordering::SeqCst);
        cluster.check_backends().await.unwrap();
        assert_eq!(has_alert(&cluster), is_away);
    }
    for (kind, words) in [
        ("backend.lost", "it was pulled out"),
        ("backend.found", "storage"),
    ] {
        let query = ledger::EventQuery {
            kinds: vec![kind.into()],
            ..Default::default()
        };
        let events = world.ledger.events(&query).await.unwrap();
        assert_eq!(events.len(), 1, "{kind}");
        assert!(events[0].line.contains(words), "{}", events[0].line);
    }
}

#[tokio::test]
async fn a_plan_tells_who_is_not_ready_and_changes_nothing() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let request = |phase| RotateRequest::new(AuthorityType::Host, Step::To(phase));
    let begin = cluster.plan_rotation(&request(Phase::Init)).await.unwrap();
    assert_eq!(begin.readiness, None, "to begin asks for nobody's readiness");
    cluster
        .rotate(&Actor::System, &request(Phase::Init))
        .await
        .unwrap();
    let old = rotation::Generation::FIRST;
    cluster.note_presence(Presence {
        name: "auth/api".into(),
        authority: AuthorityType::Host,
        kind: PartyKind::Server,
        trusts: [old].into(),
        serves: Some(old),
    });

    let plan = cluster
        .plan_rotation(&request(Phase::UpdateClients))
        .await
        .unwrap();
    let readiness = plan.readiness.unwrap();
    assert_eq!(readiness.parties_live(), 1);
    assert!(
        readiness.overridden()[0].name.starts_with("auth/api"),
        "{readiness:?}"
    );
    let back = cluster.plan_rotation(&request(Phase::Rollback)).await.unwrap();
    assert_eq!(back.readiness, None);
    let phase = cluster
        .authority(AuthorityType::Host)
        .unwrap()
        .record
        .rotation
        .phase();
    assert_eq!(phase, Phase::Init);
}
