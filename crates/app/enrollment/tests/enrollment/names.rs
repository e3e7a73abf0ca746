use names::HostName;
use names::Ttl;
use resource::SystemRole;

use crate::support::Machine;
use crate::support::World;
use crate::support::code;

#[tokio::test]
async fn a_name_belongs_to_one_live_host() {
    let world = World::new().await;
    let (_, first) = world.node("web-1").await;
    let join = |machine: Machine| {
        let world = &world;
        async move { world.join(&machine, world.token(Some(1)).await).await }
    };
    assert_eq!(code(join(Machine::new("web-1")).await), "name_taken");
    assert_eq!(
        code(join(Machine::new("web-1.test.example.com")).await),
        "name_taken"
    );
    let mut other = Machine::new("web-2");
    other.public_addresses = vec![HostName::parse("web-1").unwrap()];
    assert_eq!(code(join(other).await), "name_taken");

    // A live host keeps its name, one that is gone does not.
    world.clock.advance(Ttl::from_seconds(500));
    world.beat(&first, &first.trust).await.unwrap();
    world.clock.advance(Ttl::from_seconds(500));
    assert_eq!(code(join(Machine::new("web-1")).await), "name_taken");
    world.clock.advance(Ttl::from_seconds(200));
    let second = join(Machine::new("web-1")).await.unwrap();
    assert_ne!(second.host_id, first.host_id);
    // The first comes back, and does not get the name again while the second lives.
    let machine = Machine::new("web-1");
    assert_eq!(code(world.renew(&machine, &first).await), "name_taken");
    let event = world.events("instance.renew").await.pop().unwrap();
    assert_eq!(event["success"], false);
}

#[tokio::test]
async fn of_many_that_ask_for_one_name_at_once_one_gets_it() {
    let world = std::sync::Arc::new(World::new().await);
    let token = world.token(None).await.expose().to_owned();
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let world = world.clone();
        let token = token.clone();
        tasks.push(tokio::spawn(async move {
            let machine = Machine::new("web-1");
            code(world.join(&machine, crate::support::secret(&token)).await)
        }));
    }
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.unwrap());
    }
    told.sort_unstable();
    assert_eq!(told[0], "done");
    assert!(told[1..].iter().all(|code| *code == "name_taken"));
}

#[tokio::test]
async fn names_of_the_cluster_are_no_nodes() {
    let world = World::new().await;
    for name in [
        "test.example.com",
        "auth",
        "proxy",
        "signet.example.com",
        "localhost",
    ] {
        let joined = world.join(&Machine::new(name), world.token(Some(1)).await).await;
        assert_eq!(code(joined), "name_reserved", "{name}");
    }
}

#[tokio::test]
async fn proxies_share_their_public_name_and_nobody_else_gets_it() {
    let world = World::new().await;
    let public = HostName::parse("signet.example.com").unwrap();
    for name in ["proxy-1", "proxy-2"] {
        let mut proxy = Machine::new(name);
        proxy.roles = vec![SystemRole::Proxy];
        proxy.public_addresses = vec![public.clone()];
        let joined = world.join(&proxy, world.token(Some(1)).await).await.unwrap();
        let leaf = x509::Certificate::from_der(&joined.certificates.tls_server.chain[0]).unwrap();
        assert!(leaf.alt_names().contains(&x509::SubjectAltName::host(&public)));
    }
    let mut node = Machine::new("web-1");
    node.public_addresses = vec![public];
    assert_eq!(
        code(world.join(&node, world.token(Some(1)).await).await),
        "name_reserved"
    );
}
