//! The spool: what happened on a machine is kept until it was sent, and sessions that a crash cut are recorded as ended.

#![cfg(test)]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use agent::Spool;
use api_types::AgentEvent;
use fixtures::CountingEntropy;
use fixtures::ManualClock;
use serde_json::json;

fn event(kind: &str, sid: &str) -> AgentEvent {
    AgentEvent {
        uid: "0b5b5a3e-0000-4000-8000-000000000001".to_owned(),
        unix_millis: 1_700_000_000_000,
        user: "alice".to_owned(),
        remote: "192.0.2.7:4711".to_owned(),
        event: json!({"event": kind, "sid": sid, "login": "root", "server_id": "h"}),
    }
}

fn open(folder: &Path) -> Spool {
    Spool::open(folder, &ManualClock::new(), &CountingEntropy::from(1)).unwrap()
}

/// Every event in the folder, in the order of its segments.
fn stored(folder: &Path) -> Vec<AgentEvent> {
    let mut segments: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "sessions.jsonl")
        .collect();
    segments.sort();
    let mut events = Vec::new();
    for path in segments {
        let text = std::fs::read_to_string(path).unwrap();
        events.extend(
            text.lines()
                .map(|line| serde_json::from_str::<AgentEvent>(line).unwrap()),
        );
    }
    events
}

#[tokio::test]
async fn an_event_is_on_the_disk_when_it_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    spool.record(event("exec", "a")).await.unwrap();
    assert_eq!(stored(folder.path()), [event("exec", "a")]);
}

#[tokio::test]
async fn sessions_that_a_crash_left_open_are_recorded_as_cut_once() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    for (kind, sid) in [
        ("session.start", "ended"),
        ("session.start", "open"),
        ("session.end", "ended"),
    ] {
        spool.record(event(kind, sid)).await.unwrap();
    }
    drop(spool);
    // What a crash cut short in the middle of a line counts for nothing.
    let mut sessions = std::fs::OpenOptions::new()
        .append(true)
        .open(folder.path().join("sessions.jsonl"))
        .unwrap();
    sessions.write_all(b"{\"end\":\"op").unwrap();
    drop(open(folder.path()));
    let cut: Vec<_> = stored(folder.path())
        .into_iter()
        .filter(|event| event.event["reason"] == "cut")
        .collect();
    assert_eq!(cut.len(), 1);
    assert_eq!(cut[0].event["sid"], "open");
    assert_eq!(
        (cut[0].user.as_str(), cut[0].remote.as_str()),
        ("alice", "192.0.2.7:4711")
    );
    drop(open(folder.path()));
    let again = stored(folder.path());
    assert_eq!(
        again
            .iter()
            .filter(|event| event.event["reason"] == "cut")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_crash_between_the_two_writes_loses_no_cut_and_makes_none_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    for (kind, sid) in [("session.start", "ended"), ("session.start", "open")] {
        spool.record(event(kind, sid)).await.unwrap();
    }
    drop(spool);
    // The last events reached their segment, and the list of sessions did not get them any more: one began, one ended.
    let segment = folder.path().join(format!("{:020}.jsonl", 1));
    let mut segment = std::fs::OpenOptions::new().append(true).open(segment).unwrap();
    for (kind, sid) in [("session.start", "unlisted"), ("session.end", "ended")] {
        let line = serde_json::to_string(&event(kind, sid)).unwrap();
        writeln!(segment, "{line}").unwrap();
    }
    for _ in 0..2 {
        drop(open(folder.path()));
        let mut cut: Vec<_> = stored(folder.path())
            .into_iter()
            .filter(|event| event.event["reason"] == "cut")
            .map(|event| event.event["sid"].as_str().unwrap().to_owned())
            .collect();
        cut.sort();
        assert_eq!(cut, ["open", "unlisted"]);
    }
}

#[tokio::test]
async fn events_of_many_at_once_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(open(folder.path()));
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let spool = Arc::clone(&spool);
            tokio::spawn(async move { spool.record(event("exec", &number.to_string())).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(stored(folder.path()).len(), 200);
}

#[tokio::test]
async fn the_list_of_sessions_forgets_those_that_ended() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(open(folder.path()));
    spool.record(event("session.start", "still open")).await.unwrap();
    // Some three mebibytes of list, were nothing forgotten.
    for wave in 0..20 {
        let tasks: Vec<_> = (0..500)
            .map(|number| {
                let (spool, sid) = (Arc::clone(&spool), format!("{wave}-{number}"));
                tokio::spawn(async move {
                    spool.record(event("session.start", &sid)).await.unwrap();
                    spool.record(event("session.end", &sid)).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    let list = folder.path().join("sessions.jsonl");
    let bytes = std::fs::metadata(&list).unwrap().len();
    assert!(bytes < 2 << 20, "{bytes} bytes");
    assert!(
        std::fs::read_to_string(&list).unwrap().contains("still open"),
        "what is open stays"
    );
    drop(spool);
    // The segments were sent: what is known of the open session is in the list alone.
    for number in 1..=2 {
        let _none = std::fs::remove_file(folder.path().join(format!("{number:020}.jsonl")));
    }
    drop(open(folder.path()));
    let cut: Vec<_> = stored(folder.path())
        .into_iter()
        .filter(|event| event.event["reason"] == "cut")
        .map(|event| event.event["sid"].clone())
        .collect();
    assert_eq!(cut, ["still open"]);
}
