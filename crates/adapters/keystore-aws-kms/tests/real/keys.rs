use std::time::Duration;

use key::KeyAlgorithm;
use key::KeyRef;
use key::SignatureScheme;
use keystore::KeyAttributes;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore_aws_kms::AwsKmsSettings;
use parts::kms::Ministack;

use crate::harness::block_on;
use crate::harness::boto3;
use crate::harness::label;
use crate::harness::open;
use crate::harness::p256;
use crate::harness::request;
use crate::harness::settings;
use crate::harness::tags;

const FACTS: &str = "k = kms.describe_key(KeyId=sys.argv[1])['KeyMetadata']\n\
    t = kms.list_resource_tags(KeyId=sys.argv[1])['Tags']\n\
    print(k['KeySpec'], k['KeyUsage'], k['Origin'], k['KeyState'], k['Description'])\n\
    print(sorted((x['TagKey'], x['TagValue']) for x in t))";
const STATE: &str = "k = kms.describe_key(KeyId=sys.argv[1])['KeyMetadata']\n\
    d = k.get('DeletionDate')\n\
    print(k['KeyState'], round((d.timestamp() - time.time()) / 86400) if d else '')";

async fn cannot_sign(backend: &dyn KeyBackend, key: &KeyRef) -> KeyError {
    backend
        .sign(key, SignatureScheme::EcdsaP256Sha256, b"message")
        .await
        .unwrap_err()
}

async fn signs(backend: &dyn KeyBackend, key: &KeyRef) {
    let public_key = backend.public_key(key).await.unwrap();
    let signature = backend
        .sign(key, SignatureScheme::EcdsaP256Sha256, b"message")
        .await
        .unwrap();
    public_key.verify(b"message", &signature).unwrap();
}

#[test]
fn a_key_has_the_tags_and_description_promised_and_is_deleted_after_the_configured_days() {
    let ministack = Ministack::start().unwrap();
    let settings = AwsKmsSettings {
        tags: tags(&[("team", "platform")]),
        deletion_window_days: Some(11),
        ..settings()
    };
    let (backend, key) = block_on(async {
        let backend = open(&ministack, settings).await;
        let key = backend
            .generate(&request(1, KeyAlgorithm::Rsa3072))
            .await
            .unwrap();
        (backend, key)
    });
    let handle = key.reference.handle.as_str();
    assert!(
        handle.starts_with("arn:aws:kms:eu-central-1:000000000000:key/"),
        "{handle}"
    );
    assert_eq!(key.reference.store, "000000000000/eu-central-1");
    assert_eq!(
        boto3(&ministack, FACTS, &[handle]),
        "RSA_3072 SIGN_VERIFY AWS_KMS Enabled signet/prod.example.com/saml_idp/tls/1\n\
         [('SignetCluster', 'prod.example.com'), ('SignetKeyId', '01010101-0101-4101-8101-010101010101'), \
         ('SignetLabel', 'signet/prod.example.com/saml_idp/tls/1'), ('team', 'platform')]"
    );
    assert_eq!(
        block_on(backend.attributes(&key.reference)).unwrap(),
        KeyAttributes::AssertedByApi
    );
    block_on(backend.destroy(&key.reference)).unwrap();
    assert_eq!(boto3(&ministack, STATE, &[handle]), "PendingDeletion 11");
}

#[test]
fn a_key_pending_deletion_says_how_to_keep_it_and_signs_again_when_kept() {
    let ministack = Ministack::start().unwrap();
    let key = block_on(async {
        open(&ministack, settings())
            .await
            .generate(&p256(1))
            .await
            .unwrap()
    })
    .reference;
    boto3(
        &ministack,
        "kms.schedule_key_deletion(KeyId=sys.argv[1], PendingWindowInDays=7)",
        &[&key.handle],
    );
    block_on(async {
        let backend = open(&ministack, settings()).await;
        let text = cannot_sign(&backend, &key).await.to_string();
        let command = format!(
            "aws kms cancel-key-deletion --region eu-central-1 --key-id {}",
            key.handle
        );
        assert!(
            text.contains("is pending deletion") && text.contains(&command),
            "{text}"
        );
    });
    boto3(
        &ministack,
        "kms.cancel_key_deletion(KeyId=sys.argv[1]); kms.enable_key(KeyId=sys.argv[1])",
        &[&key.handle],
    );
    block_on(async { signs(&open(&ministack, settings()).await, &key).await });
}

