//! The promises of the rotation, on every reachable state and every event.

use std::collections::{BTreeSet, HashSet};

use rotation::{
    Event, Fact, Generation, Phase, Rotation, db_server_signer, desired, event_for, may_destroy, step,
};

use crate::explorer::{Edge, ROTATIONS_MAX, edges, nodes, trusts, uses};

#[test]
fn exploration_covers_every_phase_every_event_and_three_rotations() {
    let edges = edges();
    let phases: HashSet<Phase> = edges.iter().map(|edge| edge.from.state.phase()).collect();
    assert_eq!(phases.len(), Phase::ALL.len());
    assert!(
        edges
            .iter()
            .any(|edge| edge.from.begun == ROTATIONS_MAX && edge.from.dead.len() == 3)
    );
    for phase in Phase::ALL {
        for taken in [Event::Advance, Event::Rollback, Event::Distrust] {
            assert!(
                edges
                    .iter()
                    .any(|edge| edge.from.state.phase() == phase && edge.event == taken)
            );
        }
    }
    let states: HashSet<Rotation> = edges.iter().map(|edge| edge.from.state).collect();
    println!(
        "{} states, {} pairs of state and event",
        states.len(),
        edges.len()
    );
    assert!(states.len() > 30, "only {} states", states.len());
}

#[test]
fn i3_the_signer_is_trusted_in_every_state() {
    for node in nodes() {
        let desired = desired(&node.state);
        assert_eq!(desired.trusts.first(), Some(&desired.signs_with), "{node:?}");
        assert!(trusts(&node.state).is_superset(&uses(&node.state)), "{node:?}");
        assert!(
            desired.trusts.contains(&db_server_signer(&node.state)),
            "{node:?}"
        );
        let distinct: BTreeSet<_> = desired.trusts.iter().collect();
        assert_eq!(distinct.len(), desired.trusts.len(), "{node:?}");
    }
}

#[test]
fn i4_one_phase_of_lag_is_safe_in_both_directions_except_for_emergency_distrust() {
    for edge in edges() {
        let Some(to) = edge.to() else { continue };
        match edge.event {
            Event::Begin { .. } | Event::Advance | Event::Rollback => {
                assert!(
                    trusts(&to).is_superset(&uses(&edge.from.state)),
                    "old holder, new verifier: {edge:?}"
                );
                assert!(
                    trusts(&edge.from.state).is_superset(&uses(&to)),
                    "new holder, old verifier: {edge:?}"
                );
            }
            // Cutting parties off at once is what it is for.
            Event::Distrust => {}
        }
    }
}

#[test]
fn emergency_distrust_breaks_lag_from_update_clients_and_only_there() {
    let mut broken = BTreeSet::new();
    for edge in edges() {
        if let (Event::Distrust, Some(to)) = (edge.event, edge.to()) {
            assert!(!to.is_in_progress());
            if !trusts(&to).is_superset(&uses(&edge.from.state)) {
                broken.insert(edge.from.state.phase());
            }
        }
    }
    assert_eq!(broken, BTreeSet::from([Phase::UpdateClients]));
}

#[test]
fn two_phases_of_lag_are_not_safe_and_so_evidence_is_needed() {
    let edges = edges();
    let advance = |edge: &&Edge| edge.event == Event::Advance;
    let locked_out = edges
        .iter()
        .filter(advance)
        .filter_map(|edge| Some((edge.from.state, edge.to()?)))
        .filter_map(|(first, second)| Some((first, step(&second, Event::Advance).ok()?.0)))
        .filter(|(first, third)| !trusts(third).is_superset(&uses(first)))
        .count();
    assert!(locked_out > 0);
}

#[test]
fn database_certificates_of_the_incoming_generation_strain_lag_only_between_standby_and_init() {
    let mut strained = BTreeSet::new();
    for edge in edges() {
        let Some(to) = edge.to() else { continue };
        if edge.event == Event::Distrust {
            continue;
        }
        if !trusts(&edge.from.state).contains(&db_server_signer(&to))
            || !trusts(&to).contains(&db_server_signer(&edge.from.state))
        {
            strained.insert((edge.from.state.phase(), to.phase()));
        }
    }
    assert_eq!(strained, BTreeSet::from([(Phase::Standby, Phase::Init)]));
}

#[test]
fn only_untrusted_generations_retire_and_every_loss_of_trust_is_told() {
    for edge in edges() {
        let Ok((to, facts)) = &edge.outcome else { continue };
        let told: BTreeSet<Generation> = facts.iter().filter_map(dropped_by).collect();
        assert!(told.is_disjoint(&trusts(&to.state)), "{edge:?}");
        let lost: BTreeSet<Generation> = to.dead.difference(&edge.from.dead).copied().collect();
        assert_eq!(told, lost, "{edge:?}");
    }
}

#[test]
fn facts_tell_every_change_of_signer_and_of_what_servers_present() {
    for edge in edges() {
        let Ok((to, facts)) = &edge.outcome else { continue };
        let (before, after) = (desired(&edge.from.state), desired(&to.state));
        let signer = facts.iter().find_map(|fact| match fact {
            Fact::SignerChanged { from, to } => Some((*from, *to)),
            Fact::Begun { .. }
            | Fact::ServersSwitched { .. }
            | Fact::Retired(_)
            | Fact::Completed { .. }
            | Fact::RolledBack { .. }
            | Fact::Abandoned(_)
            | Fact::Distrusted(_) => None,
        });
        let changed = before.signs_with != after.signs_with;
        assert_eq!(
            signer,
            changed.then_some((before.signs_with, after.signs_with)),
            "{edge:?}"
        );
        let switched = facts.contains(&Fact::ServersSwitched {
            to: after.servers_use,
        });
        assert_eq!(switched, before.servers_use != after.servers_use, "{edge:?}");
        let completed = facts.contains(&Fact::Completed {
            active: after.signs_with,
        });
        let replaced = facts.iter().any(|fact| matches!(fact, Fact::Retired(_)));
        assert_eq!(
            completed, replaced,
            "only a replacement completes a rotation: {edge:?}"
        );
    }
}

