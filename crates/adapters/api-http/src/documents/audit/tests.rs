use audit::BreakKind;
use audit::Head;
use audit::Place;

use super::*;

fn entry(sequence: u64, line: &str) -> Entry {
    Entry {
        head: Head {
            sequence,
            hash: [0; 32],
        },
        line: line.into(),
    }
}

#[test]
fn a_query_knows_its_words() {
    let asked = EventParameters {
        kinds: Some("authority.rotation.phase, SR002I,".into()),
        since: Some("2026-03-01T00:00:00Z".into()),
        ..EventParameters::default()
    };
    let query = query(asked).unwrap();
    assert_eq!(query.kinds, ["authority.rotation.phase", "SR002I"]);
    assert_eq!(
        (query.limit, query.since),
        (100, Some(names::UnixSeconds(1_772_323_200)))
    );
}

#[test]
fn an_unknown_type_is_answered_with_those_near_it() {
    let told = |kinds: &str| {
        let asked = EventParameters {
            kinds: Some(kinds.into()),
            ..EventParameters::default()
        };
        query(asked).unwrap_err().to_string()
    };
    assert_eq!(
        told("session.strat"),
        "kinds: \"session.strat\" is neither a type of event nor a code; near it: session.start, session.join, \
         session.leave, session.end, session.rejected. `signetctl audit types` lists all"
    );
    assert!(told("login").contains("user.login"), "{}", told("login"));
    assert!(
        told("cert.created").contains("near it: cert.create"),
        "{}",
        told("cert.created")
    );
    assert_eq!(
        told("nope"),
        "kinds: \"nope\" is neither a type of event nor a code. `signetctl audit types` lists all"
    );
    // Whatever is sent is answered.
    told(&"session.".repeat(10_000));
}

#[test]
fn a_query_refuses_what_it_does_not_know() {
    let refused = |asked: EventParameters| {
        let problem = query(asked).unwrap_err();
        let Problem::BadRequest { field, .. } = problem else {
            panic!("{problem}")
        };
        field
    };
    let blank = EventParameters::default;
    assert_eq!(
        refused(EventParameters {
            kinds: Some("authority.rotated".into()),
            ..blank()
        }),
        "kinds"
    );
    assert_eq!(
        refused(EventParameters {
            since: Some("today".into()),
            ..blank()
        }),
        "since"
    );
    assert_eq!(
        refused(EventParameters {
            until: Some("2026".into()),
            ..blank()
        }),
        "until"
    );
    assert_eq!(
        refused(EventParameters {
            limit: Some(1_001),
            ..blank()
        }),
        "limit"
    );
}

#[test]
fn a_full_page_says_where_the_next_begins() {
    let entries = [entry(4, "{}"), entry(5, "{}")];
    assert_eq!(page(&entries, 2).unwrap().next, Some(5));
    assert_eq!(page(&entries, 3).unwrap().next, None);
    assert!(page(&[entry(1, "not json")], 3).is_err());
}

#[test]
fn a_log_that_does_not_fit_says_where_first_and_how_much_more() {
    let mut report = AuditReport::new();
    report.entries = 9;
    assert!(verdict(&report).ok);
    for sequence in [3, 7] {
        let reason = "its hash is another".to_owned();
        report.add(
            Place::Ledger,
            audit::Break {
                sequence,
                kind: BreakKind::Edited,
                reason,
            },
        );
    }
    let verdict = verdict(&report);
    assert_eq!((verdict.ok, verdict.broken_at), (false, Some(3)));
    let reason = verdict.reason.unwrap();
    assert!(
        reason.contains("entry 3: its hash is another") && reason.ends_with("; and 1 more"),
        "{reason}"
    );
}
