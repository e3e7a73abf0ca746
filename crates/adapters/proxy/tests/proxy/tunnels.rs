//! Reverse tunnels: agents that come, go, are replaced and are thrown out.

use std::net::SocketAddr;
use std::sync::Arc;

use api_http::Stopper;
use async_trait::async_trait;
use proxy::Listener;
use proxy::ProxyEvent;
use proxy::Public;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tunnel::AgentCredential;
use tunnel::Backoff;
use tunnel::Incoming;
use tunnel::OpenError;
use tunnel::OpenRequest;
use tunnel::Refused;
use tunnel::Service;
use tunnel::TcpConnector;
use tunnel::TunnelClient;
use tunnel::TunnelClientParts;
use tunnel::TunnelLimits;
use tunnel::TunnelState;
use tunnel::TunnelStream;

use crate::support::LIMITS;
use crate::support::SystemClock;
use crate::support::SystemEntropy;
use crate::support::TUNNEL_LIMITS;
use crate::support::World;
use crate::support::X509Authority;
use crate::support::eventually;
use crate::support::host;

/// Port 1 says back what it is told, port 2 says nothing and reads nothing, port 3 tells where the client comes from.
struct Echo;

#[async_trait]
impl Incoming for Echo {
    async fn open(&self, request: OpenRequest) -> Result<Service, Refused> {
        match request.port {
            1 => Ok(Box::new(|stream| {
                Box::pin(async move {
                    let (mut read, mut write) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                    let _ = write.write_all(b" and that was all").await;
                    let _ = write.shutdown().await;
                })
            })),
            2 => Ok(Box::new(|stream: TunnelStream| {
                Box::pin(async move {
                    let _held = stream;
                    std::future::pending::<()>().await;
                })
            })),
            3 => Ok(Box::new(move |mut stream| {
                Box::pin(async move {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    let _ = stream.write_all(request.source.to_string().as_bytes()).await;
                    let _ = stream.shutdown().await;
                })
            })),
            other => Err(Refused::new(format!("nothing is offered on port {other}"))),
        }
    }
}

/// An agent that echoes.
struct Agent {
    credential: watch::Sender<Arc<AgentCredential>>,
    state: watch::Receiver<TunnelState>,
    news: watch::Receiver<Option<u64>>,
    _stopper: Stopper,
}

fn agent(world: &World, address: SocketAddr, credential: Arc<AgentCredential>) -> Agent {
    agent_with(world, address, credential, TUNNEL_LIMITS)
}

fn agent_with(
    world: &World,
    address: SocketAddr,
    credential: Arc<AgentCredential>,
    limits: TunnelLimits,
) -> Agent {
    let (sender, receiver) = watch::channel(credential);
    let (telling, news) = watch::channel(None);
    let client = TunnelClient::new(TunnelClientParts {
        connector: Arc::new(TcpConnector(address.to_string())),
        credential: receiver,
        handler: Arc::new(Echo),
        news: telling,
        limits,
        backoff: Backoff::DEFAULT,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    });
    let state = client.state();
    let (stopper, stop) = Stopper::new();
    world.runtime.spawn(client.run(stop));
    Agent {
        credential: sender,
        state,
        news,
        _stopper: stopper,
    }
}

impl Agent {
    fn why_not(&self) -> String {
        eventually("the agent is refused", || match &*self.state.borrow() {
            TunnelState::Waiting { because } => Some(because.clone()),
            TunnelState::Connecting | TunnelState::Open { .. } | TunnelState::Stopped => None,
        })
    }
}

const CLIENT: &str = "192.0.2.9:4242";

fn open(world: &World, id: &str, port: u16) -> Result<TunnelStream, OpenError> {
    let source = CLIENT.parse().unwrap();
    let id = host(id);
    world
        .runtime
        .block_on(world.tunnels.open(&id, OpenRequest { source, port }))
}

