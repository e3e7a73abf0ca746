//! Ports both ways, the client's agent, and what may not be forwarded.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use parts::port;
use parts::process::run_ok;
use ssh_node::*;

use crate::world::*;

crate::tests! {
    a_local_port_reaches_another_place
    a_dynamic_port_reaches_other_places
    a_remote_port_reaches_the_client
    forwarding_needs_the_right_to
    forwarding_needs_the_certificates_permit
    the_agent_is_reached_from_a_session
    sockets_and_x11_are_refused
    nothing_is_forwarded_unrecorded
    who_asks_for_closed_ports_again_and_again_is_held_back_and_nobody_else
    connections_that_the_client_does_not_take_do_not_pile_up
}

/// A server that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut copy = stream.try_clone().unwrap();
                std::io::copy(&mut stream, &mut copy).ok();
                copy.shutdown(std::net::Shutdown::Write).ok();
            });
        }
    });
    address
}

/// Ends a client when the test does.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn forward(world: &World, key: &Path, more: &[&str]) -> Client {
    let mut command = world.ssh(key, own_account(), &["-N", "-o", "ExitOnForwardFailure=yes"]);
    // The host comes last already; options may follow it.
    command.args(more);
    Client(
        command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    )
}

/// Sends noise through, and looks whether it comes back.
fn comes_back(mut stream: TcpStream) -> bool {
    let sent: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8)
        .collect();
    let mut writer = stream.try_clone().unwrap();
    let data = sent.clone();
    let sending = std::thread::spawn(move || {
        writer.write_all(&data).is_ok() && writer.shutdown(std::net::Shutdown::Write).is_ok()
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).ok();
    sending.join().unwrap() && back == sent
}

fn connected(port: u16) -> TcpStream {
    eventually("the forwarded port", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    })
}

fn ports(world: &World) -> Vec<(ForwardDirection, u32)> {
    world.recorded(|event| match &event.what {
        Happening::Port(port) => Some((port.direction, port.port)),
        _ => None,
    })
}

fn a_local_port_reaches_another_place() {
    let world = World::new();
    let key = world.user("alice");
    let (reserved, echo) = (port::free().unwrap(), echo());
    let port = reserved.number();
    let _client = forward(&world, &key, &["-L", &format!("127.0.0.1:{port}:{echo}")]);
    assert!(comes_back(connected(port)));
    assert!(comes_back(connected(port)));
    let direction = ForwardDirection::Local;
    assert_eq!(ports(&world), vec![(direction, echo.port().into()); 2]);
    // Nobody is there.
    let other = port::free().unwrap();
    let _closed = forward(
        &world,
        &key,
        &["-L", &format!("127.0.0.1:{}:127.0.0.1:1", other.number())],
    );
    let mut nobody = connected(other.number());
    assert_eq!(nobody.read(&mut [0; 8]).unwrap_or(0), 0);
}

fn a_dynamic_port_reaches_other_places() {
    let world = World::new();
    let key = world.user("alice");
    let (reserved, echo) = (port::free().unwrap(), echo());
    let port = reserved.number();
    let _client = forward(&world, &key, &["-D", &format!("127.0.0.1:{port}")]);
    let mut stream = connected(port);
    // SOCKS 5 without authentication, to an IPv4 address.
    stream.write_all(&[5, 1, 0]).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    stream.write_all(&[5, 1, 0, 1, 127, 0, 0, 1]).unwrap();
    stream.write_all(&echo.port().to_be_bytes()).unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    assert!(comes_back(stream));
}

fn a_remote_port_reaches_the_client() {
    let world = World::new();
    let key = world.user("alice");
    let echo = echo();
    let socket = format!("ControlPath={}", world.path("control").display());
    let client = forward(&world, &key, &["-M", "-o", &socket]);
    eventually("the master's socket", || {
        world.path("control").exists().then_some(())
    });
    let ask = |action: &str, forward: &str| {
        let mut command = world.ssh(&key, own_account(), &["-o", &socket, "-O", action, "-R", forward]);
        run_ok(&mut command).unwrap()
    };
    let reserved = port::free().unwrap();
    let port = reserved.number();
    ask("forward", &format!("{port}:{echo}"));
    assert!(comes_back(connected(port)));
    ask("cancel", &format!("{port}:{echo}"));
    eventually("the port is closed", || {
        TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
    });
    // Any port: the client says which it got.
    let port: u16 = ask("forward", &format!("0:{echo}")).trim().parse().unwrap();
    assert!(comes_back(connected(port)));
    drop(client);
    eventually("the port is closed", || {
        TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
    });
    let directions: Vec<_> = ports(&world)
        .into_iter()
        .map(|(direction, _)| direction)
        .collect();
    let (opened, closed) = (ForwardDirection::Remote, ForwardDirection::RemoteClosed);
    assert_eq!(directions, [opened, closed, opened]);
}