#[test]
fn a_key_disabled_while_in_use_is_reported_listed_as_unusable_and_still_destroyed() {
    let ministack = Ministack::start().unwrap();
    let (backend, key) = block_on(async {
        let backend = open(&ministack, settings()).await;
        let key = backend.generate(&p256(1)).await.unwrap().reference;
        signs(&backend, &key).await;
        (backend, key)
    });
    boto3(&ministack, "kms.disable_key(KeyId=sys.argv[1])", &[&key.handle]);
    block_on(async {
        let error = cannot_sign(&backend, &key).await;
        assert!(
            matches!(error, KeyError::Denied { .. }) && error.to_string().contains("aws kms enable-key"),
            "{error}"
        );
        let found = backend.list().await.unwrap();
        assert_eq!(
            found
                .iter()
                .map(|key| (key.is_usable, key.label.clone()))
                .collect::<Vec<_>>(),
            [(false, label(1))]
        );
        backend.destroy(&key).await.unwrap();
    });
    assert_eq!(boto3(&ministack, STATE, &[&key.handle]), "PendingDeletion 7");
}

/// Prints a key without tags, one of another cluster, one without a configured tag, and one without our label.
const STRANGERS: &str = "def make(t): return kms.create_key(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY', Tags=t)['KeyMetadata']['Arn']\n\
    i, l, c = sys.argv[1:]\n\
    print(make([]))\n\
    print(make(tags(SignetCluster='other', SignetKeyId=i, SignetLabel=l, team='platform')))\n\
    print(make(tags(SignetCluster=c, SignetKeyId=i, SignetLabel=l)))\n\
    print(make(tags(SignetCluster=c, team='platform')))";

#[test]
fn keys_of_others_are_neither_listed_nor_destroyed() {
    let ministack = Ministack::start().unwrap();
    let settings = AwsKmsSettings {
        tags: tags(&[("team", "platform")]),
        ..settings()
    };
    let id = p256(1).id.to_string();
    let strangers = boto3(
        &ministack,
        STRANGERS,
        &[&id, &label(1).to_string(), "prod.example.com"],
    );
    let strangers: Vec<&str> = strangers.lines().collect();
    assert_eq!(strangers.len(), 4);
    block_on(async {
        let backend = open(&ministack, settings).await;
        assert_eq!(backend.list().await.unwrap(), []);
        let ours = backend.generate(&p256(9)).await.unwrap().reference;
        let client = aws_sdk_kms::Client::new(&crate::harness::sdk_of(&ministack));
        for handle in &strangers {
            let der = client
                .get_public_key()
                .key_id(*handle)
                .send()
                .await
                .unwrap()
                .public_key
                .unwrap();
            let spki_sha256 = key::PublicKey::from_spki_der(der.as_ref()).unwrap().spki_sha256();
            let theirs = KeyRef {
                handle: (*handle).to_owned(),
                spki_sha256,
                ..ours.clone()
            };
            let error = backend.destroy(&theirs).await.unwrap_err();
            assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
        }
        assert_eq!(backend.list().await.unwrap().len(), 1);
    });
    for handle in strangers {
        assert_eq!(boto3(&ministack, STATE, &[handle]), "Enabled");
    }
}

