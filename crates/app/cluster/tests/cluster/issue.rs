//! Issuance: what is recorded, who signs in which phase, what is refused.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use audit::Actor;
use authority::AuthorityType;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;
use cluster::Cluster;
use cluster::ClusterError;
use cluster::ExportKind;
use cluster::ExportStatus;
use cluster::IssueSsh;
use cluster::IssueToken;
use cluster::IssueX509;
use cluster::Refusal;
use cluster::RotateRequest;
use cluster::Step;
use key::PublicKey;
use names::HostName;
use names::Ttl;
use names::UserName;
use profile::SshProfile;
use profile::SshRequest;
use profile::TokenProfile;
use profile::TokenRequest;
use profile::X509Request;
use rotation::Phase;
use ssh_cert::CriticalOptions;
use ssh_cert::SubjectKey;

use crate::support::World;
use crate::watching::Moody;

fn subject() -> PublicKey {
    let pair = lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    PublicKey::from_ec_point(pair.public_key().as_ref()).unwrap()
}

fn alice(subject_key: PublicKey) -> IssueX509 {
    let user = UserName::parse("alice").unwrap();
    let request = X509Request::User {
        user,
        roles: Vec::new(),
        logins: Vec::new(),
        traits: BTreeMap::new(),
        mfa_device: None,
        pinned_to: None,
    };
    IssueX509 {
        request,
        subject_key,
        ttl: None,
        allowed_by: "test".into(),
    }
}

fn database() -> IssueX509 {
    let names = vec![HostName::parse("db.example.com").unwrap()];
    let request = X509Request::DatabaseServer {
        names,
        common_name: None,
        organization: None,
    };
    IssueX509 {
        request,
        subject_key: subject(),
        ttl: None,
        allowed_by: "test".into(),
    }
}

async fn to(cluster: &Cluster, authority: AuthorityType, phase: Phase) {
    let request = RotateRequest::new(authority, Step::To(phase));
    cluster.rotate(&Actor::System, &request).await.unwrap();
}

#[tokio::test]
async fn i3_in_every_phase_the_signer_is_among_what_is_exported() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let kind = ExportKind::parse("tls-user").unwrap();
    let check = async || {
        let credential = cluster
            .issue_x509(&Actor::System, &alice(subject()))
            .await
            .unwrap();
        let certificate = x509::Certificate::from_der(&credential.document).unwrap();
        let files = cluster.export(kind, ExportStatus::All, None).unwrap();
        let bundle = String::from_utf8(files[0].content.clone()).unwrap();
        let authorities = x509::Certificate::from_pem_bundle(&bundle).unwrap();
        let issuer = authorities
            .iter()
            .find(|authority| authority.subject() == certificate.issuer())
            .unwrap();
        certificate.verify_issued(issuer.public_key()).unwrap();
    };
    check().await;
    for phase in [
        Phase::Init,
        Phase::UpdateClients,
        Phase::UpdateServers,
        Phase::Rollback,
        Phase::Standby,
    ] {
        to(&cluster, AuthorityType::User, phase).await;
        check().await;
    }
}

#[tokio::test]
async fn database_certificates_are_signed_by_the_incoming_keys_from_init_on() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    assert_eq!(
        cluster
            .issue_x509(&Actor::System, &database())
            .await
            .unwrap()
            .generation
            .number(),
        1
    );
    to(&cluster, AuthorityType::Db, Phase::Init).await;
    assert_eq!(
        cluster
            .issue_x509(&Actor::System, &database())
            .await
            .unwrap()
            .generation
            .number(),
        2
    );
    to(&cluster, AuthorityType::DbClient, Phase::Init).await;
    let client = X509Request::DatabaseClient {
        user: UserName::parse("alice").unwrap(),
    };
    let client = IssueX509 {
        request: client,
        ..database()
    };
    assert_eq!(
        cluster
            .issue_x509(&Actor::System, &client)
            .await
            .unwrap()
            .generation
            .number(),
        1
    );
}

#[tokio::test]
async fn i7_what_cannot_be_recorded_is_not_signed() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    world.memory_ledger.fail_writes(true);
    let refused = cluster.issue_x509(&Actor::System, &alice(subject())).await;
    assert!(matches!(refused, Err(ClusterError::Ledger(_))));
}

fn alice_by_ssh() -> IssueSsh {
    IssueSsh {
        request: SshRequest::User {
            profile: SshProfile::User,
            user: UserName::parse("alice").unwrap(),
            logins: vec![names::Principal::parse("root").unwrap()],
            roles: Vec::new(),
            critical_options: CriticalOptions::default(),
            facts: Default::default(),
            permits: Vec::new(),
        },
        subject_key: SubjectKey::from_public_key(&subject()).unwrap(),
        ttl: None,
        allowed_by: "test".into(),
    }
}