#[test]
fn standby_is_reachable_from_everywhere_and_back_to_the_old_generation_until_the_end() {
    for node in nodes() {
        let mut state = node.state;
        let mut advances = 0;
        while state.is_in_progress() {
            state = step(&state, Event::Advance)
                .expect("an advance is never refused in a rotation")
                .0;
            advances += 1;
            assert!(advances <= 3, "{node:?}");
        }
        if let Ok((back, _)) = step(&node.state, Event::Rollback) {
            let (home, _) = step(&back, Event::Advance).expect("a rollback completes");
            let old = desired(&node.state)
                .outgoing
                .unwrap_or(desired(&node.state).signs_with);
            assert!(
                matches!(home, Rotation::Standby { active, .. } if active == old),
                "{node:?}"
            );
        } else {
            assert!(
                matches!(node.state.phase(), Phase::Standby | Phase::Rollback),
                "{node:?}"
            );
        }
    }
}

#[test]
fn a_retired_or_abandoned_generation_never_returns() {
    for edge in edges() {
        assert!(edge.from.dead.is_disjoint(&trusts(&edge.from.state)), "{edge:?}");
        let Ok((to, _)) = &edge.outcome else { continue };
        assert!(edge.from.dead.is_disjoint(&trusts(&to.state)), "{edge:?}");
        assert!(
            to.state.newest() >= edge.from.state.newest(),
            "numbers only grow: {edge:?}"
        );
    }
}

#[test]
fn keys_may_be_destroyed_exactly_when_their_generation_is_known_and_untrusted() {
    for node in nodes() {
        let trusted = trusts(&node.state);
        for number in 1..=node.state.newest().number() + 2 {
            let generation = crate::generation(number);
            let expected = !trusted.contains(&generation) && generation <= node.state.newest();
            assert_eq!(
                may_destroy(&node.state, generation),
                expected,
                "{node:?} {generation}"
            );
        }
        for dead in &node.dead {
            assert!(may_destroy(&node.state, *dead), "{node:?} {dead}");
        }
        // Material made ahead of `Begin` survives any number of reconciliations.
        assert!(!may_destroy(&node.state, node.state.newest().next()), "{node:?}");
    }
}

#[test]
fn incoming_and_outgoing_are_what_trust_holds_beside_the_signer() {
    for node in nodes() {
        let desired = desired(&node.state);
        let beside: BTreeSet<Generation> = desired.incoming.into_iter().chain(desired.outgoing).collect();
        let others: BTreeSet<Generation> = desired.trusts.iter().skip(1).copied().collect();
        assert_eq!(beside, others, "{node:?}");
    }
}

#[test]
fn every_refusal_names_the_present_phase_and_what_is_allowed() {
    let mut refusals = 0;
    for edge in edges() {
        let Err(refusal) = &edge.outcome else { continue };
        assert_names_phase_and_targets(&refusal.to_string(), edge.from.state.phase());
        assert!(refusal.code().starts_with("rotation_"));
        refusals += 1;
    }
    assert!(refusals > 100);
    for node in nodes() {
        for target in Phase::ALL {
            if let Err(refusal) = event_for(&node.state, target, node.state.newest().next()) {
                assert_names_phase_and_targets(&refusal.to_string(), node.state.phase());
            }
        }
    }
}

#[test]
fn a_phase_is_granted_exactly_when_it_is_listed_as_allowed() {
    for node in nodes() {
        for target in Phase::ALL {
            let reached = event_for(&node.state, target, node.state.newest().next())
                .and_then(|event| step(&node.state, event))
                .map(|(state, _)| state.phase());
            let listed = node.state.phase().targets().contains(&target);
            assert_eq!(reached.is_ok(), listed, "{node:?} to {target}");
            assert!(reached.is_err() || reached == Ok(target), "{node:?} to {target}");
        }
    }
}

#[test]
fn no_phase_request_turns_into_emergency_distrust() {
    for node in nodes() {
        for target in Phase::ALL {
            assert_ne!(
                event_for(&node.state, target, node.state.newest().next()),
                Ok(Event::Distrust)
            );
        }
    }
}

#[test]
fn the_last_number_is_refused_instead_of_starting_over() {
    let last = crate::generation(u64::MAX);
    assert_eq!(last.next(), last);
    let refusal = step(&Rotation::born(last), Event::Begin { next: last.next() }).unwrap_err();
    assert_eq!(refusal.code(), "rotation_generation_not_new");
}

fn dropped_by(fact: &Fact) -> Option<Generation> {
    match fact {
        Fact::Retired(generation) | Fact::Abandoned(generation) => Some(*generation),
        Fact::Begun { .. }
        | Fact::SignerChanged { .. }
        | Fact::ServersSwitched { .. }
        | Fact::Completed { .. }
        | Fact::RolledBack { .. }
        | Fact::Distrusted(_) => None,
    }
}

fn assert_names_phase_and_targets(message: &str, phase: Phase) {
    assert!(message.contains(&format!("\"{phase}\"")), "{message}");
    let (_, allowed) = message.split_once("allowed from here ").expect(message);
    let (_, listed) = allowed.split_once(' ').expect(message);
    let targets: Vec<&str> = phase.targets().iter().map(|target| target.as_str()).collect();
    assert_eq!(listed, targets.join(", "), "{message}");
}
