//! Behind a balancer that passes TCP through and says where clients come from.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use api_http::AddressLimits;
use api_http::ConnectionLimits;
use parts::place::program;
use parts::process::run;
use proxy::Balancers;
use proxy::ProxyEvent;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use ssh_cert::Network;

use crate::openssh::config;
use crate::openssh::node;
use crate::support::LIMITS;
use crate::support::Setting;
use crate::support::World;
use crate::support::direct;
use crate::support::eventually;

/// Where clients come from, as the balancers of these tests say.
const CLIENT: &str = "203.0.113.9:4711";
const V1: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n";
const V1_OTHER: &[u8] = b"PROXY TCP4 203.0.113.77 198.51.100.1 4711 443\r\n";
const V1_OF_ITSELF: &[u8] = b"PROXY UNKNOWN\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x01\x12\x67\x01\xbb";

fn behind(networks: &[&str], limits: ConnectionLimits) -> World {
    let networks = networks.iter().map(|network| Network::parse(network).unwrap());
    World::build(Setting {
        limits,
        balancers: Some(Balancers {
            networks: networks.collect(),
        }),
        ..Setting::default()
    })
}

/// A balancer: writes a header, in pieces of so many bytes, then passes everything on.
fn balancer(to: SocketAddr, header: &'static [u8], pieces: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            std::thread::spawn(move || {
                let mut proxy = TcpStream::connect(to).unwrap();
                proxy.set_nodelay(true).unwrap();
                for piece in header.chunks(pieces) {
                    proxy.write_all(piece).unwrap();
                    std::thread::sleep(Duration::from_millis(5));
                }
                let (mut from_client, mut to_proxy) =
                    (client.try_clone().unwrap(), proxy.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ended = std::io::copy(&mut from_client, &mut to_proxy);
                    let _gone = to_proxy.shutdown(Shutdown::Write);
                });
                let mut client = client;
                let _ended = std::io::copy(&mut proxy, &mut client);
                let _gone = client.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

/// What the web says of who asks; nothing when the connection ends instead.
fn who_am_i(world: &World, at: SocketAddr) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(world.hosts.certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap());
    let mut stream = StreamOwned::new(connection.unwrap(), TcpStream::connect(at).unwrap());
    let ask = b"GET /whoami HTTP/1.1\r\nhost: proxy\r\nconnection: close\r\n\r\n";
    stream.write_all(ask).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(())?;
    answer.lines().last().map(str::to_owned)
}

/// Says something, and returns what is answered until the other end closes.
fn answer(at: SocketAddr, words: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let _gone = stream.write_all(words);
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    said
}

#[test]
fn the_web_and_openssh_come_from_where_the_header_says_and_so_the_log_has_it() {
    let world = behind(&[], LIMITS);
    for (header, pieces) in [(V1, 1_000), (V2, 1_000), (V1, 1), (V2, 3)] {
        let at = balancer(world.public, header, pieces);
        assert_eq!(who_am_i(&world, at).as_deref(), Some(CLIENT));
    }
    let sshd = node(&world, "web-1");
    world.add_node("web-1", direct("host-1", ([127, 0, 0, 1], sshd.port()).into()));
    let config = config(&world, "alice", sshd.user(), "ProxyJump proxy");
    let at = balancer(world.jump, V2, 1_000);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        &format!("Port {}\n", world.jump.port()),
        &format!("Port {}\n", at.port()),
    );
    std::fs::write(&config, text).unwrap();
    let mut ssh = Command::new(program("ssh").unwrap());
    ssh.arg("-F").arg(&config).env_remove("SSH_AUTH_SOCK");
    let outcome = run(ssh.args(["web-1", "echo over there"])).unwrap();
    assert_eq!(outcome.stdout, "over there\n", "{outcome:?}");
    world
        .log
        .wait("the connection, with its client's address", |event| {
            if let ProxyEvent::Connected { remote, .. } = event {
                assert_eq!(remote.to_string(), CLIENT);
                Some(())
            } else {
                None
            }
        });
}

#[test]
fn nobody_comes_without_a_header_where_one_is_asked_for() {
    let world = behind(&[], LIMITS);
    assert_eq!(who_am_i(&world, world.public), None);
    assert_eq!(answer(world.jump, b"SSH-2.0-client\r\n"), b"");
    assert_eq!(answer(world.public, b"PROXY TCP4 nonsense\r\n"), b"");
    // Nor does the second header count where there are two.
    let at = balancer(world.public, V1, 1_000);
    assert_eq!(answer(at, V1_OTHER), b"");
    // A balancer that looks whether anybody is here comes as itself.
    let at = balancer(world.public, V1_OF_ITSELF, 1_000);
    let own = who_am_i(&world, at).unwrap();
    assert!(own.starts_with("127.0.0.1:"), "{own}");
}

#[test]
fn a_header_that_nobody_asked_for_ends_the_connection() {
    let world = World::new();
    for header in [V1, V2] {
        let at = balancer(world.public, header, 1_000);
        assert_eq!(who_am_i(&world, at), None);
        // The proxy greets first; nothing follows.
        let said = answer(world.jump, &[header, b"SSH-2.0-client\r\n"].concat());
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.is_empty() || said == "SSH-2.0-Signet\r\n", "{said:?}");
    }
    assert!(who_am_i(&world, world.public).is_some());
}

#[test]
fn only_trusted_balancers_are_believed() {
    let world = behind(&["192.0.2.0/24", "2001:db8::/32"], LIMITS);
    let at = balancer(world.public, V1, 1_000);
    assert_eq!(who_am_i(&world, at), None);
    assert_eq!(
        answer(balancer(world.jump, V2, 1_000), b"SSH-2.0-client\r\n"),
        b""
    );
    let world = behind(&["192.0.2.0/24", "127.0.0.0/8"], LIMITS);
    let at = balancer(world.public, V1, 1_000);
    assert_eq!(who_am_i(&world, at).as_deref(), Some(CLIENT));
}

#[test]
fn each_client_has_its_own_share_and_the_balancer_none() {
    let limits = ConnectionLimits {
        address: Some(AddressLimits {
            connections_max: 1,
            burst: 10_000,
            per_second: 10_000,
        }),
        ..LIMITS
    };
    let world = behind(&[], limits);
    let greeted = |at: SocketAddr| {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut said = [0; 8];
        stream
            .read_exact(&mut said)
            .is_ok_and(|()| &said == b"SSH-2.0-")
            .then_some(stream)
    };
    let (one, other) = (
        balancer(world.jump, V1, 1_000),
        balancer(world.jump, V1_OTHER, 1_000),
    );
    let first = greeted(one).unwrap();
    assert!(greeted(one).is_none(), "it has its share");
    let _second = greeted(other).unwrap();
    drop(first);
    eventually("its place is free", || greeted(one));
}

#[test]
fn who_does_not_say_whom_it_is_for_makes_room_and_has_not_for_ever() {
    let limits = ConnectionLimits {
        connections_max: 2,
        handshake: Duration::from_secs(3_600),
        ..LIMITS
    };
    let world = behind(&[], limits);
    let silent: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(world.public).unwrap())
        .collect();
    let at = balancer(world.public, V1, 1_000);
    assert_eq!(who_am_i(&world, at).as_deref(), Some(CLIENT));
    drop(silent);
    let limits = ConnectionLimits {
        handshake: Duration::from_millis(500),
        ..LIMITS
    };
    let world = behind(&[], limits);
    assert_eq!(answer(world.public, b""), b"");
    assert_eq!(answer(world.jump, b"PROXY TCP4 "), b"");
}
