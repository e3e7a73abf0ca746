//! Shells, commands, terminals, signals, data.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use ssh_node::*;

use crate::foreign::on_terminal;
use crate::world::*;

crate::tests! {
    a_command_runs_and_its_code_comes_back
    a_session_is_recorded_from_start_to_end
    a_login_shell_runs_what_is_typed
    a_megabyte_comes_back_unharmed
    a_terminal_has_its_size_and_its_modes
    a_signal_of_the_program_comes_back
    language_is_passed_on_and_nothing_else
    fifty_sessions_at_once
    a_terminal_changes_its_size_and_is_recorded_with_it
    signals_reach_the_program
    what_cannot_be_taped_does_not_go_on
    what_was_open_or_ignored_when_the_node_was_started_is_not_passed_on
}

fn a_command_runs_and_its_code_comes_back() {
    let world = World::new();
    let outcome = world.run("echo out; echo err >&2; exit 3");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (3, "out\n"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("err"), "{}", outcome.stderr);
}

fn a_session_is_recorded_from_start_to_end() {
    let world = World::new();
    assert_eq!(world.run("cat /dev/null; printf 12345").code, 0);
    let events = world.events.kept.lock().unwrap().clone();
    let start = &events[0];
    let Happening::SessionStart {
        purpose,
        terminal,
        certificate,
    } = &start.what
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        *purpose,
        Purpose::Command("cat /dev/null; printf 12345".to_owned())
    );
    assert_eq!(*terminal, None);
    assert_eq!((certificate.key_id.as_str(), certificate.serial), ("alice", 7));
    assert!(
        matches!(&events[1].what, Happening::Exec { command, asked_for: None } if command.ends_with("12345"))
    );
    let Happening::SessionEnd {
        exit,
        bytes_sent,
        started_unix_millis,
        ..
    } = &events[2].what
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (exit, *bytes_sent, *started_unix_millis <= events[2].unix_millis),
        (&Exit::Code(0), 5, true)
    );
    for event in &events {
        assert_eq!(event.user.as_deref(), Some("alice"));
        assert_eq!(event.login, Some(own_account().to_owned()));
        assert_eq!(event.server_id, "node-1");
        assert_eq!(event.session_id, start.session_id);
        assert_eq!(event.local, world.address);
        assert!(event.remote.ip().is_loopback());
    }
    assert_eq!(start.session_id.as_ref().unwrap().len(), 36);
    assert_eq!(events.len(), 3);
}

