//! Where the proxy dials hosts: where they come from, or where an operator says.

use directory::Put;
use enrollment::Heartbeat;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::NodeSpec;

use crate::support::Machine;
use crate::support::World;
use crate::support::actor;
use crate::support::code;
use crate::support::name;

async fn node(world: &World, id: &str) -> Document<NodeSpec> {
    match world.directory.find(Kind::Node, &name(id)).await.unwrap() {
        Some(AnyDocument::Node(node)) => node,
        other => panic!("no node: {other:?}"),
    }
}

/// A heartbeat from somewhere.
async fn beat(world: &World, joined: &enrollment::Joined, remote: &str, addr: &str) -> String {
    let certificate = &joined.certificates.tls_client.chain[0];
    let caller = world.enrollment.identify(certificate, remote).await.unwrap();
    let heartbeat = Heartbeat {
        addr: addr.to_owned(),
        use_tunnel: true,
        ..Heartbeat::default()
    };
    world.enrollment.heartbeat(&caller, heartbeat).await.unwrap();
    node(world, &joined.host_id.to_string())
        .await
        .spec
        .dialled()
        .to_owned()
}

#[tokio::test]
async fn a_host_is_dialled_where_it_comes_from_whatever_it_says() {
    let world = World::new().await;
    let (_, joined) = world.node("web-1").await;
    for (remote, told, dialled) in [
        ("192.0.2.7:40000", "192.0.2.7:3022", "192.0.2.7:3022"),
        ("192.0.2.9:40000", "web-1.example.com:22", "192.0.2.9:22"),
        ("192.0.2.7:40000", "127.0.0.1:46999", ""),
        ("127.0.0.1:40000", "127.0.0.1:46999", ""),
        ("192.0.2.7:40000", "10.0.0.1:6379", ""),
        ("192.0.2.7:40000", "169.254.169.254:80", ""),
    ] {
        assert_eq!(
            beat(&world, &joined, remote, told).await,
            dialled,
            "{told} from {remote}"
        );
    }
    // When it joins, too.
    let machine = Machine::new("web-2");
    let mut request = machine.request(world.token(Some(1)).await);
    request.addr = "127.0.0.1:46999".to_owned();
    let joined = world.enrollment.join(&request, "192.0.2.7:1").await.unwrap();
    let joined = node(&world, &joined.host_id.to_string()).await;
    assert_eq!((joined.spec.addr.as_str(), joined.spec.use_tunnel), ("", true));
}

#[tokio::test]
async fn the_own_machine_is_dialled_where_its_configuration_says() {
    let world = World::new().await;
    let machine = Machine::new("web-1");
    let mut request = machine.request(world.token(Some(1)).await);
    request.addr = "127.0.0.1:3022".to_owned();
    request.is_own = true;
    let joined = world.enrollment.join(&request, "local").await.unwrap();
    let remote = "127.0.0.1:40000";
    for addr in ["127.0.0.1:3022", "web-1.example.com:3022"] {
        assert_eq!(beat(&world, &joined, remote, addr).await, addr);
    }
}

#[tokio::test]
async fn an_operator_says_where_a_host_is_dialled_that_comes_from_elsewhere() {
    let world = World::new().await;
    let (mut machine, joined) = world.node("web-1").await;
    let id = joined.host_id.to_string();
    let remote = "192.0.2.7:40000";
    assert_eq!(beat(&world, &joined, remote, "10.0.0.7:3022").await, "");
    let operator = actor();
    let put = |document, put| world.enrollment.write_node(&operator, document, put);
    let mut document = node(&world, &id).await;
    document.spec.dial_addr = "web-1.lan:3022".to_owned();
    let written = put(document.clone(), Put::Upsert).await.unwrap();
    assert_eq!(written.spec.dialled(), "web-1.lan:3022");
    let event = world.events("node.update").await.pop().unwrap();
    assert_eq!(event["addr"], "web-1.lan:3022");
    // It stays over heartbeats and new joins, and nothing but an operator changes it.
    assert_eq!(
        beat(&world, &joined, remote, "10.0.0.8:3022").await,
        "web-1.lan:3022"
    );
    machine.host_id = Some(id.clone());
    world.join(&machine, world.token(Some(1)).await).await.unwrap();
    assert_eq!(node(&world, &id).await.spec.dialled(), "web-1.lan:3022");

    // What the agent says is not an operator's to write, and the proxy's own machine is nobody's address.
    let stored = node(&world, &id).await;
    // What is shown is written back, whatever is read only in it; a description is the operator's.
    let mut shown = stored.clone();
    shown.spec.seen_at = Some(names::UnixSeconds(1));
    shown.spec.rotation.clear();
    shown.metadata.description = Some("rack 7".to_owned());
    put(shown, Put::Upsert).await.unwrap();
    let evidence = node(&world, &id).await.spec.rotation;
    assert_eq!(evidence, stored.spec.rotation);
    beat(&world, &joined, remote, "10.0.0.8:3022").await;
    let stored = node(&world, &id).await;
    assert_eq!(stored.metadata.description.as_deref(), Some("rack 7"));
    let changes: [fn(&mut Document<NodeSpec>); 9] = [
        |document| document.spec.use_tunnel = !document.spec.use_tunnel,
        |document| document.spec.version = "another".to_owned(),
        |document| document.spec.hostname = "web-2".to_owned(),
        |document| document.spec.addr = "10.0.0.9:22".to_owned(),
        |document| drop(document.metadata.labels.insert("env".to_owned(), "x".to_owned())),
        |document| document.spec.dial_addr = "127.0.0.1:6379".to_owned(),
        |document| document.spec.dial_addr = "[::1]:6379".to_owned(),
        |document| document.spec.dial_addr = "169.254.169.254:80".to_owned(),
        |document| document.spec.dial_addr = "nowhere".to_owned(),
    ];
    for change in changes {
        let mut document = stored.clone();
        change(&mut document);
        assert_eq!(code(put(document, Put::Upsert).await), "invalid_document");
    }
    let mut document = stored;
    document.spec.dial_addr.clear();
    put(document, Put::Update).await.unwrap();
    assert_eq!(
        beat(&world, &joined, remote, "192.0.2.7:3022").await,
        "192.0.2.7:3022"
    );
}
