use parts::kms::{Emulator, Ministack, Moto};
use parts::python::Venv;

const SIGN_AND_VERIFY: &str = r#"
import boto3, hashlib, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
kms = boto3.client("kms")
key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY",
                     Tags=[{"TagKey": "SignetCluster", "TagValue": "example"}])["KeyMetadata"]
signed = kms.sign(KeyId=key["Arn"], Message=b"hello", MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")
public = serialization.load_der_public_key(kms.get_public_key(KeyId=key["Arn"])["PublicKey"])
public.verify(signed["Signature"], b"hello", ec.ECDSA(hashes.SHA256()))
print(boto3.client("sts").get_caller_identity()["Account"], key["Arn"])
"#;

#[test]
fn ministack_signs_on_loopback_only() {
    let emulator = Ministack::start().unwrap();
    signs_as(&emulator, parts::kms::MINISTACK_ACCOUNT);
    listens_on_loopback_only(&emulator);
}

#[test]
fn moto_signs_on_loopback_only() {
    let emulator = Moto::start().unwrap();
    signs_as(&emulator, parts::kms::MOTO_ACCOUNT);
    listens_on_loopback_only(&emulator);
}

#[test]
fn a_stopped_emulator_refuses_connections() {
    let mut emulator = Moto::start().unwrap();
    let address = emulator.endpoint_url().replace("http://", "");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    emulator.stop();
    assert!(std::net::TcpStream::connect(&address).is_err());
}

fn signs_as(emulator: &Emulator, account: &str) {
    let venv = Venv::open().unwrap();
    let outcome = venv
        .run_with(SIGN_AND_VERIFY, [""; 0], &emulator.environment())
        .unwrap();
    assert!(outcome.success(), "{}\n{}", outcome.stderr, emulator.log());
    let arn = format!("{account} arn:aws:kms:{}:{account}:key/", parts::kms::REGION);
    assert!(outcome.stdout.starts_with(&arn), "{}", outcome.stdout);
}

/// Reads the process's own sockets from `/proc`: every listening one has to be bound to 127.0.0.1.
fn listens_on_loopback_only(emulator: &Emulator) {
    let proc = format!("/proc/{}", emulator.pid());
    let mut sockets = Vec::new();
    for entry in std::fs::read_dir(format!("{proc}/fd")).unwrap().flatten() {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        if let Some(inode) = target
            .to_string_lossy()
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            sockets.push(inode.to_owned());
        }
    }
    let mut listening = 0;
    for table in ["tcp", "tcp6"] {
        for line in std::fs::read_to_string(format!("{proc}/net/{table}"))
            .unwrap()
            .lines()
            .skip(1)
        {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|inode| inode == fields[9]) {
                assert!(fields[1].starts_with("0100007F:"), "listens on {}", fields[1]);
                listening += 1;
            }
        }
    }
    assert!(listening > 0, "no listening socket found among {sockets:?}");
}
