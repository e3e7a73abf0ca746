use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use state::Change;
use state::Expect;
use state::State;
use state::StateError;
use state::Write;
use state_sqlite::SqliteState;

use crate::Fact;
use crate::at;
use crate::clock;
use crate::put;
use crate::set;
use crate::wait;

pub(crate) const FACTS: &[Fact] = &[
    (
        "the_file_and_its_log_are_for_the_owner_alone",
        the_file_and_its_log_are_for_the_owner_alone,
    ),
    ("a_closed_store_is_one_file", a_closed_store_is_one_file),
    (
        "files_of_others_are_refused_and_not_changed",
        files_of_others_are_refused_and_not_changed,
    ),
    (
        "a_newer_file_is_refused_and_not_changed",
        a_newer_file_is_refused_and_not_changed,
    ),
    (
        "damage_is_told_with_the_file_and_what_to_do",
        damage_is_told_with_the_file_and_what_to_do,
    ),
    (
        "damage_to_a_large_file_is_told_by_whoever_reads_it",
        damage_to_a_large_file_is_told_by_whoever_reads_it,
    ),
    ("a_start_cut_short_is_made_good", a_start_cut_short_is_made_good),
    ("what_cannot_be_a_file_is_told", what_cannot_be_a_file_is_told),
    (
        "removed_values_leave_no_trace_in_the_file",
        removed_values_leave_no_trace_in_the_file,
    ),
];

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    (folder, path)
}

/// Makes a file with some documents and closes it.
fn filled(path: &Path, documents: usize, bytes: usize) {
    wait(async {
        let state = SqliteState::open(path, clock()).unwrap();
        for number in 0..documents {
            state
                .commit(vec![put(&format!("a/{number:05}"), vec![0x5a; bytes])])
                .await
                .unwrap();
        }
    });
}

fn refusal(path: &Path) -> StateError {
    match SqliteState::open(path, clock()) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn assert_damaged(error: &StateError, path: &Path, words: &str) {
    let text = error.to_string();
    assert!(matches!(error, StateError::Damaged(_)), "{error:?}");
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains(words), "{text}");
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn the_file_and_its_log_are_for_the_owner_alone() {
    let (folder, path) = place();
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        set(&state, "a", "1").await.unwrap();
        assert_eq!(
            names_in(folder.path()),
            ["state.sqlite", "state.sqlite-shm", "state.sqlite-wal"]
        );
        for name in names_in(folder.path()) {
            let mode = fs::metadata(folder.path().join(&name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o600, "{name}");
        }
    });
    // A file copied back from a backup with other permissions is closed again.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(wait(async { SqliteState::open(&path, clock()).unwrap() }));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

fn a_closed_store_is_one_file() {
    let (folder, path) = place();
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        set(&state, "a", "1").await.unwrap();
        state.get(&at("a")).await.unwrap().unwrap();
        drop(state);
        assert_eq!(names_in(folder.path()), ["state.sqlite"]);
    });
}

fn files_of_others_are_refused_and_not_changed() {
    let (folder, path) = place();
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE precious (a); PRAGMA application_id = 7")
        .unwrap();
    drop(other);
    let mut cases: Vec<Vec<u8>> = vec![fs::read(&path).unwrap()];
    fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE document (a)").unwrap();
    drop(other);
    cases.push(fs::read(&path).unwrap());
    cases.push(b"-----BEGIN PRIVATE KEY-----".to_vec());
    cases.push(vec![0x9c; 100_000]);
    for content in cases {
        fs::write(&path, &content).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, StateError::Damaged(_)), "{error:?}");
        assert!(error.to_string().contains("state.sqlite"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(names_in(folder.path()), ["state.sqlite"]);
    }
}

fn a_newer_file_is_refused_and_not_changed() {
    let (folder, path) = place();
    filled(&path, 1, 10);
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    drop(newer);
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert_damaged(
        &error,
        &path,
        "schema version 2, this release knows 1; start the release that wrote it",
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names_in(folder.path()), ["state.sqlite"]);
}

