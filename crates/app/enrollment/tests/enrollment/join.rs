use std::sync::Arc;

use enrollment::CreateToken;
use fixtures::ManualClock;
use names::Ttl;
use resource::AnyDocument;
use resource::Kind;
use resource::SystemRole;

use crate::support::Machine;
use crate::support::REMOTE;
use crate::support::World;
use crate::support::actor;
use crate::support::code;
use crate::support::name;

#[tokio::test]
async fn a_machine_joins_and_gets_its_certificates() {
    let world = World::new().await;
    let (machine, joined) = world.node("web-1").await;
    let id = joined.host_id.to_string();
    let leaf = x509::Certificate::from_der(&joined.certificates.tls_client.chain[0]).unwrap();
    let authority = x509::Certificate::from_der(&joined.certificates.tls_client.chain[1]).unwrap();
    leaf.verify_issued(authority.public_key()).unwrap();
    let identity = leaf.identity().unwrap();
    assert_eq!(identity.name.as_str(), id);
    assert_eq!(
        identity
            .roles
            .iter()
            .map(|role| role.as_str())
            .collect::<Vec<_>>(),
        ["node"]
    );
    assert_eq!(
        leaf.public_key().spki_der(),
        rcgen::PublicKeyData::subject_public_key_info(&machine.tls)
    );
    assert_eq!(leaf.not_after(), world.cluster.now().plus(Ttl::from_days(7)));
    assert_eq!(joined.certificates.tls_server, joined.certificates.tls_client);

    let ssh = ssh_cert::Certificate::from_blob(&joined.certificates.ssh.blob).unwrap();
    let principals: Vec<&str> = ssh.principals().iter().map(|name| name.as_str()).collect();
    let wanted = [
        id.as_str(),
        &format!("{id}.test.example.com"),
        "web-1",
        "web-1.test.example.com",
    ];
    assert_eq!(principals, wanted);
    assert_eq!(ssh.key_id(), id);
    assert_eq!(*ssh.subject_key(), machine.ssh);
    assert_eq!(
        joined.certificates.ssh.not_after,
        world.cluster.now().plus(Ttl::from_days(30))
    );

    // Two forms of host, two of user, one of openssh.
    assert_eq!(joined.trust.keys.len(), 5);
    let AnyDocument::Node(node) = world.directory.get(Kind::Node, &name(&id)).await.unwrap() else {
        panic!()
    };
    assert_eq!(node.spec.hostname, "web-1");
    assert_eq!(node.metadata.labels["env"], "prod");
    assert_eq!(node.metadata.labels["os"], "linux");
    let caller = world.caller(&joined).await.unwrap();
    assert_eq!(caller.roles(), [SystemRole::Node]);
    assert_eq!(*caller.host_id(), joined.host_id);
    let event = world.events("instance.join").await.pop().unwrap();
    assert_eq!((&event["success"], &event["host_id"]), (&true.into(), &id.into()));
    assert_eq!(event["addr.remote"], REMOTE);
}

#[tokio::test]
async fn a_machine_gets_the_roles_it_asks_for_of_those_its_token_gives() {
    let world = World::new().await;
    let roles = [SystemRole::Node, SystemRole::App, SystemRole::Db];
    for (name, asked) in [
        ("web-1", &roles[..]),
        ("web-2", &roles[1..]),
        ("web-3", &roles[2..]),
    ] {
        let create = CreateToken {
            roles: roles.to_vec(),
            ttl: None,
            uses: Some(1),
            suggested_labels: resource::Labels::new(),
            description: None,
            is_operator: true,
        };
        let token = world.enrollment.create_token(&actor(), create).await.unwrap();
        let mut machine = Machine::new(name);
        machine.roles = asked.to_vec();
        let joined = world.join(&machine, token.secret).await.unwrap();
        let leaf = x509::Certificate::from_der(&joined.certificates.tls_client.chain[0]).unwrap();
        let named = &leaf.identity().unwrap().roles;
        let mut named: Vec<&str> = named.iter().map(|role| role.as_str()).collect();
        let mut wanted: Vec<&str> = asked.iter().map(|role| role.as_str()).collect();
        named.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(named, wanted);
        let mut known = world.caller(&joined).await.unwrap().roles().to_vec();
        known.sort_unstable();
        let mut asked = asked.to_vec();
        asked.sort_unstable();
        assert_eq!(known, asked);
    }
}

