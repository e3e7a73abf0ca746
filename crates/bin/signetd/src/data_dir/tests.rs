use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::host::SystemEntropy;

fn place() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::with_prefix("data-").unwrap();
    let root = folder.path().join("signet");
    let databases = root.join("backend");
    (folder, root, databases)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_directory_is_private() {
    let (_folder, root, databases) = place();
    let data_dir = DataDir::open(&root, &databases).unwrap();
    assert_eq!((mode(&root), mode(&databases)), (0o700, 0o700));
    data_dir.check_first().unwrap();
}

#[test]
fn a_directory_that_others_can_enter_is_refused_with_the_fix() {
    let (_folder, root, databases) = place();
    for bits in [0o750, 0o705, 0o711] {
        fs::create_dir_all(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(bits)).unwrap();
        let refused = DataDir::open(&root, &databases).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("mode {bits:04o}")) && refused.contains("chmod 700"),
            "{refused}"
        );
    }
}

#[test]
fn one_process_uses_it_at_a_time() {
    let (_folder, root, databases) = place();
    let first = DataDir::open(&root, &databases).unwrap();
    let refused = DataDir::open(&root, &databases).unwrap_err().to_string();
    assert!(
        refused.contains("in use by") && refused.contains(&std::process::id().to_string()),
        "{refused}"
    );
    drop(first);
    DataDir::open(&root, &databases).unwrap();
}

#[test]
fn a_lost_state_is_not_taken_for_a_new_cluster() {
    for rest in ["backend/ledger.db", "sealing.key", "server_id"] {
        let (_folder, root, databases) = place();
        let data_dir = DataDir::open(&root, &databases).unwrap();
        fs::write(root.join(rest), "x").unwrap();
        let refused = data_dir.check_first().unwrap_err().to_string();
        assert!(
            refused.contains("would make a second cluster") && refused.contains(rest),
            "{refused}"
        );
        fs::write(data_dir.state(), "x").unwrap();
        data_dir.check_first().unwrap();
    }
}

#[test]
fn what_belongs_to_a_cluster_is_not_made_anew() {
    let (_folder, root, databases) = place();
    let data_dir = DataDir::open(&root, &databases).unwrap();
    for part in [
        data_dir.ledger(),
        data_dir.sealing_key(),
        data_dir.server_id_file(),
    ] {
        let refused = data_dir.check_complete().unwrap_err().to_string();
        assert!(
            refused.contains(part.to_str().unwrap()) && refused.contains("backup"),
            "{refused}"
        );
        fs::write(part, "x").unwrap();
    }
    data_dir.check_complete().unwrap();
}

#[test]
fn a_server_keeps_its_id() {
    let (_folder, root, databases) = place();
    let data_dir = DataDir::open(&root, &databases).unwrap();
    let made = data_dir.server_id(&SystemEntropy::new()).unwrap();
    assert_eq!(data_dir.server_id(&SystemEntropy::new()).unwrap(), made);
    assert_eq!(mode(&root.join("server_id")), 0o600);
    fs::write(root.join("server_id"), "somebody").unwrap();
    assert!(
        data_dir
            .server_id(&SystemEntropy::new())
            .unwrap_err()
            .to_string()
            .contains("no id of a server")
    );
}
