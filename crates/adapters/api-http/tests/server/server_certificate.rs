//! The certificate that the listeners present.

use authority::AuthorityType;
use names::Ttl;
use rotation::Phase;
use x509::Certificate;

use crate::client::config;
use crate::client::config_of;
use crate::client::shake_hands;
use crate::world::World;

/// The certificate a listener presents now, and which generation signed it.
async fn presented(world: &World) -> (Certificate, u64) {
    let stream = shake_hands(world.web, config(world, None)).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
    assert_eq!(chain.len(), 2, "the certificate and its authority's");
    let certificate = Certificate::from_der(&chain[0]).unwrap();
    let host = world.cluster.authority(AuthorityType::Host).unwrap();
    let signer = host
        .record
        .trusted()
        .find(|(_, key)| certificate.verify_issued(&key.public_key).is_ok());
    (certificate, signer.unwrap().0.number())
}

#[tokio::test]
async fn it_moves_to_the_new_generation_when_servers_do() {
    let world = World::start().await;
    assert_eq!(presented(&world).await.1, 1);
    for (phase, generation) in [
        (Phase::Init, 1),
        (Phase::UpdateClients, 1),
        (Phase::UpdateServers, 2),
        (Phase::Rollback, 1),
        (Phase::Standby, 1),
    ] {
        world.rotate(AuthorityType::Host, phase).await;
        assert_eq!(presented(&world).await.1, generation, "{phase}");
    }
    // A client that only knows the present generation is served after the end.
    let only = config_of(&world, None, &[&rustls::version::TLS13], Some(1));
    assert!(shake_hands(world.web, only).await.is_ok());
}

#[tokio::test]
async fn it_names_the_hosts_and_is_renewed_after_two_thirds_of_its_life() {
    let world = World::start().await;
    let (first, _) = presented(&world).await;
    let names: Vec<String> = first.alt_names().iter().map(|name| format!("{name:?}")).collect();
    assert_eq!(names, ["Dns(\"localhost\")", "Ip(127.0.0.1)"]);
    world.clock.advance(Ttl::from_hours(4 * 24));
    assert!(!world.front.reload().await.unwrap(), "nothing changed");
    assert_eq!(presented(&world).await.0, first);
    world.clock.advance(Ttl::from_hours(24));
    assert!(world.front.reload().await.unwrap());
    let (second, _) = presented(&world).await;
    assert_ne!(second.serial_octets(), first.serial_octets());
    assert_eq!(world.front.serves_until(), Some(second.not_after()));
}
