use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use identity::CertificateKeys;
use identity::Factor;
use identity::Granted;
use identity::Refusal;
use identity::UserCertificates;
use identity::Wanted;
use key::PublicKey;
use names::Ttl;
use serde_json::json;
use ssh_cert::ExtensionName;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;

use crate::world::Home;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::home;
use crate::world::refusal;

fn public_key() -> PublicKey {
    let pair = Ed25519KeyPair::generate().unwrap();
    PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap()
}

fn keys(ttl: Option<Ttl>) -> Wanted {
    Wanted::Certificates(Box::new(CertificateKeys {
        ssh: SubjectKey::from_public_key(&public_key()).unwrap(),
        tls: public_key(),
        ttl,
    }))
}

async fn certificates(world: &World, alice: &Home, ttl: Option<Ttl>) -> UserCertificates {
    world.pass(30);
    let factor = Factor::Totp(world.code(&alice.seed));
    let logged_in = world.login("alice", PASSWORD, factor, home(), keys(ttl)).await;
    match logged_in.unwrap().granted {
        Granted::Certificates(certificates) => *certificates,
        Granted::WebSession(_) => panic!("a session"),
    }
}

fn role(options: serde_json::Value) -> serde_json::Value {
    json!({
        "kind": "role", "version": "v1", "metadata": { "name": "developer" },
        "spec": {
            "options": options,
            "allow": { "logins": ["root", "{{internal.logins}}"], "node_labels": { "env": ["dev"] } },
        },
    })
}

#[tokio::test]
async fn certificates_carry_what_the_roles_grant() {
    let (world, alice) = World::with_alice().await;
    world
        .put(role(json!({
            "forward_agent": true, "port_forwarding": false, "permit_x11_forwarding": false,
            "cert_extensions": [
                { "type": "ssh", "mode": "extension", "name": "team@example.com", "value": "blue" },
            ],
        })))
        .await;
    let issued = certificates(&world, &alice, None).await;
    let ssh = ssh_cert::Certificate::from_blob(&issued.ssh.document).unwrap();
    assert_eq!(ssh.key_id(), "alice");
    let principals: Vec<String> = ssh.principals().iter().map(ToString::to_string).collect();
    assert_eq!(principals, ["alice", "root"]);
    let extensions = ssh.extensions();
    assert!(extensions.permits.contains(&Permit::Pty));
    assert!(extensions.permits.contains(&Permit::AgentForwarding));
    assert!(!extensions.permits.contains(&Permit::PortForwarding));
    assert!(!extensions.permits.contains(&Permit::X11Forwarding));
    let said = |name: &str| {
        extensions
            .custom
            .get(&ExtensionName::parse(name).unwrap())
            .cloned()
    };
    assert_eq!(said("roles@signet.dev").unwrap(), "developer");
    assert_eq!(said("traits@signet.dev").unwrap(), r#"{"logins":["alice"]}"#);
    assert_eq!(said("login-ip@signet.dev").unwrap(), "192.0.2.1");
    assert_eq!(said("team@example.com").unwrap(), "blue");
    let device = said("mfa-verified@signet.dev").unwrap();
    assert_eq!(world.events("user.login").last().unwrap()["device"], device);
    assert!(ssh.critical_options().is_empty());
    let tls = x509::Certificate::from_der(&issued.tls.document).unwrap();
    let identity = tls.identity().unwrap();
    assert_eq!(identity.name.as_str(), "alice");
    assert_eq!(identity.roles[0].as_str(), "developer");
    assert_eq!(identity.traits["logins"], ["alice"]);
    let created = world.events("cert.create");
    assert_eq!(created.last().unwrap()["user"], "alice");
    assert_eq!(created.last().unwrap()["allowed_by"], "roles developer");
}

#[tokio::test]
async fn certificates_last_as_long_as_asked_and_no_longer_than_roles_allow() {
    let (world, alice) = World::with_alice().await;
    let hours = |certificates: &UserCertificates, world: &World| {
        assert_eq!(certificates.ssh.not_after, certificates.tls.not_after);
        (certificates.ssh.not_after.0 - world.now().0) / 3_600
    };
    assert_eq!(hours(&certificates(&world, &alice, None).await, &world), 12);
    let two = Some(Ttl::from_hours(2));
    assert_eq!(hours(&certificates(&world, &alice, two).await, &world), 2);
    let long = Some(Ttl::from_hours(1_000));
    assert_eq!(hours(&certificates(&world, &alice, long).await, &world), 30);
    world.put(role(json!({ "max_session_ttl": "8h" }))).await;
    assert_eq!(hours(&certificates(&world, &alice, None).await, &world), 8);
    assert_eq!(hours(&certificates(&world, &alice, long).await, &world), 8);
    world.pass(30);
    let factor = Factor::Totp(world.code(&alice.seed));
    let short = keys(Some(Ttl::from_seconds(59)));
    let refused = world.login("alice", PASSWORD, factor, home(), short).await;
    assert_eq!(refusal(refused).code(), "malformed");
}

#[tokio::test]
async fn pinned_certificates_are_good_from_one_address() {
    let (world, alice) = World::with_alice().await;
    world.put(role(json!({ "pin_source_ip": true }))).await;
    let issued = certificates(&world, &alice, None).await;
    let ssh = ssh_cert::Certificate::from_blob(&issued.ssh.document).unwrap();
    let networks: Vec<String> = ssh
        .critical_options()
        .source_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["192.0.2.1/32"]);
    // And so is the one that opens the API.
    let pinned_to = |certificates: &UserCertificates| {
        let tls = x509::Certificate::from_der(&certificates.tls.document).unwrap();
        tls.identity().unwrap().pinned_to
    };
    assert_eq!(pinned_to(&issued), Some([192, 0, 2, 1].into()));
    // However the address is written.
    world.pass(30);
    let factor = Factor::Totp(world.code(&alice.seed));
    let mapped = "[::ffff:192.0.2.1]:5000".parse().unwrap();
    let logged_in = world.login("alice", PASSWORD, factor, mapped, keys(None)).await;
    let Granted::Certificates(issued) = logged_in.unwrap().granted else {
        panic!("no certificates");
    };
    assert_eq!(pinned_to(&issued), Some([192, 0, 2, 1].into()));
    world.put(role(json!({}))).await;
    assert_eq!(pinned_to(&certificates(&world, &alice, None).await), None);
}