fn a_login_shell_runs_what_is_typed() {
    let world = World::new();
    let key = world.user("alice");
    let mut shell = world
        .ssh(&key, own_account(), &["-T"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(b"echo $0 $USER; exit 4\n")
        .unwrap();
    let output = shell.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with('-') && text.trim().ends_with(own_account()),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(4));
}

fn a_megabyte_comes_back_unharmed() {
    let world = World::new();
    let key = world.user("alice");
    let sent: Vec<u8> = (0..8_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut cat = world
        .ssh(&key, own_account(), &["-T"])
        .arg("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = cat.stdin.take().unwrap();
    let data = sent.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&data).unwrap());
    let output = cat.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(
        output.stdout == sent,
        "{} of {} bytes",
        output.stdout.len(),
        sent.len()
    );
    assert!(output.status.success());
}

fn a_terminal_has_its_size_and_its_modes() {
    let world = World::new();
    let key = world.user("alice");
    let outcome = run(world
        .ssh(&key, own_account(), &["-tt"])
        .arg("tty; stty -a; echo $TERM; [ -t 0 ]")
        .env("TERM", "vt100"));
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert!(outcome.stdout.contains("/dev/pts/"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("vt100"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("rows 0; columns 0") || outcome.stdout.contains("rows"),
        "{}",
        outcome.stdout
    );
    world.wait_for("the terminal in the log", |what| match what {
        Happening::SessionStart { terminal, .. } => *terminal,
        _ => None,
    });
    // Whoever is at the terminal leaves, and then the session ends.
    world.wait_for("the end in the log", |what| {
        matches!(what, Happening::SessionEnd { .. }).then_some(())
    });
    let told = world.recorded(|event| match &event.what {
        Happening::SessionStart { .. } => Some("start"),
        Happening::SessionLeave => Some("leave"),
        Happening::SessionEnd { .. } => Some("end"),
        _ => None,
    });
    assert_eq!(told, ["start", "leave", "end"]);
}

fn a_signal_of_the_program_comes_back() {
    let world = World::new();
    assert_eq!(world.run("kill -TERM $$").code, 255);
    let exit = Exit::Signal {
        name: "TERM".to_owned(),
        is_core_dumped: false,
    };
    assert_eq!(world.ends(), [exit]);
}

fn language_is_passed_on_and_nothing_else() {
    let world = World::new();
    let key = world.user("alice");
    let mut command = world.ssh(&key, own_account(), &["-o", "SendEnv=LC_TIME LD_PRELOAD EVIL"]);
    command.env("LC_TIME", "de_DE").env("EVIL", "yes");
    let outcome = run(command.arg("env"));
    assert!(outcome.stdout.contains("LC_TIME=de_DE"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("EVIL"), "{}", outcome.stdout);
    for name in ["HOME=", "USER=", "SHELL=", "PATH=", "SSH_CONNECTION=127.0.0.1 "] {
        assert!(outcome.stdout.contains(name), "{name}: {}", outcome.stdout);
    }
}

fn fifty_sessions_at_once() {
    let world = World::new();
    let key = world.user("alice");
    let children: Vec<_> = (0..50)
        .map(|number| {
            let mut command = world.ssh(&key, own_account(), &["-T"]);
            command.arg(format!("sleep 1; echo {number}"));
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{number}\n"));
    }
    let ids: std::collections::BTreeSet<_> = world
        .recorded(|event| event.session_id.clone())
        .into_iter()
        .collect();
    assert_eq!(ids.len(), 50);
    assert_eq!(world.ends(), vec![Exit::Code(0); 50]);
}

/// Keeps frames, and takes no more once it has seen a word.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<String>>>, Option<&'static str>);

#[async_trait::async_trait]
impl Tee for Tape {
    async fn open(&self, session: &TeeSession<'_>) -> Result<Option<Box<dyn TeeStream>>, TeeFault> {
        self.0
            .lock()
            .unwrap()
            .push(format!("open {:?}", session.terminal.map(|size| size.columns)));
        Ok(Some(Box::new(self.clone())))
    }
}

#[async_trait::async_trait]
impl TeeStream for Tape {
    async fn frame(&mut self, unix_millis: i64, frame: Frame<'_>) -> Result<(), TeeFault> {
        assert!(unix_millis > 0);
        let line = match frame {
            Frame::Input(bytes) => format!("in {}", String::from_utf8_lossy(bytes)),
            Frame::Output(bytes) => format!("out {}", String::from_utf8_lossy(bytes)),
            Frame::ErrorOutput(bytes) => format!("err {}", String::from_utf8_lossy(bytes)),
            Frame::Resize(size) => format!("size {}x{}", size.columns, size.rows),
        };
        if self.1.is_some_and(|word| line.contains(word)) {
            return Err(TeeFault("the tape is full".to_owned()));
        }
        self.0.lock().unwrap().push(line);
        Ok(())
    }

    async fn close(self: Box<Self>) {
        self.0.lock().unwrap().push("close".to_owned());
    }
}

fn a_terminal_changes_its_size_and_is_recorded_with_it() {
    let tape = Tape::default();
    let world = World::build(|_| {}, Arc::new(tape.clone()), None);
    let command = "stty size; trap 'stty size; read line; echo got $line; exit 5' WINCH; echo ready; while :; do sleep 0.1; done";
    let (printed, code) = on_terminal(&world, command, async |channel| {
        channel.window_change(100, 40, 0, 0).await.unwrap();
        channel.data(&b"typed\n"[..]).await.unwrap();
    });
    assert!(
        printed.contains("24 80") && printed.contains("40 100"),
        "{printed}"
    );
    assert!(printed.contains("got typed"), "{printed}");
    assert_eq!(code, Some(5));
    let size = world.wait_for("the size in the log", |what| match what {
        Happening::Resize(size) => Some((size.columns, size.rows)),
        _ => None,
    });
    assert_eq!(size, (100, 40));
    let tape = tape.0.lock().unwrap();
    assert_eq!(
        (tape[0].as_str(), tape.last().unwrap().as_str()),
        ("open Some(80)", "close")
    );
    assert!(tape.contains(&"size 100x40".to_owned()), "{tape:?}");
    assert!(tape.contains(&"in typed\n".to_owned()), "{tape:?}");
    assert!(
        tape.iter()
            .any(|line| line.starts_with("out ") && line.contains("got typed")),
        "{tape:?}"
    );
}

fn signals_reach_the_program() {
    let world = World::new();
    let command = "trap 'echo heard; exit 6' USR1; echo ready; while :; do sleep 0.1; done";
    let (printed, code) = on_terminal(&world, command, async |channel| {
        channel.signal(russh::Sig::USR1).await.unwrap();
    });
    assert!(printed.contains("heard"), "{printed}");
    assert_eq!(code, Some(6));
}

fn what_cannot_be_taped_does_not_go_on() {
    let tape = Tape(Arc::default(), Some("secret"));
    let world = World::build(|_| {}, Arc::new(tape), None);
    let mark = world.path("mark");
    let outcome = world.run(&format!(
        "echo public; sleep 1; echo secret; sleep 600; touch {}",
        mark.display()
    ));
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (255, "public\n"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("the tape is full"), "{}", outcome.stderr);
    assert!(matches!(&world.ends()[..], [Exit::Failed(_)]));
}

fn what_was_open_or_ignored_when_the_node_was_started_is_not_passed_on() {
    let line = "exec 7</dev/null; trap '' HUP INT QUIT USR1; exec \"$0\" \"$@\"";
    let helper = Helper {
        program: "/bin/sh".into(),
        arguments: vec![
            "-c".into(),
            line.into(),
            std::env::current_exe().unwrap().into(),
            crate::HELPER.into(),
        ],
    };
    let world = World::build(|_| {}, Arc::new(NoTee), Some(local_target(helper)));
    let line = "grep SigIgn /proc/self/status; test -e /proc/$$/fd/7 && echo open; exit 5";
    let outcome = world.run(line);
    assert_eq!(outcome.code, 5, "{}", outcome.text());
    let set = outcome.stdout.strip_prefix("SigIgn:").unwrap().trim();
    // Signals 32 and 33 belong to the C library.
    let ignored = u64::from_str_radix(set, 16).unwrap() & 0x7fff_ffff;
    assert_eq!(ignored, 0, "{}", outcome.text());
    // Files are served by the helper itself.
    let key = world.user("alice");
    let mut copy = std::process::Command::new("scp");
    copy.args(world.options(&key))
        .args(["-s", "-P", &world.address.port().to_string()])
        .arg(world.path("user-ca.pub"))
        .arg(format!(
            "{}@127.0.0.1:{}",
            own_account(),
            world.path("copy").display()
        ));
    let outcome = run(&mut copy);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
}
