use std::sync::Arc;

use access::AccessSet;
use access::Role;
use access::UserTraits;
use audit::Actor;
use authority::AuthorityType;
use directory::Put;
use names::Ttl;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::SystemRole;
use serde_json::json;

use crate::support::Machine;
use crate::support::REMOTE;
use crate::support::World;
use crate::support::actor;
use crate::support::code;
use crate::support::name;

#[tokio::test]
async fn a_host_renews_with_new_keys() {
    let world = World::new().await;
    let (_, first) = world.node("web-1").await;
    world.clock.advance(Ttl::from_days(5));
    let fresh = Machine::new("web-1");
    let second = world.renew(&fresh, &first).await.unwrap();
    assert_eq!(second.host_id, first.host_id);
    world.clock.advance(Ttl::from_days(5));
    assert_eq!(code(world.caller(&first).await), "bad_certificate");
    world.caller(&second).await.unwrap();
    let event = world.events("instance.renew").await.pop().unwrap();
    assert_eq!(
        (&event["success"], &event["node_name"]),
        (&true.into(), &"web-1".into())
    );
}

#[tokio::test]
async fn renewal_is_refused_for_other_roles_another_generation_and_no_proof() {
    let world = World::new().await;
    let (machine, joined) = world.node("web-1").await;
    let caller = world.caller(&joined).await.unwrap();
    let mut request = machine.renewal();
    request.roles = vec![SystemRole::Node, SystemRole::Proxy];
    assert_eq!(
        code(world.enrollment.renew(&caller, &request).await),
        "roles_differ"
    );
    let mut request = machine.renewal();
    request.generation = rotation::Generation::new(2);
    assert_eq!(
        code(world.enrollment.renew(&caller, &request).await),
        "other_generation"
    );
    let mut request = machine.renewal();
    request.csr = b"nonsense".to_vec();
    assert_eq!(code(world.enrollment.renew(&caller, &request).await), "no_proof");
}

fn removed_hosts(world: &World) -> Vec<String> {
    let removals = world.enrollment.removals();
    removals.hosts().map(ToString::to_string).collect()
}

#[tokio::test]
async fn who_was_removed_is_told_until_their_certificates_end() {
    let world = World::new().await;
    let (_, first) = world.node("web-1").await;
    let id = name(&first.host_id.to_string());
    world.enrollment.remove(&actor(), &id, None).await.unwrap();
    world
        .clock
        .advance(names::Ttl::from_seconds(enrollment::TLS_LIFE.seconds() + 1));
    let (_, second) = world.node("web-2").await;
    let id = name(&second.host_id.to_string());
    world.enrollment.remove(&actor(), &id, None).await.unwrap();
    assert_eq!(removed_hosts(&world), [second.host_id.to_string()]);
    let world = world.restarted().await;
    assert_eq!(removed_hosts(&world), [second.host_id.to_string()]);
}

#[tokio::test]
async fn a_removed_host_is_refused_and_its_id_never_comes_back() {
    let world = World::new().await;
    let (mut machine, joined) = world.node("web-1").await;
    let caller = world.caller(&joined).await.unwrap();
    let id = name(&joined.host_id.to_string());
    world.beat(&joined, &joined.trust).await.unwrap();
    let nobody = world.enrollment.removals();
    assert_eq!(nobody.hosts().count(), 0);
    let (before, actor) = (nobody.digest(), actor());
    let ((), removed) = tokio::join!(
        world.enrollment.removals_beyond(&before),
        world.enrollment.remove(&actor, &id, Some("scrapped".into()))
    );
    removed.unwrap();
    assert_eq!(removed_hosts(&world), [joined.host_id.to_string()]);
    assert_ne!(world.enrollment.removals().digest(), before);

    assert_eq!(code(world.caller(&joined).await), "not_a_member");
    assert_eq!(
        code(world.enrollment.renew(&caller, &machine.renewal()).await),
        "not_a_member"
    );
    let beat = world
        .enrollment
        .heartbeat(&caller, enrollment::Heartbeat::default())
        .await;
    assert_eq!(code(beat), "not_a_member");
    machine.host_id = Some(joined.host_id.to_string());
    assert_eq!(
        code(world.join(&machine, world.token(Some(1)).await).await),
        "not_a_member"
    );
    assert!(world.directory.find(Kind::Node, &id).await.unwrap().is_none());
    let event = world.events("node.remove").await.pop().unwrap();
    assert_eq!(event["reason"], "scrapped");
    assert_eq!(world.events("cert.revoke").await.len(), 1);

    // Its name is free, its id stays known, also after a new start; removing it again is no error.
    machine.host_id = None;
    world.join(&machine, world.token(Some(1)).await).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(code(world.caller(&joined).await), "not_a_member");
    assert_eq!(removed_hosts(&world), [joined.host_id.to_string()]);
    world.enrollment.remove(&actor, &id, None).await.unwrap();
    assert_eq!(removed_hosts(&world), [joined.host_id.to_string()]);
    let removed = world.enrollment.hosts().await.unwrap();
    assert_eq!(removed.iter().filter(|host| host.removed_at.is_some()).count(), 1);
}

