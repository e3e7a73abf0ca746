//! The public port: who comes how, and what strangers cannot do.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use api_http::AddressLimits;
use api_http::ConnectionLimits;
use proxy::CertSource;
use proxy::FileSource;
use proxy::HandOver;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use tokio::sync::mpsc;

use crate::support::LIMITS;
use crate::support::TUNNEL_LIMITS;
use crate::support::World;
use crate::support::X509Authority;
use crate::support::eventually;

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn client_config(authority: &X509Authority, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|id| id.to_vec()).collect();
    Arc::new(config)
}

fn tls(world: &World, protocols: &[&[u8]]) -> Tls {
    let connection = ClientConnection::new(
        client_config(&world.hosts, protocols),
        "127.0.0.1".try_into().unwrap(),
    );
    StreamOwned::new(connection.unwrap(), TcpStream::connect(world.public).unwrap())
}

/// The first message of a client.
fn hello(world: &World) -> Vec<u8> {
    let config = client_config(&world.hosts, &[b"http/1.1"]);
    let mut connection = ClientConnection::new(config, "127.0.0.1".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// Waits until the other end closes, without having said anything.
fn assert_closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => assert_eq!(said, b""),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let looked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(looked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn ask_who_i_am(world: &World) {
    let mut stream = tls(world, &[b"http/1.1"]);
    stream
        .write_all(b"GET /whoami HTTP/1.1\r\nhost: proxy\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let own = stream.sock.local_addr().unwrap().to_string();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(&own),
        "{answer}"
    );
}

#[test]
fn the_web_is_told_where_requests_really_come_from() {
    let world = World::new();
    ask_who_i_am(&world);
}

#[test]
fn strangers_that_do_nothing_do_not_keep_others_out() {
    let limits = ConnectionLimits {
        connections_max: 4,
        head: Duration::from_secs(3_600),
        age: Duration::from_secs(3_600),
        ..LIMITS
    };
    let world = World::with(limits, TUNNEL_LIMITS, None);
    let polite: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = tls(&world, &[b"http/1.1"]);
            stream
                .write_all(b"GET /whoami HTTP/1.1\r\nhost: proxy\r\n\r\n")
                .unwrap();
            assert!(stream.read(&mut [0; 512]).unwrap() > 0);
            stream
        })
        .collect();
    let silent: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(world.public).unwrap())
        .collect();
    ask_who_i_am(&world);
    drop((polite, silent));
}

#[test]
fn the_api_is_handed_connections_of_which_nothing_was_read() {
    let (sender, mut receiver) = mpsc::channel(8);
    let world = World::with(LIMITS, TUNNEL_LIMITS, Some(Arc::new(HandOver(sender))));
    let mut stream = TcpStream::connect(world.public).unwrap();
    let config = client_config(&world.hosts, &[b"signet-auth", b"h2"]);
    let mut client = ClientConnection::new(config, "auth".try_into().unwrap()).unwrap();
    let mut said = Vec::new();
    client.write_tls(&mut said).unwrap();
    // In pieces, as networks do.
    for piece in said.chunks(300) {
        stream.write_all(piece).unwrap();
        stream.flush().unwrap();
    }
    let (handed_over, remote) = world.runtime.block_on(receiver.recv()).unwrap();
    assert_eq!(remote, stream.local_addr().unwrap());
    let handed_over = handed_over.into_std().unwrap();
    handed_over.set_nonblocking(false).unwrap();
    let mut read = vec![0; said.len()];
    (&handed_over).read_exact(&mut read).unwrap();
    assert_eq!(read, said);
}

