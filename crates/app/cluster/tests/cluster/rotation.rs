//! Rotation as an operator meets it: refusals, races, automatic mode, custody, records.

use std::sync::Arc;

use audit::Actor;
use authority::AuthorityType;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::Presence;
use cluster::Refusal;
use cluster::RotateRequest;
use cluster::Step;
use cluster::SweepVerdict;
use names::Ttl;
use rotation::Mode;
use rotation::PartyKind;
use rotation::Phase;

use crate::support::World;

const HOST: AuthorityType = AuthorityType::Host;

fn request(phase: Phase) -> RotateRequest {
    RotateRequest::new(HOST, Step::To(phase))
}

async fn to(cluster: &Cluster, phase: Phase) -> Result<cluster::Rotated, ClusterError> {
    cluster.rotate(&Actor::System, &request(phase)).await
}

fn refusal(result: Result<cluster::Rotated, ClusterError>) -> Refusal {
    match result {
        Err(ClusterError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn phase(cluster: &Cluster) -> Phase {
    cluster.authority(HOST).unwrap().record.rotation.phase()
}

#[tokio::test]
async fn a_refusal_names_the_present_phase_and_what_is_allowed() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let text = refusal(to(&cluster, Phase::UpdateServers).await).to_string();
    assert!(text.contains("standby") && text.contains("init"), "{text}");
    to(&cluster, Phase::Init).await.unwrap();
    let text = refusal(to(&cluster, Phase::Init).await).to_string();
    assert!(text.contains("init"), "{text}");
}

#[tokio::test]
async fn one_pin_in_standby_two_in_a_rotation() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    assert_eq!(cluster.ca_pins().len(), 1);
    let first = cluster.ca_pins();
    to(&cluster, Phase::Init).await.unwrap();
    assert_eq!(cluster.ca_pins().len(), 2);
    assert_eq!(cluster.ca_pins()[0], first[0]);
    for next in [Phase::UpdateClients, Phase::UpdateServers] {
        to(&cluster, next).await.unwrap();
        assert_eq!(cluster.ca_pins().len(), 2);
        assert_eq!(cluster.ca_pins()[1], first[0]);
    }
    to(&cluster, Phase::Standby).await.unwrap();
    assert_eq!(cluster.ca_pins().len(), 1);
    assert_ne!(cluster.ca_pins(), first);
}

#[tokio::test]
async fn i7_nothing_is_done_that_cannot_be_recorded() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    world.memory_ledger.fail_writes(true);
    for phase in [Phase::Init, Phase::Rollback] {
        assert!(to(&cluster, phase).await.is_err());
    }
    assert_eq!(phase(&cluster), Phase::Standby);
    world.memory_ledger.fail_writes(false);
    to(&cluster, Phase::Init).await.unwrap();
    world.memory_ledger.fail_writes(true);
    assert!(matches!(
        to(&cluster, Phase::UpdateClients).await,
        Err(ClusterError::Ledger(_))
    ));
    cluster.refresh().await.unwrap();
    assert_eq!(phase(&cluster), Phase::Init);
    let key = cluster
        .authority(HOST)
        .unwrap()
        .record
        .keys_of(rotation::Generation::FIRST)[0]
        .reference
        .id;
    assert!(cluster.restore_key(&Actor::System, key, "why").await.is_err());
}

#[tokio::test]
async fn i8_of_two_operators_at_once_one_wins_and_the_other_is_told() {
    let world = World::with_software().await;
    let cluster = Arc::new(world.start_immortal().await);
    to(&cluster, Phase::Init).await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let cluster = cluster.clone();
        tasks.push(tokio::spawn(
            async move { to(&cluster, Phase::UpdateClients).await },
        ));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(ClusterError::Refused(Refusal::Conflict { .. } | Refusal::Rotation { .. })) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(phase(&cluster), Phase::UpdateClients);
}