#[tokio::test]
async fn a_host_with_a_revoked_certificate_never_comes_back() {
    let world = World::new().await;
    let (mut machine, joined) = world.node("web-1").await;
    let renewed = world.renew(&machine, &joined).await.unwrap();
    let leaf = x509::Certificate::from_der(&joined.certificates.tls_client.chain[0]).unwrap();
    let serial = hex::encode(leaf.serial_octets());
    world
        .cluster
        .revoke(&actor(), AuthorityType::Host, &serial, "keyCompromise")
        .await
        .unwrap();
    assert_eq!(code(world.caller(&joined).await), "not_a_member");
    assert_eq!(code(world.caller(&renewed).await), "not_a_member");
    world.clock.advance(Ttl::from_days(100));
    machine.host_id = Some(joined.host_id.to_string());
    assert_eq!(
        code(world.join(&machine, world.token(Some(1)).await).await),
        "not_a_member"
    );
}

#[tokio::test]
async fn a_locked_host_is_refused_as_long_as_the_lock_lasts() {
    let world = World::new().await;
    let (machine, joined) = world.node("web-1").await;
    let caller = world.caller(&joined).await.unwrap();
    let ends = world.cluster.now().plus(Ttl::from_hours(1)).to_string();
    let lock = json!({
        "kind": "lock", "version": "v1",
        "metadata": { "name": "l1", "expires": ends },
        "spec": { "target": { "node": "web-1" } },
    });
    let lock = AnyDocument::from_value(lock).unwrap();
    world.directory.put(&actor(), lock, Put::Create).await.unwrap();
    assert_eq!(code(world.caller(&joined).await), "locked");
    assert_eq!(
        code(world.enrollment.renew(&caller, &machine.renewal()).await),
        "locked"
    );
    let beat = world
        .enrollment
        .heartbeat(&caller, enrollment::Heartbeat::default())
        .await;
    assert_eq!(code(beat), "locked");
    world.clock.advance(Ttl::from_hours(2));
    world.renew(&machine, &joined).await.unwrap();
}

#[tokio::test]
async fn certificates_of_nobody_are_refused() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    let identify = |der: Vec<u8>| {
        let world = &world;
        async move { code(world.enrollment.identify(&der, REMOTE).await) }
    };
    assert_eq!(identify(b"nonsense".to_vec()).await, "bad_certificate");
    // The authority's own certificate.
    assert_eq!(
        identify(joined.certificates.tls_client.chain[1].clone()).await,
        "bad_certificate"
    );
    // A host of another cluster.
    let mut other = joined.certificates.tls_client.chain[0].clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    assert_eq!(identify(other).await, "bad_certificate");
    // A person, and a host that never joined.
    let key = x509::Certificate::from_der(&joined.certificates.tls_client.chain[0]).unwrap();
    for request in [
        profile::X509Request::User {
            user: names::UserName::parse("alice").unwrap(),
            roles: Vec::new(),
            logins: Vec::new(),
            traits: std::collections::BTreeMap::new(),
            mfa_device: None,
            pinned_to: None,
        },
        profile::X509Request::Host {
            names: vec![names::HostName::parse("web-1").unwrap()],
            roles: Vec::new(),
        },
    ] {
        let issue = cluster::IssueX509 {
            request,
            subject_key: key.public_key().clone(),
            ttl: None,
            allowed_by: "a test".into(),
        };
        let issued = world.cluster.issue_x509(&Actor::System, &issue).await.unwrap();
        assert_eq!(identify(issued.document.to_vec()).await, "bad_certificate");
    }
}

