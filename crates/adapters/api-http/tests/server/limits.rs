//! What strangers and slow callers can make the server hold.

use std::time::Duration;
use std::time::Instant;

use api_http::AddressLimits;
use api_http::ConnectionLimits;
use api_http::RequestLimits;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::api;
use crate::client::config;
use crate::client::local;
use crate::client::shake_hands;
use crate::client::web;
use crate::world::Choices;
use crate::world::World;

const SHORT: Duration = Duration::from_millis(200);
/// Far more than SHORT, and less than the limits in use otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

fn hurried() -> Choices {
    let limits = |limits: ConnectionLimits| ConnectionLimits {
        handshake: SHORT,
        head: SHORT,
        ..limits
    };
    Choices {
        api: limits(ConnectionLimits::API),
        web: limits(ConnectionLimits::WEB),
        ..Choices::default()
    }
}

/// Waits for the server to close the connection.
async fn closes(mut stream: impl AsyncReadExt + Unpin) -> bool {
    let begun = Instant::now();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .is_ok();
    closed && begun.elapsed() < PATIENCE
}

#[tokio::test]
async fn whoever_does_not_shake_hands_is_shown_the_door() {
    let world = World::with(hurried()).await;
    for address in [world.api, world.web] {
        let silent = TcpStream::connect(address).await.unwrap();
        assert!(closes(silent).await);
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        assert!(closes(slow).await);
    }
}

#[tokio::test]
async fn whoever_sends_a_head_drop_by_drop_is_shown_the_door() {
    let world = World::with(hurried()).await;
    let mut slow = shake_hands(world.web, config(&world, None)).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc")
        .await
        .unwrap();
    slow.flush().await.unwrap();
    assert!(closes(slow).await);
}

#[tokio::test]
async fn a_connection_ends_with_its_age() {
    let limits = ConnectionLimits {
        age: SHORT,
        ..ConnectionLimits::WEB
    };
    let world = World::with(Choices {
        web: limits,
        ..Choices::default()
    })
    .await;
    let idle = shake_hands(world.web, config(&world, None)).await.unwrap();
    assert!(closes(idle).await);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_return() {
    let address = AddressLimits {
        connections_max: 2,
        burst: 5,
        per_second: 1,
    };
    let limits = ConnectionLimits {
        address: Some(address),
        ..ConnectionLimits::WEB
    };
    let world = World::with(Choices {
        web: limits,
        ..Choices::default()
    })
    .await;
    let mut anybody = web(&world).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(anybody.get("/healthz").await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    let told = anybody.get("/healthz").await;
    assert_eq!(
        (
            told.code().as_str(),
            told.headers["retry-after"].to_str().unwrap()
        ),
        ("too_many_requests", "1")
    );
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let _second = shake_hands(world.web, config(&world, None)).await.unwrap();
    assert!(
        shake_hands(world.web, config(&world, None)).await.is_err(),
        "a third connection of one address"
    );
}

#[tokio::test]
async fn one_address_cannot_hold_the_api_before_it_shakes_hands() {
    let share = ConnectionLimits::API.address.unwrap().connections_max as usize;
    assert!(
        share * 8 <= ConnectionLimits::API.connections_max,
        "one address is one of many"
    );
    let world = World::start().await;
    let user = world.user("ana", &["editor"]).await;
    let mut silent = Vec::new();
    for _ in 0..share {
        silent.push(TcpStream::connect(world.api).await.unwrap());
    }
    let begun = Instant::now();
    let one_more = TcpStream::connect(world.api).await.unwrap();
    assert!(closes(one_more).await);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "it is not even waited for"
    );
    drop(silent);
    let deadline = Instant::now() + PATIENCE;
    while shake_hands(world.api, config(&world, Some(&user))).await.is_err() {
        assert!(Instant::now() < deadline, "those who leave make room");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nobody_fills_the_log_by_being_refused() {
    let world = World::start().await;
    let user = world.user("ana", &["editor"]).await;
    let nobody = world.user("bob", &[]).await;
    let asked = serde_json::json!({"authority": "user", "serial": user.serial, "reason": "keyCompromise"});
    assert_eq!(
        local(&world)
            .await
            .post("/v1/certificates/revoke", &asked)
            .await
            .status
            .as_u16(),
        200
    );
    for _ in 0..20 {
        assert_eq!(
            api(&world, &user).await.get("/v1/status").await.status.as_u16(),
            401
        );
    }
    let mut open = api(&world, &nobody).await;
    for _ in 0..50 {
        assert_eq!(open.get("/v1/keys").await.status.as_u16(), 403);
    }
    assert_eq!(world.events("auth").len(), 2);
    world.clock.advance(names::Ttl::from_seconds(60));
    world.service.record_counted_denials(false).await.unwrap();
    let recorded = world.events("auth");
    let counted = |user: &str| {
        let of_user: Vec<_> = recorded.iter().filter(|event| event["user"] == user).collect();
        of_user.last().unwrap()["reason"].to_string()
    };
    assert_eq!(recorded.len(), 4);
    assert!(
        counted("ana").contains("(19 such requests since "),
        "{}",
        counted("ana")
    );
    assert!(
        counted("bob").contains("(49 such requests since "),
        "{}",
        counted("bob")
    );
}

#[tokio::test]
async fn the_connection_of_a_revoked_certificate_is_closed() {
    let world = World::start().await;
    let user = world.user("ana", &["editor"]).await;
    let mut open = api(&world, &user).await;
    let asked = serde_json::json!({"authority": "user", "serial": user.serial, "reason": "keyCompromise"});
    assert_eq!(
        open.post("/v1/certificates/revoke", &asked).await.status.as_u16(),
        200
    );
    assert_eq!(open.get("/v1/version").await.status.as_u16(), 401);
    assert!(
        open.send(hyper::Method::GET, "/v1/version", "").await.is_err(),
        "it ended"
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let limits = ConnectionLimits {
        connections_max: 1,
        ..ConnectionLimits::WEB
    };
    let world = World::with(Choices {
        web: limits,
        ..Choices::default()
    })
    .await;
    let first = web(&world).await;
    let second = tokio::time::timeout(
        Duration::from_millis(300),
        shake_hands(world.web, config(&world, None)),
    )
    .await;
    assert!(second.is_err(), "it waits for its turn");
    drop(first);
    let third = tokio::time::timeout(PATIENCE, shake_hands(world.web, config(&world, None))).await;
    assert!(third.unwrap().is_ok());
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_given_up() {
    let requests = RequestLimits {
        read: SHORT,
        ..RequestLimits::DEFAULT
    };
    let world = World::with(Choices {
        requests,
        doctor_takes: PATIENCE,
        ..Choices::default()
    })
    .await;
    let answer = local(&world).await.get("/v1/doctor").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (503, "too_slow")
    );
}
