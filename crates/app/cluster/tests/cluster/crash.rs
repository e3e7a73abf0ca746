//! A server that dies before or after any single effect leaves a state that the next start repairs (invariant I8).

use std::collections::BTreeSet;

use audit::Actor;
use authority::AuthorityType;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::KeyStatus;
use cluster::RotateRequest;
use cluster::Step;
use names::Ttl;
use rotation::Phase;

use crate::support::Fuse;
use crate::support::World;

const USER: AuthorityType = AuthorityType::User;

fn request(phase: Phase) -> RotateRequest {
    RotateRequest::new(USER, Step::To(phase))
}

fn phase(cluster: &Cluster) -> Phase {
    cluster.authority(USER).unwrap().record.rotation.phase()
}

async fn to(cluster: &Cluster, target: Phase) {
    cluster.rotate(&Actor::System, &request(target)).await.unwrap();
}

/// Brings the authority to a phase from whichever it is in.
async fn bring_to(cluster: &Cluster, target: Phase) {
    while phase(cluster) != target {
        let next = match phase(cluster) {
            Phase::Standby => Phase::Init,
            Phase::Init if target == Phase::Rollback => Phase::Rollback,
            Phase::Init => Phase::UpdateClients,
            Phase::UpdateClients => Phase::UpdateServers,
            Phase::UpdateServers | Phase::Rollback => Phase::Standby,
        };
        to(cluster, next).await;
    }
}

/// What must hold after every crash and restart.
async fn check_sound(world: &World, cluster: &Cluster, context: &str) {
    if world.is_thorough {
        for detail in cluster.keys_named(&[]).await.unwrap() {
            let verdict = cluster.verify_key(&Actor::System, &detail).await.unwrap();
            let is_good = verdict.as_ref().is_some_and(|verdict| verdict.challenge_signed);
            assert!(is_good, "{context}: {verdict:?}");
        }
    } else {
        for (_, key) in cluster.authority(USER).unwrap().record.trusted() {
            let backend = cluster.custody().holder(&key.reference).unwrap();
            let scheme = key.reference.algorithm.default_scheme();
            let signature = backend.sign(&key.reference, scheme, b"challenge").await.unwrap();
            key.public_key.verify(b"challenge", &signature).unwrap();
        }
    }
    let mut verifier = audit::Verifier::new(audit::Head {
        sequence: 0,
        hash: [0; 32],
    });
    let query = ledger::EventQuery::default();
    let mut after = None;
    loop {
        let page = world
            .ledger
            .events(&ledger::EventQuery {
                after,
                ..query.clone()
            })
            .await
            .unwrap();
        for entry in &page {
            verifier.check(&entry.line).unwrap();
        }
        match page.last() {
            None => break,
            Some(last) => after = Some(last.head.sequence),
        }
    }
    let record = cluster.authority(USER).unwrap().record.clone();
    let trusted: BTreeSet<_> = record.desired().trusts.into_iter().collect();
    let stored: BTreeSet<_> = record.generations.keys().copied().collect();
    assert_eq!(trusted, stored, "{context}");
    for set in record.generations.values() {
        assert_eq!(set.keys.len(), 2, "{context}: one key of each form");
    }
}

/// Takes one step with a server that dies after every possible number of effects.
async fn every_death(world: &World, from: Phase, target: Phase) {
    for effects in 0.. {
        let restarted = world.start_immortal().await;
        bring_to(&restarted, from).await;
        drop(restarted);
        let fuse = Fuse::of(effects);
        let outcome: Result<_, ClusterError> = async {
            let (cluster, _) = world.start(&fuse, 0).await?;
            cluster.rotate(&Actor::System, &request(target)).await
        }
        .await;
        let context = format!("{from} to {target}, dead after {effects} effects");
        let restarted = world.start_immortal().await;
        check_sound(world, &restarted, &context).await;
        let reached = phase(&restarted);
        assert!(
            reached == from || reached == target,
            "{context}: found in {reached}"
        );
        if outcome.is_ok() && !fuse.is_out() {
            assert_eq!(reached, target, "{context}");
            assert!(effects > 4, "the fuse burns");
            return;
        }
        if reached == from {
            // The interrupted step can simply be asked for again.
            to(&restarted, target).await;
            check_sound(world, &restarted, &context).await;
        }
    }
}

#[tokio::test]
async fn a_rotation_survives_death_at_every_effect() {
    a_whole_rotation(&World::with_software().await).await;
}

/// Dies at every effect of every step there is.
pub(crate) async fn a_whole_rotation(world: &World) {
    every_death(world, Phase::Standby, Phase::Init).await;
    every_death(world, Phase::Init, Phase::UpdateClients).await;
    every_death(world, Phase::UpdateClients, Phase::UpdateServers).await;
    every_death(world, Phase::UpdateServers, Phase::Standby).await;
    every_death(world, Phase::Init, Phase::Rollback).await;
    every_death(world, Phase::Rollback, Phase::Standby).await;
}

#[tokio::test]
async fn a_sweep_survives_death_at_every_effect() {
    every_death_of_a_sweep(&World::with_software().await).await;
}

/// Retires a generation and dies at every effect of its destruction.
pub(crate) async fn every_death_of_a_sweep(world: &World) {
    for effects in 0.. {
        let cluster = world.start_immortal().await;
        bring_to(&cluster, Phase::UpdateServers).await;
        bring_to(&cluster, Phase::Standby).await;
        world.clock.advance(Ttl::from_days(8));
        let fuse = Fuse::of(effects);
        if let Ok((mortal, _)) = world.start(&fuse, 0).await {
            let _ = mortal.sweep(&Actor::System, false).await;
        }
        let restarted = world.start_immortal().await;
        restarted.sweep(&Actor::System, false).await.unwrap();
        for detail in restarted.keys().await.unwrap() {
            let is_settled = matches!(detail.status, KeyStatus::Active | KeyStatus::Destroyed);
            assert!(is_settled, "dead after {effects} effects: {:?}", detail.status);
        }
        check_sound(world, &restarted, "sweep").await;
        if !fuse.is_out() {
            assert!(effects > 4, "the fuse burns");
            return;
        }
    }
}

#[tokio::test]
async fn a_birth_interrupted_anywhere_is_continued() {
    for effects in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 120, 150] {
        let world = World::with_software().await;
        let fuse = Fuse::of(effects);
        let first = world.start(&fuse, 0).await;
        assert!(first.is_err() || !fuse.is_out());
        let cluster = world.start_immortal().await;
        assert_eq!(cluster.view().authorities.len(), AuthorityType::ALL.len());
        check_sound(&world, &cluster, &format!("birth, dead after {effects} effects")).await;
        let unknown = cluster
            .keys()
            .await
            .unwrap()
            .into_iter()
            .filter(|key| key.status == KeyStatus::Unknown);
        assert_eq!(
            unknown.count(),
            0,
            "keys made by the first start are found by the second"
        );
    }
}
