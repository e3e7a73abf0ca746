use std::collections::BTreeMap;
use std::net::IpAddr;

use key::KeyAlgorithm;
use key::PublicKey;
use names::ClusterName;
use names::Principal;
use names::Serial;
use names::UnixSeconds;
use proptest::prelude::*;
use x509::DistinguishedName;
use x509::ExtendedKeyUsage;
use x509::Identity;
use x509::IdentityKind;
use x509::IdentityVersion;
use x509::Issuer;
use x509::KeyUsage;
use x509::LeafPlan;
use x509::NameAttribute;
use x509::SubjectAltName;
use x509::TbsCertificate;

use super::NOW;
use super::authority;
use super::ca_plan;
use super::sign_leaf;
use super::signer::Signer;

pub(crate) fn identity() -> Identity {
    Identity {
        version: IdentityVersion::V1,
        kind: IdentityKind::User,
        cluster: ClusterName::parse("prod.example.com").unwrap(),
        name: Principal::parse("alice").unwrap(),
        roles: vec![
            Principal::parse("access").unwrap(),
            Principal::parse("editor").unwrap(),
        ],
        principals: vec![Principal::parse("root").unwrap()],
        traits: BTreeMap::from([("team".to_owned(), vec!["infra".to_owned()])]),
        mfa_device: Some("0b5c".to_owned()),
        pinned_to: Some([192, 0, 2, 7].into()),
    }
}

fn issuer() -> Issuer {
    let public_key = PublicKey::from_ed25519(&[9; 32]).unwrap();
    Issuer {
        name: ca_plan(&public_key, 0, 1).subject,
        key_identifier: public_key.key_identifier().unwrap(),
        scheme: public_key.algorithm().default_scheme(),
        public_key,
        not_before: UnixSeconds(0),
        not_after: UnixSeconds(i64::MAX),
    }
}

fn alt_name() -> impl Strategy<Value = SubjectAltName> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,20}[a-z0-9](\\.[a-z]{2,10}){0,3}".prop_map(SubjectAltName::Dns),
        any::<IpAddr>().prop_map(SubjectAltName::Ip),
        "[a-z]{2,8}://[a-z.]{1,20}/[a-z0-9/]{0,200}".prop_map(SubjectAltName::Uri),
        "[a-z.]{1,20}@[a-z]{1,20}".prop_map(SubjectAltName::Email),
        "\\PC{1,40}@[a-z]{1,20}".prop_map(SubjectAltName::UserPrincipal),
    ]
}

prop_compose! {
    fn leaf()(
        random in any::<[u8; 16]>(),
        not_before in 0_i64..253_402_300_799,
        not_after in 0_i64..253_402_300_799,
        names in prop::collection::vec(("[\\PC]{1,64}", 0_usize..3), 0..4),
        key in any::<[u8; 32]>(),
        usage in prop::sample::subsequence(vec![
            KeyUsage::DIGITAL_SIGNATURE, KeyUsage::KEY_ENCIPHERMENT, KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN,
        ], 0..=4),
        extended in prop::sample::subsequence(vec![
            ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::SmartcardLogon,
        ], 0..=3),
        alt_names in prop::collection::vec(alt_name(), 0..12),
        crl_urls in prop::collection::vec("http://[a-z]{1,100}/", 0..3),
        has_identity in any::<bool>(),
        role_count in 0_usize..200,
    ) -> LeafPlan {
        let kinds = [NameAttribute::CommonName, NameAttribute::Organization, NameAttribute::OrganizationalUnit];
        let subject = DistinguishedName::new(names.iter().map(|(text, kind)| (kinds[*kind], text.as_str()))).unwrap();
        let mut plan = LeafPlan::under(&issuer(), subject, PublicKey::from_ed25519(&key).unwrap(), Serial::from_random(random));
        plan.not_before = UnixSeconds(not_before);
        plan.not_after = UnixSeconds(not_after);
        plan.key_usage = usage.into_iter().fold(KeyUsage::NONE, KeyUsage::union);
        plan.extended_key_usage = extended;
        plan.alt_names = alt_names;
        plan.crl_urls = crl_urls;
        plan.identity = has_identity.then(|| {
            let roles = (0..role_count).map(|number| Principal::parse(&format!("role-{number}")).unwrap());
            Identity { roles: roles.collect(), ..identity() }
        });
        plan
    }
}