fn access(env: &str) -> AccessSet {
    let role = json!({
        "kind": "role", "version": "v1", "metadata": { "name": "r" },
        "spec": { "allow": { "logins": ["root"], "node_labels": { "env": env } } },
    });
    let role = Role::parse(&Document::from_value(role).unwrap()).unwrap();
    let user = UserTraits {
        name: "alice".into(),
        traits: std::collections::BTreeMap::new(),
    };
    AccessSet::new(vec![Arc::new(role)], &user)
}

#[tokio::test]
async fn nodes_are_shown_to_those_who_may_log_in_with_when_they_were_last_heard_of() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    let all = world.enrollment.nodes(None, None, 10).await.unwrap().nodes;
    assert_eq!(all[0].is_online, Some(false));
    assert_eq!(all[0].node.spec.seen_at, None);
    world.beat(&joined, &joined.trust).await.unwrap();
    let seen_at = world.cluster.now();
    world.clock.advance(enrollment::HEARD);
    let seen = world
        .enrollment
        .node(Some(&access("prod")), "WEB-1.test.example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.is_online, Some(true));
    assert_eq!(seen.logins.len(), 1);
    // What its token gave it, it cannot change.
    assert_eq!(seen.node.metadata.labels["env"], "prod");
    assert!(
        world
            .enrollment
            .nodes(Some(&access("mine")), None, 10)
            .await
            .unwrap()
            .nodes
            .is_empty()
    );
    assert!(
        world
            .enrollment
            .node(Some(&access("mine")), "web-1")
            .await
            .unwrap()
            .is_none()
    );
    world.clock.advance(Ttl::from_seconds(1));
    let world = world.restarted().await;
    let seen = world
        .enrollment
        .node(None, &joined.host_id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (seen.is_online, seen.node.spec.seen_at),
        (Some(false), Some(seen_at))
    );
}

#[tokio::test]
async fn nodes_are_listed_in_pages_of_what_is_visible() {
    let world = World::new().await;
    for number in 0..7 {
        let node = json!({
            "kind": "node", "version": "v1",
            "metadata": { "name": format!("n{number}"), "labels": { "env": if number % 2 == 0 { "a" } else { "b" } } },
            "spec": { "hostname": format!("n{number}"), "addr": "192.0.2.1:22", "sub_kind": "openssh" },
        });
        let node = Document::from_value(node).unwrap();
        world
            .enrollment
            .write_node(&actor(), node, Put::Create)
            .await
            .unwrap();
    }
    let mut shown = Vec::new();
    let mut after = None;
    loop {
        let page = world
            .enrollment
            .nodes(Some(&access("a")), after.as_ref(), 2)
            .await
            .unwrap();
        shown.extend(
            page.nodes
                .iter()
                .map(|status| status.node.metadata.name.to_string()),
        );
        match page.next {
            None => break,
            next => after = next,
        }
    }
    assert_eq!(shown, ["n0", "n2", "n4", "n6"]);
}

#[tokio::test]
async fn a_server_without_an_agent_is_registered_changed_and_removed() {
    let world = World::new().await;
    let document = |hostname: &str| {
        let node = json!({
            "kind": "node", "version": "v1",
            "metadata": { "name": "legacy", "labels": { "env": "prod" } },
            "spec": { "hostname": hostname, "addr": "192.0.2.1:22", "sub_kind": "openssh" },
        });
        Document::<resource::NodeSpec>::from_value(node).unwrap()
    };
    let operator = actor();
    let put = |document, put| world.enrollment.write_node(&operator, document, put);
    let written = put(document("old-1"), Put::Create).await.unwrap();
    assert!(written.metadata.revision.is_some());
    assert!(put(document("old-1"), Put::Create).await.is_err());
    assert_eq!(
        code(
            world
                .join(&Machine::new("old-1"), world.token(Some(1)).await)
                .await
        ),
        "name_taken"
    );
    put(document("old-2"), Put::Upsert).await.unwrap();
    world
        .join(&Machine::new("old-1"), world.token(Some(1)).await)
        .await
        .unwrap();
    assert_eq!(code(put(document("old-1"), Put::Upsert).await), "name_taken");
    let mut agent = document("old-2");
    agent.spec.sub_kind = resource::SubKind::Agent;
    assert_eq!(code(put(agent, Put::Upsert).await), "invalid_document");
    world
        .enrollment
        .remove(&actor(), &name("legacy"), None)
        .await
        .unwrap();
    assert!(
        world
            .enrollment
            .remove(&actor(), &name("legacy"), None)
            .await
            .is_err()
    );
    world
        .join(&Machine::new("old-2"), world.token(Some(1)).await)
        .await
        .unwrap();
    assert_eq!(world.events("node.create").await.len(), 1);
    assert_eq!(world.events("node.update").await.len(), 1);
}

