//! What one user can make the proxy and its nodes hold.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api_http::AddressLimits;
use api_http::ConnectionLimits;
use proxy::Here;
use proxy::ProxyEvent;
use proxy::SshLimits;
use russh::client;
use russh::keys::Certificate;
use russh::keys::PrivateKey;
use russh::keys::PublicKeyOrCertificate;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use crate::support::LIMITS;
use crate::support::SSH_LIMITS;
use crate::support::TUNNEL_LIMITS;
use crate::support::World;
use crate::support::direct;
use crate::support::within;

const LONG: Duration = Duration::from_secs(3_600);
/// Far less than LONG, and enough for whatever happens at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than a log-in says.
const WORDS: [u8; 4_096] = [b'x'; 4_096];
const GREETING: &[u8] = b"SSH-2.0-echo\r\n";

struct Careless;

impl client::Handler for Careless {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

fn world(ssh_limits: SshLimits) -> World {
    World::with_ssh(LIMITS, TUNNEL_LIMITS, None, ssh_limits)
}

/// Alice, logged in.
async fn alice(world: &World) -> client::Handle<Careless> {
    let key = PrivateKey::from_openssh(world.keys.read("alice")).unwrap();
    let certificate = Certificate::from_openssh(world.keys.read("alice-cert.pub").trim()).unwrap();
    let mut handle = client::connect(Arc::new(client::Config::default()), world.jump, Careless)
        .await
        .unwrap();
    let answer = handle.authenticate_openssh_cert("alice", Arc::new(key), certificate);
    assert!(answer.await.unwrap().success());
    handle
}

/// A node that greets and then says what it is told, and how many connections it has had.
async fn echo(world: &World, name: &str) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.add_node(name, direct(name, listener.local_addr().unwrap()));
    let had = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&had);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                write.write_all(GREETING).await.unwrap();
                let _ended = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    had
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waits).await.is_ok(),
        "not so: {what}"
    );
}

#[test]
fn one_user_does_not_hold_the_places_of_a_node_by_not_logging_in() {
    let world = world(SshLimits {
        beginnings_max: 3,
        beginning: LONG,
        ..SSH_LIMITS
    });
    world.runtime.block_on(async {
        let (had, other) = (echo(&world, "web-1").await, echo(&world, "web-2").await);
        let handle = Arc::new(alice(&world).await);
        let (opened, mut channels) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..8 {
            let (handle, opened) = (Arc::clone(&handle), opened.clone());
            tokio::spawn(async move {
                let channel = handle
                    .channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 1)
                    .await;
                opened.send(channel.unwrap().into_stream()).ok();
            });
        }
        let mut silent = Vec::new();
        for _ in 0..3 {
            silent.push(channels.recv().await.unwrap());
        }
        // Other nodes are not concerned.
        let elsewhere = handle.channel_open_direct_tcpip("web-2", 22, "127.0.0.1", 1);
        let _elsewhere = elsewhere.await.unwrap();
        assert_eq!((had.load(Ordering::SeqCst), other.load(Ordering::SeqCst)), (3, 1));
        // To a node that sees the proxy's address alone, talking is no log-in: as much is said by whoever is refused.
        let mut talks = silent.pop().unwrap();
        talks.write_all(&WORDS).await.unwrap();
        let mut said = vec![0; GREETING.len() + WORDS.len()];
        talks.read_exact(&mut said).await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(300), channels.recv()).await;
        assert!(next.is_err() && had.load(Ordering::SeqCst) == 3);
        // One that has ended counts no longer, and the next begins.
        drop(talks);
        silent.push(channels.recv().await.unwrap());
        until("one more", || had.load(Ordering::SeqCst) == 4).await;
        drop(silent);
        for _ in 0..3 {
            channels.recv().await.unwrap();
        }
    });
}

#[test]
fn a_connection_counts_as_beginning_for_a_while_and_no_longer() {
    let world = world(SshLimits {
        beginnings_max: 1,
        beginning: Duration::from_secs(2),
        ..SSH_LIMITS
    });
    world.runtime.block_on(async {
        let had = echo(&world, "web-1").await;
        let handle = alice(&world).await;
        // One that stays silent does not count for ever: it may be somebody who is let in with few words.
        for number in 1..3 {
            let channel = handle.channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 1);
            std::mem::forget(channel.await.unwrap());
            assert_eq!(had.load(Ordering::SeqCst), number);
        }
    });
}