#[tokio::test]
async fn i7_of_two_that_are_wanted_together_both_leave_or_neither_and_the_log_tells_which() {
    let world = World::with_software().await;
    let (moody, cluster) = Moody::start(&world).await;
    let issue = async |signatures: usize| {
        moody.signatures_left.store(signatures, Ordering::SeqCst);
        let tls = alice(subject());
        cluster
            .issue_ssh_and_x509(&Actor::System, &alice_by_ssh(), &tls)
            .await
    };
    let told = async |kind: &str| {
        let query = ledger::EventQuery {
            kinds: vec![kind.into()],
            ..Default::default()
        };
        let events = world.ledger.events(&query).await.unwrap();
        let of_user = events.iter().filter(|event| event.line.contains("\"alice\""));
        (of_user.count(), events.len())
    };
    let recorded = async || {
        let query = ledger::CertificateQuery {
            authority: Some(AuthorityType::User),
            ..Default::default()
        };
        let all = world.ledger.certificates(&query).await.unwrap();
        let leaves = all
            .into_iter()
            .filter(|certificate| certificate.subject.contains("alice"));
        leaves.collect::<Vec<_>>()
    };
    let (ssh, x509) = issue(2).await.unwrap();
    let kept: Vec<_> = recorded().await.into_iter().map(|kept| kept.serial).collect();
    assert!(kept.contains(&ssh.serial) && kept.contains(&x509.serial) && kept.len() == 2);
    assert_eq!(told("cert.create").await.0, 2);
    // The second cannot be signed: what was signed is recorded, and does not leave.
    assert!(matches!(issue(1).await, Err(ClusterError::Key { .. })));
    assert_eq!(recorded().await.len(), 3);
    assert_eq!(
        (told("cert.create").await.0, told("cert.create_failure").await.1),
        (4, 1)
    );
    // Neither can.
    assert!(matches!(issue(0).await, Err(ClusterError::Key { .. })));
    assert_eq!(recorded().await.len(), 3);
    assert_eq!(
        (told("cert.create").await.0, told("cert.create_failure").await.1),
        (6, 3)
    );
    // Neither can be announced: neither is signed.
    world.memory_ledger.fail_writes(true);
    assert!(matches!(issue(2).await, Err(ClusterError::Ledger(_))));
    assert_eq!(moody.signatures_left.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn i6_more_than_the_profile_grants_is_refused() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let refused = |result: Result<cluster::Credential, ClusterError>| match result {
        Err(ClusterError::Refused(Refusal::Lint { findings })) => findings.join(";"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("issued"),
    };
    for ttl in [Ttl::from_hours(31), Ttl::from_seconds(0)] {
        let long = IssueX509 {
            ttl: Some(ttl),
            ..alice(subject())
        };
        assert!(refused(cluster.issue_x509(&Actor::System, &long).await).contains("ttl"));
    }
    let record = cluster.authority(AuthorityType::User).unwrap().record.clone();
    let own = record
        .trusted()
        .find(|(_, key)| key.certificate.is_some())
        .unwrap()
        .1
        .public_key
        .clone();
    assert!(refused(cluster.issue_x509(&Actor::System, &alice(own)).await).contains("authority's own"));
    let ssh = IssueSsh {
        request: SshRequest::User {
            profile: SshProfile::Host,
            user: UserName::parse("alice").unwrap(),
            logins: Vec::new(),
            roles: Vec::new(),
            critical_options: CriticalOptions::default(),
            facts: Default::default(),
            permits: Vec::new(),
        },
        subject_key: SubjectKey::from_public_key(&subject()).unwrap(),
        ttl: None,
        allowed_by: "test".into(),
    };
    assert!(refused(cluster.issue_ssh(&Actor::System, &ssh).await).contains("ssh.type"));
}

#[tokio::test]
async fn a_revoked_certificate_is_on_its_issuers_list_at_once() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let credential = cluster
        .issue_x509(&Actor::System, &alice(subject()))
        .await
        .unwrap();
    let user = AuthorityType::User;
    cluster
        .revoke(&Actor::System, user, &credential.serial, "keyCompromise")
        .await
        .unwrap();
    let lists = cluster.crls(user).await.unwrap();
    assert_eq!(lists.len(), 1);
    let list = x509::CertificateList::from_der(&lists[0].1.der.0).unwrap();
    assert_eq!(list.revoked().len(), 1);
    assert_eq!(list.revoked()[0].serial.to_string(), credential.serial);
    assert!(
        cluster
            .revoke(&Actor::System, user, "00", "keyCompromise")
            .await
            .is_err()
    );
    assert!(
        cluster
            .revoke(&Actor::System, user, &credential.serial, "whim")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn whoever_would_revoke_an_ssh_certificate_is_told_to_lock_instead() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let issued = cluster.issue_ssh(&Actor::System, &alice_by_ssh()).await.unwrap();
    let revoked = cluster
        .revoke(
            &Actor::System,
            AuthorityType::User,
            &issued.serial,
            "keyCompromise",
        )
        .await;
    let told = revoked.unwrap_err().to_string();
    assert!(told.contains("is of an SSH certificate"), "{told}");
    assert!(told.contains("`signetctl lock --user=alice`"), "{told}");
}

#[tokio::test]
async fn the_first_signature_of_a_key_is_recorded_once() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    for _ in 0..3 {
        cluster
            .issue_x509(&Actor::System, &alice(subject()))
            .await
            .unwrap();
    }
    cluster.write_key_use().await.unwrap();
    drop(cluster);
    let cluster = world.start_immortal().await;
    cluster
        .issue_x509(&Actor::System, &alice(subject()))
        .await
        .unwrap();
    let query = ledger::EventQuery {
        kinds: vec!["authority.key.first_use".into()],
        ..Default::default()
    };
    let events = world.ledger.events(&query).await.unwrap();
    let user_tls = events
        .iter()
        .filter(|event| event.line.contains("\"user\"") && event.line.contains("\"tls\""));
    assert_eq!(user_tls.count(), 1);
}

#[tokio::test]
async fn a_list_names_the_certificates_revoked_now_and_not_as_many_others() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let user = AuthorityType::User;
    let short = IssueX509 {
        ttl: Some(Ttl::from_seconds(10)),
        ..alice(subject())
    };
    let first = cluster.issue_x509(&Actor::System, &short).await.unwrap();
    cluster
        .revoke(&Actor::System, user, &first.serial, "superseded")
        .await
        .unwrap();
    world.clock.advance(Ttl::from_seconds(60));
    let second = cluster
        .issue_x509(&Actor::System, &alice(subject()))
        .await
        .unwrap();
    cluster
        .revoke(&Actor::System, user, &second.serial, "superseded")
        .await
        .unwrap();
    let lists = cluster.crls(user).await.unwrap();
    let list = x509::CertificateList::from_der(&lists[0].1.der.0).unwrap();
    let serials: Vec<String> = list
        .revoked()
        .iter()
        .map(|entry| entry.serial.to_string())
        .collect();
    assert_eq!(serials, [second.serial]);
}

