use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keystore::KeyBackend;
use keystore_software::SealingKey;
use keystore_software::SealingKeyError;
use keystore_software::SoftwareBackend;

use crate::NoEntropy;
use crate::Random;
use crate::memory;

fn refusal(path: &Path) -> SealingKeyError {
    match SealingKey::load_or_create(path, &Random) {
        Ok(_) => panic!("a bad sealing key file was taken"),
        Err(error) => error,
    }
}

fn write(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Opens a fresh state under each of two sealing keys; only equal ones go together.
async fn are_equal(one: SealingKey, two: SealingKey) -> bool {
    let state = memory();
    let cluster = names::ClusterName::parse("example.com").unwrap();
    let open = |key| {
        SoftwareBackend::open(
            std::sync::Arc::new(state.clone()),
            key,
            std::sync::Arc::new(Random),
            cluster.clone(),
        )
    };
    open(one).await.unwrap().health().await.unwrap();
    open(two).await.is_ok()
}

#[tokio::test]
async fn the_file_is_made_once_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    let made = SealingKey::load_or_create(&path, &Random).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(names_in(folder.path()), ["sealing.key"]);
    let text = fs::read(&path).unwrap();

    let loaded = SealingKey::load_or_create(&path, &Random).unwrap();
    assert_eq!(fs::read(&path).unwrap(), text);
    assert!(are_equal(made, loaded).await);
    // Creating over it takes what is there.
    let again = SealingKey::create(&path, &Random).unwrap();
    assert_eq!(fs::read(&path).unwrap(), text);
    assert!(are_equal(SealingKey::load(&path).unwrap(), again).await);
    assert!(
        !are_equal(
            SealingKey::random(&Random).unwrap(),
            SealingKey::load(&path).unwrap()
        )
        .await
    );
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    SealingKey::load_or_create(&path, &Random).map(|_| ()).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = refusal(&path);
        assert!(
            matches!(error, SealingKeyError::Exposed { .. }),
            "{mode:o}: {error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    SealingKey::load(&path).map(|_| ()).unwrap();
}

#[test]
fn a_file_of_another_form_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    let good = format!("signet-sealing-key-1 {}\n", "ab".repeat(32));
    let cases: [Vec<u8>; 7] = [
        Vec::new(),
        vec![0xab; 32],
        good.trim_end().into(),
        good.replace("ab\n", "a\n\n").into(),
        good.replace("key-1", "key-2").into(),
        good.replace("abab", "abag").into(),
        format!("{good}\n").into(),
    ];
    for text in cases {
        write(&path, &text);
        let error = refusal(&path);
        assert!(
            matches!(error, SealingKeyError::Malformed { .. }),
            "{text:?}: {error}"
        );
        assert!(
            error.to_string().contains("put it back from its backup"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), text);
    }
    write(&path, good.as_bytes());
    SealingKey::load(&path).map(|_| ()).unwrap();
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, SealingKeyError::Malformed { .. }), "{error}");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = refusal(&pipe);
    assert!(matches!(error, SealingKeyError::Malformed { .. }), "{error}");
}

#[test]
fn nothing_is_left_behind_when_no_file_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent").join("sealing.key");
    assert!(matches!(refusal(&absent), SealingKeyError::NotCreated { .. }));
    let path = folder.path().join("sealing.key");
    let Err(error) = SealingKey::load_or_create(&path, &NoEntropy) else {
        panic!("made without entropy")
    };
    assert!(matches!(error, SealingKeyError::Entropy(_)), "{error}");
    assert!(names_in(folder.path()).is_empty());
    assert!(matches!(
        SealingKey::load(&path),
        Err(SealingKeyError::Missing { .. })
    ));
}

#[tokio::test]
async fn two_who_create_it_at_once_get_the_same() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let makers: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || SealingKey::load_or_create(&path, &Random).unwrap())
            })
            .collect();
        for maker in makers {
            let key = maker.join().unwrap();
            assert!(are_equal(key, SealingKey::load(&path).unwrap()).await);
        }
        assert_eq!(names_in(folder.path()), ["sealing.key"]);
    }
}
