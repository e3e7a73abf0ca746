//! What people read and what storage keeps: messages, codes and documents.

use rotation::{Event, Fact, Generation, Mode, Phase, Refusal, Rotation, event_for, step};

use crate::explorer::nodes;
use crate::generation;

#[test]
fn refusals_read_as_sentences() {
    let init = Rotation::Init {
        active: generation(1),
        next: generation(2),
    };
    let born = Rotation::born(generation(1));
    let said = |outcome: Result<Event, Refusal>| outcome.unwrap_err().to_string();
    assert_eq!(
        said(event_for(&init, Phase::UpdateServers, generation(3))),
        "cannot go to \"update_servers\" from \"init\": allowed from here are update_clients, rollback"
    );
    assert_eq!(
        said(event_for(&init, Phase::Init, generation(3))),
        "a rotation is already in progress in phase \"init\": allowed from here are update_clients, rollback"
    );
    assert_eq!(
        said(event_for(&born, Phase::Rollback, generation(2))),
        "cannot go to \"rollback\" from \"standby\": allowed from here is init"
    );
    assert_eq!(
        step(&born, Event::Advance).unwrap_err().to_string(),
        "cannot advance from \"standby\": no rotation is in progress; allowed from here is init"
    );
    assert_eq!(
        step(&init, Event::Distrust).unwrap_err().to_string(),
        "cannot distrust at once from \"init\": only \"update_clients\" and \"update_servers\" have an outgoing \
         generation and a successor that signs; allowed from here are update_clients, rollback"
    );
}

#[test]
fn the_number_of_an_abandoned_generation_is_refused_by_name() {
    let init = Rotation::Init {
        active: generation(1),
        next: generation(2),
    };
    let (back, _) = step(&init, Event::Rollback).unwrap();
    let (home, facts) = step(&back, Event::Advance).unwrap();
    assert_eq!(
        home,
        Rotation::Standby {
            active: generation(1),
            newest: generation(2)
        }
    );
    assert_eq!(facts, [Fact::Abandoned(generation(2))]);
    assert_eq!(
        step(&home, Event::Begin { next: generation(2) })
            .unwrap_err()
            .to_string(),
        "cannot begin a rotation from \"standby\" with generation 2: it has to be newer than generation 2, the \
         newest this authority ever had; allowed from here is init"
    );
    assert!(step(&home, Event::Begin { next: generation(3) }).is_ok());
}

#[test]
fn codes_are_stable_and_distinct() {
    let phase = Phase::Init;
    let refusals = [
        (Refusal::AlreadyInProgress { phase }, "rotation_in_progress"),
        (
            Refusal::GenerationNotNew {
                next: generation(1),
                newest: generation(2),
            },
            "rotation_generation_not_new",
        ),
        (
            Refusal::GraceTooLong { grace_seconds: 1 },
            "rotation_grace_too_long",
        ),
        (
            Refusal::GraceTooShort { grace_seconds: 1 },
            "rotation_grace_too_short",
        ),
        (
            Refusal::NotAllowed {
                from: phase,
                to: phase,
            },
            "rotation_phase_not_allowed",
        ),
        (Refusal::NotInProgress, "rotation_not_in_progress"),
        (
            Refusal::NothingToDistrust { from: phase },
            "rotation_nothing_to_distrust",
        ),
        (
            Refusal::OverrideUnnamed { missing: "why" },
            "rotation_override_unnamed",
        ),
    ];
    for (refusal, code) in refusals {
        assert_eq!(refusal.code(), code);
        let message = refusal.to_string();
        assert!(
            message.starts_with(char::is_lowercase) && !message.ends_with('.'),
            "{message}"
        );
    }
}

#[test]
fn phases_are_read_and_written_in_the_same_words() {
    for phase in Phase::ALL {
        assert_eq!(phase.to_string().parse(), Ok(phase));
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
    }
    for word in ["", "Init", "init ", "rolling_back", "update-clients"] {
        assert!(word.parse::<Phase>().is_err(), "{word}");
    }
    let message = "x\n".repeat(1000).parse::<Phase>().unwrap_err().to_string();
    assert!(message.len() < 200 && !message.contains('\n'), "{message}");
    assert!(
        message.ends_with("use standby, init, update_clients, update_servers or rollback"),
        "{message}"
    );
}

