use std::collections::BTreeMap;
use std::net::IpAddr;

use key::KeyAlgorithm;
use key::PublicKey;
use names::Principal;
use names::UnixSeconds;
use proptest::prelude::*;
use ssh_cert::BuildError;
use ssh_cert::CertificatePlan;
use ssh_cert::CertificateType;
use ssh_cert::CriticalOptions;
use ssh_cert::Expected;
use ssh_cert::ExtensionName;
use ssh_cert::Extensions;
use ssh_cert::ForceCommand;
use ssh_cert::Network;
use ssh_cert::NotAccepted;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;
use ssh_cert::TbsCertificate;

use super::NOW;
use super::sign;
use super::signer::Signer;
use super::user_plan;

fn subject() -> SubjectKey {
    SubjectKey::from_public_key(&PublicKey::from_ed25519(&[4; 32]).unwrap()).unwrap()
}

fn network() -> impl Strategy<Value = Network> {
    prop_oneof![
        (any::<u32>(), 0_u32..=32).prop_map(|(address, length)| {
            let masked = u64::from(address) >> (32 - length) << (32 - length);
            let address = std::net::Ipv4Addr::from_bits(u32::try_from(masked).unwrap());
            Network::parse(&format!("{address}/{length}")).unwrap()
        }),
        any::<std::net::Ipv6Addr>()
            .prop_filter("not mapped", |address| address.to_ipv4_mapped().is_none())
            .prop_map(|address| Network::parse(&address.to_string()).unwrap()),
    ]
}