async fn say(mut stream: TunnelStream, words: &[u8]) -> Vec<u8> {
    stream.write_all(words).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

fn is_up(world: &World, id: &str) {
    eventually("the tunnel is open", || {
        world.tunnels.has(&host(id)).then_some(())
    });
}

/// What an agent was told last, once it is this.
fn is_told(agent: &Agent, news: Option<u64>) {
    eventually(&format!("the agent is told {news:?}"), || {
        (*agent.news.borrow() == news).then_some(())
    });
}

#[test]
fn agents_are_told_up_to_which_revision_the_cluster_is_known() {
    let world = World::new();
    let early = agent(&world, world.public, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    assert_eq!(*early.news.borrow(), None, "nobody knows anything yet");
    world.tunnels.tell(7);
    is_told(&early, Some(7));

    // Who comes later learns it too, and everybody each news, be the number smaller.
    let mut late = agent(&world, world.public, world.hosts.agent("host-2"));
    is_told(&late, Some(7));
    for revision in [8, 3, u64::MAX] {
        world.tunnels.tell(revision);
        is_told(&early, Some(revision));
        is_told(&late, Some(revision));
    }

    // Connections are opened beside it as ever.
    let stream = open(&world, "host-1", 1).unwrap();
    let answer = world.runtime.block_on(say(stream, b"hello"));
    assert_eq!(answer, b"hello and that was all");

    // A new certificate, and with it a new tunnel, is no gap; one that was cut is told nothing, and says so.
    early.credential.send_replace(world.hosts.agent("host-1"));
    world.tunnels.tell(9);
    is_told(&early, Some(9));
    is_told(&late, Some(9));
    late.news.mark_unchanged();
    let _cut = world.tunnels.cut_unless(|agent| agent.host != host("host-2"));
    eventually("the agent has no tunnel", || {
        late.news.has_changed().unwrap().then_some(())
    });
}

#[test]
fn a_tunnel_that_carries_all_it_may_is_told_the_news_as_well() {
    let limits = TunnelLimits {
        streams_max: 3,
        ..TUNNEL_LIMITS
    };
    let world = World::with(LIMITS, limits, None);
    let agent = agent_with(&world, world.public, world.hosts.agent("host-1"), limits);
    is_up(&world, "host-1");
    let all: Vec<_> = (0..3).map(|_| open(&world, "host-1", 1).unwrap()).collect();
    assert!(matches!(open(&world, "host-1", 1), Err(OpenError::Busy { .. })));
    world.tunnels.tell(7);
    is_told(&agent, Some(7));
    drop(all);
}

#[test]
fn connections_go_back_through_what_the_agent_dialled() {
    let world = World::new();
    let _agent = agent(&world, world.public, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    let stream = open(&world, "host-1", 1).unwrap();
    let answer = world.runtime.block_on(say(stream, b"hello"));
    assert_eq!(
        answer, b"hello and that was all",
        "one direction ends and the other goes on"
    );
    let stream = open(&world, "host-1", 3).unwrap();
    assert_eq!(world.runtime.block_on(say(stream, b"x")), CLIENT.as_bytes());
    let refused = open(&world, "host-1", 4).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the node refuses the connection: nothing is offered on port 4"
    );
    let views = world.tunnels.views();
    assert_eq!((views.len(), views[0].agent.host.as_str()), (1, "host-1"));
    assert_eq!(views[0].agent.roles[0].as_str(), "node");
    let unknown = open(&world, "host-2", 1).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "host host-2 is offline: its agent has no tunnel to this proxy"
    );
}

#[test]
fn two_hundred_connections_share_a_tunnel_and_one_that_stalls_stalls_alone() {
    let world = World::new();
    let _agent = agent(&world, world.public, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    let mut stalled = open(&world, "host-1", 2).unwrap();
    let written = world.runtime.block_on(async {
        let chunk = vec![7; 64 * 1_024];
        let mut written = 0;
        // Nobody reads: what is accepted ends with the window and what lies before it.
        while let Ok(Ok(length)) =
            tokio::time::timeout(std::time::Duration::from_secs(5), stalled.write(&chunk)).await
        {
            written += length;
            assert!(written < 64 << 20, "there is no back-pressure");
        }
        written
    });
    assert!(written >= 64 * 1_024);
    let tasks: Vec<_> = (0..200_u32)
        .map(|number| {
            let tunnels = Arc::clone(&world.tunnels);
            world.runtime.spawn(async move {
                let source = CLIENT.parse().unwrap();
                let stream = tunnels
                    .open(&host("host-1"), OpenRequest { source, port: 1 })
                    .await
                    .unwrap();
                let words: Vec<u8> = (0..300_000_u32)
                    .map(|at| (at.wrapping_mul(number + 1) >> 3) as u8)
                    .collect();
                let (mut read, mut write) = tokio::io::split(stream);
                let said = words.clone();
                let writer = tokio::spawn(async move {
                    write.write_all(&said).await.unwrap();
                    write.shutdown().await.unwrap();
                });
                let mut answer = Vec::new();
                read.read_to_end(&mut answer).await.unwrap();
                writer.await.unwrap();
                assert!(answer.starts_with(&words) && answer.ends_with(b"that was all"));
            })
        })
        .collect();
    for task in tasks {
        world.runtime.block_on(task).unwrap();
    }
    assert_eq!(
        world.tunnels.views()[0].streams,
        1,
        "only the one that stalls is left"
    );
}

#[test]
fn only_hosts_of_this_cluster_get_a_tunnel() {
    let world = World::new();
    let foreign = X509Authority::new("foreign");
    let credential = |authority: &X509Authority, kind: &str| {
        let (chain, key) = authority.identity(kind, "host-1", &["node"], &["host-1"]);
        Arc::new(AgentCredential::new(chain, key, world.hosts.trust()))
    };
    // A host of another cluster: TLS refuses it.
    let other = agent(&world, world.public, credential(&foreign, "host"));
    let because = other.why_not();
    assert!(
        because.contains("does not open a tunnel") || because.contains("TLS"),
        "{because}"
    );
    // A person, with a certificate that even the host authority signed.
    let person = agent(&world, world.public, credential(&world.hosts, "user"));
    assert!(person.why_not().contains("does not open a tunnel"));
    let reason = world.log.wait("the refusal", |event| {
        if let ProxyEvent::TunnelRefused {
            reason, host: None, ..
        } = event
        {
            Some(reason.clone())
        } else {
            None
        }
    });
    assert_eq!(
        reason,
        "the certificate is not a host's; only agents that joined open tunnels"
    );
    // A proxy that the agent has no reason to trust, and a node that passes for the proxy.
    let (chain, key) = world.hosts.identity("host", "host-1", &["node"], &["host-1"]);
    let mut trust = world.hosts.trust();
    trust.host_authorities = vec![foreign.certificate()];
    let wary = agent(
        &world,
        world.public,
        Arc::new(AgentCredential::new(chain, key, trust)),
    );
    assert!(wary.why_not().contains("UnknownIssuer"), "{}", wary.why_not());
    let (chain, key) = world.hosts.identity("host", "host-2", &["node"], &["127.0.0.1"]);
    let authorities = vec![world.hosts.certificate()];
    world
        .faces
        .install_tunnel(&proxy::TunnelIdentity {
            chain,
            key,
            authorities,
        })
        .unwrap();
    let betrayed = agent(&world, world.public, world.hosts.agent("host-1"));
    assert!(
        betrayed.why_not().contains("TLS with the proxy failed"),
        "{}",
        betrayed.why_not()
    );
    assert!(world.tunnels.views().is_empty());
}

#[test]
fn a_removed_host_is_cut_and_does_not_come_back() {
    let world = World::new();
    let agent = agent(&world, world.public, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    let mut stream = open(&world, "host-1", 1).unwrap();
    world
        .gate
        .locked_hosts
        .lock()
        .unwrap()
        .insert("host-1".to_owned());
    let ended = world.runtime.block_on(stream.read(&mut [0; 16]));
    assert!(
        ended.is_err() || ended.is_ok_and(|length| length == 0),
        "what went through it ends"
    );
    let refused = world.log.wait("the refusal", |event| {
        if let ProxyEvent::TunnelRefused {
            host: Some(host),
            reason,
            ..
        } = event
        {
            Some((host.clone(), reason.clone()))
        } else {
            None
        }
    });
    assert_eq!(refused, (host("host-1"), "the host was removed".to_owned()));
    world.log.wait("the cut", |event| {
        matches!(event, ProxyEvent::TunnelClosed { reason: "cut", .. }).then_some(())
    });
    assert!(!world.tunnels.has(&host("host-1")));
    let offline = open(&world, "host-1", 1).unwrap_err().to_string();
    assert!(
        offline.starts_with("host host-1 is offline since 20"),
        "{offline}"
    );
    world.gate.locked_hosts.lock().unwrap().clear();
    is_up(&world, "host-1");
    assert!(matches!(
        &*agent.state.borrow(),
        TunnelState::Open { .. } | TunnelState::Connecting | TunnelState::Waiting { .. }
    ));
}

#[test]
fn a_host_that_is_locked_by_its_name_is_cut_as_well() {
    let world = World::new();
    let _agent = agent(&world, world.public, world.hosts.agent("host-1"));
    let _other = agent(&world, world.public, world.hosts.agent("host-2"));
    is_up(&world, "host-1");
    is_up(&world, "host-2");
    let mut names: Vec<_> = world
        .tunnels
        .views()
        .iter()
        .map(|view| view.agent.name.clone())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            Some("name-of-host-1".to_owned()),
            Some("name-of-host-2".to_owned())
        ],
        "neither the id, nor a name besides"
    );
    let mut stream = open(&world, "host-1", 1).unwrap();
    let lock = |name: &str| world.gate.locked_hosts.lock().unwrap().insert(name.to_owned());
    assert!(lock("name-of-host-1") && lock("alias.example"));
    let ended = world.runtime.block_on(stream.read(&mut [0; 16]));
    assert!(ended.is_err() || ended.is_ok_and(|length| length == 0));
    world.log.wait("the cut", |event| {
        matches!(event, ProxyEvent::TunnelClosed { host: closed, reason: "cut", .. } if *closed == host("host-1"))
            .then_some(())
    });
    assert!(world.tunnels.has(&host("host-2")));
}

#[test]
fn a_new_certificate_opens_a_new_tunnel_and_the_old_one_is_finished() {
    let world = World::new();
    let agent = agent(&world, world.public, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    let before = world.tunnels.views()[0].agent.serial.clone();
    let stream = open(&world, "host-1", 1).unwrap();
    agent.credential.send_replace(world.hosts.agent("host-1"));
    eventually("there is a tunnel with the new certificate", || {
        world
            .tunnels
            .views()
            .iter()
            .any(|view| view.agent.serial != before)
            .then_some(())
    });
    // The connection of before goes on, and new ones go through the new tunnel.
    let fresh = open(&world, "host-1", 1).unwrap();
    assert_eq!(
        world.runtime.block_on(say(fresh, b"new")),
        b"new and that was all"
    );
    assert_eq!(
        world.runtime.block_on(say(stream, b"old")),
        b"old and that was all"
    );
    eventually("the old tunnel has ended", || {
        let views = world.tunnels.views();
        (views.len() == 1 && views[0].agent.serial != before).then_some(())
    });
}

#[test]
fn a_tunnel_comes_back_by_itself_when_the_proxy_does() {
    let world = World::new();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let parts = || Public {
        faces: Arc::clone(&world.faces),
        auth: None,
        ssh: None,
        tunnels: Some(Arc::clone(&world.tunnelling)),
        web: axum::Router::new(),
        entropy: Arc::new(SystemEntropy),
    };
    let start = |address| {
        let (stopper, stop) = Stopper::new();
        let listener = eventually("the address is free", || {
            world.runtime.block_on(Listener::bind(address)).ok()
        });
        let address = listener.address();
        let task = world.runtime.spawn(listener.run_public(parts(), LIMITS, stop));
        (stopper, address, task)
    };
    let (first, address, task) = start(loopback);
    let agent = agent(&world, address, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    let mut stream = open(&world, "host-1", 1).unwrap();
    first.stop();
    world.runtime.block_on(task).unwrap();
    let ended = world.runtime.block_on(stream.read(&mut [0; 16]));
    assert!(ended.is_err() || ended.is_ok_and(|length| length == 0));
    assert!(!agent.why_not().is_empty());
    assert!(!world.tunnels.has(&host("host-1")));
    let (_second, _, _) = start(address);
    is_up(&world, "host-1");
    let stream = open(&world, "host-1", 1).unwrap();
    assert_eq!(
        world.runtime.block_on(say(stream, b"again")),
        b"again and that was all"
    );
    let reasons: Vec<_> = world
        .log
        .all()
        .into_iter()
        .filter_map(|event| {
            if let ProxyEvent::TunnelClosed { reason, .. } = event {
                Some(reason)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(reasons, ["stopped"]);
}

#[test]
fn a_peer_that_gives_no_sign_of_life_is_let_go_by_both_ends() {
    let limits = tunnel::TunnelLimits {
        keep_alive: tunnel::KeepAlive {
            interval: std::time::Duration::from_millis(200),
            timeout: std::time::Duration::from_secs(2),
        },
        ..TUNNEL_LIMITS
    };
    let world = World::with(LIMITS, limits, None);
    // A network between the two that swallows everything once it is told to.
    let (swallow, swallows) = watch::channel(false);
    let public = world.public;
    let between = world
        .runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = between.local_addr().unwrap();
    world.runtime.spawn(async move {
        while let Ok((mut agent, _)) = between.accept().await {
            let mut swallows = swallows.clone();
            tokio::spawn(async move {
                let mut proxy = tokio::net::TcpStream::connect(public).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut agent, &mut proxy) => return,
                    _ = swallows.wait_for(|swallows| *swallows) => {}
                }
                std::future::pending::<()>().await;
            });
        }
    });
    let _agent = agent(&world, address, world.hosts.agent("host-1"));
    is_up(&world, "host-1");
    swallow.send_replace(true);
    world.log.wait("the proxy gives it up", |event| {
        matches!(event, ProxyEvent::TunnelClosed { reason: "silent", .. }).then_some(())
    });
    assert!(!world.tunnels.has(&host("host-1")));
}
