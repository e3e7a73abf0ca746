use std::io::Write;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;

use key::KeyAlgorithm;
use key::KeyId;
use keystore::GeneratedKey;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore::PrivateKeyExport;
use state::Change;
use state::Expect;
use state::State;
use state::StateKey;
use state::Write as StateWrite;
use state_memory::MemoryState;

use crate::chain;
use crate::memory;
use crate::open;
use crate::request;

const SEALING: [u8; 32] = [7; 32];

async fn with_key(
    algorithm: KeyAlgorithm,
) -> (MemoryState, keystore_software::SoftwareBackend, GeneratedKey) {
    let state = memory();
    let backend = open(&state, SEALING).await.unwrap();
    let key = backend.generate(&request(algorithm, 1)).await.unwrap();
    (state, backend, key)
}

fn path(id: KeyId) -> StateKey {
    StateKey::parse(&format!("key/software/{id}")).unwrap()
}

async fn document(state: &MemoryState, key: &StateKey) -> serde_json::Value {
    serde_json::from_slice(&state.get(key).await.unwrap().unwrap().value).unwrap()
}

async fn put(state: &MemoryState, key: StateKey, document: &serde_json::Value) {
    let change = Change::Put {
        value: serde_json::to_vec(document).unwrap(),
        expires: None,
    };
    state
        .commit(vec![StateWrite {
            key,
            expect: Expect::Anything,
            change,
        }])
        .await
        .unwrap();
}

async fn sign(state: &MemoryState, key: &GeneratedKey) -> Result<(), KeyError> {
    let backend = open(state, SEALING).await?;
    backend
        .sign(
            &key.reference,
            key.reference.algorithm.default_scheme(),
            b"message",
        )
        .await
        .map(|_| ())
}

#[tokio::test]
async fn the_state_alone_does_not_hold_the_key() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa2048,
    ] {
        let (state, backend, key) = with_key(algorithm).await;
        let secret = backend.export_pkcs8(&key.reference).await.unwrap();
        let stored = state.list("", None, 100).await.unwrap().entries;
        assert!(!stored.is_empty());
        // What the public key shows is no secret; every other part of the private key's encoding is.
        let spki = hex::encode(key.public_key.spki_der());
        let secrets: Vec<String> = secret.expose().windows(16).map(hex::encode).collect();
        let secrets: Vec<&String> = secrets
            .iter()
            .filter(|part| !spki.contains(part.as_str()))
            .collect();
        assert!(secrets.len() >= 32);
        for entry in stored {
            let text = String::from_utf8(entry.value).unwrap();
            assert!(
                !secrets.iter().any(|part| text.contains(part.as_str())),
                "{}",
                entry.key
            );
        }
    }
}

#[tokio::test]
async fn another_sealing_key_is_told_at_open_and_not_later() {
    let (state, _, key) = with_key(KeyAlgorithm::Ed25519).await;
    let Err(error) = open(&state, [8; 32]).await else {
        panic!("opened under another sealing key")
    };
    assert!(matches!(error, KeyError::Denied { .. }), "{error:?}");
    assert!(
        error.to_string().contains("put back the sealing key file"),
        "{error}"
    );
    assert!(keystore_software::is_sealed(&state).await.unwrap());
    assert!(!keystore_software::is_sealed(&memory()).await.unwrap());
    sign(&state, &key).await.unwrap();
}

