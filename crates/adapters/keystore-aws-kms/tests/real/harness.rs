//! Emulators, backends on them, and a second pair of eyes.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

use authority::AuthorityType;
use authority::KeyForm;
use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_sdk_kms::config::Credentials;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::config::SharedCredentialsProvider;
use key::KeyAlgorithm;
use key::KeyId;
use keystore::GenerateKey;
use keystore::KeyLabel;
use keystore_aws_kms::AwsKmsBackend;
use keystore_aws_kms::AwsKmsConfig;
use keystore_aws_kms::AwsKmsSettings;
use names::ClusterName;
use parts::kms::Emulator;
use parts::kms::MINISTACK_ACCOUNT;
use parts::kms::REGION;
use parts::python::Venv;

/// How long a silent service is silent.
pub(crate) const SILENCE: Duration = Duration::from_secs(1_200);
/// What a call may take of a healthy emulator: it is slow where the machine is, above all at making RSA keys.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs an async test body to its end.
pub(crate) fn block_on<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(body)
}

pub(crate) fn cluster() -> ClusterName {
    ClusterName::parse("prod.example.com").unwrap()
}

/// Settings for ministack.
pub(crate) fn settings() -> AwsKmsSettings {
    AwsKmsSettings {
        account: MINISTACK_ACCOUNT.into(),
        region: REGION.into(),
        deadline: Some(PATIENCE),
        ..AwsKmsSettings::default()
    }
}

pub(crate) fn config(settings: AwsKmsSettings) -> AwsKmsConfig {
    AwsKmsConfig::parse(settings, &cluster()).unwrap()
}

pub(crate) fn sdk(endpoint_url: &str, access_key: &str, secret: &str) -> SdkConfig {
    let credentials = Credentials::new(access_key, secret, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint_url)
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub(crate) fn sdk_of(emulator: &Emulator) -> SdkConfig {
    sdk(&emulator.endpoint_url(), "AKIAIOSFODNN7EXAMPLE", "example")
}

pub(crate) async fn open(emulator: &Emulator, settings: AwsKmsSettings) -> AwsKmsBackend {
    AwsKmsBackend::open_with(config(settings), &sdk_of(emulator))
        .await
        .unwrap()
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn label(generation: u64) -> KeyLabel {
    KeyLabel {
        cluster: cluster(),
        authority: AuthorityType::SamlIdp,
        form: KeyForm::Tls,
        generation,
    }
}

pub(crate) fn request(seed: u8, algorithm: KeyAlgorithm) -> GenerateKey {
    GenerateKey {
        id: KeyId::from_random([seed; 16]),
        algorithm,
        label: label(u64::from(seed)),
    }
}

pub(crate) fn p256(seed: u8) -> GenerateKey {
    request(seed, KeyAlgorithm::EcdsaP256)
}

/// Runs Python with `kms` a boto3 client, and gives what it printed.
pub(crate) fn boto3(emulator: &Emulator, script: &str, args: &[&str]) -> String {
    let script = format!(
        "import boto3, json, sys, time, urllib.request\n\
         from concurrent.futures import ThreadPoolExecutor\n\
         kms = boto3.client('kms')\n\
         def tags(**pairs): return [{{'TagKey': k, 'TagValue': v}} for k, v in pairs.items()]\n{script}"
    );
    let outcome = Venv::open()
        .unwrap()
        .run_with(&script, args, &emulator.environment())
        .unwrap();
    assert!(outcome.success(), "{}", outcome.stderr);
    outcome.stdout.trim().to_owned()
}

/// A server on loopback that gives every request the same answer, or none.
pub(crate) struct Canned(SocketAddr);

impl Canned {
    /// Answers with a status and a body, for as long as the test runs.
    pub(crate) fn answering(status: u16, body: &'static str) -> Self {
        Self::serving(move |mut stream: TcpStream| {
            let mut request = [0; 16 * 1024];
            let _length = stream.read(&mut request);
            let _sent = write!(
                stream,
                "HTTP/1.1 {status} Canned\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        })
    }

    /// Accepts and says nothing for as long as [`SILENCE`].
    pub(crate) fn silent() -> Self {
        Self::serving(|stream| {
            std::thread::sleep(SILENCE);
            drop(stream);
        })
    }

    fn serving(answer: impl Fn(TcpStream) + Send + Clone + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = answer.clone();
                std::thread::spawn(move || answer(stream));
            }
        });
        Self(address)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}
