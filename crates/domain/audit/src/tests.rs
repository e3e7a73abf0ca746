use std::collections::BTreeMap;
use std::collections::BTreeSet;

use names::ClusterName;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;

/// Texts that have broken a log somewhere.
const HOSTILE: &[&str] = &[
    "",
    "a\nb",
    "\r\n{\"ei\":9}",
    "\",\"hash\":\"0\"}",
    "\",\"time\":\"1999-01-01",
    "\\",
    "\\\"",
    "\0\u{1}\u{1b}[2J\u{7f}",
    "\u{85}\u{9b}31m",
    "\u{2028}\u{2029}",
    "\u{202e}txt.exe",
    "\u{feff}\u{200b}",
    "\u{e0041}",
    "日本語 𝄞",
];

/// One event of every kind with every outcome, all its texts being `text`.
fn samples(text: &str) -> Vec<AuditEvent> {
    CATALOGUE
        .iter()
        .flat_map(|kind| [true, false].map(|success| sample(kind, text, success)))
        .collect()
}

fn sample(kind: &EventKind, text: &str, success: bool) -> AuditEvent {
    let mut document = serde_json::Map::new();
    document.insert("event".to_owned(), json!(kind.name));
    for field in kind.fields {
        let (name, value) = match field.kind {
            "text" | "text, or absent" => (field.name, json!(text)),
            "number" | "number, or absent" => (field.name, json!(7)),
            "list of texts" => (field.name, json!([text, text])),
            "authority type" | "authority type, or absent" => (field.name, json!("db_client")),
            "`ssh`, `tls` or `jwt`" => (field.name, json!("tls")),
            "UUID" => (field.name, json!("01234567-89ab-4def-8123-456789abcdef")),
            "SHA-256, hexadecimal" => (field.name, json!("ab".repeat(32))),
            "time, RFC 3339" | "time, RFC 3339, or absent" => (field.name, json!("2026-03-01T12:00:00Z")),
            "`true`, or `false` and `error`: text" if success => ("outcome", json!({"success": "true"})),
            "`true`, or `false` and `error`: text" => ("outcome", json!({"success": "false", "error": text})),
            other => panic!("no sample for a field of kind {other}"),
        };
        document.insert(name.to_owned(), value);
    }
    serde_json::from_value(Value::Object(document)).unwrap()
}

fn envelope(actor: Actor, event: AuditEvent) -> Envelope {
    Envelope {
        uid: "0b5b5a3e-0000-4000-8000-000000000001".to_owned(),
        unix_millis: 1_772_366_400_123,
        cluster_name: ClusterName::parse("prod.example.com").unwrap(),
        actor,
        event,
    }
}

fn started(version: &str) -> Envelope {
    envelope(
        Actor::System,
        AuditEvent::Started {
            version: version.to_owned(),
        },
    )
}

fn chain(length: usize) -> Vec<Entry> {
    let mut head = Head::EMPTY;
    let mut entries = Vec::new();
    for number in 0..length {
        let entry = seal(&started(&number.to_string()), head).unwrap();
        head = entry.head;
        entries.push(entry);
    }
    entries
}

fn verify<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Head, Break> {
    let mut verifier = Verifier::new(Head::EMPTY);
    for line in lines {
        verifier.check(line)?;
    }
    Ok(verifier.head)
}

#[test]
fn every_code_is_unique_and_of_the_scheme() {
    let mut seen = BTreeSet::new();
    let mut names = BTreeSet::new();
    for kind in CATALOGUE {
        assert!(names.insert(kind.name), "{} twice", kind.name);
        for code in kind.codes {
            assert!(seen.insert(*code), "{code} twice");
            let bytes = code.as_bytes();
            let is_formed = bytes.len() == 6
                && bytes[0] == b'S'
                && bytes[1].is_ascii_uppercase()
                && bytes[2..5].iter().all(u8::is_ascii_digit)
                && b"IWE".contains(&bytes[5]);
            assert!(is_formed, "{code}");
        }
    }
}

