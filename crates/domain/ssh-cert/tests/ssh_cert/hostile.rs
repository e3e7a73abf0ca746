//! Nothing that is not a good key or certificate panics, or passes for one.

use key::KeyAlgorithm;
use key::PublicKey;
use parts::ssh::ssh_keygen;
use proptest::prelude::*;
use ssh_cert::Certificate;
use ssh_cert::ExtensionName;
use ssh_cert::ForceCommand;
use ssh_cert::Network;
use ssh_cert::ParseError;
use ssh_cert::SubjectKey;
use ssh_cert::TbsCertificate;

use super::blob;
use super::sign;
use super::signer::Signer;
use super::user_plan;

fn certificate() -> Certificate {
    let signer = Signer::generate(KeyAlgorithm::EcdsaP256);
    let subject = SubjectKey::from_public_key(&Signer::generate(KeyAlgorithm::Ed25519).public_key()).unwrap();
    sign(&signer, &user_plan(subject, signer.public_key()))
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Certificate::from_blob(&bytes);
        let _ = TbsCertificate::parse(&bytes);
        let _ = SubjectKey::from_blob(&bytes);
    }

    #[test]
    fn arbitrary_lines_never_panic(text in "(ssh-(rsa|ed25519)(-cert-v01@openssh.com)? )?([A-Za-z0-9+/=]{0,80}|\\PC{0,40})") {
        let _ = Certificate::from_line(&text);
        let _ = SubjectKey::from_line(&text);
        let _ = Network::parse(&text);
    }

    #[test]
    fn fields_of_arbitrary_bytes_never_panic(
        name in prop::sample::select(ssh_cert::SubjectAlgorithm::ALL.to_vec()),
        fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
    ) {
        let mut parts: Vec<&[u8]> = vec![name.as_str().as_bytes()];
        parts.extend(fields.iter().map(Vec::as_slice));
        let _ = SubjectKey::from_blob(&blob(&parts));
        let mut parts: Vec<&[u8]> = vec![name.certificate_str().as_bytes()];
        parts.extend(fields.iter().map(Vec::as_slice));
        let _ = Certificate::from_blob(&blob(&parts));
    }
}

#[test]
fn every_change_and_every_truncation_is_noticed() {
    let certificate = certificate();
    let bytes = certificate.blob();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] ^= flip;
            assert!(Certificate::from_blob(&changed).is_err(), "byte {at} ^ {flip:#x}");
        }
        assert!(Certificate::from_blob(&bytes[..at]).is_err());
    }
    assert!(Certificate::from_blob(&[bytes, &[0]].concat()).is_err());
}