#[tokio::test]
async fn a_pinned_session_that_shows_up_elsewhere_ends() {
    let (world, alice) = World::with_alice().await;
    world.put(role(json!({ "pin_source_ip": true }))).await;
    let Granted::WebSession(session) = world.login_alice(&alice).await.unwrap().granted else {
        panic!("no session");
    };
    let bearer = session.bearer.expose();
    let mapped = "[::ffff:192.0.2.1]:5000".parse().unwrap();
    for here in [home(), mapped] {
        world.identity.session_from(&bearer, here).await.unwrap();
    }
    let elsewhere = "192.0.2.2:5000".parse().unwrap();
    for from in [elsewhere, home()] {
        let refused = world.identity.session_from(&bearer, from).await;
        assert_eq!(refusal(refused), Refusal::SessionGone);
    }
    let ended = world.events("web_session.delete");
    assert_eq!(ended.len(), 1, "once, however often it is shown");
    assert_eq!(
        (&ended[0]["account"], &ended[0]["reason"]),
        (&json!("alice"), &json!("other_address"))
    );
    assert_eq!(ended[0]["addr.remote"], "192.0.2.2:5000");
}

#[tokio::test]
async fn who_may_log_in_nowhere_gets_no_account_of_his_own_name() {
    let (world, alice) = World::with_alice().await;
    world
        .put(json!({
            "kind": "user", "version": "v1", "metadata": { "name": "alice" },
            "spec": { "roles": ["auditor"] },
        }))
        .await;
    let issued = certificates(&world, &alice, None).await;
    assert_eq!(issued.logins, []);
    let ssh = ssh_cert::Certificate::from_blob(&issued.ssh.document).unwrap();
    assert_eq!(ssh.principals().len(), 1);
    assert!(ssh.principals()[0].as_str().starts_with("-signet-nologin-"));
}

#[tokio::test]
async fn roles_cannot_say_what_only_we_say() {
    let (world, alice) = World::with_alice().await;
    let Granted::WebSession(session) = world.login_alice(&alice).await.unwrap().granted else {
        panic!("no session");
    };
    let session = world.identity.session(&session.bearer.expose()).await.unwrap();
    let mut person = session.person;
    let name = ExtensionName::own("mfa-verified").unwrap();
    person.cert_extensions.insert(name.clone(), "forged".into());
    let Wanted::Certificates(keys) = keys(None) else {
        panic!("no keys");
    };
    let issued = world
        .identity
        .issue_certificates(&person, None, &keys, home())
        .await
        .unwrap();
    let ssh = ssh_cert::Certificate::from_blob(&issued.ssh.document).unwrap();
    assert_eq!(ssh.extensions().custom.get(&name), None);
    world.lock(json!({ "user": "alice" })).await;
    let locked = world
        .identity
        .issue_certificates(&person, None, &keys, home())
        .await;
    let message = "gone fishing".to_owned();
    assert_eq!(refusal(locked), Refusal::UserLocked { message });
}