#[test]
fn every_event_has_a_code_of_its_kind_and_every_code_is_used() {
    let mut used = BTreeSet::new();
    for event in samples("rollback").into_iter().chain(samples("init")) {
        let kind = CATALOGUE.iter().find(|kind| kind.name == event.name()).unwrap();
        assert!(
            kind.codes.contains(&event.code()),
            "{} has {}",
            event.name(),
            event.code()
        );
        used.insert(event.code());
    }
    let all: BTreeSet<_> = CATALOGUE.iter().flat_map(|kind| kind.codes).copied().collect();
    assert_eq!(used, all);
}

#[test]
fn failures_are_errors_and_rollbacks_are_told_apart() {
    let phase = |to: &str, outcome| AuditEvent::PhaseChanged {
        outcome,
        authority: authority::AuthorityType::Host,
        rotation_id: "r".to_owned(),
        from: "init".to_owned(),
        to: to.to_owned(),
        mode: "manual".to_owned(),
        reason: None,
    };
    assert_eq!(phase("update_clients", Outcome::Success).code(), "SR002I");
    assert_eq!(
        phase("update_clients", Outcome::Failure("x".to_owned())).code(),
        "SR002E"
    );
    assert_eq!(phase("rollback", Outcome::Success).code(), "SR003I");
    assert_eq!(
        phase("rollback", Outcome::Failure("x".to_owned())).code(),
        "SR003E"
    );
}

#[test]
fn lines_hold_exactly_the_fields_the_reference_promises() {
    let common: Vec<&str> = ["ei", "event", "code", "uid", "time", "cluster_name", "actor_kind"].to_vec();
    for event in samples("x") {
        let kind = CATALOGUE.iter().find(|kind| kind.name == event.name()).unwrap();
        let entry = seal(&envelope(Actor::System, event), Head::EMPTY).unwrap();
        let fields: BTreeMap<String, Value> = serde_json::from_str(&entry.line).unwrap();
        let mut expected: BTreeSet<&str> = common.iter().copied().collect();
        for field in kind.fields {
            assert!(
                expected.insert(field.name),
                "{} of {} shadows a common field",
                field.name,
                kind.name
            );
        }
        expected.extend(["prev", "hash"]);
        if fields.get("success") == Some(&json!(false)) {
            expected.insert("error");
        }
        assert_eq!(
            fields.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            expected,
            "{}",
            kind.name
        );
        for field in kind.fields {
            assert!(
                !["user", "os_uid", "addr.remote"].contains(&field.name),
                "{} hides the actor",
                kind.name
            );
            assert!(!field.meaning.trim().is_empty());
        }
    }
}

#[test]
fn the_line_is_flat_and_in_order() {
    let actor = Actor::Identity {
        user: "alice".to_owned(),
        remote: "127.0.0.1:4242".to_owned(),
    };
    let line = seal(
        &envelope(
            actor,
            AuditEvent::Started {
                version: "1.0".to_owned(),
            },
        ),
        Head::EMPTY,
    )
    .unwrap()
    .line;
    let zeros = "0".repeat(64);
    let front = format!(
        "{{\"ei\":1,\"event\":\"instance.start\",\"code\":\"SI000I\",\"uid\":\"0b5b5a3e-0000-4000-8000-000000000001\",\
         \"time\":\"2026-03-01T12:00:00.123Z\",\"cluster_name\":\"prod.example.com\",\"user\":\"alice\",\
         \"addr.remote\":\"127.0.0.1:4242\",\"actor_kind\":\"identity\",\"version\":\"1.0\",\"prev\":\"{zeros}\",\"hash\":\""
    );
    assert!(line.starts_with(&front), "{line}");
    assert_eq!(line.len(), front.len() + 66);
    let local = Actor::Local {
        user: "root".to_owned(),
        uid: 0,
    };
    let line = seal(
        &envelope(
            local,
            AuditEvent::Started {
                version: "1.0".to_owned(),
            },
        ),
        Head::EMPTY,
    )
    .unwrap()
    .line;
    assert!(
        line.contains("\"user\":\"root\",\"os_uid\":0,\"actor_kind\":\"local\""),
        "{line}"
    );
}