#[test]
fn channels_for_shells_are_counted_and_closed() {
    let world = world(SshLimits {
        sessions_max: 3,
        channels_max: 2,
        session_wait: Duration::from_millis(500),
        ..SSH_LIMITS
    });
    world.runtime.block_on(async {
        let handle = alice(&world).await;
        let mut first = handle.channel_open_session().await.unwrap();
        // Nothing is asked for.
        let closed = async { while first.wait().await.is_some() {} };
        assert!(tokio::time::timeout(PATIENCE, closed).await.is_ok());
        for _ in 0..2 {
            handle.channel_open_session().await.unwrap();
        }
        assert!(
            handle.channel_open_session().await.is_err(),
            "one in four is too many"
        );
    });
}

#[test]
fn who_asks_for_node_after_node_is_held_back_by_whatever_connection() {
    // Nothing comes back, so that no machine is too slow for this.
    let world = world(SshLimits {
        channel_rate: (0, 3),
        ..SSH_LIMITS
    });
    world.runtime.block_on(async {
        let had = echo(&world, "web-1").await;
        let (first, second) = (alice(&world).await, alice(&world).await);
        for handle in [&first, &second, &first] {
            let channel = handle.channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 1);
            channel.await.unwrap().close().await.unwrap();
        }
        for handle in [&first, &second] {
            let channel = handle.channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 1);
            assert!(channel.await.is_err());
        }
        assert_eq!(had.load(Ordering::SeqCst), 3);
        let of_kind = |kind: fn(&ProxyEvent) -> bool| world.log.all().iter().filter(|event| kind(event)).count();
        assert_eq!(of_kind(|event| matches!(event, ProxyEvent::Connected { .. })), 3);
        let is_refusal = |event: &ProxyEvent| {
            matches!(event, ProxyEvent::Denied { user, reason, .. } if user == "alice" && reason.contains("too fast"))
        };
        assert_eq!(of_kind(is_refusal), 2);
    });
}

/// A node in this process, which says where its client is.
struct Within;

impl Here for Within {
    fn open(&self, source: SocketAddr) -> Option<DuplexStream> {
        let (near, mut far) = tokio::io::duplex(1_024);
        tokio::spawn(async move {
            let _gone = far.write_all(format!("{source}\r\n").as_bytes()).await;
            let (mut read, mut write) = tokio::io::split(far);
            let _ended = tokio::io::copy(&mut read, &mut write).await;
        });
        Some(near)
    }
}

#[test]
fn a_node_that_knows_its_clients_counts_them_itself_once_they_talk() {
    let world = World::with_here(
        SshLimits {
            beginnings_max: 1,
            beginning: LONG,
            ..SSH_LIMITS
        },
        Arc::new(Within),
    );
    world.add_node("web-1", within("web-1"));
    world.runtime.block_on(async {
        let handle = alice(&world).await;
        let open = || handle.channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 1);
        let mut first = open().await.unwrap().into_stream();
        let mut greeting = [0; 10];
        first.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"127.0.0.1:");
        first.write_all(&WORDS).await.unwrap();
        let mut said = vec![0; WORDS.len()];
        first.read_exact(&mut said).await.unwrap();
        let _second = open().await.unwrap();
    });
}

/// Whoever goes on asking, slowly and politely, has as long as whoever says nothing, and counts for where they are until then.
#[test]
fn a_log_in_takes_so_long_and_no_longer_whatever_is_said_in_it() {
    let one = AddressLimits {
        connections_max: 1,
        burst: 10_000,
        per_second: 10_000,
    };
    let limits = ConnectionLimits {
        address: Some(one),
        ..LIMITS
    };
    let ssh_limits = SshLimits {
        login_grace: Duration::from_secs(3),
        attempts_max: usize::MAX,
        ..SSH_LIMITS
    };
    let world = World::with_ssh(limits, TUNNEL_LIMITS, None, ssh_limits);
    world.runtime.block_on(async {
        let config = Arc::new(client::Config::default());
        let mut polite = loop {
            // It begins anew where the machine is too busy for that.
            if let Ok(polite) = client::connect(Arc::clone(&config), world.jump, Careless).await {
                break polite;
            }
        };
        let mut asked = 0;
        let asks = async {
            while polite.authenticate_none("alice").await.is_ok() {
                if asked % 10 == 0 {
                    // The one place of its address is its own.
                    let mut other = TcpStream::connect(world.jump).await.unwrap();
                    let mut said = Vec::new();
                    let read = other.read_to_end(&mut said).await;
                    assert!(said.is_empty() || polite.is_closed(), "{read:?}");
                }
                asked += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, asks).await.is_ok(),
            "it is never cut off"
        );
        assert!(asked > 1, "it was let in to begin with");
        let free = async {
            loop {
                let mut next = TcpStream::connect(world.jump).await.unwrap();
                if next.read_exact(&mut [0; 4]).await.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, free).await.is_ok(),
            "its place is free"
        );
    });
}