proptest! {
    #[test]
    fn what_is_planned_is_read_back(plan in leaf()) {
        let tbs = plan.to_be_signed().unwrap();
        let read = TbsCertificate::parse(&tbs).unwrap();
        prop_assert_eq!(read.version, 2);
        prop_assert_eq!(read.serial, plan.serial.as_bytes().as_slice());
        prop_assert_eq!(read.issuer, plan.issuer.der());
        prop_assert_eq!(read.subject, plan.subject.der());
        prop_assert_eq!(read.not_before.moment, plan.not_before);
        prop_assert_eq!(read.not_after.moment, plan.not_after);
        prop_assert!(read.not_before.is_rightly_typed() && read.not_after.is_rightly_typed());
        prop_assert_eq!(read.subject_public_key, plan.subject_key.spki_der());
        prop_assert_eq!(read.basic_constraints().unwrap().map(|found| (found.is_ca, found.path_length)), Some((false, None)));
        prop_assert_eq!(read.key_usage().unwrap(), Some((plan.key_usage, true)));
        prop_assert_eq!(read.extended_key_usage().unwrap().unwrap_or_default().known, plan.extended_key_usage);
        prop_assert_eq!(read.alt_names().unwrap().0, plan.alt_names);
        prop_assert_eq!(read.authority_key_identifier().unwrap(), Some(plan.authority_key_identifier.as_slice()));
        let own = plan.subject_key.key_identifier().unwrap();
        prop_assert_eq!(read.subject_key_identifier().unwrap(), Some(own.as_slice()));
        prop_assert_eq!(read.identity().unwrap(), plan.identity);
        prop_assert_eq!(read.crl_urls().unwrap(), plan.crl_urls);

        use der::{Decode, Encode};
        let foreign = x509_cert::TbsCertificate::from_der(&tbs).unwrap();
        prop_assert_eq!(foreign.to_der().unwrap(), tbs);
        prop_assert_eq!(foreign.validity().not_after.to_unix_duration().as_secs(), plan.not_after.as_u64());
    }
}

#[test]
fn a_certificate_says_what_was_planned() {
    let authority = authority(KeyAlgorithm::EcdsaP384, NOW, NOW + 1_000);
    assert!(authority.certificate.is_ca());
    assert_eq!(authority.certificate.path_length(), Some(0));
    assert_eq!(authority.certificate.issuer(), authority.certificate.subject());
    let subject = DistinguishedName::new([
        (NameAttribute::CommonName, "a,b"),
        (NameAttribute::Organization, "x"),
    ])
    .unwrap();
    let key = Signer::generate(KeyAlgorithm::EcdsaP256).public_key();
    let mut plan = LeafPlan::under(
        &authority.issuer,
        subject,
        key.clone(),
        Serial::from_random([0xaa; 16]),
    );
    plan.identity = Some(identity());
    plan.not_after = UnixSeconds(NOW);
    let certificate = sign_leaf(&authority, &plan);
    assert_eq!(certificate.serial(), Some(plan.serial));
    assert_eq!(certificate.public_key(), &key);
    assert_eq!(certificate.identity(), plan.identity.as_ref());
    assert_eq!(certificate.subject().to_string(), "O=x,CN=a\\,b");
    assert_eq!(
        certificate.authority_key_identifier(),
        authority.certificate.subject_key_identifier()
    );
    assert_eq!(certificate.signature_scheme(), Ok(plan.scheme));
    assert!(!certificate.is_ca() && !certificate.has_unknown_critical());
    assert!(certificate.is_valid_at(UnixSeconds(NOW)) && !certificate.is_valid_at(UnixSeconds(NOW + 1)));
    assert!(Issuer::from_certificate(&certificate).is_err());
    assert!(certificate.verify_issued(&key).is_err());
    let bundle = format!(
        "noise\n{}noise\r\n{}",
        certificate.to_pem(),
        authority.certificate.to_pem().replace('\n', "\r\n")
    );
    assert_eq!(
        x509::Certificate::from_pem_bundle(&bundle).unwrap(),
        [certificate, authority.certificate]
    );
    assert!(x509::Certificate::from_pem(&bundle).is_err());
}

#[test]
fn a_signature_of_another_scheme_is_not_joined() {
    let authority = authority(KeyAlgorithm::EcdsaP256, NOW, NOW + 1_000);
    let signature = authority.signer.sign(authority.issuer.scheme, b"x");
    let refused = x509::assemble(b"x", key::SignatureScheme::Ed25519, &signature);
    assert!(matches!(refused, Err(x509::BuildError::WrongScheme { .. })));
}