#[test]
fn hostile_texts_neither_break_the_line_nor_get_lost() {
    for text in HOSTILE {
        for event in samples(text) {
            let actor = Actor::Identity {
                user: (*text).to_owned(),
                remote: (*text).to_owned(),
            };
            let kind = CATALOGUE.iter().find(|kind| kind.name == event.name()).unwrap();
            let entry = seal(
                &Envelope {
                    uid: (*text).to_owned(),
                    ..envelope(actor, event)
                },
                Head::EMPTY,
            )
            .unwrap();
            assert_is_quiet(&entry.line);
            let fields: BTreeMap<String, Value> = serde_json::from_str(&entry.line).unwrap();
            assert_eq!(fields["user"], json!(text));
            for field in kind.fields.iter().filter(|field| field.kind == "text") {
                assert_eq!(fields[field.name], json!(text), "{}", kind.name);
            }
            assert_eq!(verify([entry.line.as_str()]), Ok(entry.head));
            assert_eq!(entry.day(), Some("2026-03-01"));
        }
    }
}

fn assert_is_quiet(line: &str) {
    let loud = |c: &char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}')
    };
    assert_eq!(line.chars().find(loud), None, "{line:?}");
}

#[test]
fn too_large_an_event_is_refused_and_the_largest_fits() {
    for text in [
        "x".repeat(1 << 20),
        "\0".repeat(20_000),
        "\u{2028}".repeat(11_000),
        "\"".repeat(40_000),
    ] {
        assert_eq!(seal(&started(&text), Head::EMPTY), Err(TooLarge));
    }
    let overhead = seal(&started(""), Head::EMPTY).unwrap().line.len();
    let largest = seal(&started(&"x".repeat(LINE_BYTES_MAX - overhead)), Head::EMPTY).unwrap();
    assert_eq!(largest.line.len(), LINE_BYTES_MAX);
    assert_eq!(
        seal(&started(&"x".repeat(LINE_BYTES_MAX - overhead + 1)), Head::EMPTY),
        Err(TooLarge)
    );
    let many = AuditEvent::denied("x".repeat(60_000), "y".repeat(60_000));
    assert_eq!(seal(&envelope(Actor::System, many), Head::EMPTY), Err(TooLarge));
}

/// What machines tell of goes into the log shortened; nothing they send may be too long for it.
#[test]
fn a_shortened_event_fits_whatever_its_texts_are() {
    for text in ["\0", "\u{e0041}"] {
        let long = text.repeat(LINE_BYTES_MAX / 6);
        for event in samples(&long) {
            let actor = Actor::Told {
                user: clipped(long.clone(), NAME_BYTES_MAX),
                remote: clipped(long.clone(), NAME_BYTES_MAX),
                told_by: "0b5b5a3e-0000-4000-8000-000000000002".to_owned(),
                received_unix_millis: 1_772_366_400_123,
                told_unix_millis: Some(i64::MIN),
            };
            let clipped = event.clone().clipped();
            assert_eq!(clipped.clone().clipped(), clipped);
            assert_eq!(clipped.code(), event.code());
            let previous = Head {
                sequence: u64::MAX - 1,
                hash: [0; 32],
            };
            let entry = seal(&envelope(actor, clipped), previous).unwrap();
            let fields: Value = serde_json::from_str(&entry.line).unwrap();
            assert_eq!(fields["received"], "2026-03-01T12:00:00.123Z");
            assert_eq!(fields["told_time"], "0000-01-01T00:00:00.000Z");
            assert_eq!(fields["actor_kind"], "told");
        }
    }
}

