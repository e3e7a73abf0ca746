use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;

use super::*;

fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

#[test]
fn pin_files_are_read_without_their_line_end() {
    for (content, mode) in [("1234", 0o600), ("1234\n", 0o400), ("1234\r\n\n", 0o640)] {
        let (_folder, path) = file(content.as_bytes(), mode);
        assert_eq!(read_pin_file(&path).unwrap().expose_secret(), "1234");
    }
    let (_folder, path) = file(b" user:pass word \n", 0o600);
    assert_eq!(read_pin_file(&path).unwrap().expose_secret(), " user:pass word ");
}

#[test]
fn exposed_pin_files_are_refused() {
    for mode in [0o644, 0o604, 0o660, 0o602, 0o601] {
        let (_folder, path) = file(b"1234\n", mode);
        let error = read_pin_file(&path).unwrap_err();
        assert!(matches!(error, PinFileError::Exposed { .. }), "{mode:o}: {error}");
        assert!(error.to_string().contains("chmod 0600"), "{error}");
    }
}

#[test]
fn files_that_hold_no_pin_are_refused_without_quoting_them() {
    for content in [&b""[..], b"\n\n", b"12\n34\n", b"\xff\xfe", &[b'1'; 5000]] {
        let (_folder, path) = file(content, 0o600);
        let error = read_pin_file(&path).unwrap_err();
        assert!(matches!(error, PinFileError::NotAPin { .. }), "{error}");
        assert!(!error.to_string().contains("34"), "{error}");
    }
    assert!(matches!(
        read_pin_file(Path::new("/nowhere")),
        Err(PinFileError::Unreadable { .. })
    ));
}

#[test]
fn modules_that_others_could_replace_are_refused() {
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    for mode in [0o755, 0o644, 0o600] {
        let (_folder, path) = file(&own, mode);
        assert_eq!(check_module(&path).unwrap(), path.canonicalize().unwrap());
    }
    for mode in [0o775, 0o666, 0o702] {
        let (_folder, path) = file(&own, mode);
        assert!(
            matches!(check_module(&path), Err(OpenError::ModuleWritable { .. })),
            "{mode:o}"
        );
    }
}

#[test]
fn files_that_are_no_module_for_this_machine_are_told_apart() {
    assert!(matches!(
        check_module(Path::new("/no/such.so")),
        Err(OpenError::ModuleMissing { .. })
    ));
    assert!(matches!(
        check_module(Path::new("/tmp")),
        Err(OpenError::NotALibrary { .. })
    ));
    let (_folder, path) = file(b"#!/bin/sh\n", 0o755);
    assert!(matches!(check_module(&path), Err(OpenError::NotALibrary { .. })));
    let mut foreign = vec![0x7f, b'E', b'L', b'F', 1, 1];
    foreign.resize(64, 0);
    foreign[18] = 40;
    let (_folder, path) = file(&foreign, 0o755);
    let error = check_module(&path).unwrap_err();
    assert!(
        matches!(&error, OpenError::WrongArchitecture { machine, .. } if machine == "32-bit arm"),
        "{error}"
    );
}

#[test]
fn sessions_are_sized_from_the_token() {
    assert_eq!(worker_count(None, None, 0).unwrap(), 16);
    assert_eq!(worker_count(Some(0), Some(1024), 3).unwrap(), 16);
    assert_eq!(worker_count(None, Some(16), 0).unwrap(), 15);
    assert_eq!(worker_count(None, Some(16), 10).unwrap(), 5);
    assert_eq!(worker_count(Some(64), None, 0).unwrap(), 63);
    assert_eq!(worker_count(Some(64), Some(8), 0).unwrap(), 7);
    assert_eq!(worker_count(Some(2), None, 0).unwrap(), 1);
    assert!(matches!(
        worker_count(Some(1), None, 0),
        Err(OpenError::OneSession)
    ));
    assert!(matches!(
        worker_count(None, Some(1), 0),
        Err(OpenError::TooFewSessions { .. })
    ));
    assert!(matches!(
        worker_count(None, Some(4), 3),
        Err(OpenError::TooFewSessions { .. })
    ));
}
