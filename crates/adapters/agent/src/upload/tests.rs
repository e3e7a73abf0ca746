use std::sync::Mutex;

use fixtures::CountingEntropy;
use fixtures::ManualClock;
use runtime::Clock;
use serde_json::json;

use super::*;

fn event(path: &str) -> AgentEvent {
    AgentEvent {
        uid: format!("0b5b5a3e-0000-4000-8000-{:012}", path.len()),
        unix_millis: 1_800_000_000_000,
        user: "alice".to_owned(),
        remote: "192.0.2.7:4711".to_owned(),
        event: json!({"event": "scp", "path": path}),
    }
}

fn answer(status: u16) -> ClientError {
    let (code, message, request_id) = ("x".to_owned(), format!("status {status}"), "r".to_owned());
    if status < 500 {
        ClientError::Refused {
            status,
            code,
            message,
            hint: None,
            request_id,
            retry_after: None,
        }
    } else {
        ClientError::Fault {
            status,
            code,
            message,
            hint: None,
            request_id,
            retry_after: None,
        }
    }
}

/// Refuses requests that hold an event with `bad` in its path, and those of more than a mebibyte; has trouble as often as it is told.
#[derive(Default)]
struct Auth {
    taken: Mutex<Vec<AgentEvent>>,
    requests: Mutex<usize>,
    /// After how many requests it has trouble, once.
    trouble_at: Mutex<Option<usize>>,
}

impl Auth {
    fn paths(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let paths = taken.iter().filter_map(|event| event.event["path"].as_str());
        paths.map(str::to_owned).collect()
    }
}

#[async_trait]
impl Taker for Auth {
    async fn take(&self, request: &AgentEventsRequest) -> Result<(), ClientError> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            *requests += 1;
            *requests
        };
        if self
            .trouble_at
            .lock()
            .unwrap()
            .take_if(|at| *at <= number)
            .is_some()
        {
            return Err(answer(500));
        }
        if serde_json::to_vec(request).unwrap().len() > 1 << 20 {
            return Err(answer(413));
        }
        let path = |event: &AgentEvent| event.event["path"].as_str().unwrap_or_default().to_owned();
        if request.events.iter().any(|event| path(event).contains("bad")) {
            return Err(answer(422));
        }
        self.taken.lock().unwrap().extend(request.events.iter().cloned());
        Ok(())
    }
}

async fn spool(folder: &Path, paths: &[String]) -> Spool {
    let spool = Spool::open(folder, &ManualClock::new(), &CountingEntropy::from(1)).unwrap();
    for path in paths {
        spool.record(event(path)).await.unwrap();
    }
    spool
}

#[tokio::test]
async fn a_refused_event_takes_no_other_with_it_and_the_log_hears_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths: Vec<String> = (0..250).map(|number| format!("/{number}")).collect();
    paths[77] = "/bad-1".to_owned();
    paths[78] = "/bad-2".to_owned();
    let spool = spool(folder.path(), &paths).await;
    let auth = Auth::default();
    send(&spool, &auth).await.unwrap();
    let good: Vec<String> = paths
        .iter()
        .filter(|path| !path.contains("bad"))
        .cloned()
        .collect();
    assert_eq!(auth.paths(), good, "each once, in their order");
    let taken = auth.taken.lock().unwrap().clone();
    let told: Vec<_> = taken
        .iter()
        .filter(|event| event.event["event"] == "audit.event.refuse")
        .collect();
    assert_eq!(told.len(), 2);
    let line = serde_json::to_vec(&event("/bad-1")).unwrap();
    let hash = digest(&SHA256, &line);
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        told[0].event,
        json!({
            "event": "audit.event.refuse", "refused_uid": event("/bad-1").uid, "refused_event": "scp", "bytes": line.len(),
            "sha256": hash, "error": "status 422",
        })
    );
    assert!(told[0].uid.parse::<KeyId>().is_ok());
    // What was refused is kept as it is; the rest is gone.
    let aside =
        std::fs::read_to_string(folder.path().join("refused").join(format!("{:020}.jsonl", 1))).unwrap();
    let aside: Vec<AgentEvent> = aside
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(aside, [event("/bad-1"), event("/bad-2")]);
    assert_eq!(spool.sealed().await.unwrap(), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn requests_are_cut_by_their_bytes_as_well() {
    let folder = tempfile::tempdir().unwrap();
    // 200 of these are two mebibytes: more than the auth service reads of a request.
    let paths: Vec<String> = (0..200).map(|number| format!("/{number:09999}")).collect();
    let spool = spool(folder.path(), &paths).await;
    let auth = Auth::default();
    send(&spool, &auth).await.unwrap();
    assert_eq!(auth.paths(), paths);
    assert_eq!(auth.taken.lock().unwrap().len(), 200, "nothing was refused");
    assert!(*auth.requests.lock().unwrap() <= 5);
}

#[tokio::test]
async fn trouble_in_the_middle_of_a_segment_repeats_nothing_that_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = (0..500).map(|number| format!("/{number}")).collect();
    let spool = spool(folder.path(), &paths).await;
    let auth = Auth::default();
    *auth.trouble_at.lock().unwrap() = Some(2);
    send(&spool, &auth).await.unwrap_err();
    assert_eq!(auth.paths().len(), 200);
    send(&spool, &auth).await.unwrap();
    assert_eq!(auth.paths(), paths);
}

#[tokio::test]
async fn refusals_that_were_counted_are_recorded_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(folder.path(), &[]).await;
    let denied = |number: u32| AgentEvent {
        event: json!({
            "event": "exec", "outcome": {"success": "false", "error": "no"}, "command": format!("socket /{number}"),
        }),
        ..event("")
    };
    for number in 0..23 {
        let who = crate::refusals::Refused::User("alice".to_owned());
        spool.record_refusal(who, denied(number)).await.unwrap();
    }
    let auth = Auth::default();
    send(&spool, &auth).await.unwrap();
    assert_eq!(auth.taken.lock().unwrap().len(), 20);
    spool.record_counted(ManualClock::new().now(), true).await;
    send(&spool, &auth).await.unwrap();
    let taken = auth.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 21);
    assert_eq!(taken[20].event["command"], "socket /22");
    let error = taken[20].event["outcome"]["error"].as_str().unwrap();
    assert!(error.starts_with("3 such refusals since "), "{error}");
}
