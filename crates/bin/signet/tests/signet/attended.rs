//! What somebody sees who sits at a terminal.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::world::CODE;
use crate::world::DISLIKED;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::eventually;
use crate::world::own_account;

crate::tests! {
    a_shell_is_in_a_terminal_of_the_same_size
    a_tilde_and_a_dot_cut_the_connection
    what_is_said_of_a_cut_begins_a_line
    a_first_log_in_asks_for_the_pin_the_password_and_the_code
    questions_reach_the_terminal_when_everything_else_goes_to_a_file
    a_sign_up_judges_the_password_first_and_keeps_its_secret
    certificates_that_ended_are_renewed_on_the_way
}

/// A program at a terminal, ended with the test.
struct Terminal {
    keys: File,
    screen: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    /// Runs it at a terminal that controls it, as a shell would.
    fn start(command: &mut Command) -> Self {
        Self::start_with(command, None)
    }

    /// The same with output and errors going to a file instead.
    fn start_with(command: &mut Command, elsewhere: Option<&File>) -> Self {
        let terminal =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::pty::grantpt(&terminal).unwrap();
        rustix::pty::unlockpt(&terminal).unwrap();
        let size = Winsize {
            ws_row: 33,
            ws_col: 101,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&terminal, size).unwrap();
        let name = rustix::pty::ptsname(&terminal, Vec::new()).unwrap();
        // `setsid -c` takes its standard input for the terminal that controls what it starts.
        let mut wrapped = Command::new("setsid");
        wrapped
            .args(["-c", "-w"])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("TERM", "xterm");
        let open = || {
            let file = File::options()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap());
            OwnedFd::from(file.unwrap())
        };
        let child = wrapped
            .stdin(open())
            .stdout(elsewhere.map_or_else(open, |file| file.try_clone().unwrap().into()))
            .stderr(elsewhere.map_or_else(open, |file| file.try_clone().unwrap().into()))
            .spawn()
            .unwrap();
        drop(wrapped);
        let mut output = File::from(terminal.try_clone().unwrap());
        let screen: Arc<Mutex<String>> = Arc::default();
        let written = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The last program that had the terminal open ends it.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                written
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Self {
            keys: File::from(terminal),
            screen,
            child,
        }
    }

    fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    fn shows(&self, words: &str) {
        eventually(words, || self.screen().contains(words).then_some(()));
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Types when it is asked, and forgets what was shown.
    fn answers(&mut self, question: &str, keys: &str) {
        self.shows(question);
        self.screen.lock().unwrap().clear();
        self.types(keys);
    }

    fn code(&mut self) -> Option<i32> {
        eventually("it ends", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn target() -> String {
    format!("{}@web-1", own_account())
}

fn a_shell_is_in_a_terminal_of_the_same_size() {
    let world = World::new();
    world.log_in();
    let mut terminal = Terminal::start(&mut world.signet(&["ssh", &target()]));
    terminal.types("stty size; echo $TERM-$((40+2))\r");
    terminal.shows("33 101");
    terminal.shows("xterm-42");
    let size = Winsize {
        ws_row: 44,
        ws_col: 99,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&terminal.keys, size).unwrap();
    eventually("the other terminal has the size, too", || {
        terminal.types("stty size\r");
        std::thread::sleep(std::time::Duration::from_millis(200));
        terminal.screen().contains("44 99").then_some(())
    });
    // A key that would end this program ends what runs there.
    terminal.types("sh -c 'echo $((50+5)); exec sleep 1000'\r");
    terminal.shows("55");
    terminal.types("\x03");
    terminal.types("exit 6\r");
    assert_eq!(terminal.code(), Some(6), "{}", terminal.screen());
}

fn a_tilde_and_a_dot_cut_the_connection() {
    let world = World::new();
    world.log_in();
    let mut terminal = Terminal::start(&mut world.signet(&["ssh", &target()]));
    terminal.types("echo $((40+2))\r");
    terminal.shows("42");
    terminal.types("~?");
    terminal.shows("cut the connection");
    terminal.types("\r~.");
    assert_eq!(terminal.code(), Some(255), "{}", terminal.screen());
    terminal.shows("was cut");
}

fn what_is_said_of_a_cut_begins_a_line() {
    let world = World::new();
    world.log_in();
    let mut terminal = Terminal::start(&mut world.signet(&["ssh", &target()]));
    // A prompt that stands alone, whatever the shell's own is.
    terminal.types("PS1='he''re> '\r");
    terminal.shows("here> ");
    terminal.types("\r~.");
    assert_eq!(terminal.code(), Some(255), "{}", terminal.screen());
    terminal.shows("\nerror: the connection to web-1 was cut\r\n");
}

fn a_first_log_in_asks_for_the_pin_the_password_and_the_code() {
    let world = World::empty();
    let proxy = format!("--proxy={}", world.proxy());
    let arguments = ["login", &proxy, "--user=alice"];
    let mut terminal = Terminal::start(&mut world.signet(&arguments));
    terminal.shows(&world.authorities.pin());
    terminal.answers("Is it the same? [y/N]", "n\r");
    assert_eq!(terminal.code(), Some(1));
    assert!(!world.home().exists(), "nothing is remembered");
    let mut terminal = Terminal::start(&mut world.signet(&arguments));
    terminal.answers("Is it the same? [y/N]", "y\r");
    terminal.answers("Password of alice", &format!("{PASSWORD}\r"));
    terminal.answers("Code of your application", "000000\r");
    terminal.shows("invalid credentials; try again");
    assert!(!terminal.screen().contains(PASSWORD), "a password is not shown");
    terminal.answers("Password of alice", &format!("{PASSWORD}\r"));
    terminal.answers("Code of your application", &format!("{CODE}\r"));
    assert_eq!(terminal.code(), Some(0), "{}", terminal.screen());
    assert_eq!(world.run(&["status"]).code, 0);
}

fn questions_reach_the_terminal_when_everything_else_goes_to_a_file() {
    let world = World::empty();
    let log = world.path("log");
    let file = File::create(&log).unwrap();
    let proxy = format!("--proxy={}", world.proxy());
    let mut terminal = Terminal::start_with(&mut world.signet(&["login", &proxy]), Some(&file));
    // Nobody is named and nobody logged in before.
    terminal.answers("User", "alice\r");
    terminal.shows(&world.authorities.pin());
    terminal.answers("Is it the same? [y/N]", "y\r");
    terminal.answers("Password of alice", &format!("{PASSWORD}\r"));
    terminal.answers("Code of your application", &format!("{CODE}\r"));
    assert_eq!(terminal.code(), Some(0), "{}", terminal.screen());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("Logged in to"), "{said}");
    assert!(!said.contains("Password of"), "{said}");
    // The next time it is known who is meant, also after a log-out; what cannot be a code is not sent.
    assert!(world.run(&["logout"]).success());
    let mut terminal = Terminal::start_with(&mut world.signet(&["login", &proxy]), Some(&file));
    terminal.answers("Password of alice", &format!("{PASSWORD}\r"));
    terminal.answers("Code of your application", "abc\r");
    assert_eq!(terminal.code(), Some(1), "{}", terminal.screen());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("codes have 6 digits"), "{said}");
}

fn a_sign_up_judges_the_password_first_and_keeps_its_secret() {
    let world = World::empty();
    let link = format!("https://{}/web/invite/token-1", world.proxy());
    let pin = format!("--ca-pin={}", world.authorities.pin());
    let mut terminal = Terminal::start(&mut world.signet(&["signup", &link, &pin]));
    let (new, again) = ("New password", "The same once more");
    terminal.answers(new, "short\r");
    terminal.shows("at least 12 characters.");
    terminal.answers(new, "long enough to be good\r");
    terminal.answers(again, "another than the first\r");
    terminal.shows("They are not the same.");
    assert!(!terminal.screen().contains("Secret"), "{}", terminal.screen());
    terminal.answers(new, &format!("{DISLIKED}\r"));
    terminal.answers(again, &format!("{DISLIKED}\r"));
    terminal.shows("Secret: JBSWY3DP");
    let code = "Code that the application shows";
    terminal.answers(code, &format!("{CODE}\r"));
    terminal.shows("the server does not like the password");
    terminal.answers(new, "long enough to be good\r");
    terminal.answers(again, "long enough to be good\r");
    terminal.shows(code);
    assert!(!terminal.screen().contains("Secret"), "{}", terminal.screen());
    terminal.answers(code, "000000\r");
    terminal.shows("the code is wrong; wait for the next code");
    terminal.shows(code);
    assert!(!terminal.screen().contains("Secret"), "{}", terminal.screen());
    terminal.answers(code, &format!("{CODE}\r"));
    assert_eq!(terminal.code(), Some(0), "{}", terminal.screen());
    terminal.shows("The account of bob is ready.");
}

fn certificates_that_ended_are_renewed_on_the_way() {
    let world = World::new();
    world.log_in();
    let path = world.place().join("profile.json");
    let mut profile: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    profile["login"]["not_after"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&path, profile.to_string()).unwrap();
    let mut terminal = Terminal::start(&mut world.signet(&["ssh", &target(), "--", "echo $((40+2))"]));
    terminal.answers("Log in again as alice", "\r");
    terminal.answers("Password of alice", &format!("{PASSWORD}\r"));
    terminal.answers("Code of your application", &format!("{CODE}\r"));
    terminal.shows("42");
    assert_eq!(terminal.code(), Some(0), "{}", terminal.screen());
}
