use std::sync::Arc;

use state::CommitError;
use state::State;
use state::StateError;
use state_sqlite::Settings;
use state_sqlite::SqliteState;

use crate::Fact;
use crate::clock;
use crate::put;
use crate::set;
use crate::wait;

pub(crate) const FACTS: &[Fact] = &[
    (
        "a_full_disk_changes_nothing_and_is_told",
        a_full_disk_changes_nothing_and_is_told,
    ),
    (
        "one_commit_too_large_does_not_fail_those_beside_it",
        one_commit_too_large_does_not_fail_those_beside_it,
    ),
];

const SMALL: Settings = Settings {
    history_max: 10,
    pages_max: Some(40),
};

fn a_full_disk_changes_nothing_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    wait(async {
        let state = SqliteState::open_with(&path, clock(), SMALL).unwrap();
        set(&state, "small", "1").await.unwrap();
        let before = state.list("", None, 10).await.unwrap();
        let writes = vec![
            put("small", b"2".to_vec()),
            put("large", vec![0; 1 << 20]),
            put("other", b"2".to_vec()),
        ];
        let error = state.commit(writes).await.unwrap_err();
        assert!(
            matches!(error, CommitError::Store(StateError::Unwritable(_))),
            "{error:?}"
        );
        assert!(error.to_string().contains("free space"), "{error}");
        assert!(error.to_string().contains("state.sqlite"), "{error}");
        assert_eq!(state.list("", None, 10).await.unwrap(), before);
        // What fits is still taken.
        let next = set(&state, "small", "3").await.unwrap();
        assert!(next > before.revision);
        drop(state);
        let state = SqliteState::open(&path, clock()).unwrap();
        assert_eq!(state.list("", None, 10).await.unwrap().entries.len(), 1);
        state.commit(vec![put("large", vec![0; 1 << 20])]).await.unwrap();
    });
}

fn one_commit_too_large_does_not_fail_those_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    wait(async {
        let state = Arc::new(SqliteState::open_with(&path, clock(), SMALL).unwrap());
        for _ in 0..10 {
            let tasks: Vec<_> = (0..20)
                .map(|number| {
                    let state = Arc::clone(&state);
                    let bytes = if number % 5 == 0 { 1 << 20 } else { 10 };
                    tokio::spawn(async move {
                        state
                            .commit(vec![put(&format!("a/{number}"), vec![0; bytes])])
                            .await
                    })
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await.unwrap().is_err(), number % 5 == 0, "{number}");
            }
        }
        assert_eq!(state.list("a", None, 100).await.unwrap().entries.len(), 16);
    });
}
