use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use state_sqlite::DataDirLock;
use state_sqlite::DataDirLockError;

use crate::Fact;
use crate::processes::Child;

pub(crate) const FACTS: &[Fact] = &[
    ("a_data_directory_has_one_holder", a_data_directory_has_one_holder),
    (
        "the_holder_is_named_and_its_death_frees_the_directory",
        the_holder_is_named_and_its_death_frees_the_directory,
    ),
    (
        "a_directory_that_is_not_there_cannot_be_taken",
        a_directory_that_is_not_there_cannot_be_taken,
    ),
];

fn a_data_directory_has_one_holder() {
    let folder = tempfile::tempdir().unwrap();
    let held = DataDirLock::take(folder.path()).unwrap();
    let error = DataDirLock::take(folder.path()).unwrap_err();
    assert!(matches!(error, DataDirLockError::Held { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    let mode = std::fs::metadata(folder.path().join("lock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    drop(held);
    DataDirLock::take(folder.path()).unwrap();
}

fn the_holder_is_named_and_its_death_frees_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Child::start("role-hold", folder.path(), &[]);
    assert_eq!(child.line().as_deref(), Some("held"));
    let error = DataDirLock::take(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains(&format!("process {}", child.id())),
        "{error}"
    );
    child.kill();
    DataDirLock::take(folder.path()).unwrap();
}

fn a_directory_that_is_not_there_cannot_be_taken() {
    let error = DataDirLock::take(Path::new("/nonexistent/data")).unwrap_err();
    assert!(matches!(error, DataDirLockError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("/nonexistent/data"), "{error}");
}

/// Takes the directory and waits to be killed.
pub(crate) fn hold(data_dir: &Path) {
    let _held = DataDirLock::take(data_dir).unwrap();
    println!("held");
    loop {
        std::thread::park();
    }
}