#[test]
fn what_is_no_client_hello_is_closed_at_once() {
    let world = World::new();
    let mut endless = vec![22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
    endless.resize(40_000, 0);
    for said in [
        b"GET / HTTP/1.1\r\nhost: proxy\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        vec![0; 100],
        // A message longer than anybody needs to say hello.
        endless,
        // A good header with nonsense in it.
        [&[22, 3, 1, 0, 8, 1, 0, 0, 4][..], &[0xff; 4]].concat(),
    ] {
        let mut stream = TcpStream::connect(world.public).unwrap();
        // The other end may hang up before everything was said.
        let _ = stream.write_all(&said);
        assert_closed(stream);
    }
    // A client that hangs up in the middle of it.
    let mut stream = TcpStream::connect(world.public).unwrap();
    stream.write_all(&hello(&world)[..100]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_closed(stream);
    ask_who_i_am(&world);
}

#[test]
fn nobody_agrees_on_a_protocol_that_is_not_theirs() {
    let world = World::new();
    // The web has no such protocol, the auth service is not here, and a tunnel wants a certificate.
    for protocol in [&b"signet-other"[..], b"signet-auth", b"signet-tunnel"] {
        let mut stream = tls(&world, &[protocol]);
        let failed = stream.write_all(b"x").and_then(|()| stream.flush());
        let failed = failed.and_then(|()| stream.read_exact(&mut [0]));
        assert!(failed.is_err(), "{protocol:?}");
    }
}

#[test]
fn who_says_nothing_is_let_go_and_holds_up_only_its_own_address() {
    let limits = ConnectionLimits {
        handshake: Duration::from_secs(3),
        address: Some(AddressLimits {
            connections_max: 4,
            burst: 10_000,
            per_second: 10_000,
        }),
        ..LIMITS
    };
    let world = World::with(limits, TUNNEL_LIMITS, None);
    let mut silent: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(world.public).unwrap())
        .collect();
    let hello = hello(&world);
    // One says half of it, another all and then nothing more.
    silent[1].write_all(&hello[..hello.len() / 2]).unwrap();
    silent[2].write_all(&hello).unwrap();
    // The flood is closed without a byte read or said.
    for _ in 0..200 {
        let stream = TcpStream::connect(world.public).unwrap();
        if silent.iter().all(is_open) {
            assert_closed(stream);
        }
    }
    let answered = silent.remove(2);
    for stream in silent {
        assert_closed(stream);
    }
    drop(answered);
    eventually("there is room again", || {
        let mut stream = tls(&world, &[b"http/1.1"]);
        let asked = stream.write_all(b"GET /whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut answer = String::new();
        (asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains("200 OK"))
            .then_some(())
    });
}

#[test]
fn an_address_that_asks_too_often_is_told_so() {
    let limits = ConnectionLimits {
        address: Some(AddressLimits {
            connections_max: 10,
            burst: 5,
            per_second: 1,
        }),
        ..LIMITS
    };
    let world = World::with(limits, TUNNEL_LIMITS, None);
    let mut stream = tls(&world, &[b"http/1.1"]);
    for _ in 0..40 {
        stream
            .write_all(b"GET /whoami HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
    }
    stream.flush().unwrap();
    let mut answers = Vec::new();
    let mut buffer = [0; 4_096];
    while !String::from_utf8_lossy(&answers).contains("429 Too Many Requests") {
        let length = stream.read(&mut buffer).unwrap();
        assert_ne!(length, 0);
        answers.extend(&buffer[..length]);
    }
}

#[test]
fn a_web_certificate_is_read_again_when_its_files_change() {
    let world = World::new();
    let path = |name: &str| world.keys.path(name);
    let write = |authority: &X509Authority| {
        let (chain, key) = authority.identity("host", "web", &[], &["127.0.0.1"]);
        let pem = |label: &str, der: &[u8]| {
            let input = path("der");
            std::fs::write(&input, der).unwrap();
            let base64 = parts::process::run_ok(
                std::process::Command::new(parts::place::program("base64").unwrap()).arg(&input),
            );
            format!(
                "-----BEGIN {label}-----\n{}-----END {label}-----\n",
                base64.unwrap()
            )
        };
        std::fs::write(path("chain.pem"), pem("CERTIFICATE", &chain[0])).unwrap();
        std::fs::write(path("key.pem"), pem("PRIVATE KEY", key.secret_der())).unwrap();
    };
    let source = FileSource {
        chain: path("chain.pem"),
        key: path("key.pem"),
    };
    let missing = world
        .runtime
        .block_on(source.current())
        .err()
        .unwrap()
        .to_string();
    assert!(missing.starts_with("cannot read "), "{missing}");
    let public = X509Authority::new("public");
    write(&public);
    let faces = Arc::clone(&world.faces);
    world.runtime.spawn({
        let stop = world.stop.clone();
        async move {
            faces
                .follow(Arc::new(source), Duration::from_millis(50), stop)
                .await
        }
    });
    let presents = |authority: &X509Authority| {
        let connection =
            ClientConnection::new(client_config(authority, &[]), "127.0.0.1".try_into().unwrap());
        let mut stream = StreamOwned::new(connection.unwrap(), TcpStream::connect(world.public).unwrap());
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .is_ok()
            .then_some(())
    };
    eventually("the file's certificate is presented", || presents(&public));
    let another = X509Authority::new("another");
    write(&another);
    eventually("the next one is presented", || presents(&another));
    assert_eq!(presents(&public), None);
}

#[test]
fn the_same_address_is_bound_by_one() {
    let world = World::new();
    let again = world.runtime.block_on(proxy::Listener::bind(world.public));
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
}