#[test]
fn weak_and_foreign_keys_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("id");
    for (arguments, is_weak) in [
        (["-t", "rsa", "-b", "1024"], true),
        (["-t", "ecdsa", "-b", "521"], false),
    ] {
        let _ = std::fs::remove_file(&path);
        let mut keygen = std::process::Command::new("ssh-keygen");
        let made = keygen
            .args(arguments)
            .args(["-q", "-N", "", "-f"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        let line = std::fs::read_to_string(path.with_extension("pub")).unwrap();
        match SubjectKey::from_line(&line) {
            Err(ParseError::Weak {
                bits: 1_024,
                minimum: 2_048,
            }) => assert!(is_weak),
            Err(ParseError::Algorithm(name)) => assert_eq!(name, "ecdsa-sha2-nistp521"),
            other => panic!("{other:?}"),
        }
    }
    let dsa = blob(&[b"ssh-dss", &[1; 129], &[1; 20], &[1; 128], &[1; 128]]);
    assert!(matches!(
        SubjectKey::from_blob(&dsa),
        Err(ParseError::Algorithm(_))
    ));
    let off_curve = blob(&[b"ecdsa-sha2-nistp256", b"nistp256", &[4; 65]]);
    assert!(matches!(
        SubjectKey::from_blob(&off_curve),
        Err(ParseError::Key(_))
    ));
    let even = blob(&[b"ssh-rsa", &[1, 0, 1], &[0x40; 257]]);
    assert!(SubjectKey::from_blob(&even).is_err());
    let small_exponent = blob(&[b"ssh-rsa", &[3], &[0x41; 257]]);
    assert!(SubjectKey::from_blob(&small_exponent).is_err());
    let odd_application = blob(&[b"sk-ssh-ed25519@openssh.com", &[1; 32], b"https://x"]);
    assert!(SubjectKey::from_blob(&odd_application).is_err());
    let trailing = blob(&[b"ssh-ed25519", &[1; 32], b""]);
    assert!(SubjectKey::from_blob(&trailing).is_err());
}

#[test]
fn a_certificate_is_no_subject_and_lines_must_agree_with_themselves() {
    let certificate = certificate();
    assert_eq!(
        SubjectKey::from_blob(certificate.blob()),
        Err(ParseError::IsCertificate)
    );
    assert_eq!(
        SubjectKey::from_line(&certificate.to_line("")),
        Err(ParseError::IsCertificate)
    );
    let line = certificate.subject_key().to_line("me");
    assert_eq!(
        SubjectKey::from_line(&line).as_ref(),
        Ok(certificate.subject_key())
    );
    assert!(SubjectKey::from_line(&line.replace("ssh-ed25519 ", "ssh-rsa ")).is_err());
    assert!(SubjectKey::from_line(&format!("{line}\n{line}")).is_err());
    assert!(SubjectKey::from_line("").is_err());
    let directory = tempfile::tempdir().unwrap();
    ssh_keygen("rsa", &directory.path().join("id")).unwrap();
    let line = std::fs::read_to_string(directory.path().join("id.pub")).unwrap();
    assert_eq!(SubjectKey::from_line(&line).unwrap().to_line(""), line.trim());
}

/// The critical options, the extensions and the principals of a certificate as raw fields, signed by a good key.
fn forged(principals: &[u8], options: &[u8], extensions: &[u8]) -> Result<Certificate, ParseError> {
    let signer = Signer::generate(KeyAlgorithm::Ed25519);
    let key = signer.public_key();
    let mut tbs = blob(&[b"ssh-ed25519-cert-v01@openssh.com", &[1; 32], &[2; 32]]);
    tbs.extend([0; 8]);
    tbs.extend(1_u32.to_be_bytes());
    tbs.extend(blob(&[b"id", principals]));
    tbs.extend([0; 8]);
    tbs.extend(u64::MAX.to_be_bytes());
    let signing_key = ssh_cert::public_key_blob(&key).unwrap();
    tbs.extend(blob(&[options, extensions, b"", &signing_key]));
    let scheme = key::SignatureScheme::Ed25519;
    Certificate::from_blob(&ssh_cert::assemble(&tbs, scheme, &signer.sign(scheme, &tbs)).unwrap())
}

#[test]
fn signed_nonsense_is_refused() {
    let root = blob(&[b"root"]);
    let value = |text: &[u8]| blob(&[text]);
    assert!(forged(&root, b"", b"").is_ok());
    assert!(forged(b"", b"", b"").is_err(), "no principals");
    assert!(
        forged(&blob(&[b"a,b"]), b"", b"").is_err(),
        "a comma in a principal"
    );
    assert!(forged(&blob(&[b""]), b"", b"").is_err(), "an empty principal");
    assert!(forged(&root, &blob(&[b"force-command", &value(b"ls")]), b"").is_ok());
    for options in [
        blob(&[b"unknown-option", &value(b"x")]),
        blob(&[b"force-command", b""]),
        blob(&[b"force-command", &value(b"")]),
        blob(&[b"force-command", &blob(&[b"ls", b"rm"])]),
        blob(&[b"verify-required", &value(b"no")]),
        blob(&[b"source-address", &value(b"0.0.0.0/33")]),
        blob(&[b"source-address", &value(b"10.0.0.1/8")]),
        blob(&[b"source-address", &value(b"")]),
        blob(&[
            b"source-address",
            &value(b"10.0.0.0/8"),
            b"force-command",
            &value(b"ls"),
        ]),
        blob(&[b"force-command", &value(b"ls"), b"force-command", &value(b"rm")]),
    ] {
        assert!(forged(&root, &options, b"").is_err(), "{options:?}");
    }
    for extensions in [
        blob(&[b"permit-pty", &value(b"x")]),
        blob(&[b"permit-everything", b""]),
        blob(&[b"permit-pty", b"", b"permit-pty", b""]),
        blob(&[b"permit-pty", b"", b"permit-X11-forwarding", b""]),
        blob(&[b"x@openssh.com", &value(b"x")]),
    ] {
        assert!(forged(&root, b"", &extensions).is_err(), "{extensions:?}");
    }
}

#[test]
fn values_with_a_second_meaning_do_not_parse() {
    for bad in [
        "",
        "10.0.0.0/33",
        "10.0.0.1/24",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "x",
        "10.0.0.0/8,::/0",
        "1::/0",
        "::ffff:10.0.0.1",
    ] {
        assert!(Network::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(Network::parse("0.0.0.0/0").unwrap().to_string(), "0.0.0.0/0");
    assert_eq!(Network::parse("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
    for bad in ["", " ", "a\nb", "a\0b"] {
        assert!(ForceCommand::parse(bad).is_err(), "{bad:?}");
    }
    for bad in [
        "",
        "roles",
        "@x",
        "x@",
        "a b@c",
        "a@b@c",
        "x@openssh.com",
        "a,b@c",
        "ä@b",
    ] {
        assert!(ExtensionName::parse(bad).is_err(), "{bad:?}");
    }
    assert!(PublicKey::from_ed25519(&[0; 31]).is_err());
}
