use std::collections::BTreeMap;

use names::Principal;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CustomExtension;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use x509::Identity;
use x509::IdentityVersion;

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// An authority of the test, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    fn sign(&self, identity: Option<&Identity>) -> Certificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let moment = |seconds: i64| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs());
            time.into()
        };
        params.not_before = moment(NOW.0 - 100);
        params.not_after = moment(NOW.0 + 100);
        if let Some(identity) = identity {
            let json = serde_json::to_vec(identity).unwrap();
            let mut content = vec![0x0c];
            match u8::try_from(json.len()) {
                Ok(short) if short < 128 => content.push(short),
                _ => {
                    content.push(0x82);
                    content.extend(u16::try_from(json.len()).unwrap().to_be_bytes());
                }
            }
            content.extend(json);
            let oid: Vec<u64> = x509::oid::SIGNET_IDENTITY.arcs().map(u64::from).collect();
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(&oid, content));
        }
        let key = KeyPair::generate().unwrap();
        Certificate::from_der(params.signed_by(&key, &self.issuer).unwrap().der()).unwrap()
    }
}

fn name(text: &str) -> Principal {
    Principal::parse(text).unwrap()
}

fn cluster() -> ClusterName {
    ClusterName::parse("example.com").unwrap()
}

fn identity(kind: IdentityKind, roles: &[&str]) -> Identity {
    Identity {
        version: IdentityVersion::V1,
        kind,
        cluster: cluster(),
        name: name("ana"),
        roles: roles.iter().map(|role| name(role)).collect(),
        principals: Vec::new(),
        traits: BTreeMap::new(),
        mfa_device: None,
        pinned_to: None,
    }
}

fn peer(trust: &ClientTrust, certificate: Certificate) -> Peer {
    let issuer = trust.issuer_of(&certificate).unwrap();
    Peer::Certificate {
        certificate: Arc::new(certificate),
        issuer,
        remote: SocketAddr::from(([192, 0, 2, 1], 9)),
    }
}

fn recognise(peer: &Peer, trust: &ClientTrust, now: UnixSeconds) -> Result<Caller, Stranger> {
    Caller::recognise(peer, &cluster(), trust, now)
}

#[test]
fn a_valid_certificate_names_user_and_known_roles() {
    let authority = Authority::new();
    let trust = ClientTrust::of(&[&authority.certificate], &[]);
    let identity = identity(IdentityKind::User, &["access", "editor", "no-such-role"]);
    let caller = recognise(&peer(&trust, authority.sign(Some(&identity))), &trust, NOW).unwrap();
    let Caller::Identity { user, roles, .. } = &caller else {
        panic!("{caller:?}")
    };
    assert_eq!(
        (user.as_str(), roles.as_slice()),
        ("ana", [Role::Editor].as_slice())
    );
    assert!(!caller.is_local());
    assert_eq!(
        caller.actor(),
        Actor::Identity {
            user: "ana".into(),
            remote: "192.0.2.1:9".into()
        }
    );
}

#[test]
fn a_long_connection_ends_with_its_certificate_or_its_trust() {
    let authority = Authority::new();
    let trust = ClientTrust::of(&[&authority.certificate], &[]);
    let certificate = authority.sign(Some(&identity(IdentityKind::User, &[])));
    let serial = hex::encode(certificate.serial_octets());
    let peer = peer(&trust, certificate);
    assert!(recognise(&peer, &trust, NOW).is_ok());
    for now in [UnixSeconds(NOW.0 - 101), UnixSeconds(NOW.0 + 101)] {
        assert!(matches!(
            recognise(&peer, &trust, now),
            Err(Stranger::NotValidNow { .. })
        ));
    }
    let others = ClientTrust::of(&[&Authority::new().certificate], &[]);
    assert_eq!(recognise(&peer, &others, NOW), Err(Stranger::NotTrusted));
    let revoked = ClientTrust::of(&[&authority.certificate], &[&serial]);
    assert_eq!(recognise(&peer, &revoked, NOW), Err(Stranger::Revoked));
}

#[test]
fn a_certificate_of_a_stranger_has_no_issuer_here() {
    let trust = ClientTrust::of(&[&Authority::new().certificate], &[]);
    assert_eq!(trust.issuer_of(&Authority::new().sign(None)), None);
}

