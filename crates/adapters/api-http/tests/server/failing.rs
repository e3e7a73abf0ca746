//! What the listeners do while the cluster cannot follow its own decisions.

use authority::AuthorityType;
use cluster::ClusterError;
use cluster::Refusal;
use cluster::RotateRequest;
use cluster::Severity;
use cluster::Step;
use names::Ttl;
use rotation::Phase;

use crate::client::api;
use crate::client::config;
use crate::client::is_refused;
use crate::client::local;
use crate::client::web;
use crate::world::Choices;
use crate::world::World;

/// A server whose certificate is to be renewed, and whose keys are away.
async fn without_keys(world: &World) {
    world.clock.advance(Ttl::from_hours(5 * 24));
    world.keys.go_away(true);
}

/// The alerts about listeners, by id and severity.
fn listener_alerts(world: &World) -> Vec<(String, Severity)> {
    let alerts = world.cluster.alerts().into_iter();
    let of_listeners = alerts.filter(|alert| alert.id.starts_with("listener/"));
    of_listeners.map(|alert| (alert.id, alert.severity)).collect()
}

fn both(severity: Severity) -> Vec<(String, Severity)> {
    ["listener/auth/api", "listener/auth/web"]
        .map(|id| (id.to_owned(), severity))
        .to_vec()
}

#[tokio::test]
async fn a_revoked_user_is_refused_while_no_host_certificate_can_be_issued() {
    let world = World::start().await;
    world.clock.advance(Ttl::from_hours(5 * 24));
    let user = world.user("ana", &["editor"]).await;
    let mut open = api(&world, &user).await;
    assert_eq!(open.get("/v1/version").await.status.as_u16(), 200);
    world.keys.go_away(true);
    let asked = serde_json::json!({"authority": "user", "serial": user.serial, "reason": "keyCompromise"});
    let revoked = local(&world).await.post("/v1/certificates/revoke", &asked).await;
    assert_eq!(revoked.status.as_u16(), 200, "{}", revoked.text());
    let hints = revoked.json()["hints"].to_string();
    assert!(
        hints.contains("warning: this server's listeners refuse the certificate"),
        "{hints}"
    );
    assert!(hints.contains("https://auth.example.com:3080/crl/"), "{hints}");
    assert!(hints.contains("`signetctl lock --user=ana`"), "{hints}");
    let refused = open.get("/v1/version").await;
    assert_eq!(refused.status.as_u16(), 401, "{}", refused.text());
    assert_eq!(
        api(&world, &user).await.get("/v1/version").await.status.as_u16(),
        401
    );
    assert_eq!(listener_alerts(&world), both(Severity::Medium));
}

#[tokio::test]
async fn a_distrusted_user_is_refused_while_no_host_certificate_can_be_issued() {
    let world = World::start().await;
    let old = world.user("ana", &["editor"]).await;
    for phase in [Phase::Init, Phase::UpdateClients, Phase::UpdateServers] {
        world.rotate(AuthorityType::User, phase).await;
    }
    let mut open = api(&world, &old).await;
    assert_eq!(open.get("/v1/version").await.status.as_u16(), 200);
    // From here on the host authority's other generation is wanted, and cannot sign.
    for phase in [Phase::Init, Phase::UpdateClients] {
        world.rotate(AuthorityType::Host, phase).await;
    }
    world.keys.go_away(true);
    let take = async |authority, phase| {
        let request = RotateRequest::new(authority, Step::To(phase));
        world
            .cluster
            .rotate(&audit::Actor::System, &request)
            .await
            .unwrap();
        world.front.reload().await.unwrap_err();
    };
    take(AuthorityType::Host, Phase::UpdateServers).await;
    take(AuthorityType::User, Phase::Standby).await;
    assert_eq!(open.get("/v1/version").await.status.as_u16(), 401);
    assert!(is_refused(&world, config(&world, Some(&old))).await);
}

#[tokio::test]
async fn i4_no_evidence_holds_a_rotation() {
    let world = World::with(Choices {
        has_certificate: false,
        ..Choices::default()
    })
    .await;
    world.keys.go_away(true);
    world.front.reload().await.unwrap_err();
    world.keys.go_away(false);
    for authority in [AuthorityType::Host, AuthorityType::User] {
        let step = |phase| RotateRequest::new(authority, Step::To(phase));
        let rotate = async |phase| world.cluster.rotate(&audit::Actor::System, &step(phase)).await;
        rotate(Phase::Init).await.unwrap();
        let refused = rotate(Phase::UpdateClients).await;
        let Err(ClusterError::Refused(Refusal::Blocked { blocked, .. })) = refused else {
            panic!("listeners that serve nobody count as ready: {refused:?}");
        };
        let why = blocked.to_string();
        assert!(
            why.contains("auth/api") && why.contains("it trusts none"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn dead_listeners_raise_alerts_and_are_not_ready() {
    let world = World::start().await;
    let mut anybody = web(&world).await;
    without_keys(&world).await;
    world.front.reload().await.unwrap_err();
    assert_eq!(listener_alerts(&world), both(Severity::Medium));
    assert_eq!(
        anybody.get("/readyz").await.status.as_u16(),
        200,
        "its certificate is good yet"
    );
    world.clock.advance(Ttl::from_hours(3 * 24));
    assert_eq!(
        anybody.get("/readyz").await.status.as_u16(),
        503,
        "before anybody looked"
    );
    world.front.reload().await.unwrap_err();
    assert_eq!(listener_alerts(&world), both(Severity::High));
    assert_eq!(anybody.get("/readyz").await.status.as_u16(), 503);
    world.keys.go_away(false);
    world.clock.advance(Ttl::from_hours(1));
    world.front.reload().await.unwrap();
    assert_eq!(listener_alerts(&world), []);
    assert_eq!(anybody.get("/readyz").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_issued_is_not_asked_for_at_every_turn() {
    let world = World::start().await;
    without_keys(&world).await;
    let before = world.events("cert.create").len();
    for _ in 0..100 {
        world.front.reload().await.unwrap_err();
    }
    assert_eq!(world.events("cert.create").len() - before, 1);
    // Six hours of a turn every ten seconds.
    for _ in 0..6 * 360 {
        world.clock.advance(Ttl::from_seconds(10));
        world.front.reload().await.unwrap_err();
    }
    let tried = world.events("cert.create").len() - before;
    assert!((30..60).contains(&tried), "{tried} attempts");
    world.keys.go_away(false);
    world.clock.advance(Ttl::from_seconds(600));
    assert!(world.front.reload().await.unwrap(), "it is tried again by itself");
}

#[tokio::test]
async fn a_rotation_says_that_the_listeners_do_not_follow() {
    let world = World::start().await;
    without_keys(&world).await;
    let asked = serde_json::json!({"authority": "host", "mode": "manual", "target_phase": "init"});
    world.keys.go_away(false);
    let begun = local(&world).await.post("/v1/rotations", &asked).await;
    assert_eq!(begun.status.as_u16(), 200, "{}", begun.text());
    let asked = serde_json::json!({"authority": "host", "mode": "manual", "target_phase": "rollback"});
    world.clock.advance(Ttl::from_hours(5 * 24));
    world.keys.go_away(true);
    let back = local(&world).await.post("/v1/rotations", &asked).await;
    assert_eq!(back.status.as_u16(), 200, "{}", back.text());
    let message = back.json()["message"].to_string();
    assert!(
        message.contains("Warning: this server's own listeners do not follow yet"),
        "{message}"
    );
}