#[tokio::test]
async fn a_user_named_like_the_cluster_can_be_revoked_and_an_authority_cannot() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let user = AuthorityType::User;
    let request = X509Request::User {
        user: UserName::parse(crate::support::NAME).unwrap(),
        roles: Vec::new(),
        logins: Vec::new(),
        traits: BTreeMap::new(),
        mfa_device: None,
        pinned_to: None,
    };
    let named = IssueX509 {
        request,
        ..alice(subject())
    };
    let credential = cluster.issue_x509(&Actor::System, &named).await.unwrap();
    cluster
        .revoke(&Actor::System, user, &credential.serial, "superseded")
        .await
        .unwrap();
    let record = cluster.authority(user).unwrap().record.clone();
    let own = record
        .trusted()
        .find_map(|(_, key)| key.certificate.clone())
        .unwrap();
    let serial = x509::Certificate::from_der(&own.0)
        .unwrap()
        .serial()
        .unwrap()
        .to_string();
    assert!(
        cluster
            .revoke(&Actor::System, user, &serial, "superseded")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn i6_another_trust_domain_or_an_odd_identifier_is_refused() {
    let world = World::with_software().await;
    let cluster = world.start_immortal().await;
    let token = |subject: &str| IssueToken {
        request: TokenRequest {
            profile: TokenProfile::Workload,
            subject: subject.to_owned(),
            audience: vec!["app".into()],
            claims: serde_json::Map::new(),
        },
        ttl: None,
        allowed_by: "test".into(),
    };
    for bad in [
        "spiffe://other.example.org/a",
        "spiffe://test.example.com.evil/a",
        "spiffe://test.example.com/../a",
        "alice",
    ] {
        assert!(
            cluster.issue_token(&Actor::System, &token(bad)).await.is_err(),
            "{bad}"
        );
    }
    cluster
        .issue_token(&Actor::System, &token("spiffe://test.example.com/ns/a"))
        .await
        .unwrap();
    let windows = |sid: &str| IssueX509 {
        request: X509Request::Windows {
            user: UserName::parse("alice").unwrap(),
            domain: HostName::parse("corp.example.com").unwrap(),
            sid: Some(sid.to_owned()),
        },
        ..alice(subject())
    };
    for bad in [
        "",
        "not a sid, (anything)",
        "S-1-",
        "S-1-5",
        "S-1-5-x",
        "S-2-5-21",
    ] {
        assert!(
            cluster.issue_x509(&Actor::System, &windows(bad)).await.is_err(),
            "{bad}"
        );
    }
    cluster
        .issue_x509(&Actor::System, &windows("S-1-5-21-1-2-3-500"))
        .await
        .unwrap();
}