#[test]
fn a_key_whose_making_was_interrupted_is_found_and_a_destroyed_one_is_not() {
    const MAKE: &str = "c, i, l, n = sys.argv[1:]\n\
        made = [kms.create_key(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY', \
                Tags=tags(SignetCluster=c, SignetKeyId=i, SignetLabel=l))['KeyMetadata']['Arn'] for _ in range(int(n))]\n\
        print(' '.join(sorted(made)))";
    let ministack = Ministack::start().unwrap();
    let make = |seed: u8, count: &str| {
        let request = p256(seed);
        boto3(
            &ministack,
            MAKE,
            &[
                "prod.example.com",
                &request.id.to_string(),
                &request.label.to_string(),
                count,
            ],
        )
    };
    let interrupted = make(1, "1");
    let twice = make(2, "2");
    let destroyed = make(3, "1");
    boto3(
        &ministack,
        "kms.schedule_key_deletion(KeyId=sys.argv[1])",
        &[&destroyed],
    );
    block_on(async {
        let backend = open(&ministack, settings()).await;
        assert_eq!(
            backend.generate(&p256(1)).await.unwrap().reference.handle,
            interrupted
        );
        let first = backend.generate(&p256(2)).await.unwrap().reference.handle;
        assert_eq!(Some(first.as_str()), twice.split(' ').next());
        assert_eq!(
            open(&ministack, settings())
                .await
                .generate(&p256(2))
                .await
                .unwrap()
                .reference
                .handle,
            first
        );
        let fresh = backend.generate(&p256(3)).await.unwrap();
        assert_ne!(fresh.reference.handle, destroyed);
        signs(&backend, &fresh.reference).await;
    });
}

#[test]
fn a_key_that_was_not_made_in_kms_is_not_used() {
    const MAKE: &str = "print(kms.create_key(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY', Origin='EXTERNAL', \
        Tags=tags(SignetCluster='prod.example.com'))['KeyMetadata']['Arn'])";
    let ministack = Ministack::start().unwrap();
    let imported = boto3(&ministack, MAKE, &[]);
    block_on(async {
        let backend = open(&ministack, settings()).await;
        let ours = backend.generate(&p256(1)).await.unwrap().reference;
        let key = KeyRef {
            handle: imported,
            ..ours
        };
        for error in [
            cannot_sign(&backend, &key).await,
            backend.attributes(&key).await.unwrap_err(),
        ] {
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                cause.contains("was not made in KMS") && cause.contains("EXTERNAL"),
                "{cause}"
            );
            assert!(!error.is_transient());
        }
    });
}

#[test]
fn a_list_that_the_service_breaks_off_is_an_error() {
    let ministack = Ministack::start().unwrap();
    // Above 1000 keys ministack announces another page and gives no way to it.
    boto3(
        &ministack,
        "list(ThreadPoolExecutor(8).map(lambda _: kms.create_key(), range(1001)))",
        &[],
    );
    block_on(async {
        let error = open(&ministack, settings()).await.list().await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("the list breaks off"), "{cause}");
    });
}

#[test]
fn ed25519_signs_up_to_4096_bytes_and_refuses_the_rest_in_words() {
    let ministack = Ministack::start().unwrap();
    block_on(async {
        let backend = open(&ministack, settings()).await;
        let key = backend
            .generate(&request(1, KeyAlgorithm::Ed25519))
            .await
            .unwrap();
        for length in [1, 64, 4096] {
            let message = vec![5; length];
            let signature = backend
                .sign(&key.reference, SignatureScheme::Ed25519, &message)
                .await
                .unwrap();
            key.public_key.verify(&message, &signature).unwrap();
        }
        for length in [0, 4097] {
            let error = backend
                .sign(&key.reference, SignatureScheme::Ed25519, &vec![5; length])
                .await
                .unwrap_err();
            assert!(matches!(error, KeyError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains("choose ECDSA P-256"), "{error}");
        }
    });
}

#[test]
fn more_signatures_than_fit_at_once_wait_their_turn() {
    let ministack = Ministack::start().unwrap();
    block_on(async {
        let backend = std::sync::Arc::new(open(&ministack, settings()).await);
        let key = backend.generate(&p256(1)).await.unwrap();
        let count = backend.describe().concurrency * 3;
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let (backend, key) = (std::sync::Arc::clone(&backend), key.clone());
                tokio::spawn(async move { signs(&*backend, &key.reference).await })
            })
            .collect();
        for task in tasks {
            tokio::time::timeout(Duration::from_secs(600), task)
                .await
                .unwrap()
                .unwrap();
        }
    });
}
