//! What a rotation would do, before it does.

use rotation::{Event, Goal, Phase, PlanStep, Rotation, desired, plan, step};

use crate::explorer::nodes;
use crate::generation;

#[test]
fn a_whole_rotation_is_planned_from_standby_to_standby() {
    let born = Rotation::born(generation(1));
    let plan = plan(&born, Goal::Rotate { next: generation(2) }).unwrap();
    let rows: Vec<String> = plan.steps.iter().map(row).collect();
    assert_eq!(
        rows,
        [
            "init signs 1 trusts 1 2",
            "update_clients signs 2 trusts 2 1",
            "update_servers signs 2 trusts 2 1",
            "standby signs 2 trusts 2",
        ]
    );
    let last = &plan.steps[3];
    assert_eq!(
        last.holders,
        "present generation 2; credentials of generation 1 stop working"
    );
    assert_eq!(last.verifiers, "trust generation 2 alone; remove generation 1");
    assert_eq!(serde_json::to_value(&plan).unwrap()["steps"][0]["phase"], "init");
}

#[test]
fn a_plan_is_what_the_machine_then_does() {
    for node in nodes() {
        let next = node.state.newest().next();
        for goal in [Goal::Rotate { next }, Goal::Finish, Goal::RollBack] {
            let Ok(plan) = plan(&node.state, goal) else {
                continue;
            };
            let mut state = plan.from;
            assert_eq!(state, node.state);
            for planned in &plan.steps {
                let (to, facts) = step(&state, planned.event).unwrap();
                let desired = desired(&to);
                assert_eq!((planned.to, &planned.facts), (to, &facts));
                assert_eq!(
                    (planned.signs_with, &planned.trusts),
                    (desired.signs_with, &desired.trusts)
                );
                assert!(!planned.holders.is_empty() && !planned.verifiers.is_empty());
                state = to;
            }
            assert_eq!(state.phase(), Phase::Standby, "{goal:?} from {node:?}");
        }
    }
}

#[test]
fn the_way_back_ends_on_the_generation_from_before() {
    let state = Rotation::UpdateServers {
        retiring: generation(1),
        active: generation(2),
    };
    let rows: Vec<String> = plan(&state, Goal::RollBack)
        .unwrap()
        .steps
        .iter()
        .map(row)
        .collect();
    assert_eq!(rows, ["rollback signs 1 trusts 1 2", "standby signs 1 trusts 1"]);

    let half_way = Rotation::RollingBack {
        active: generation(1),
        abandoned: generation(2),
    };
    for goal in [Goal::RollBack, Goal::Finish] {
        let plan = plan(&half_way, goal).unwrap();
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(plan.steps[0].event, Event::Advance);
    }
}

#[test]
fn a_plan_that_cannot_start_is_refused_like_the_step_itself() {
    let born = Rotation::born(generation(3));
    let init = Rotation::Init {
        active: generation(1),
        next: generation(2),
    };
    let code = |state, goal| plan(state, goal).unwrap_err().code();
    assert_eq!(code(&born, Goal::Finish), "rotation_not_in_progress");
    assert_eq!(code(&born, Goal::RollBack), "rotation_phase_not_allowed");
    assert_eq!(
        code(&born, Goal::Rotate { next: generation(3) }),
        "rotation_generation_not_new"
    );
    assert_eq!(
        code(&init, Goal::Rotate { next: generation(3) }),
        "rotation_in_progress"
    );
}

fn row(step: &PlanStep) -> String {
    let trusted: Vec<String> = step.trusts.iter().map(ToString::to_string).collect();
    format!(
        "{} signs {} trusts {}",
        step.phase,
        step.signs_with,
        trusted.join(" ")
    )
}