#[tokio::test]
async fn an_automatic_rotation_takes_its_phases_in_time_and_survives_restarts() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let step = Step::Automatic {
        grace_period: Ttl::from_hours(48),
    };
    let automatic = RotateRequest::new(HOST, step);
    cluster.rotate(&Actor::System, &automatic).await.unwrap();
    let course = cluster.authority(HOST).unwrap().record.course.clone();
    assert_eq!(course.mode, Some(Mode::Automatic));
    assert!(cluster.advance_due().await.is_empty());
    drop(cluster);
    for expected in [Phase::UpdateClients, Phase::UpdateServers, Phase::Standby] {
        world.clock.advance(Ttl::from_hours(16));
        let cluster = world.start_immortal().await;
        let taken = cluster.advance_due().await;
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].1.as_ref().unwrap().to, expected);
        assert!(cluster.advance_due().await.is_empty(), "one phase at a time");
    }
    let cluster = world.start_immortal().await;
    let course = cluster.authority(HOST).unwrap().record.course.clone();
    assert!(course.last_rotated.is_some() && course.schedule.is_none() && course.mode.is_none());
}

#[tokio::test]
async fn i4_a_party_that_is_not_ready_holds_the_rotation_until_overridden() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let old = cluster.authority(HOST).unwrap().record.desired().signs_with;
    to(&cluster, Phase::Init).await.unwrap();
    let behind = Presence {
        name: "auth/api".into(),
        authority: HOST,
        kind: PartyKind::Server,
        trusts: [old].into(),
        serves: Some(old),
    };
    cluster.note_presence(behind);
    let held = refusal(to(&cluster, Phase::UpdateClients).await);
    assert_eq!(held.code(), "rotation_blocked");
    assert!(held.to_string().contains("auth/api"), "{held}");
    let named = RotateRequest {
        override_reason: Some("it is being replaced".into()),
        override_only: Some(vec!["auth/web of server-1".into()]),
        ..request(Phase::UpdateClients)
    };
    let unseen = refusal(cluster.rotate(&Actor::System, &named).await);
    assert_eq!(
        unseen.code(),
        "rotation_blocked",
        "it was decided about somebody else"
    );
    let named = RotateRequest {
        override_only: Some(vec!["auth/web of server-1".into(), "auth/api of server-1".into()]),
        ..named
    };
    cluster.rotate(&Actor::System, &named).await.unwrap();
    let query = ledger::EventQuery {
        kinds: vec!["authority.rotation.override".into()],
        ..Default::default()
    };
    let events = world.ledger.events(&query).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(events[0].line.contains("it is being replaced"));
}

#[tokio::test]
async fn a_rollback_returns_exactly_and_leaves_the_date_alone() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let before = cluster.authority(HOST).unwrap().record.clone();
    for from in [Phase::Init, Phase::UpdateClients, Phase::UpdateServers] {
        to(&cluster, Phase::Init).await.unwrap();
        while phase(&cluster) != from {
            let next = if phase(&cluster) == Phase::Init {
                Phase::UpdateClients
            } else {
                Phase::UpdateServers
            };
            to(&cluster, next).await.unwrap();
        }
        to(&cluster, Phase::Rollback).await.unwrap();
        to(&cluster, Phase::Standby).await.unwrap();
        let after = cluster.authority(HOST).unwrap().record.clone();
        assert_eq!(after.generations, before.generations);
        assert_eq!(after.course.last_rotated, None);
    }
    to(&cluster, Phase::Init).await.unwrap();
    let incoming = cluster
        .authority(HOST)
        .unwrap()
        .record
        .desired()
        .incoming
        .unwrap();
    assert_eq!(incoming.number(), 5, "abandoned numbers never return");
}

