//! Whom the API lets in, and for how long.

use authority::AuthorityType;
use hyper::Method;
use names::Ttl;
use profile::X509Request;
use rotation::Phase;
use rustls::HandshakeKind;
use rustls::NamedGroup;

use crate::client::Connection;
use crate::client::Identity;
use crate::client::api;
use crate::client::config;
use crate::client::config_of;
use crate::client::is_refused;
use crate::client::local;
use crate::client::shake_hands;
use crate::world::World;

/// A rotation of the user authority to its end, after which certificates from before it are worth nothing.
async fn distrust_old_users(world: &World) {
    for phase in [
        Phase::Init,
        Phase::UpdateClients,
        Phase::UpdateServers,
        Phase::Standby,
    ] {
        world.rotate(AuthorityType::User, phase).await;
    }
}

#[tokio::test]
async fn a_handshake_needs_a_certificate_of_the_user_authority() {
    let world = World::start().await;
    assert!(is_refused(&world, config(&world, None)).await, "no certificate");

    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ana".into()]).unwrap();
    let own = params.self_signed(&key).unwrap();
    let stranger = Identity {
        certificate: own.der().to_vec(),
        key: key.serialize_der(),
        serial: String::new(),
    };
    assert!(
        is_refused(&world, config(&world, Some(&stranger))).await,
        "somebody else's"
    );

    let names = vec!["agent.example.com".parse().unwrap()];
    let host = world
        .issue(
            X509Request::Host {
                names,
                roles: Vec::new(),
            },
            None,
        )
        .await;
    // A machine is let in, and has none of these rights.
    let stream = shake_hands(world.api, config(&world, Some(&host))).await.unwrap();
    let mut connection = Connection::over(stream).await;
    for path in ["/v1/status", "/v1/cert_authorities", "/v1/keys", "/v1/version"] {
        assert_eq!(connection.get(path).await.status, 403, "{path}");
    }
    let client = world
        .issue(
            X509Request::DatabaseClient {
                user: "ana".parse().unwrap(),
            },
            None,
        )
        .await;
    assert!(
        is_refused(&world, config(&world, Some(&client))).await,
        "a database client's"
    );

    let user = world.user("ana", &[]).await;
    assert!(!is_refused(&world, config(&world, Some(&user))).await, "a user's");
}

#[tokio::test]
async fn a_certificate_ends_with_its_time_on_new_and_on_open_connections() {
    let world = World::start().await;
    let user = world.user_for("ana", &["editor"], Some(Ttl::from_hours(1))).await;
    let mut open = api(&world, &user).await;
    assert_eq!(open.get("/v1/status").await.status.as_u16(), 200);
    world.clock.advance(Ttl::from_hours(2));
    let late = open.get("/v1/status").await;
    assert_eq!(
        (late.status.as_u16(), late.code().as_str()),
        (401, "unauthenticated")
    );
    assert_eq!(world.events("auth").last().unwrap()["user"], "ana");
    assert!(is_refused(&world, config(&world, Some(&user))).await);
}

#[tokio::test]
async fn an_open_connection_ends_with_the_trust_in_its_issuer() {
    let world = World::start().await;
    let user = world.user("ana", &["editor"]).await;
    let mut open = api(&world, &user).await;
    for phase in [Phase::Init, Phase::UpdateClients, Phase::UpdateServers] {
        world.rotate(AuthorityType::User, phase).await;
        assert_eq!(open.get("/v1/status").await.status.as_u16(), 200, "{phase}");
        assert!(!is_refused(&world, config(&world, Some(&user))).await, "{phase}");
    }
    world.rotate(AuthorityType::User, Phase::Standby).await;
    assert_eq!(open.get("/v1/status").await.status.as_u16(), 401);
    assert!(is_refused(&world, config(&world, Some(&user))).await);
    let renewed = world.user("ana", &["editor"]).await;
    assert!(!is_refused(&world, config(&world, Some(&renewed))).await);
}

#[tokio::test]
async fn a_resumed_session_does_not_outlive_trust() {
    let world = World::start().await;
    let user = world.user("ana", &[]).await;
    let remembers = config(&world, Some(&user));
    let connect = async |wanted| {
        let stream = shake_hands(world.api, remembers.clone()).await?;
        let kind = stream.get_ref().1.handshake_kind();
        let answer = Connection::over(stream)
            .await
            .send(Method::GET, "/v1/version", "")
            .await;
        let answer = answer.map_err(std::io::Error::other)?;
        assert_eq!((answer.status.as_u16(), kind), (200, Some(wanted)));
        std::io::Result::Ok(())
    };
    connect(HandshakeKind::Full).await.unwrap();
    connect(HandshakeKind::Resumed).await.unwrap();
    distrust_old_users(&world).await;
    assert!(
        connect(HandshakeKind::Full).await.is_err(),
        "the old session let the client in"
    );
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_from_the_next_request_on() {
    let world = World::start().await;
    let user = world.user("ana", &["editor"]).await;
    let mut open = api(&world, &user).await;
    assert_eq!(open.get("/v1/version").await.status.as_u16(), 200);
    let asked = serde_json::json!({"authority": "user", "serial": user.serial, "reason": "keyCompromise"});
    let revoked = local(&world).await.post("/v1/certificates/revoke", &asked).await;
    assert_eq!(revoked.status.as_u16(), 200, "{}", revoked.text());
    let answer = open.get("/v1/version").await;
    assert_eq!(answer.status.as_u16(), 401);
    assert!(answer.text().contains("revoked"), "{}", answer.text());
    let mut again = api(&world, &user).await;
    assert_eq!(again.get("/v1/version").await.status.as_u16(), 401);
}

#[tokio::test]
async fn only_tls_1_3_is_spoken_and_the_key_exchange_is_post_quantum() {
    let world = World::start().await;
    let user = world.user("ana", &[]).await;
    assert!(
        is_refused(
            &world,
            config_of(&world, Some(&user), &[&rustls::version::TLS12], None)
        )
        .await
    );
    let stream = shake_hands(world.api, config(&world, Some(&user))).await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
}