#[test]
fn only_people_bots_and_operators_of_this_cluster_are_let_in() {
    let authority = Authority::new();
    let trust = ClientTrust::of(&[&authority.certificate], &[]);
    let meet = |identity: Option<&Identity>| recognise(&peer(&trust, authority.sign(identity)), &trust, NOW);
    for kind in [IdentityKind::User, IdentityKind::Bot, IdentityKind::Operator] {
        assert!(meet(Some(&identity(kind, &["editor"]))).is_ok(), "{kind:?}");
    }
    // A host's name under the user authority is nobody's.
    let host = identity(IdentityKind::Host, &["editor"]);
    assert_eq!(meet(Some(&host)), Err(Stranger::NotTrusted));
    for kind in [
        IdentityKind::DatabaseClient,
        IdentityKind::DatabaseServer,
        IdentityKind::Workload,
    ] {
        assert_eq!(
            meet(Some(&identity(kind, &["editor"]))),
            Err(Stranger::WrongKind(kind))
        );
    }
    assert_eq!(meet(None), Err(Stranger::NoIdentity));
    let elsewhere = Identity {
        cluster: ClusterName::parse("example.org").unwrap(),
        ..identity(IdentityKind::User, &["editor"])
    };
    assert!(matches!(meet(Some(&elsewhere)), Err(Stranger::OtherCluster(_))));
}

#[test]
fn a_pinned_certificate_is_good_from_its_address_alone() {
    let authority = Authority::new();
    let trust = ClientTrust::of(&[&authority.certificate], &[]);
    let meet = |pin: &str, from: &str| {
        let pinned = Identity {
            pinned_to: Some(pin.parse().unwrap()),
            ..identity(IdentityKind::User, &["editor"])
        };
        let Peer::Certificate {
            certificate, issuer, ..
        } = peer(&trust, authority.sign(Some(&pinned)))
        else {
            panic!("it is a certificate");
        };
        let from = Peer::Certificate {
            certificate,
            issuer,
            remote: SocketAddr::new(from.parse().unwrap(), 9),
        };
        recognise(&from, &trust, NOW)
    };
    for (pin, from) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
    ] {
        assert!(meet(pin, from).is_ok(), "{pin} {from}");
    }
    for (pin, from) in [
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.2"),
        ("192.0.2.1", "::192.0.2.1"),
        ("2001:db8::1", "2001:db8::2"),
        ("2001:db8::1", "192.0.2.1"),
    ] {
        let refused = meet(pin, from).unwrap_err();
        assert_eq!(refused.kind(), "other_address", "{pin} {from}");
        let words = refused.to_string();
        assert!(words.contains(pin) && words.contains("`signet login`"), "{words}");
    }
}

#[test]
fn a_host_has_no_right_of_a_person_and_a_person_none_by_the_host_authority() {
    let authority = Authority::new();
    let trust = ClientTrust::of_authority(AuthorityType::Host, &[&authority.certificate], &[]);
    let meet = |kind, roles: &[&str]| {
        recognise(
            &peer(&trust, authority.sign(Some(&identity(kind, roles)))),
            &trust,
            NOW,
        )
    };
    let host = meet(IdentityKind::Host, &["node", "editor"]).unwrap();
    assert!(matches!(&host, Caller::Host { .. }));
    for (permission, _) in crate::permission::TABLE {
        assert!(!crate::permission::permits(&host, permission), "{permission}");
    }
    for kind in [IdentityKind::User, IdentityKind::Bot, IdentityKind::Operator] {
        assert_eq!(meet(kind, &["editor"]), Err(Stranger::NotTrusted), "{kind:?}");
    }
}

#[test]
fn whoever_comes_by_the_socket_is_named_as_the_kernel_says() {
    let peer = Peer::Local {
        uid: 0,
        user: "root".into(),
    };
    let caller = recognise(&peer, &ClientTrust::default(), NOW).unwrap();
    assert!(caller.is_local());
    assert_eq!(
        caller.actor(),
        Actor::Local {
            user: "root".into(),
            uid: 0
        }
    );
}
