//! Programs of sessions: started, told, ended, reaped.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal as SystemSignal;
use nix::sys::signal::kill;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::backend::Control;
use crate::backend::FileReferee;
use crate::backend::Program;
use crate::backend::Signal;
use crate::event::Exit;
use crate::event::TerminalSize;
use crate::local::agent::AgentSocket;
use crate::local::referee;
use crate::local::terminal::Master;
use crate::local::terminal::Resizer;

/// How long a program may take to end after its client is gone, until it is killed.
const HANG_UP: Duration = Duration::from_secs(5);
/// What pipes hold, in bytes, where the system lets us choose.
const PIPE: usize = 1024 * 1024;

/// Starts a program on pipes.
pub(super) fn piped(mut command: Command, agent: Option<AgentSocket>) -> io::Result<Program> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (input, output) = pipes(&mut child)?;
    let errors = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok(Program {
        input: Box::new(input),
        output: Box::new(output),
        error_output: Some(Box::new(errors)),
        control: Box::new(Running::new(child, None, agent, None)),
    })
}

/// Starts a program whose standard input, output and error are the other end of a terminal.
pub(super) fn on_terminal(
    mut command: Command,
    master: Master,
    agent: Option<AgentSocket>,
) -> io::Result<Program> {
    let child = command.spawn()?;
    // The command holds the other end open; with it, the terminal would never be hung up.
    drop(command);
    let (output, input, resizer) = master.split();
    Ok(Program {
        input: Box::new(input),
        output: Box::new(output),
        error_output: None,
        control: Box::new(Running::new(child, Some(resizer), agent, None)),
    })
}

/// Starts the helper that serves files; it asks on its standard error before it touches one.
pub(super) fn sftp(mut command: Command, files: Arc<dyn FileReferee>) -> io::Result<Program> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(OwnedFd::from(theirs)));
    let mut child = command.spawn()?;
    drop(command);
    let (input, output) = pipes(&mut child)?;
    let referee = tokio::spawn(referee::answer(UnixStream::from_std(ours)?, files));
    Ok(Program {
        input: Box::new(input),
        output: Box::new(output),
        error_output: None,
        control: Box::new(Running::new(child, None, None, Some(referee))),
    })
}

fn pipes(child: &mut Child) -> io::Result<(tokio::process::ChildStdin, tokio::process::ChildStdout)> {
    let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // Bulk data go faster through long pipes; short ones will do.
    let _short = rustix::pipe::fcntl_setpipe_size(&input, PIPE);
    let _short = rustix::pipe::fcntl_setpipe_size(&output, PIPE);
    Ok((input, output))
}

struct Running {
    child: Child,
    /// Until it has been reaped: its number may be another's afterwards.
    pid: Option<Pid>,
    resizer: Option<Resizer>,
    _agent: Option<AgentSocket>,
    referee: Option<JoinHandle<()>>,
}

impl Running {
    fn new(
        child: Child,
        resizer: Option<Resizer>,
        agent: Option<AgentSocket>,
        referee: Option<JoinHandle<()>>,
    ) -> Self {
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw);
        Self {
            child,
            pid,
            resizer,
            _agent: agent,
            referee,
        }
    }

    /// Signals the session's process group, which the helper makes as its first act; before that, the helper.
    fn tell(&self, signal: SystemSignal) {
        if let Some(pid) = self.pid
            && killpg(pid, signal).is_err()
        {
            let _gone = kill(pid, signal);
        }
    }
}

#[async_trait::async_trait]
impl Control for Running {
    async fn resize(&mut self, size: TerminalSize) {
        if let Some(resizer) = &self.resizer {
            resizer.resize(size);
        }
    }

    async fn signal(&mut self, signal: Signal) {
        self.tell(system_signal(signal));
    }

    async fn hang_up(&mut self) {
        if self.pid.is_none() {
            return;
        }
        self.tell(SystemSignal::SIGHUP);
        // Who is stopped cannot hear it.
        self.tell(SystemSignal::SIGCONT);
        self.resizer = None;
        if tokio::time::timeout(HANG_UP, self.wait()).await.is_err() {
            self.tell(SystemSignal::SIGKILL);
            self.wait().await;
        }
    }

    async fn wait(&mut self) -> Exit {
        let waited = self.child.wait().await;
        self.pid = None;
        waited.map_or_else(|error| Exit::Failed(error.to_string()), exit)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell(SystemSignal::SIGKILL);
        if let Some(referee) = &self.referee {
            referee.abort();
        }
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(u32::try_from(code).unwrap_or(255)),
        (None, Some(number)) => {
            let signal = SystemSignal::try_from(number);
            let name = signal.map_or_else(|_| number.to_string(), |signal| signal.as_str().to_owned());
            Exit::Signal {
                name: name.trim_start_matches("SIG").to_owned(),
                is_core_dumped: status.core_dumped(),
            }
        }
        (None, None) => Exit::Failed("the program ended in an unknown way".to_owned()),
    }
}

const fn system_signal(signal: Signal) -> SystemSignal {
    match signal {
        Signal::Abort => SystemSignal::SIGABRT,
        Signal::Alarm => SystemSignal::SIGALRM,
        Signal::FloatingPoint => SystemSignal::SIGFPE,
        Signal::HangUp => SystemSignal::SIGHUP,
        Signal::Illegal => SystemSignal::SIGILL,
        Signal::Interrupt => SystemSignal::SIGINT,
        Signal::Kill => SystemSignal::SIGKILL,
        Signal::Pipe => SystemSignal::SIGPIPE,
        Signal::Quit => SystemSignal::SIGQUIT,
        Signal::Segmentation => SystemSignal::SIGSEGV,
        Signal::Terminate => SystemSignal::SIGTERM,
        Signal::User1 => SystemSignal::SIGUSR1,
        Signal::User2 => SystemSignal::SIGUSR2,
    }
}
