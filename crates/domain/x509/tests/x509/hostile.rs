//! Nothing that is not a certificate panics, or passes for one.

use key::KeyAlgorithm;
use proptest::prelude::*;
use x509::Certificate;
use x509::CertificateList;
use x509::CertificateRequest;
use x509::DistinguishedName;
use x509::LeafPlan;
use x509::NameAttribute;
use x509::SubjectAltName;
use x509::TbsCertificate;

use super::Authority;
use super::NOW;
use super::authority;
use super::round_trip::identity;
use super::sign_leaf;

fn certificate() -> (Authority, Vec<u8>) {
    let authority = authority(KeyAlgorithm::EcdsaP256, NOW, NOW + 1_000);
    let subject = DistinguishedName::new([(NameAttribute::CommonName, "alice")]).unwrap();
    let key = authority.signer.public_key();
    let mut plan = LeafPlan::under(
        &authority.issuer,
        subject,
        key,
        names::Serial::from_random([1; 16]),
    );
    plan.identity = Some(identity());
    plan.alt_names = vec![
        SubjectAltName::Dns("a.example".to_owned()),
        SubjectAltName::UserPrincipal("a@b".to_owned()),
    ];
    plan.crl_urls = vec!["http://a.example/".to_owned()];
    let der = sign_leaf(&authority, &plan).der().to_vec();
    (authority, der)
}

fn read_everything(der: &[u8]) {
    let _ = Certificate::from_der(der).map(|read| (read.subject().to_string(), read.to_pem()));
    let _ = CertificateList::from_der(der);
    let _ = CertificateRequest::from_der(der);
    let _ = DistinguishedName::from_der(der).map(|name| name.to_string());
    let _ = TbsCertificate::parse(der);
    let _ = x509::TbsCertList::parse(der);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_everything(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(-----(BEGIN|END) CERTIFICATE-----|[A-Za-z0-9+/=\\n]|\\PC){0,60}") {
        let _ = Certificate::from_pem_bundle(&text);
        let _ = CertificateRequest::from_pem(&text);
    }
}

#[test]
fn every_single_byte_change_is_noticed() {
    let (authority, der) = certificate();
    let key = authority.signer.public_key();
    for at in 0..der.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = der.clone();
            changed[at] ^= flip;
            read_everything(&changed);
            let is_accepted =
                Certificate::from_der(&changed).is_ok_and(|read| read.verify_issued(&key).is_ok());
            assert!(!is_accepted, "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let (_, der) = certificate();
    for length in 0..der.len() {
        assert!(Certificate::from_der(&der[..length]).is_err());
    }
    assert!(Certificate::from_der(&[der.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn lengths_that_are_not_der_are_refused() {
    for bytes in [
        &[0x30, 0x80, 0, 0][..],
        &[0x30, 0x81, 0x00],
        &[0x30, 0x81, 0x7f],
        &[0x30, 0x82, 0x00, 0xff],
        &[0x30, 0x84, 0, 0, 0, 0],
        &[0x30, 0xff],
        &[0x1f, 0x81, 0x01, 0x00],
    ] {
        assert!(DistinguishedName::from_der(bytes).is_err(), "{bytes:x?}");
    }
}

#[test]
fn an_identity_of_an_unknown_version_or_field_is_refused() {
    let json = serde_json::to_value(identity()).unwrap();
    let mut unknown_version = json.clone();
    unknown_version["version"] = 2.into();
    let mut unknown_field = json.clone();
    unknown_field["admin"] = true.into();
    let mut unknown_kind = json.clone();
    unknown_kind["kind"] = "root".into();
    // A pin that is no address is not the same as none.
    let pins = ["", "192.0.2.7/32", "192.0.2.256", "here"].map(|pin| {
        let mut unknown_pin = json.clone();
        unknown_pin["pinned_to"] = pin.into();
        unknown_pin
    });
    assert!(serde_json::from_value::<x509::Identity>(json).is_ok());
    for bad in [unknown_version, unknown_field, unknown_kind]
        .into_iter()
        .chain(pins)
    {
        assert!(serde_json::from_value::<x509::Identity>(bad).is_err());
    }
}

#[test]
fn names_with_a_second_meaning_are_not_well_formed() {
    let dns = |text: &str| SubjectAltName::Dns(text.to_owned());
    for bad in [
        "",
        "*.example.com",
        "a_b.example",
        "-a.example",
        "a..b",
        "192.0.2.1",
        "a b",
        "a,b",
        "a\n",
    ] {
        assert!(!dns(bad).is_well_formed(), "{bad:?}");
    }
    assert!(dns("web-1.example.com").is_well_formed() && dns("localhost").is_well_formed());
    for bad in [
        "",
        "example.com/x",
        "spiffe://",
        "spiffe:///x",
        "http://a b",
        "http://a\n",
        "1http://a",
        "http://ä",
    ] {
        assert!(SubjectAltName::uri(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "a", "@b", "a@", "a b@c", "a@b_c", "a..b@c", "ä@b", "a@b@c d"] {
        assert!(SubjectAltName::email(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "a".repeat(65).as_str(), "a\0b", "a\u{7}"] {
        assert!(
            DistinguishedName::new([(NameAttribute::CommonName, bad)]).is_err(),
            "{bad:?}"
        );
    }
    assert!(DistinguishedName::new([(NameAttribute::SerialNumber, "a*")]).is_err());
}
