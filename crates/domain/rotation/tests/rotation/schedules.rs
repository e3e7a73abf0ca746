//! Automatic mode: a source of events, and nothing but that.

use std::time::Duration;

use names::UnixSeconds;
use rotation::{Event, Phase, Rotation, Schedule, due, step};

use crate::explorer::nodes;
use crate::generation;

const STARTED: UnixSeconds = UnixSeconds(1_700_000_000);
const HOUR: i64 = 3600;

#[test]
fn the_grace_period_is_divided_in_thirds() {
    let schedule = Schedule::split(STARTED, Duration::from_secs(48 * 3600)).unwrap();
    assert_eq!(schedule.started, STARTED);
    assert_eq!(schedule.update_clients, at(16 * HOUR));
    assert_eq!(schedule.update_servers, at(32 * HOUR));
    assert_eq!(schedule.standby, at(48 * HOUR));
}

#[test]
fn an_uneven_grace_period_ends_when_it_was_said_to() {
    for grace in 3..100 {
        let schedule = Schedule::split(STARTED, Duration::from_secs(grace)).unwrap();
        assert!(schedule.started < schedule.update_clients);
        assert!(schedule.update_clients < schedule.update_servers);
        assert!(schedule.update_servers < schedule.standby);
        assert_eq!(schedule.standby, at(i64::try_from(grace).unwrap()));
    }
}

#[test]
fn no_grace_too_little_and_endless_grace_are_refused() {
    for grace in [
        Duration::ZERO,
        Duration::from_secs(2),
        Duration::from_millis(2_999),
    ] {
        assert_eq!(
            Schedule::split(STARTED, grace).unwrap_err().code(),
            "rotation_grace_too_short"
        );
    }
    for (started, grace) in [
        (STARTED, u64::MAX),
        (STARTED, u64::try_from(i64::MAX).unwrap()),
        (UnixSeconds(i64::MAX), 3),
    ] {
        let refusal = Schedule::split(started, Duration::from_secs(grace)).unwrap_err();
        assert_eq!(refusal.code(), "rotation_grace_too_long");
    }
}

#[test]
fn each_phase_waits_for_its_time_and_not_longer() {
    let schedule = Schedule::split(STARTED, Duration::from_secs(3 * 3600)).unwrap();
    let mut state = init();
    for hour in 1..=3 {
        assert_eq!(due(&state, &schedule, at(hour * HOUR - 1)), None, "{state:?}");
        assert_eq!(
            due(&state, &schedule, at(hour * HOUR)),
            Some(Event::Advance),
            "{state:?}"
        );
        state = step(&state, Event::Advance).unwrap().0;
    }
    assert_eq!(state.phase(), Phase::Standby);
}

#[test]
fn late_ticks_catch_up_one_phase_at_a_time() {
    let schedule = Schedule::split(STARTED, Duration::from_secs(3 * 3600)).unwrap();
    let (mut state, mut phases) = (init(), Vec::new());
    while let Some(event) = due(&state, &schedule, at(100 * HOUR)) {
        state = step(&state, event).unwrap().0;
        phases.push(state.phase());
    }
    assert_eq!(
        phases,
        [Phase::UpdateClients, Phase::UpdateServers, Phase::Standby]
    );
}

#[test]
fn standby_and_rollback_are_never_due() {
    let schedule = Schedule::split(STARTED, Duration::from_secs(3 * 3600)).unwrap();
    for node in nodes() {
        let event = due(&node.state, &schedule, UnixSeconds(i64::MAX));
        match node.state {
            Rotation::Standby { .. } | Rotation::RollingBack { .. } => assert_eq!(event, None),
            Rotation::Init { .. } | Rotation::UpdateClients { .. } | Rotation::UpdateServers { .. } => {
                assert_eq!(event, Some(Event::Advance));
            }
        }
        assert_eq!(schedule.upcoming(&node.state).is_some(), event.is_some());
    }
}

#[test]
fn a_held_phase_moves_the_times_after_it() {
    let planned = Schedule::split(STARTED, Duration::from_secs(3 * 3600)).unwrap();

    let held = planned.rebased(Phase::UpdateClients, at(10 * HOUR));
    assert_eq!(held.update_clients, at(10 * HOUR));
    assert_eq!(held.update_servers, at(11 * HOUR));
    assert_eq!(held.standby, at(12 * HOUR));

    let held_again = held.rebased(Phase::UpdateServers, at(20 * HOUR));
    assert_eq!(held_again.update_clients, at(10 * HOUR));
    assert_eq!(held_again.update_servers, at(20 * HOUR));
    assert_eq!(held_again.standby, at(21 * HOUR));

    assert_eq!(planned.rebased(Phase::UpdateClients, at(HOUR)), planned);
    assert_eq!(
        planned.rebased(Phase::UpdateClients, at(0)),
        planned,
        "early is no delay"
    );
    for phase in [Phase::Standby, Phase::Init, Phase::Rollback] {
        assert_eq!(planned.rebased(phase, at(100 * HOUR)), planned);
    }
}

#[test]
fn a_stored_schedule_returns_and_a_disordered_one_is_refused() {
    let schedule = Schedule::split(STARTED, Duration::from_secs(3)).unwrap();
    let stored = serde_json::to_string(&schedule).unwrap();
    assert_eq!(
        stored,
        r#"{"started":"2023-11-14T22:13:20Z","update_clients":"2023-11-14T22:13:21Z","update_servers":"2023-11-14T22:13:22Z","standby":"2023-11-14T22:13:23Z"}"#
    );
    assert_eq!(serde_json::from_str::<Schedule>(&stored).unwrap(), schedule);
    for bad in [
        r#"{"started":"1970-01-01T00:00:01Z","update_clients":"1970-01-01T00:00:03Z","update_servers":"1970-01-01T00:00:02Z","standby":"1970-01-01T00:00:04Z"}"#,
        r#"{"started":"1970-01-01T00:00:01Z","update_clients":"1970-01-01T00:00:02Z","update_servers":"1970-01-01T00:00:03Z","standby":"1970-01-01T00:00:03Z"}"#,
        r#"{"started":"1970-01-01T00:00:01Z","update_clients":"1970-01-01T00:00:02Z","update_servers":"1970-01-01T00:00:03Z"}"#,
        r#"{"started":"1970-01-01T00:00:01Z","update_clients":"1970-01-01T00:00:02Z","update_servers":"1970-01-01T00:00:03Z","standby":"1970-01-01T00:00:04Z","paused":"1970-01-01T00:00:05Z"}"#,
    ] {
        assert!(serde_json::from_str::<Schedule>(bad).is_err(), "{bad}");
    }
}

fn at(seconds: i64) -> UnixSeconds {
    UnixSeconds(STARTED.0 + seconds)
}

fn init() -> Rotation {
    Rotation::Init {
        active: generation(1),
        next: generation(2),
    }
}