#[tokio::test]
async fn i5_sweep_destroys_after_the_quarantine_and_never_a_restored_key() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let old = cluster
        .authority(HOST)
        .unwrap()
        .record
        .keys_of(rotation::Generation::FIRST)
        .to_vec();
    for next in [
        Phase::Init,
        Phase::UpdateClients,
        Phase::UpdateServers,
        Phase::Standby,
    ] {
        to(&cluster, next).await.unwrap();
    }
    let waiting = cluster.sweep(&Actor::System, false).await.unwrap();
    assert!(
        waiting
            .iter()
            .all(|swept| matches!(swept.verdict, SweepVerdict::Waits(_)))
    );
    cluster
        .restore_key(&Actor::System, old[0].reference.id, "to look at it")
        .await
        .unwrap();
    world.clock.advance(Ttl::from_days(8));
    let would: Vec<_> = cluster
        .sweep(&Actor::System, true)
        .await
        .unwrap()
        .into_iter()
        .map(|s| s.verdict)
        .collect();
    assert!(would.contains(&SweepVerdict::WouldBeDestroyed) && would.contains(&SweepVerdict::Held));
    let done = cluster.sweep(&Actor::System, false).await.unwrap();
    let verdict_of = |id| {
        done.iter()
            .find(|swept| swept.id == id)
            .map(|swept| swept.verdict.clone())
    };
    assert_eq!(verdict_of(old[0].reference.id), Some(SweepVerdict::Held));
    assert_eq!(verdict_of(old[1].reference.id), Some(SweepVerdict::Destroyed));
    assert!(
        cluster
            .restore_key(&Actor::System, old[1].reference.id, "too late")
            .await
            .is_err()
    );
    cluster
        .retire_key(&Actor::System, old[0].reference.id, "seen enough")
        .await
        .unwrap();
    let active = cluster
        .authority(HOST)
        .unwrap()
        .record
        .trusted()
        .next()
        .unwrap()
        .1
        .reference
        .id;
    assert!(
        cluster
            .retire_key(&Actor::System, active, "a mistake")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_data_of_another_cluster_is_refused() {
    let world = World::with_software().await;
    drop(world.start_immortal().await);
    let parts = cluster::Parts {
        state: world.state.clone(),
        ledger: world.ledger.clone(),
        custody: cluster::Custody::new(world.backends.lock().unwrap()[0].clone(), Vec::new()),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    };
    let mut settings = crate::support::settings();
    settings.cluster = names::ClusterName::parse("other.example.com").unwrap();
    let opened = Cluster::open(parts, settings).await;
    assert!(matches!(
        opened,
        Err(ClusterError::Refused(Refusal::OtherCluster { .. }))
    ));
}

#[tokio::test]
async fn distrust_needs_a_reason_and_ends_the_rotation_at_once() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    to(&cluster, Phase::Init).await.unwrap();
    to(&cluster, Phase::UpdateClients).await.unwrap();
    let mut distrust = RotateRequest::new(HOST, Step::Distrust);
    assert!(cluster.rotate(&Actor::System, &distrust).await.is_err());
    distrust.reason = Some("the old key leaked".into());
    let done = cluster.rotate(&Actor::System, &distrust).await.unwrap();
    assert_eq!((done.from, done.to), (Phase::UpdateClients, Phase::Standby));
    assert_eq!(cluster.ca_pins().len(), 1);
}

#[tokio::test]
async fn i4_a_rotation_waits_until_the_incoming_keys_sign() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    to(&cluster, Phase::Init).await.unwrap();
    let record = cluster.authority(HOST).unwrap().record.clone();
    let incoming = record.keys_of(record.desired().incoming.unwrap())[1]
        .reference
        .clone();
    let backend = world.backends.lock().unwrap()[0].clone();
    backend.destroy(&incoming).await.unwrap();
    assert_eq!(
        refusal(to(&cluster, Phase::UpdateClients).await).code(),
        "rotation_blocked"
    );
    assert_eq!(phase(&cluster), Phase::Init);
    to(&cluster, Phase::Rollback).await.unwrap();
    to(&cluster, Phase::Standby).await.unwrap();
}

#[tokio::test]
async fn i5_a_clock_that_jumped_destroys_nothing_for_an_hour() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    cluster.heartbeat().await.unwrap();
    for next in [
        Phase::Init,
        Phase::UpdateClients,
        Phase::UpdateServers,
        Phase::Standby,
    ] {
        to(&cluster, next).await.unwrap();
    }
    world.clock.advance(Ttl::from_days(8));
    cluster.heartbeat().await.unwrap();
    let kept = cluster.sweep(&Actor::System, false).await.unwrap();
    assert!(
        kept.iter()
            .all(|swept| matches!(&swept.verdict, SweepVerdict::Kept(why) if why.contains("clock")))
    );
    for _ in 0..7 {
        world.clock.advance(Ttl::from_seconds(600));
        cluster.heartbeat().await.unwrap();
    }
    let gone = cluster.sweep(&Actor::System, false).await.unwrap();
    assert!(gone.iter().all(|swept| swept.verdict == SweepVerdict::Destroyed));
}