fn is_refused(world: &World, key: &Path, what: &str) {
    let (reserved, echo) = (port::free().unwrap(), echo());
    let port = reserved.number();
    let _client = forward(world, key, &["-L", &format!("127.0.0.1:{port}:{echo}")]);
    let mut stream = connected(port);
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    let mut command = world.ssh(key, own_account(), &["-N", "-o", "ExitOnForwardFailure=yes"]);
    let outcome = run(command.args(["-R", &format!("0:{echo}")]));
    assert_eq!(outcome.code, 255);
    let refused = world.recorded(|event| match &event.what {
        Happening::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.iter().all(|reason| reason.contains(what)), "{refused:?}");
    assert!(ports(world).is_empty());
}

fn forwarding_needs_the_right_to() {
    let world = World::new();
    {
        let rights = &mut world.gate.grant.lock().unwrap().rights;
        rights.local_forwarding = false;
        rights.remote_forwarding = false;
    }
    let key = world.user("alice");
    is_refused(&world, &key, "forward ports");
}

fn forwarding_needs_the_certificates_permit() {
    let world = World::new();
    let options = ["clear", "permit-pty"];
    let key = world.certificate(
        "alice",
        Wanted {
            options: &options,
            ..good("alice", own_account())
        },
    );
    is_refused(&world, &key, "forward ports");
    let mut command = world.ssh(&key, own_account(), &["-tt"]);
    assert!(run(command.arg("tty")).stdout.contains("/dev/pts/"));
    let key = world.certificate(
        "bob",
        Wanted {
            options: &["clear"],
            ..good("bob", own_account())
        },
    );
    let mut command = world.ssh(&key, own_account(), &["-tt"]);
    assert!(!run(command.arg("tty")).stdout.contains("/dev/pts/"));
}

/// A client that forwards its agent, for which it must not be told that there is none.
fn with_agent(world: &World, key: &Path) -> Command {
    let options = world.options(key);
    let (agent, options): (Vec<_>, Vec<_>) = options
        .into_iter()
        .partition(|option| option == "IdentityAgent=none");
    assert_eq!(agent.len(), 1);
    let mut words: Vec<String> = Vec::new();
    for option in options {
        // The removed value's `-o` goes too.
        if words.last().is_some_and(|last| last == "-o") && option == "-o" {
            continue;
        }
        words.push(option);
    }
    let mut command = Command::new("ssh");
    command.args(words).args([
        "-p",
        &world.address.port().to_string(),
        "-l",
        own_account(),
        "-A",
        "127.0.0.1",
    ]);
    command
}

fn the_agent_is_reached_from_a_session() {
    let world = World::new();
    let key = world.user("alice");
    let agent_socket = world.path("agent");
    let mut agent = Command::new("ssh-agent");
    let agent = Client(
        agent
            .arg("-D")
            .arg("-a")
            .arg(&agent_socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    eventually("the agent", || agent_socket.exists().then_some(()));
    run_ok(
        Command::new("ssh-add")
            .arg("-q")
            .arg(&key)
            .env("SSH_AUTH_SOCK", &agent_socket),
    )
    .unwrap();
    let mut command = with_agent(&world, &key);
    let line = "ssh-add -l; stat -c '%a %U' $(dirname $SSH_AUTH_SOCK); echo $SSH_AUTH_SOCK";
    let outcome = run(command.arg(line).env("SSH_AUTH_SOCK", &agent_socket));
    assert!(outcome.stdout.contains("ED25519-CERT"), "{}", outcome.text());
    assert!(
        outcome.stdout.contains(&format!("700 {}", own_account())),
        "{}",
        outcome.text()
    );
    world.wait_for("the agent in the log", |what| {
        matches!(what, Happening::AgentForward).then_some(())
    });
    let socket = outcome.stdout.lines().last().unwrap().to_owned();
    eventually("the socket is removed", || {
        (!Path::new(&socket).exists()).then_some(())
    });
    // Without the right to, there is none.
    world.gate.grant.lock().unwrap().rights.agent_forwarding = false;
    let mut command = with_agent(&world, &key);
    let outcome = run(command
        .arg("echo [$SSH_AUTH_SOCK]")
        .env("SSH_AUTH_SOCK", &agent_socket));
    assert!(outcome.stdout.contains("[]"), "{}", outcome.text());
    drop(agent);
}

fn sockets_and_x11_are_refused() {
    let world = World::new();
    let key = world.user("alice");
    let socket = world.path("socket");
    let mut command = world.ssh(&key, own_account(), &["-N", "-o", "ExitOnForwardFailure=yes"]);
    let outcome = run(command.args(["-R", &format!("{}:127.0.0.1:1", socket.display())]));
    assert_eq!(outcome.code, 255);
    assert!(!socket.exists());
    let mut command = world.ssh(&key, own_account(), &["-X"]);
    let outcome = run(command.arg("echo [$DISPLAY]").env("DISPLAY", ":9"));
    assert!(outcome.stdout.contains("[]"), "{}", outcome.text());
}

fn nothing_is_forwarded_unrecorded() {
    let world = World::new();
    let key = world.user("alice");
    *world.events.refuses.lock().unwrap() = Some(|what| matches!(what, Happening::Port(_)));
    let (reserved, echo) = (port::free().unwrap(), echo());
    let port = reserved.number();
    let _client = forward(&world, &key, &["-L", &format!("127.0.0.1:{port}:{echo}")]);
    assert!(!comes_back(connected(port)));
    let mut command = world.ssh(&key, own_account(), &["-N", "-o", "ExitOnForwardFailure=yes"]);
    assert_eq!(run(command.args(["-R", &format!("0:{echo}")])).code, 255);
}

/// Whatever is let through is recorded, and what is not does not fill the log.
fn who_asks_for_closed_ports_again_and_again_is_held_back_and_nobody_else() {
    // Nothing comes back, so that no machine is too slow for this.
    let world = World::with(|config| config.channel_rate = (0, 3));
    let (alice, bob) = (world.user("alice"), world.user("bob"));
    let ask = |key: &Path, times: usize| {
        let reserved = port::free().unwrap();
        let port = reserved.number();
        let _client = forward(&world, key, &["-L", &format!("127.0.0.1:{port}:127.0.0.1:1")]);
        for _ in 0..times {
            let mut nobody = connected(port);
            assert!(is_closed(&mut nobody));
        }
    };
    let refused = || {
        world.recorded(|event| match &event.what {
            Happening::Refused { what, reason } => Some((event.user.clone(), what.clone(), reason.clone())),
            _ => None,
        })
    };
    ask(&alice, 5);
    assert_eq!(ports(&world).len(), 3);
    assert_eq!(refused().len(), 2);
    // Nor by another connection, nor by what else is an event each time.
    ask(&alice, 1);
    let mut command = world.ssh(&alice, own_account(), &["-N", "-o", "ExitOnForwardFailure=yes"]);
    assert_eq!(run(command.args(["-R", "0:127.0.0.1:1"])).code, 255);
    assert_eq!(ports(&world).len(), 3);
    for (user, what, reason) in refused() {
        assert_eq!(user.as_deref(), Some("alice"), "{what}");
        assert!(reason.contains("opens channels too fast"), "{reason}");
    }
    let outcome = world.run_as(&alice, own_account(), "true");
    assert_eq!(outcome.code, 255, "{}", outcome.text());
    assert!(outcome.text().contains("too fast"), "{}", outcome.text());
    ask(&bob, 2);
    assert_eq!(ports(&world).len(), 5);
}

/// Whether the other end closes a connection, at the latest after some patience.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0; 8]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn connections_that_the_client_does_not_take_do_not_pile_up() {
    for (patience, held) in [(3_600_000, 4), (500, 0)] {
        let world = World::with(|config| {
            config.channels_max = 4;
            config.offer_patience = std::time::Duration::from_millis(patience);
        });
        let key = world.user("alice");
        let (reserved, echo) = (port::free().unwrap(), echo());
        let port = reserved.number();
        let client = forward(&world, &key, &["-R", &format!("{port}:{echo}")]);
        assert!(comes_back(connected(port)));
        let tell = |signal| {
            let pid = nix::unistd::Pid::from_raw(client.0.id().try_into().unwrap());
            nix::sys::signal::kill(pid, signal).unwrap();
        };
        tell(nix::sys::signal::Signal::SIGSTOP);
        let mut waiting: Vec<_> = (0..8).map(|_| connected(port)).collect();
        // Those that are too many are closed at once, the others when the client has had its time.
        for stream in waiting.iter_mut().skip(held) {
            assert!(is_closed(stream));
        }
        tell(nix::sys::signal::Signal::SIGCONT);
        // A client that comes back finds those that were held, and is offered others as before.
        drop(waiting);
        eventually("the port works again", || {
            comes_back(connected(port)).then_some(())
        });
    }
}
