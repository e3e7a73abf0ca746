//! Child processes that cannot outlive a test, and waiting without sleeping blindly.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::PartError;

/// How long a command that is not a service may take, unless said otherwise. Generous, as every limit here: machines that
/// run tests are busy, and a limit is for what hangs.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(600);
/// How long a test that runs again in a process of its own may take.
const TEST_LIMIT: Duration = Duration::from_secs(3600);
/// How long a service may take until it answers. One that ends is not waited for.
pub const READY_LIMIT: Duration = Duration::from_secs(300);
/// How long a service may take to end after its polite signal, before its group is killed.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
const LOG_TAIL: usize = 8 * 1024;

/// What a finished command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// Its standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Its standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

impl Outcome {
    /// Whether the exit code is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output and standard error in one text, for searching.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs a command to its end with nothing on its standard input and [`COMMAND_LIMIT`] of time.
///
/// # Errors
/// [`PartError::Missing`] when the program does not exist, [`PartError::Overrun`] when it took too long. An exit code
/// other than 0 is an [`Outcome`], not an error.
pub fn run(command: &mut Command) -> Result<Outcome, PartError> {
    run_within(command, COMMAND_LIMIT)
}

/// As [`run`], with a limit of the caller's. The command's whole process group is killed at the limit.
///
/// # Errors
/// As [`run`].
pub fn run_within(command: &mut Command, limit: Duration) -> Result<Outcome, PartError> {
    let line = command_line(command);
    let mut stdout = scratch_file()?;
    let mut stderr = scratch_file()?;
    command
        .stdin(Stdio::null())
        .stdout(duplicate(&stdout)?)
        .stderr(duplicate(&stderr)?)
        .process_group(0);
    let mut child = spawn(command)?;
    let Some(status) = wait_for_exit(&mut child, limit) else {
        kill_group(&mut child);
        return Err(PartError::Overrun { command: line, limit });
    };
    Ok(Outcome {
        code: exit_code(status),
        stdout: contents(&mut stdout)?,
        stderr: contents(&mut stderr)?,
    })
}

/// Runs a command that has to succeed, and returns its standard output.
///
/// # Errors
/// As [`run`], and [`PartError::Command`] with everything it printed when its exit code is not 0.
pub fn run_ok(command: &mut Command) -> Result<String, PartError> {
    let outcome = run(command)?;
    outcome_ok(command, outcome)
}

fn outcome_ok(command: &Command, outcome: Outcome) -> Result<String, PartError> {
    if outcome.success() {
        return Ok(outcome.stdout);
    }
    Err(PartError::Command {
        command: command_line(command),
        status: format!("exit code {}", outcome.code),
        stdout: outcome.stdout,
        stderr: outcome.stderr,
    })
}

/// Asks `probe` until it answers `Some`, or the deadline passes and the result is `None`. The last probe comes after the
/// deadline, so a slow machine gets at least one full try.
pub fn wait_until<T>(deadline: Instant, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        let late = Instant::now() >= deadline;
        let answer = probe();
        if answer.is_some() || late {
            return answer;
        }
        std::thread::sleep(POLL);
    }
}

/// A service that runs until this value is dropped: then it gets the stop signal, and its process
/// group a kill when it ended or after a minute. What it prints goes to a log file.
#[derive(Debug)]
pub struct Guarded {
    service: String,
    child: Child,
    log: PathBuf,
    stop: Signal,
}

impl Guarded {
    /// Starts `command` in a process group of its own, with standard output and standard error appended to `log`.
    ///
    /// # Errors
    /// [`PartError::Missing`] or [`PartError::System`] when it cannot be started.
    pub fn start(service: &str, command: &mut Command, log: &Path) -> Result<Self, PartError> {
        let open = File::options().create(true).append(true).open(log);
        let file = open.map_err(PartError::system(format!("open {}", log.display())))?;
        command
            .stdin(Stdio::null())
            .stdout(duplicate(&file)?)
            .stderr(file)
            .process_group(0);
        let child = spawn(command)?;
        Ok(Self {
            service: service.to_owned(),
            child,
            log: log.to_owned(),
            stop: Signal::SIGTERM,
        })
    }

    /// Uses another signal than `SIGTERM` to stop it.
    #[must_use]
    pub fn stopped_by(mut self, signal: Signal) -> Self {
        self.stop = signal;
        self
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_else(|error| format!("({}: {error})", self.log.display()))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to the service's main process, not to its children.
    ///
    /// # Errors
    /// [`PartError::System`] when it has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), PartError> {
        kill(pid_of(&self.child), signal)
            .map_err(|errno| PartError::system(format!("signal {}", self.service))(errno.into()))
    }

    /// Waits until `probe` answers, as long as the service lives.
    ///
    /// # Errors
    /// [`PartError::NotReady`] with the log, when it ended or [`READY_LIMIT`] passed.
    pub fn wait_ready<T>(&mut self, mut probe: impl FnMut(&Self) -> Option<T>) -> Result<T, PartError> {
        let deadline = Instant::now() + READY_LIMIT;
        let answer = wait_until(deadline, || match self.child.try_wait() {
            Ok(Some(status)) => Some(Err(format!("ended before it was ready ({status})"))),
            Ok(None) | Err(_) => probe(self).map(Ok),
        });
        let problem = match answer {
            Some(Ok(ready)) => return Ok(ready),
            Some(Err(ended)) => ended,
            None => format!("was not ready within {READY_LIMIT:?}"),
        };
        Err(PartError::NotReady {
            service: self.service.clone(),
            problem,
            log: tail(&self.log()),
        })
    }