#[tokio::test]
async fn the_alert_of_a_held_rotation_goes_with_its_cause() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let step = Step::Automatic {
        grace_period: Ttl::from_hours(3),
    };
    let automatic = RotateRequest::new(HOST, step);
    cluster.rotate(&Actor::System, &automatic).await.unwrap();
    let old = rotation::Generation::FIRST;
    cluster.note_presence(Presence {
        name: "auth/api".into(),
        authority: HOST,
        kind: PartyKind::Server,
        trusts: [old].into(),
        serves: Some(old),
    });
    world.clock.advance(Ttl::from_hours(2));
    assert!(cluster.advance_due().await[0].1.is_err());
    assert!(
        cluster
            .alerts()
            .iter()
            .any(|alert| alert.id == "rotation-held/host")
    );
    to(&cluster, Phase::Rollback).await.unwrap();
    assert!(
        !cluster
            .alerts()
            .iter()
            .any(|alert| alert.id == "rotation-held/host")
    );
}

#[tokio::test]
async fn a_signing_key_that_is_gone_is_an_alert() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let key = cluster
        .authority(HOST)
        .unwrap()
        .record
        .keys_of(rotation::Generation::FIRST)[0]
        .reference
        .clone();
    let backend = world.backends.lock().unwrap()[0].clone();
    backend.destroy(&key).await.unwrap();
    cluster.check_keys().await;
    assert!(cluster.alerts().iter().any(|alert| alert.id == "unusable/host"));
}

#[tokio::test]
async fn a_plan_is_refused_where_the_step_would_be() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    to(&cluster, Phase::Init).await.unwrap();
    let distrust = RotateRequest {
        authority: HOST,
        step: Step::Distrust,
        reason: Some("x".into()),
        override_reason: None,
        override_only: None,
    };
    assert!(cluster.plan_rotation(&distrust).await.is_err());
    assert!(
        cluster
            .plan_rotation(&request(Phase::UpdateClients))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_key_that_is_destroyed_while_keys_prove_themselves_is_no_failure() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    for next in [
        Phase::Init,
        Phase::UpdateClients,
        Phase::UpdateServers,
        Phase::Standby,
    ] {
        to(&cluster, next).await.unwrap();
    }

    // 1. Listed, and destroyed before it was asked for its proof.
    let listed = cluster.keys_named(&[]).await.unwrap();
    world.clock.advance(Ttl::from_days(8));
    let swept = cluster.sweep(&Actor::System, false).await.unwrap();
    let gone: Vec<_> = swept.iter().map(|swept| swept.id).collect();
    assert_eq!(gone.len(), 2);
    for detail in &listed {
        let verdict = cluster.verify_key(&Actor::System, detail).await.unwrap();
        let is_gone = gone.contains(&detail.key.reference.id);
        assert_eq!(verdict.is_none(), is_gone, "{verdict:?}");
        assert!(verdict.is_none_or(|verdict| verdict.error.is_none()));
    }
    let failed = ledger::EventQuery {
        kinds: vec!["authority.key.verify".into()],
        ..Default::default()
    };
    let events = world.ledger.events(&failed).await.unwrap();
    assert_eq!(events.len(), listed.len() - gone.len());
    assert!(events.iter().all(|event| event.line.contains("\"success\":true")));

    // 2. Asked for by its id, it is said to be gone.
    match cluster.keys_named(&gone).await {
        Err(ClusterError::Refused(refusal)) => {
            assert!(refusal.to_string().contains("destroyed"), "{refusal}")
        }
        other => panic!("{other:?}"),
    }
    // 3. One that is missing without having been destroyed fails as ever.
    let key = cluster.authority(HOST).unwrap().record.clone();
    let key = key.trusted().next().unwrap().1.reference.clone();
    let backend = world.backends.lock().unwrap()[0].clone();
    let listed = cluster.keys_named(&[key.id]).await.unwrap();
    backend.destroy(&key).await.unwrap();
    let verdict = cluster.verify_key(&Actor::System, &listed[0]).await.unwrap();
    assert!(verdict.unwrap().error.is_some());
}