/// The tunnels of a proxy: those of these hosts.
struct Tunnels(std::sync::Mutex<Vec<String>>);

impl enrollment::Tunnelled for Tunnels {
    fn has_tunnel(&self, host_id: &str) -> bool {
        self.0.lock().unwrap().iter().any(|host| host == host_id)
    }
}

#[tokio::test]
async fn a_host_that_only_its_tunnel_leads_to_is_offline_as_soon_as_that_is_gone() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    let (_, dialled) = world.node("web-2").await;
    let host_id = joined.host_id.to_string();
    let tunnels = Arc::new(Tunnels(vec![host_id].into()));
    world.enrollment.follow_tunnels(tunnels.clone());
    let caller = world.caller(&joined).await.unwrap();
    let heartbeat = enrollment::Heartbeat {
        use_tunnel: true,
        ..enrollment::Heartbeat::default()
    };
    world.enrollment.heartbeat(&caller, heartbeat).await.unwrap();
    world.beat(&dialled, &dialled.trust).await.unwrap();
    let is_online = async |name: &str| {
        let node = world.enrollment.node(None, name).await.unwrap().unwrap();
        node.is_online.unwrap()
    };
    assert!(is_online("web-1").await);
    tunnels.0.lock().unwrap().clear();
    assert!(!is_online("web-1").await, "it was heard of this moment");
    assert!(is_online("web-2").await, "the proxy dials it");
}

#[tokio::test]
async fn the_auth_services_own_machine_is_not_removed_and_becomes_another_when_it_is_taken_for_nobody() {
    let world = World::new().await;
    let mut hub = Machine::new("hub");
    hub.roles = vec![SystemRole::Node, SystemRole::Proxy];
    let token = async || {
        let create = enrollment::CreateToken {
            roles: vec![SystemRole::Node, SystemRole::Proxy],
            ttl: None,
            uses: Some(1),
            suggested_labels: resource::Labels::new(),
            description: None,
            is_operator: true,
        };
        world
            .enrollment
            .create_token(&actor(), create)
            .await
            .unwrap()
            .secret
    };
    let join = async |machine: &Machine| {
        let request = enrollment::JoinRequest {
            is_own: true,
            ..machine.request(token().await)
        };
        world.enrollment.join(&request, "local").await
    };
    let first = join(&hub).await.unwrap();
    let standing = async |joined: &enrollment::Joined| {
        let certificate = &joined.certificates.tls_client.chain[0];
        world.enrollment.own_standing(certificate).await.unwrap()
    };
    assert_eq!(standing(&first).await, enrollment::Standing::Good);
    assert!(world.caller(&first).await.unwrap().is_own());
    let id = first.host_id.to_string();
    for _ in 0..2 {
        let refused = world.enrollment.remove(&actor(), &name(&id), None).await;
        let words = refused.as_ref().unwrap_err().to_string();
        assert_eq!(code(refused), "own_machine");
        assert!(words.contains("ssh_service.enabled: false"), "{words}");
    }
    // Whatever revokes its certificate all the same: it is another host from its next start on, by the name it had.
    let leaf = x509::Certificate::from_der(&first.certificates.tls_client.chain[0]).unwrap();
    let serial = hex::encode(leaf.serial_octets());
    world
        .cluster
        .revoke(&actor(), AuthorityType::Host, &serial, "keyCompromise")
        .await
        .unwrap();
    assert!(matches!(standing(&first).await, enrollment::Standing::Gone(_)));
    for _ in 0..2 {
        world.enrollment.retire_own(&id, "it was revoked").await.unwrap();
    }
    hub = Machine {
        roles: hub.roles.clone(),
        ..Machine::new("hub")
    };
    let second = join(&hub).await.unwrap();
    assert_ne!(second.host_id, first.host_id);
    assert_eq!(standing(&second).await, enrollment::Standing::Good);
    assert!(matches!(standing(&first).await, enrollment::Standing::Gone(_)));
    // One that ran here once, and does no more, is a host like any other.
    world.enrollment.remove(&actor(), &name(&id), None).await.unwrap();
}