#[test]
fn absurd_clocks_still_write_a_time() {
    for (unix_millis, written) in [
        (i64::MIN, "0000-01-01T00:00:00.000Z"),
        (i64::MAX, "9999-12-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (0, "1970-01-01T00:00:00.000Z"),
    ] {
        let entry = seal(
            &Envelope {
                unix_millis,
                ..started("1")
            },
            Head::EMPTY,
        )
        .unwrap();
        assert!(
            entry.line.contains(&format!("\"time\":\"{written}\"")),
            "{}",
            entry.line
        );
    }
}

#[test]
fn an_untouched_log_verifies_from_any_entry_on() {
    let entries = chain(20);
    let last = entries.last().unwrap().head;
    assert_eq!(verify(entries.iter().map(|entry| entry.line.as_str())), Ok(last));
    for start in 1..20 {
        let mut verifier = Verifier::new(entries[start - 1].head);
        for entry in &entries[start..] {
            assert_eq!(verifier.check(&entry.line), Ok(entry.head));
        }
        assert_eq!(verifier.finish(last), Ok(()));
    }
    for entry in &entries {
        assert_eq!(Head::of_line(entry.line.as_bytes()), Some(entry.head));
    }
}

#[test]
fn no_byte_of_a_line_can_be_edited() {
    let entries = chain(2);
    let line = entries[1].line.as_bytes();
    for at in 0..line.len() {
        for change in [1u8, 0x20, 0x80] {
            let mut edited = line.to_vec();
            edited[at] ^= change;
            let mut verifier = Verifier::new(entries[0].head);
            let found = verifier.check(&edited).unwrap_err();
            assert_eq!(
                (found.kind, found.sequence),
                (BreakKind::Edited, 2),
                "byte {at} ^ {change:#x}"
            );
            assert_eq!(verifier.head, entries[0].head);
        }
    }
    for edited in [
        [line, b"\r"].concat(),
        [b" ", line].concat(),
        [line, line].concat(),
        Vec::new(),
    ] {
        assert_eq!(
            Verifier::new(entries[0].head).check(edited).unwrap_err().kind,
            BreakKind::Edited
        );
    }
}

#[test]
fn removed_reordered_repeated_replaced_and_truncated_entries_show() {
    let entries = chain(5);
    let line = |number: usize| entries[number - 1].line.as_str();
    let kind = |lines: &[&str]| verify(lines.iter().copied()).map_err(|found| (found.kind, found.sequence));
    assert_eq!(kind(&[line(1), line(3)]), Err((BreakKind::Removed, 2)));
    assert_eq!(kind(&[line(2)]), Err((BreakKind::Removed, 1)));
    assert_eq!(kind(&[line(1), line(2), line(1)]), Err((BreakKind::Reordered, 3)));
    assert_eq!(kind(&[line(1), line(2), line(2)]), Err((BreakKind::Reordered, 3)));
    let forged = seal(&started("forged"), entries[0].head).unwrap();
    assert_eq!(
        kind(&[line(1), &forged.line, line(3)]),
        Err((BreakKind::Replaced, 3))
    );

    let mut verifier = Verifier::new(Head::EMPTY);
    for entry in &entries[..3] {
        verifier.check(&entry.line).unwrap();
    }
    let ending = |head| {
        verifier
            .finish(head)
            .map_err(|found| (found.kind, found.sequence))
    };
    assert_eq!(ending(entries[4].head), Err((BreakKind::Truncated, 4)));
    assert_eq!(ending(entries[2].head), Ok(()));
    assert_eq!(ending(entries[1].head), Err((BreakKind::Replaced, 3)));
    assert_eq!(
        ending(Head {
            hash: [1; 32],
            ..entries[2].head
        }),
        Err((BreakKind::Replaced, 3))
    );
}

#[test]
fn a_check_goes_on_after_a_break_and_finds_nothing_more_than_there_is() {
    let entries = chain(6);
    let mut edited = entries[2].line.replace("instance", "Instance");
    for garbage in [std::mem::take(&mut edited), "garbage".to_owned()] {
        let lines = [
            &entries[0].line,
            &entries[1].line,
            &garbage,
            &entries[3].line,
            &entries[5].line,
            &entries[4].line,
        ];
        let mut verifier = Verifier::new(Head::EMPTY);
        let mut found = Vec::new();
        for line in lines {
            if let Err(broken) = verifier.check(line) {
                found.push((broken.kind, broken.sequence));
                verifier.skip(line);
            }
        }
        assert_eq!(
            found,
            [
                (BreakKind::Edited, 3),
                (BreakKind::Removed, 5),
                (BreakKind::Reordered, 7)
            ]
        );
        assert_eq!(verifier.head, entries[5].head);
    }
}

#[test]
fn a_recorded_head_shows_a_truncated_or_rewritten_log() {
    let entries = chain(3);
    let judge = |anchor: Head, found: Option<Head>| {
        let mut report = AuditReport {
            head: entries[2].head,
            ..AuditReport::new()
        };
        report.compare_anchor(anchor, found);
        report
            .findings
            .iter()
            .map(|finding| (finding.kind, finding.sequence))
            .collect::<Vec<_>>()
    };
    assert_eq!(judge(entries[1].head, Some(entries[1].head)), []);
    assert_eq!(judge(Head::EMPTY, None), []);
    assert_eq!(
        judge(
            Head {
                hash: [7; 32],
                ..entries[1].head
            },
            Some(entries[1].head)
        ),
        [(BreakKind::Replaced, 2)]
    );
    assert_eq!(judge(entries[1].head, None), [(BreakKind::Removed, 2)]);
    assert_eq!(
        judge(
            Head {
                sequence: 5,
                hash: [7; 32]
            },
            None
        ),
        [(BreakKind::Truncated, 4)]
    );
}

#[test]
fn heads_and_envelopes_survive_a_document() {
    let head = chain(3)[2].head;
    let text = serde_json::to_string(&head).unwrap();
    assert!(text.contains(&hex::encode(head.hash)));
    assert_eq!(serde_json::from_str::<Head>(&text).unwrap(), head);
    for event in samples("x\n") {
        let envelope = envelope(
            Actor::Local {
                user: "root".to_owned(),
                uid: 0,
            },
            event,
        );
        let text = serde_json::to_string(&envelope).unwrap();
        assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), envelope);
    }
}