#[tokio::test]
async fn a_request_proves_its_key_for_this_token_name_and_ssh_key() {
    let world = World::new().await;
    let machine = Machine::new("web-1");
    let other = Machine::new("web-2");
    let token = || world.token(Some(1));
    // Not signed by the key that is in it.
    let mut request = machine.request(token().await);
    let last = request.csr.len() - 1;
    request.csr[last] ^= 1;
    assert_eq!(code(world.enrollment.join(&request, REMOTE).await), "no_proof");
    // Made for another token, for another name, for another SSH key, for none of them.
    let mut request = machine.request(token().await);
    request.token = token().await;
    assert_eq!(code(world.enrollment.join(&request, REMOTE).await), "no_proof");
    let mut request = machine.request(token().await);
    request.node_name = "web-3".into();
    assert_eq!(code(world.enrollment.join(&request, REMOTE).await), "no_proof");
    let mut request = machine.request(token().await);
    request.ssh_public_key = other.ssh.clone();
    assert_eq!(code(world.enrollment.join(&request, REMOTE).await), "no_proof");
    let mut request = machine.request(token().await);
    request.csr = machine.csr("web-1");
    assert_eq!(code(world.enrollment.join(&request, REMOTE).await), "no_proof");
    let failures = world.events("instance.join").await;
    assert_eq!(failures.len(), 5);
    assert!(
        failures
            .iter()
            .all(|event| event["success"] == false && event["host_id"] == "")
    );
    // None of these used a token up.
    let listed = world.directory.list(Kind::Token, None, 100).await.unwrap();
    assert_eq!(listed.documents.len(), 6);
}

async fn one_of_a_thousand_wins(world: World, uses: u32) {
    let token = world.token(Some(uses)).await.expose().to_owned();
    let world = Arc::new(world);
    let mut tasks = Vec::new();
    for number in 0..1_000 {
        let world = Arc::clone(&world);
        let token = token.clone();
        tasks.push(tokio::spawn(async move {
            let machine = Machine::new(&format!("web-{number}"));
            code(world.join(&machine, crate::support::secret(&token)).await)
        }));
    }
    let mut joined = 0;
    for task in tasks {
        match task.await.unwrap() {
            "done" => joined += 1,
            other => assert_eq!(other, "bad_token"),
        }
    }
    assert_eq!(joined, uses);
    assert_eq!(world.enrollment.hosts().await.unwrap().len(), uses as usize);
    let events = world.events("instance.join").await;
    let successes = events.iter().filter(|event| event["success"] == true);
    assert_eq!(successes.count(), uses as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_of_a_thousand_concurrent_joins_with_a_single_use_token_wins() {
    one_of_a_thousand_wins(World::new().await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_of_a_thousand_wins_with_the_state_in_sqlite_too() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new());
    let path = folder.path().join("state.db");
    let state = state_sqlite::SqliteState::open(&path, clock.clone()).unwrap();
    one_of_a_thousand_wins(World::on(Arc::new(state), clock).await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_seven_uses_lets_seven_in() {
    one_of_a_thousand_wins(World::new().await, 7).await;
}

#[tokio::test]
async fn i7_nobody_joins_and_no_token_is_used_when_it_cannot_be_recorded() {
    let world = World::new().await;
    let token = world.token(Some(1)).await.expose().to_owned();
    let machine = Machine::new("web-1");
    world.ledger.fail_writes(true);
    let refused = world.join(&machine, crate::support::secret(&token)).await;
    assert!(matches!(refused, Err(enrollment::EnrollmentError::Cluster(_))));
    world.ledger.fail_writes(false);
    assert!(world.enrollment.hosts().await.unwrap().is_empty());
    world
        .join(&machine, crate::support::secret(&token))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_join_whose_certificates_cannot_be_issued_is_taken_back() {
    let world = World::new().await;
    let token = world.token(Some(1)).await.expose().to_owned();
    let machine = Machine::new("web-1");
    let before = world.state.list("", None, 1_000).await.unwrap().entries;
    world.ledger.take_no_serials(true);
    let refused = world.join(&machine, crate::support::secret(&token)).await;
    assert!(refused.is_err());
    world.ledger.take_no_serials(false);
    let kept = |entries: &[state::Entry]| {
        entries
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.clone(), entry.expires))
            .collect::<Vec<_>>()
    };
    let after = world.state.list("", None, 1_000).await.unwrap().entries;
    assert_eq!(kept(&before), kept(&after));
    world
        .join(&machine, crate::support::secret(&token))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_host_joins_again_as_itself_with_its_key_alone() {
    let world = World::new().await;
    let (mut machine, first) = world.node("web-1").await;
    world.clock.advance(Ttl::from_days(60));
    assert_eq!(code(world.caller(&first).await), "bad_certificate");
    machine.host_id = Some(first.host_id.to_string());
    let again = world.join(&machine, world.token(Some(1)).await).await.unwrap();
    assert_eq!(again.host_id, first.host_id);
    world.caller(&again).await.unwrap();

    let mut thief = Machine::new("web-1");
    thief.host_id = Some(first.host_id.to_string());
    assert_eq!(
        code(world.join(&thief, world.token(Some(1)).await).await),
        "no_proof"
    );
    let mut stranger = Machine::new("web-9");
    stranger.host_id = Some("3fdb2f8e-6a0a-4b0e-9d5e-0d7d3f1a2b3c".into());
    assert_eq!(
        code(world.join(&stranger, world.token(Some(1)).await).await),
        "not_a_member"
    );
    machine.roles = vec![SystemRole::Node, SystemRole::Proxy];
    assert_eq!(
        code(world.join(&machine, world.token(Some(1)).await).await),
        "roles_differ"
    );
}