fn damage_is_told_with_the_file_and_what_to_do() {
    let (_folder, path) = place();
    filled(&path, 40, 1_000);
    let good = fs::read(&path).unwrap();
    let page = 4_096;
    let pages = good.len() / page;
    assert!(pages > 8);

    let mut cases: Vec<(String, Vec<u8>)> = vec![(
        "truncated".to_owned(),
        good.iter().take(good.len() / 2).copied().collect(),
    )];
    cases.push(("a stump".to_owned(), good.iter().take(50).copied().collect()));
    for number in 0..pages {
        let mut bad = good.clone();
        // Past the file header on the first page, so that it is the tables that are hit.
        let start = number * page + if number == 0 { 100 } else { 0 };
        bad.get_mut(start..start + 64).unwrap().fill(0xff);
        cases.push((format!("page {number}"), bad));
    }
    for (name, content) in cases {
        fs::write(&path, content).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, StateError::Damaged(_)), "{name}: {error:?}");
        assert_damaged(&error, &path, "restore it from a backup");
    }
    fs::write(&path, good).unwrap();
    drop(wait(async { SqliteState::open(&path, clock()).unwrap() }));
}

/// A large file is not read whole at the start.
fn damage_to_a_large_file_is_told_by_whoever_reads_it() {
    let (_folder, path) = place();
    filled(&path, 40, 100_000);
    let mut content = fs::read(&path).unwrap();
    assert!(content.len() > 3 << 20);
    // The leaf pages of the documents: every page but those the start looks at.
    for page in content.chunks_mut(4_096).skip(8) {
        page.fill(0xff);
    }
    fs::write(&path, content).unwrap();
    wait(async {
        let error = match SqliteState::open(&path, clock()) {
            Ok(state) => state.list("", None, 1_000).await.unwrap_err(),
            Err(error) => error,
        };
        assert_damaged(&error, &path, "restore it from a backup");
    });
}

fn a_start_cut_short_is_made_good() {
    let (_folder, path) = place();
    // Made, but nothing written yet.
    fs::write(&path, b"").unwrap();
    filled(&path, 1, 10);
    // Written, but not committed: the journal beside it undoes it.
    fs::remove_file(&path).unwrap();
    let journal = path.with_file_name("state.sqlite-journal");
    let copies = (path.with_extension("copy"), path.with_extension("journal-copy"));
    let half = rusqlite::Connection::open(&path).unwrap();
    half.execute_batch(
        "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; CREATE TABLE meta (a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO meta SELECT i FROM n",
    )
    .unwrap();
    fs::copy(&path, &copies.0).unwrap();
    fs::copy(&journal, &copies.1).unwrap();
    drop(half);
    assert!(fs::metadata(&copies.0).unwrap().len() > 0);
    fs::rename(&copies.0, &path).unwrap();
    fs::rename(&copies.1, &journal).unwrap();
    filled(&path, 1, 10);
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        assert_eq!(state.list("", None, 10).await.unwrap().entries.len(), 1);
    });
}

fn what_cannot_be_a_file_is_told() {
    let (folder, path) = place();
    fs::create_dir(&path).unwrap();
    let absent = folder.path().join("absent").join("state.sqlite");
    for path in [&path, &absent] {
        let error = refusal(path);
        assert!(matches!(error, StateError::Unwritable(_)), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert!(!absent.parent().unwrap().exists());
}

fn removed_values_leave_no_trace_in_the_file() {
    let (folder, path) = place();
    let secret = b"the-value-of-a-destroyed-document";
    wait(async {
        let state = SqliteState::open(&path, clock()).unwrap();
        for length in [1, 10, 1_000] {
            let value = secret.repeat(length);
            state
                .commit(vec![put("a", value.clone()), put("b", value.clone())])
                .await
                .unwrap();
            let delete = Write {
                key: at("a"),
                expect: Expect::Anything,
                change: Change::Delete,
            };
            state
                .commit(vec![delete, put("b", b"overwritten".to_vec())])
                .await
                .unwrap();
        }
        drop(state);
    });
    assert_eq!(names_in(folder.path()), ["state.sqlite"]);
    let content = fs::read(&path).unwrap();
    assert!(!content.windows(secret.len()).any(|window| window == secret));
}
