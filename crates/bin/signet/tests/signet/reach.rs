//! Reaching servers: commands, streams, terminals, ports, and OpenSSH through the program.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use parts::port;

use crate::world::World;
use crate::world::eventually;
use crate::world::own_account;
use crate::world::run;

crate::tests! {
    commands_have_their_streams_and_their_exit_code
    much_goes_through_in_both_directions
    a_terminal_is_there_when_it_is_asked_for
    ports_are_forwarded_in_every_direction
    a_signal_reaches_the_command
    a_reader_that_goes_away_ends_it
    openssh_goes_through_the_program
    a_cut_says_why
}

fn target() -> String {
    format!("{}@web-1", own_account())
}

fn world() -> World {
    let world = World::new();
    world.log_in();
    world
}

/// A child that is ended with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn commands_have_their_streams_and_their_exit_code() {
    let world = world();
    let outcome = world.run(&["ssh", &target(), "--", "echo out; echo err >&2; exit 7"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()),
        (7, "out\n", "err\n"),
        "{outcome:?}"
    );
    // Without a dash, by the name with the cluster's, with the login apart.
    let outcome = world.run(&["ssh", "-l", own_account(), "web-1.test.example", "cat", "-"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome:?}");
    let outcome = world.run_with(&["ssh", &target(), "tr a-z A-Z"], b"shout\n");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "SHOUT\n"),
        "{outcome:?}"
    );
    let outcome = world.run_with(&["ssh", "-n", &target(), "cat"], b"not read\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome:?}");
    // A shell reads its commands.
    let outcome = world.run_with(&["ssh", &target()], b"echo in a shell\nexit 3\n");
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.stdout.contains("in a shell\n"), "{outcome:?}");
    let outcome = world.run(&["ssh", &target(), "--", "kill -9 $$"]);
    assert_eq!(outcome.code, 255, "{outcome:?}");
}

fn much_goes_through_in_both_directions() {
    let world = world();
    let line = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
    let much = line.repeat(16 * 1024 * 8);
    let outcome = world.run_with(&["ssh", &target(), "cat"], &much);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        outcome.stdout.as_bytes() == much,
        "{} of {}",
        outcome.stdout.len(),
        much.len()
    );
}

fn a_terminal_is_there_when_it_is_asked_for() {
    let world = world();
    let outcome = world.run(&["ssh", &target(), "--", "tty"]);
    assert!(outcome.stdout.contains("not a tty"), "{outcome:?}");
    let outcome = world.run(&["ssh", "-t", "-t", &target(), "--", "tty; stty size; echo $TERM"]);
    assert!(outcome.stdout.starts_with("/dev/pts/"), "{outcome:?}");
    assert!(outcome.stdout.contains("24 80\r\n"), "{outcome:?}");
    assert!(outcome.stdout.contains("dumb\r\n"), "{outcome:?}");
}

/// Answers every connection with what it says, in capitals.
fn shouting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                stream.write_all(text.to_uppercase().as_bytes()).unwrap();
            });
        }
    });
    port
}

/// What is answered at a port, once something listens there.
fn shout(port: u16, greeting: &[u8], answer: usize) -> String {
    let mut stream = eventually("something listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    stream.write_all(greeting).unwrap();
    let mut answered = vec![0; answer];
    stream.read_exact(&mut answered).unwrap();
    stream.write_all(b"hello").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn ports_are_forwarded_in_every_direction() {
    let world = world();
    let there = shouting();
    let reserved = [(); 3].map(|()| port::free().unwrap());
    let [local, back, socks] = reserved.each_ref().map(port::Reserved::number);
    let (forward, forward_back, dynamic) = (
        format!("{local}:127.0.0.1:{there}"),
        format!("{back}:127.0.0.1:{there}"),
        format!("127.0.0.1:{socks}"),
    );
    let arguments = [
        "ssh",
        "-N",
        "-L",
        &forward,
        "-R",
        &forward_back,
        "-D",
        &dynamic,
        &target(),
    ];
    let child = Guard(world.signet(&arguments).spawn().unwrap());
    assert_eq!(shout(local, b"", 0), "HELLO");
    assert_eq!(shout(back, b"", 0), "HELLO");
    let mut greeting = b"\x05\x01\x00\x05\x01\x00\x03\x09127.0.0.1".to_vec();
    greeting.extend(there.to_be_bytes());
    assert_eq!(shout(socks, &greeting, 12), "HELLO");
    drop(child);
    // A port that is taken is said so before anybody is connected to.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let forward = format!("{}:localhost:1", taken.local_addr().unwrap().port());
    let outcome = world.run(&["ssh", "-N", "-L", &forward, &target()]);
    assert_eq!(outcome.code, 255, "{outcome:?}");
    assert!(
        outcome.stderr.contains("cannot listen on 127.0.0.1:"),
        "{outcome:?}"
    );
}

fn a_signal_reaches_the_command() {
    let world = world();
    let marker = world.path("marker");
    let script = format!(
        "trap 'echo told > {0}; exit 9' TERM; echo ready > {0}; while true; do sleep 0.1; done",
        marker.display()
    );
    let mut child = Guard(world.signet(&["ssh", &target(), "--", &script]).spawn().unwrap());
    let read = || std::fs::read_to_string(&marker).unwrap_or_default();
    eventually("the command runs", || (read() == "ready\n").then_some(()));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.0.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    eventually("the command is told", || (read() == "told\n").then_some(()));
    assert_eq!(child.0.wait().unwrap().code(), Some(9));
}

fn a_reader_that_goes_away_ends_it() {
    let world = world();
    let mut child = Guard(
        world
            .signet(&["ssh", &target(), "--", "yes"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut some = [0; 16];
    child.0.stdout.take().unwrap().read_exact(&mut some).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(141));
}

fn openssh_goes_through_the_program() {
    let world = world();
    let outcome = world.run(&["config"]);
    assert!(outcome.success(), "{outcome:?}");
    let config = world.path("ssh_config");
    std::fs::write(&config, &outcome.stdout).unwrap();
    let openssh = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .arg("-F")
            .arg(&config)
            .args(arguments)
            .env("SIGNET_HOME", world.home())
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null());
        run(&mut command)
    };
    let host = format!("{}@web-1.test.example", own_account());
    let outcome = openssh("ssh", &["-o", "BatchMode=yes", &host, "echo by openssh; exit 4"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (4, "by openssh\n"),
        "{outcome:?}"
    );
    let (from, to) = (world.path("from"), world.path("to"));
    std::fs::write(&from, "x".repeat(100_000)).unwrap();
    let outcome = openssh(
        "scp",
        &[
            "-o",
            "BatchMode=yes",
            from.to_str().unwrap(),
            &format!("{host}:{}", to.display()),
        ],
    );
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap());
}

fn a_cut_says_why() {
    let world = world();
    let mut child = Guard(
        world
            .signet(&["ssh", &target(), "--", "echo ready; sleep 600"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut ready = [0; 6];
    child.0.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    world.cut("alice is locked: on leave");
    let mut said = String::new();
    child
        .0
        .stderr
        .as_mut()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(255), "{said}");
    assert!(said.contains("alice is locked: on leave"), "{said}");
}
