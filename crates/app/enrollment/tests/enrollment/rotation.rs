use audit::Actor;
use authority::AuthorityType;
use cluster::ClusterError;
use cluster::Refusal;
use cluster::RotateRequest;
use cluster::Step;
use directory::Put;
use names::Ttl;
use resource::Document;
use rotation::Phase;

use crate::support::World;
use crate::support::actor;
use crate::support::name;

async fn step(world: &World, authority: AuthorityType, phase: Phase) -> Result<cluster::Rotated, String> {
    let request = RotateRequest::new(authority, Step::To(phase));
    match world.cluster.rotate(&Actor::System, &request).await {
        Ok(rotated) => Ok(rotated),
        Err(ClusterError::Refused(Refusal::Blocked { blocked, .. })) => Err(blocked.to_string()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn i4_a_rotation_of_the_host_authority_waits_for_every_agent_in_every_phase() {
    let world = World::new().await;
    let (machine, first) = world.node("web-1").await;
    let host = AuthorityType::Host;
    world.beat(&first, &first.trust).await.unwrap();
    step(&world, host, Phase::Init).await.unwrap();

    // It does not trust the next generation before it says so.
    let blocked = step(&world, host, Phase::UpdateClients).await.unwrap_err();
    assert!(blocked.contains("web-1"), "{blocked}");
    let trust = world.enrollment.trust_bundle().unwrap();
    world.beat(&first, &trust).await.unwrap();
    step(&world, host, Phase::UpdateClients).await.unwrap();

    // Clients move: it presents the old generation until it connects by the new one.
    let blocked = step(&world, host, Phase::UpdateServers).await.unwrap_err();
    assert!(blocked.contains("as a client"), "{blocked}");
    let second = world.renew(&machine, &first).await.unwrap();
    let certificates = &second.certificates;
    assert_eq!(certificates.tls_client.generation.number(), 2);
    assert_eq!(certificates.tls_server.generation.number(), 1);
    assert_eq!(certificates.ssh.generation.number(), 1);
    assert!(step(&world, host, Phase::UpdateServers).await.is_err());
    world.beat(&second, &second.trust).await.unwrap();
    step(&world, host, Phase::UpdateServers).await.unwrap();

    // Servers move.
    let blocked = step(&world, host, Phase::Standby).await.unwrap_err();
    assert!(blocked.contains("as a server"), "{blocked}");
    let third = world.renew(&machine, &second).await.unwrap();
    assert_eq!(third.certificates.ssh.generation.number(), 2);
    world.beat(&third, &third.trust).await.unwrap();
    let node = world.enrollment.node(None, "web-1").await.unwrap().unwrap().node;
    assert_eq!(node.spec.rotation["host"].phase, Phase::UpdateServers);
    step(&world, host, Phase::Standby).await.unwrap();
    world.caller(&third).await.unwrap();
    assert!(world.caller(&first).await.is_err());
}

#[tokio::test]
async fn i4_a_server_side_that_claims_what_it_was_not_given_does_not_count() {
    let world = World::new().await;
    let (machine, first) = world.node("web-1").await;
    let host = AuthorityType::Host;
    step(&world, host, Phase::Init).await.unwrap();
    world
        .beat(&first, &world.enrollment.trust_bundle().unwrap())
        .await
        .unwrap();
    step(&world, host, Phase::UpdateClients).await.unwrap();
    let second = world.renew(&machine, &first).await.unwrap();
    world.beat(&second, &second.trust).await.unwrap();
    step(&world, host, Phase::UpdateServers).await.unwrap();
    let mut liar = second.clone();
    liar.certificates.ssh.generation = rotation::Generation::new(2).unwrap();
    liar.certificates.tls_server.generation = rotation::Generation::new(2).unwrap();
    world.beat(&liar, &second.trust).await.unwrap();
    let blocked = step(&world, host, Phase::Standby).await.unwrap_err();
    assert!(blocked.contains("as a server"), "{blocked}");
}

#[tokio::test]
async fn i4_rotations_of_the_user_and_openssh_authorities_wait_for_agents_to_trust_the_next_generation() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    for authority in [AuthorityType::User, AuthorityType::Openssh] {
        world
            .beat(&joined, &world.enrollment.trust_bundle().unwrap())
            .await
            .unwrap();
        step(&world, authority, Phase::Init).await.unwrap();
        let blocked = step(&world, authority, Phase::UpdateClients).await.unwrap_err();
        assert!(blocked.contains("does not trust generation 2"), "{blocked}");
        // Half of the new keys is not the new generation.
        let mut half = world.enrollment.trust_bundle().unwrap();
        let last = half
            .keys
            .iter()
            .rposition(|key| key.authority == authority)
            .unwrap();
        half.keys.remove(last);
        world.beat(&joined, &half).await.unwrap();
        assert!(step(&world, authority, Phase::UpdateClients).await.is_err());
        world
            .beat(&joined, &world.enrollment.trust_bundle().unwrap())
            .await
            .unwrap();
        step(&world, authority, Phase::UpdateClients).await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_is_offline_is_named_and_does_not_hold_a_rotation() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    let host = AuthorityType::Host;
    // One that just joined has proved nothing yet, and is waited for.
    step(&world, host, Phase::Init).await.unwrap();
    assert!(step(&world, host, Phase::UpdateClients).await.is_err());
    world.beat(&joined, &joined.trust).await.unwrap();
    let world = world.restarted().await;
    assert!(step(&world, host, Phase::UpdateClients).await.is_err());
    world.clock.advance(Ttl::from_seconds(601));
    let rotated = step(&world, host, Phase::UpdateClients).await.unwrap();
    let evidence = rotated.evidence.unwrap();
    assert!(
        evidence
            .warnings()
            .iter()
            .any(|warning| warning.name.contains("web-1") && !warning.live)
    );
}

#[tokio::test]
async fn a_removed_agent_holds_nothing_and_a_server_without_an_agent_is_named() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    world.beat(&joined, &joined.trust).await.unwrap();
    let node = serde_json::json!({
        "kind": "node", "version": "v1", "metadata": { "name": "legacy" },
        "spec": { "hostname": "old-1", "addr": "192.0.2.1:22", "sub_kind": "openssh" },
    });
    let node = Document::from_value(node).unwrap();
    world
        .enrollment
        .write_node(&actor(), node, Put::Create)
        .await
        .unwrap();
    let world = world.restarted().await;
    step(&world, AuthorityType::Openssh, Phase::Init).await.unwrap();
    let id = name(&joined.host_id.to_string());
    world.enrollment.remove(&actor(), &id, None).await.unwrap();
    let rotated = step(&world, AuthorityType::Openssh, Phase::UpdateClients)
        .await
        .unwrap();
    let evidence = rotated.evidence.unwrap();
    let named: Vec<&str> = evidence
        .warnings()
        .iter()
        .map(|warning| warning.name.as_str())
        .collect();
    assert_eq!(named.len(), 1);
    assert!(named[0].contains("old-1"), "{named:?}");
}