#[tokio::test]
async fn keys_without_their_seal_do_not_open() {
    let (state, ..) = with_key(KeyAlgorithm::Ed25519).await;
    let key = StateKey::parse("key/sealing").unwrap();
    let write = StateWrite {
        key,
        expect: Expect::Anything,
        change: Change::Delete,
    };
    state.commit(vec![write]).await.unwrap();
    let Err(error) = open(&state, SEALING).await else {
        panic!("opened without a seal")
    };
    assert!(
        chain(&error).contains("restore the state from its backup"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn a_changed_document_does_not_open() {
    let edits: [(&str, &str); 7] = [
        ("/label", "signet/example.com/host/ssh/2"),
        ("/made_at", "2020-01-01T00:00:00Z"),
        ("/data_key/nonce", "000000000000000000000000"),
        ("/data_key/ciphertext", "00"),
        ("/private_key/nonce", "000000000000000000000000"),
        ("/private_key/ciphertext", "not hexadecimal"),
        ("/algorithm", "ecdsa-p384"),
    ];
    for (pointer, value) in edits {
        let (state, _, key) = with_key(KeyAlgorithm::EcdsaP256).await;
        let mut edited = document(&state, &path(key.reference.id)).await;
        match edited.pointer_mut(pointer) {
            Some(field) => *field = value.into(),
            None => edited[pointer.trim_start_matches('/')] = value.into(),
        }
        put(&state, path(key.reference.id), &edited).await;
        let error = sign(&state, &key).await.unwrap_err();
        assert!(matches!(error, KeyError::Fault { .. }), "{pointer}: {error:?}");
        assert!(!error.is_transient());
        assert!(
            chain(&error).contains("restore the state from its backup"),
            "{pointer}: {}",
            chain(&error)
        );
    }
}

#[tokio::test]
async fn a_key_moved_under_another_id_does_not_open() {
    let (state, backend, one) = with_key(KeyAlgorithm::EcdsaP256).await;
    let two = backend
        .generate(&request(KeyAlgorithm::EcdsaP256, 2))
        .await
        .unwrap();
    let moved = document(&state, &path(one.reference.id)).await;
    put(&state, path(two.reference.id), &moved).await;
    // By hash it is another key; even a reference that expects it there does not open it.
    assert!(matches!(
        sign(&state, &two).await.unwrap_err(),
        KeyError::Mismatch { .. }
    ));
    let mut reference = two.clone();
    reference.reference.spki_sha256 = one.reference.spki_sha256;
    assert!(matches!(
        sign(&state, &reference).await.unwrap_err(),
        KeyError::Fault { .. }
    ));
}

#[tokio::test]
async fn an_envelope_of_another_key_does_not_open() {
    let (state, backend, one) = with_key(KeyAlgorithm::EcdsaP256).await;
    let two = backend
        .generate(&request(KeyAlgorithm::EcdsaP256, 2))
        .await
        .unwrap();
    let mut mixed = document(&state, &path(one.reference.id)).await;
    let other = document(&state, &path(two.reference.id)).await;
    mixed["data_key"] = other["data_key"].clone();
    mixed["private_key"] = other["private_key"].clone();
    put(&state, path(one.reference.id), &mixed).await;
    assert!(matches!(
        sign(&state, &one).await.unwrap_err(),
        KeyError::Fault { .. }
    ));
}

#[tokio::test]
async fn documents_of_a_newer_release_are_told_apart_from_damaged_ones() {
    let (state, backend, key) = with_key(KeyAlgorithm::EcdsaP256).await;
    let mut newer = document(&state, &path(key.reference.id)).await;
    newer["version"] = 2.into();
    newer["something_new"] = true.into();
    put(&state, path(key.reference.id), &newer).await;
    let error = sign(&state, &key).await.unwrap_err();
    assert!(chain(&error).contains("has version 2"), "{}", chain(&error));
    // An incomplete list is an error, not a shorter list.
    assert!(backend.list().await.is_err());
}

#[tokio::test]
async fn a_full_disk_leaves_no_key() {
    let state = memory();
    let backend = open(&state, SEALING).await.unwrap();
    state.fail_writes(true);
    let error = backend
        .generate(&request(KeyAlgorithm::Ed25519, 1))
        .await
        .unwrap_err();
    assert!(chain(&error).contains("cannot be written"), "{}", chain(&error));
    state.fail_writes(false);
    assert_eq!(backend.list().await.unwrap(), []);
    backend
        .generate(&request(KeyAlgorithm::Ed25519, 1))
        .await
        .unwrap();
    assert_eq!(backend.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_could_not_be_destroyed_still_signs() {
    let (state, backend, key) = with_key(KeyAlgorithm::Ed25519).await;
    state.fail_writes(true);
    backend.destroy(&key.reference).await.unwrap_err();
    state.fail_writes(false);
    let scheme = key.reference.algorithm.default_scheme();
    backend.sign(&key.reference, scheme, b"message").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_signature_is_made_after_destroy_returned() {
    for round in 0..50 {
        let state = memory();
        let backend = Arc::new(open(&state, SEALING).await.unwrap());
        let key = backend
            .generate(&request(KeyAlgorithm::Ed25519, round))
            .await
            .unwrap();
        // Late readers, some of which fill the cache while the key is destroyed.
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (backend, reference) = (Arc::clone(&backend), key.reference.clone());
                tokio::spawn(async move {
                    let _ = backend
                        .sign(&reference, key::SignatureScheme::Ed25519, b"racing")
                        .await;
                })
            })
            .collect();
        backend.destroy(&key.reference).await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
        let late = backend
            .sign(&key.reference, key::SignatureScheme::Ed25519, b"late")
            .await;
        assert!(matches!(late, Err(KeyError::NotFound { .. })), "{late:?}");
    }
}

#[tokio::test]
async fn more_keys_than_a_page_are_listed() {
    let state = memory();
    let backend = open(&state, SEALING).await.unwrap();
    for number in 0..1_100_u128 {
        let mut wanted = request(KeyAlgorithm::EcdsaP256, 0);
        wanted.id = KeyId::from_random(number.to_be_bytes());
        backend.generate(&wanted).await.unwrap();
    }
    // The bits of version and variant are fixed, the numbers below do not reach them.
    assert_eq!(backend.list().await.unwrap().len(), 1_100);
}

#[tokio::test]
async fn exported_keys_are_what_openssl_reads() {
    for algorithm in KeyAlgorithm::ALL {
        let (_, backend, key) = with_key(algorithm).await;
        let secret = backend.export_pkcs8(&key.reference).await.unwrap();
        let mut openssl = Command::new("openssl")
            .args(["pkey", "-inform", "DER", "-pubout", "-outform", "DER"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the openssl program is needed");
        openssl.stdin.take().unwrap().write_all(secret.expose()).unwrap();
        let output = openssl.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{algorithm}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            hex::encode(output.stdout),
            hex::encode(key.public_key.spki_der()),
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn a_label_of_another_cluster_is_refused() {
    let state = memory();
    let backend = open(&state, SEALING).await.unwrap();
    let mut wanted = request(KeyAlgorithm::Ed25519, 1);
    wanted.label.cluster = names::ClusterName::parse("other.example.com").unwrap();
    assert!(matches!(
        backend.generate(&wanted).await.unwrap_err(),
        KeyError::Denied { .. }
    ));
    assert_eq!(state.list("key/software", None, 10).await.unwrap().entries, []);
}