/// Every day of 800 years at the least, and then some.
#[test]
fn moments_are_those_of_the_calendar() {
    for day in -365_i64 * 800..365 * 4_000 {
        let millis = day * 86_400_000 + (day * 7_919).rem_euclid(86_400_000);
        let known = jiff::Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(time_text(millis), format!("{known:.3}"));
    }
}

proptest! {
    #[test]
    fn any_moment_is_that_of_the_calendar(millis in -62_167_219_200_000i64..253_402_207_200_000) {
        let known = jiff::Timestamp::from_millisecond(millis).unwrap();
        prop_assert_eq!(time_text(millis), format!("{known:.3}"));
        let seconds = names::UnixSeconds(millis.div_euclid(1_000));
        let event = AuditEvent::KeyQuarantined {
            authority: authority::AuthorityType::Host,
            form: authority::KeyForm::Ssh,
            generation: 1,
            key_id: key::KeyId::from_random([0; 16]),
            destroy_after: seconds,
            reason: String::new(),
        };
        let line = seal(&envelope(Actor::System, event), Head::EMPTY).unwrap().line;
        let expected = format!("\"destroy_after\":\"{seconds}\"");
        prop_assert!(line.contains(&expected));
    }

    #[test]
    fn any_text_is_read_back_as_it_was(text in "\\PC*|[\\x00-\\x1f\\x7f-\\x9f\"\\\\]*|.*") {
        let entry = seal(&started(&text), Head::EMPTY).unwrap();
        prop_assert!(!entry.line.contains('\n'));
        let fields: BTreeMap<String, Value> = serde_json::from_str(&entry.line).unwrap();
        prop_assert_eq!(&fields["version"], &json!(text));
        prop_assert_eq!(verify([entry.line.as_str()]), Ok(entry.head));
    }

    #[test]
    fn no_bytes_make_the_verifier_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Verifier::new(Head::EMPTY).check(&bytes).is_err());
    }
}
