use key::KeyRef;
use key::SignatureScheme;
use keystore::KeyBackend;
use keystore::KeyError;
use keystore_aws_kms::AwsKmsSettings;
use keystore_aws_kms::MultiRegionSettings;
use parts::kms::Ministack;

use crate::harness::block_on;
use crate::harness::boto3;
use crate::harness::open;
use crate::harness::p256;
use crate::harness::settings;

/// Prints region, state, kind and tags of the key with an id, in every region it is in.
const PLACES: &str = "for r in ['eu-central-1', 'eu-north-1', 'eu-west-1']:\n\
    \x20 c = boto3.client('kms', region_name=r)\n\
    \x20 for k in c.list_keys()['Keys']:\n\
    \x20   if k['KeyId'] != sys.argv[1]: continue\n\
    \x20   m = c.describe_key(KeyId=k['KeyArn'])['KeyMetadata']\n\
    \x20   t = sorted(x['TagValue'] for x in c.list_resource_tags(KeyId=k['KeyArn'])['Tags'])\n\
    \x20   print(r, m['KeyState'], m['MultiRegionConfiguration']['MultiRegionKeyType'], *t)";
const TAGS: &str =
    "01010101-0101-4101-8101-010101010101 prod.example.com signet/prod.example.com/saml_idp/tls/1";

fn settings_in(region: &str, replicas: &[&str]) -> AwsKmsSettings {
    let multi_region = MultiRegionSettings {
        primary_region: Some("eu-west-1".into()),
        replica_regions: replicas.iter().map(|region| (*region).to_owned()).collect(),
    };
    AwsKmsSettings {
        region: region.into(),
        multi_region: Some(multi_region),
        ..settings()
    }
}

fn id_of(key: &KeyRef) -> &str {
    key.handle.rsplit('/').next().unwrap()
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
fn a_multi_region_key_is_made_once_signs_everywhere_and_goes_everywhere() {
    let ministack = Ministack::start().unwrap();
    let (here, key) = block_on(async {
        let here = open(&ministack, settings_in("eu-central-1", &["eu-north-1"])).await;
        let key = here.generate(&p256(1)).await.unwrap().reference;
        assert_eq!(here.generate(&p256(1)).await.unwrap().reference, key);
        (here, key)
    });
    assert!(
        key.handle
            .starts_with("arn:aws:kms:eu-central-1:000000000000:key/mrk-"),
        "{}",
        key.handle
    );
    assert_eq!(
        boto3(&ministack, PLACES, &[id_of(&key)]),
        format!(
            "eu-central-1 Enabled REPLICA {TAGS}\neu-north-1 Enabled REPLICA {TAGS}\neu-west-1 Enabled PRIMARY {TAGS}"
        )
    );
    block_on(async {
        signs(&here, &key).await;
        let there = open(&ministack, settings_in("eu-north-1", &[])).await;
        signs(&there, &key).await;
        let single = AwsKmsSettings {
            region: "eu-north-1".into(),
            ..settings()
        };
        let error = open(&ministack, single).await.public_key(&key).await.unwrap_err();
        assert!(matches!(error, KeyError::OtherStore { .. }), "{error}");
        here.destroy(&key).await.unwrap();
        here.destroy(&key).await.unwrap();
    });
    let places = boto3(&ministack, PLACES, &[id_of(&key)]);
    assert_eq!(places.lines().count(), 3, "{places}");
    assert!(
        places.lines().all(|line| line.contains(" PendingDeletion ")),
        "{places}"
    );
}

#[test]
fn a_key_whose_copy_here_is_gone_is_destroyed_where_it_was_made() {
    // ministack keeps deleted keys for ever; a region that never had a copy is the same to us.
    let ministack = Ministack::start().unwrap();
    let key = block_on(async {
        let made_there = open(&ministack, settings_in("eu-west-1", &[])).await;
        let key = made_there.generate(&p256(1)).await.unwrap().reference;
        open(&ministack, settings_in("eu-north-1", &[]))
            .await
            .destroy(&key)
            .await
            .unwrap();
        key
    });
    assert_eq!(
        boto3(&ministack, PLACES, &[id_of(&key)]),
        format!("eu-west-1 PendingDeletion PRIMARY {TAGS}")
    );
}

#[test]
fn a_region_configured_later_gets_copies_of_the_keys_there_are() {
    let ministack = Ministack::start().unwrap();
    let (before, key) = block_on(async {
        let before = open(&ministack, settings_in("eu-west-1", &[])).await;
        let key = before.generate(&p256(1)).await.unwrap().reference;
        (before, key)
    });
    assert_eq!(boto3(&ministack, PLACES, &[id_of(&key)]).lines().count(), 1);
    block_on(async {
        for _start in 1..=2 {
            open(
                &ministack,
                settings_in("eu-west-1", &["eu-north-1", "eu-central-1"]),
            )
            .await;
        }
        signs(&before, &key).await;
    });
    let places = boto3(&ministack, PLACES, &[id_of(&key)]);
    assert!(
        places.contains(&format!("eu-north-1 Enabled REPLICA {TAGS}")),
        "{places}"
    );
    assert_eq!(places.lines().count(), 3, "{places}");
}

#[test]
fn a_key_of_one_region_is_left_alone() {
    let ministack = Ministack::start().unwrap();
    block_on(async {
        let single = AwsKmsSettings {
            region: "eu-west-1".into(),
            ..settings()
        };
        let key = open(&ministack, single)
            .await
            .generate(&p256(1))
            .await
            .unwrap()
            .reference;
        let multi = open(&ministack, settings_in("eu-west-1", &["eu-north-1"])).await;
        signs(&multi, &key).await;
        assert_eq!(
            open(&ministack, settings_in("eu-north-1", &[]))
                .await
                .list()
                .await
                .unwrap(),
            []
        );
        multi.destroy(&key).await.unwrap();
    });
}