#[test]
fn a_stored_rotation_returns_as_it_was() {
    for node in nodes() {
        let stored = serde_json::to_value(node.state).unwrap();
        assert_eq!(stored["phase"], node.state.phase().as_str());
        assert_eq!(serde_json::from_value::<Rotation>(stored).unwrap(), node.state);
    }
}

#[test]
fn the_stored_form_is_what_other_releases_read() {
    let cases = [
        (
            Rotation::born(generation(1)),
            r#"{"phase":"standby","active":1,"newest":1}"#,
        ),
        (
            Rotation::Init {
                active: generation(1),
                next: generation(2),
            },
            r#"{"phase":"init","active":1,"next":2}"#,
        ),
        (
            Rotation::UpdateClients {
                retiring: generation(1),
                active: generation(2),
            },
            r#"{"phase":"update_clients","retiring":1,"active":2}"#,
        ),
        (
            Rotation::UpdateServers {
                retiring: generation(1),
                active: generation(2),
            },
            r#"{"phase":"update_servers","retiring":1,"active":2}"#,
        ),
        (
            Rotation::RollingBack {
                active: generation(1),
                abandoned: generation(2),
            },
            r#"{"phase":"rollback","active":1,"abandoned":2}"#,
        ),
    ];
    for (state, stored) in cases {
        assert_eq!(serde_json::to_string(&state).unwrap(), stored);
    }
}

#[test]
fn unknown_missing_and_impossible_values_are_refused() {
    for bad in [
        r#"{"phase":"standby","active":1}"#,
        r#"{"phase":"standby","active":1,"newest":1,"extra":true}"#,
        r#"{"phase":"standby","active":0,"newest":1}"#,
        r#"{"phase":"standby","active":-1,"newest":1}"#,
        r#"{"phase":"standby","active":2,"newest":1}"#,
        r#"{"phase":"init","active":2,"next":2}"#,
        r#"{"phase":"init","active":1,"newest":2}"#,
        r#"{"phase":"update_clients","retiring":3,"active":2}"#,
        r#"{"phase":"update_servers","retiring":2,"active":2}"#,
        r#"{"phase":"rollback","active":2,"abandoned":1}"#,
        r#"{"phase":"rolling_back","active":1,"abandoned":2}"#,
        r#"{"phase":"","active":1,"newest":1}"#,
        r#"{"active":1,"newest":1}"#,
        "null",
    ] {
        assert!(serde_json::from_str::<Rotation>(bad).is_err(), "{bad}");
    }
    let error = serde_json::from_str::<Rotation>(r#"{"phase":"init","active":3,"next":2}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "inconsistent rotation in phase init: next 2 has to be newer than active 3"
    );
}

#[test]
fn events_and_facts_are_recorded_in_plain_words() {
    let next = generation(2);
    assert_eq!(
        serde_json::to_string(&Event::Begin { next }).unwrap(),
        r#"{"event":"begin","next":2}"#
    );
    assert_eq!(
        serde_json::to_string(&Event::Distrust).unwrap(),
        r#"{"event":"distrust"}"#
    );
    assert_eq!(
        serde_json::to_string(&Fact::Retired(generation(1))).unwrap(),
        r#"{"retired":1}"#
    );
    assert_eq!(
        serde_json::to_string(&Fact::SignerChanged {
            from: generation(1),
            to: next
        })
        .unwrap(),
        r#"{"signer_changed":{"from":1,"to":2}}"#
    );
    assert_eq!(serde_json::to_string(&Mode::Automatic).unwrap(), r#""automatic""#);
    assert_eq!(Mode::Manual.to_string(), "manual");
}

#[test]
fn generations_start_at_one() {
    assert_eq!(Generation::new(0), None);
    assert_eq!(Generation::FIRST.next(), generation(2));
    assert_eq!(Generation::FIRST.to_string(), "1");
    assert_eq!(serde_json::to_string(&generation(7)).unwrap(), "7");
    let refused = serde_json::from_str::<Generation>("0").unwrap_err();
    assert_eq!(refused.to_string(), "0 is no generation: generations start at 1");
}