    /// Stops it now, politely first. Dropping does the same.
    pub fn stop(&mut self) {
        if !self.is_running() {
            return;
        }
        // The main process is asked alone: it knows in which order its children have to end.
        let asked = kill(pid_of(&self.child), self.stop);
        if asked.is_ok() && wait_for_exit(&mut self.child, STOP_LIMIT).is_some() {
            // Children that the main process left behind would hold ports and directories.
            let _gone = killpg(pid_of(&self.child), Signal::SIGKILL);
            return;
        }
        kill_group(&mut self.child);
    }

    /// Kills it without warning, as a power cut would.
    pub fn kill(&mut self) {
        kill_group(&mut self.child);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs one test of the running test binary again in a process of its own, with more environment.
///
/// Needed where a library reads the environment of its process or allows one initialisation only, as PKCS#11 modules do:
/// the outer run makes the part and calls this; the inner run sees the variables and does the work. `test` is the full
/// path of the test function, as `cargo test -- --list` shows it.
///
/// # Errors
/// [`PartError::Command`] with the inner run's output when it failed or ran no test.
pub fn rerun_test<K, V>(
    test: &str,
    environment: impl IntoIterator<Item = (K, V)>,
) -> Result<String, PartError>
where
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let mut command = Command::new(test_binary()?);
    run_one_test(command.envs(environment), test)
}

/// The running test binary.
pub(crate) fn test_binary() -> Result<PathBuf, PartError> {
    std::env::current_exe().map_err(PartError::system("find the running test binary"))
}

/// Runs exactly one test by a command that begins with, or ends in, a test binary.
pub(crate) fn run_one_test(command: &mut Command, test: &str) -> Result<String, PartError> {
    let outcome = run_within(command.args(["--exact", test, "--nocapture"]), TEST_LIMIT)?;
    let stdout = outcome_ok(command, outcome)?;
    if stdout.contains("running 1 test") {
        return Ok(stdout);
    }
    Err(PartError::unexpected(
        "the test binary",
        format!("it knows no test `{test}`: {stdout}"),
    ))
}

/// The command line for messages.
fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn spawn(command: &mut Command) -> Result<Child, PartError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            PartError::Missing { what: program }
        } else {
            PartError::System {
                action: format!("start {program}"),
                source,
            }
        }
    })
}

fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    wait_until(Instant::now() + limit, || child.try_wait().ok().flatten())
}

fn kill_group(child: &mut Child) {
    let _already_gone = killpg(pid_of(child), Signal::SIGKILL);
    let _status = child.wait();
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn scratch_file() -> Result<File, PartError> {
    tempfile::tempfile().map_err(PartError::system("make a temporary file"))
}

fn duplicate(file: &File) -> Result<File, PartError> {
    file.try_clone()
        .map_err(PartError::system("duplicate a file handle"))
}

fn contents(file: &mut File) -> Result<String, PartError> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .map_err(PartError::system("read a command's output"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last part of a log, cut at a line.
fn tail(log: &str) -> String {
    let start = log.len().saturating_sub(LOG_TAIL);
    let cut = (start..log.len())
        .find(|&at| log.is_char_boundary(at))
        .unwrap_or(0);
    log.get(cut..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_keeps_code_and_both_streams() {
        let outcome = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert_eq!(
            outcome,
            Outcome {
                code: 3,
                stdout: "out\n".into(),
                stderr: "err\n".into()
            }
        );
    }

    #[test]
    fn a_failed_command_shows_what_it_printed() {
        let error = run_ok(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }

    #[test]
    fn an_overrun_kills_the_whole_group() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let script = format!("sleep 3000 & echo $! > {}; wait", pid_file.display());
        // A busy machine may need a longer limit for the shell to get that far.
        let mut limits = [300, 3_000, 30_000, 300_000]
            .map(Duration::from_millis)
            .into_iter();
        let grandchild: i32 = loop {
            let limit = limits.next().unwrap();
            let error = run_within(Command::new("sh").args(["-c", &script]), limit).unwrap_err();
            assert!(matches!(error, PartError::Overrun { .. }), "{error}");
            let written = std::fs::read_to_string(&pid_file).unwrap_or_default();
            if let Some(grandchild) = written.strip_suffix('\n').and_then(|pid| pid.parse().ok()) {
                break grandchild;
            }
        };
        assert!(gone(grandchild), "process {grandchild} survived");
    }

    #[test]
    fn dropping_a_service_ends_it_and_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut service = Guarded::start(
            "sleeper",
            Command::new("sh").args(["-c", "sleep 3000 & echo $!; wait"]),
            &log,
        )
        .unwrap();
        let grandchild: i32 = service
            .wait_ready(|service| service.log().strip_suffix('\n').and_then(|pid| pid.parse().ok()))
            .unwrap();
        let main = i32::try_from(service.pid()).unwrap();
        drop(service);
        assert!(gone(main) && gone(grandchild), "{main} or {grandchild} survived");
    }

    #[test]
    fn a_service_that_ends_early_shows_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut service = Guarded::start(
            "short",
            Command::new("sh").args(["-c", "echo no luck; exit 4"]),
            &log,
        )
        .unwrap();
        let error = service.wait_ready(|_| None::<()>).unwrap_err().to_string();
        assert!(
            error.contains("ended before it was ready") && error.contains("no luck"),
            "{error}"
        );
    }

    fn gone(pid: i32) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        wait_until(deadline, || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (state.is_empty() || state.contains(") Z ")).then_some(())
        })
        .is_some()
    }
}