prop_compose! {
    fn plan()(
        nonce in any::<[u8; 32]>(),
        serial in any::<u64>(),
        is_host in any::<bool>(),
        key_id in "\\PC{1,60}",
        principals in prop::collection::vec("[a-z0-9@.:_-]{1,60}", 1..40),
        valid_after in 0..i64::MAX,
        valid_before in 0..i64::MAX,
        command in prop::option::of("[!-~][ -~]{0,60}"),
        source_addresses in prop::collection::vec(network(), 0..10),
        verify_required in any::<bool>(),
        permits in prop::sample::subsequence(Permit::ALL.to_vec(), 0..=5),
        custom in prop::collection::btree_map("[!-+--?A-~]{1,20}@[a-z.]{1,20}", "\\PC{1,40}", 0..10),
    ) -> CertificatePlan {
        let custom = custom.into_iter().filter(|(name, _)| name.matches('@').count() == 1);
        CertificatePlan {
            nonce,
            subject_key: subject(),
            serial,
            certificate_type: if is_host { CertificateType::Host } else { CertificateType::User },
            key_id,
            principals: principals.iter().map(|text| Principal::parse(text).unwrap()).collect(),
            valid_after: UnixSeconds(valid_after),
            valid_before: UnixSeconds(valid_before),
            critical_options: CriticalOptions {
                force_command: command.map(|text| ForceCommand::parse(&text).unwrap()),
                source_addresses,
                verify_required,
            },
            extensions: Extensions {
                permits: permits.into_iter().collect(),
                custom: custom
                    .map(|(name, value)| (ExtensionName::parse(&name).unwrap(), value))
                    .collect::<BTreeMap<_, _>>(),
            },
            scheme: key::SignatureScheme::Ed25519,
            signing_key: PublicKey::from_ed25519(&[5; 32]).unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_planned_is_read_back(plan in plan()) {
        let tbs = plan.to_be_signed().unwrap();
        let read = TbsCertificate::parse(&tbs).unwrap();
        prop_assert_eq!(read.nonce, plan.nonce.as_slice());
        prop_assert_eq!(read.algorithm, plan.subject_key.algorithm());
        prop_assert_eq!(read.subject_key_fields, plan.subject_key.fields());
        prop_assert_eq!(read.serial, plan.serial);
        prop_assert_eq!(read.certificate_type, plan.certificate_type);
        prop_assert_eq!(read.key_id, plan.key_id);
        let principals: Vec<&str> = plan.principals.iter().map(Principal::as_str).collect();
        prop_assert_eq!(read.principals, principals);
        prop_assert_eq!(read.valid_after, plan.valid_after.as_u64());
        prop_assert_eq!(read.valid_before, plan.valid_before.as_u64());
        prop_assert_eq!(read.critical_options, plan.critical_options);
        prop_assert_eq!(read.extensions, plan.extensions);
        prop_assert_eq!(read.signing_key, ssh_cert::public_key_blob(&plan.signing_key).unwrap());
    }

    #[test]
    fn networks_contain_what_a_slow_model_says(network in network(), address in any::<IpAddr>()) {
        let text = network.to_string();
        let (base, length) = text.split_once('/').unwrap();
        let bits = |address: IpAddr| -> String {
            let octets = match address.to_canonical() {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            octets.iter().map(|octet| format!("{octet:08b}")).collect()
        };
        let base = bits(base.parse().unwrap());
        let other = bits(address);
        let length: usize = length.parse().unwrap();
        let is_same_family = base.len() == other.len();
        prop_assert_eq!(network.contains(address), is_same_family && base[..length] == other[..length]);
        prop_assert_eq!(Network::parse(&text).unwrap(), network);
    }
}

#[test]
fn a_certificate_is_accepted_only_where_it_is_good() {
    let signer = Signer::generate(KeyAlgorithm::EcdsaP256);
    let authorities = [
        Signer::generate(KeyAlgorithm::Ed25519).public_key(),
        signer.public_key(),
    ];
    let certificate = sign(&signer, &user_plan(subject(), signer.public_key()));
    let good = Expected {
        authorities: &authorities,
        certificate_type: CertificateType::User,
        principal: "root",
        now: UnixSeconds(NOW),
        source: Some("192.0.2.9".parse().unwrap()),
    };
    assert_eq!(certificate.check(&good), Ok(()));
    let mapped = Some("::ffff:192.0.2.9".parse().unwrap());
    assert_eq!(
        certificate.check(&Expected {
            source: mapped,
            ..good
        }),
        Ok(())
    );
    let user = CertificateType::User;
    for (expected, reason) in [
        (
            Expected {
                authorities: &authorities[..1],
                ..good
            },
            NotAccepted::Authority,
        ),
        (
            Expected {
                authorities: &[],
                ..good
            },
            NotAccepted::Authority,
        ),
        (
            Expected {
                certificate_type: CertificateType::Host,
                ..good
            },
            NotAccepted::Type(user),
        ),
        (
            Expected {
                now: UnixSeconds(NOW - 61),
                ..good
            },
            NotAccepted::NotYet,
        ),
        (
            Expected {
                now: UnixSeconds(NOW + 3_600),
                ..good
            },
            NotAccepted::Expired,
        ),
        (
            Expected {
                principal: "toor",
                ..good
            },
            NotAccepted::Principal,
        ),
        (
            Expected {
                principal: "",
                ..good
            },
            NotAccepted::Principal,
        ),
        (
            Expected {
                source: Some("198.51.100.1".parse().unwrap()),
                ..good
            },
            NotAccepted::SourceAddress,
        ),
        (Expected { source: None, ..good }, NotAccepted::SourceAddress),
    ] {
        assert_eq!(certificate.check(&expected), Err(reason));
    }
}

#[test]
fn plans_that_would_mean_too_much_are_not_written() {
    let key = Signer::generate(KeyAlgorithm::Ed25519).public_key();
    let good = user_plan(subject(), key);
    assert!(good.to_be_signed().is_ok());
    let principal = good.principals[0].clone();
    let longer = vec![principal; 257];
    let other_scheme = key::SignatureScheme::EcdsaP256Sha256;
    for bad in [
        CertificatePlan {
            principals: Vec::new(),
            ..good.clone()
        },
        CertificatePlan {
            principals: longer,
            ..good.clone()
        },
        CertificatePlan {
            key_id: String::new(),
            ..good.clone()
        },
        CertificatePlan {
            key_id: "a\nb".to_owned(),
            ..good.clone()
        },
        CertificatePlan {
            scheme: other_scheme,
            ..good.clone()
        },
    ] {
        assert!(
            matches!(bad.to_be_signed(), Err(BuildError::Unencodable { .. })),
            "{bad:?}"
        );
    }
}

#[test]
fn trust_lines_read_as_openssh_writes_them() {
    let key = PublicKey::from_ed25519(&[7; 32]).unwrap();
    let base64 = "AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    assert_eq!(
        ssh_cert::public_key_line(&key, "a\nb").unwrap(),
        format!("ssh-ed25519 {base64} a b")
    );
    let root = Principal::parse("root").unwrap();
    let line = ssh_cert::cert_authority_line(&key, &[root.clone(), root], "ca").unwrap();
    assert_eq!(
        line,
        format!("cert-authority,principals=\"root,root\" ssh-ed25519 {base64} ca")
    );
    let line = ssh_cert::known_hosts_line(&key, &["*.example.com"], "").unwrap();
    assert_eq!(
        line,
        format!("@cert-authority *.example.com ssh-ed25519 {base64}")
    );
    for bad in [&[][..], &[""], &["a b"], &["a,b"], &["a\nb"]] {
        assert!(ssh_cert::known_hosts_line(&key, bad, "").is_err());
    }
}
