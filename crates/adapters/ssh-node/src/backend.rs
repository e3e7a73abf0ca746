//! Where sessions really run: on this host, or on another one that is reached by SSH.

use std::sync::Arc;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::event::Exit;
use crate::event::FileAccess;
use crate::event::TerminalSize;
use crate::gate::Admission;

/// Opens a backend for somebody who was let in.
#[async_trait::async_trait]
pub trait Target: Send + Sync + 'static {
    /// Makes ready for the sessions of one connection.
    ///
    /// # Errors
    /// When there can be none; the words are shown to the user.
    async fn open(&self, admission: &Admission) -> Result<Arc<dyn Backend>, BackendFault>;
}

/// Runs the sessions of one connection.
#[async_trait::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Starts a program.
    ///
    /// # Errors
    /// When it cannot be started.
    async fn start(&self, order: Order) -> Result<Program, BackendFault>;

    /// Connects to another place for the client.
    ///
    /// # Errors
    /// When nobody answers there.
    async fn connect(&self, destination: &Destination) -> Result<Box<dyn Stream>, BackendFault>;

    /// Opens a port for the client.
    ///
    /// # Errors
    /// When it cannot be opened.
    async fn listen(&self, host: &str, port: u16) -> Result<Box<dyn Listener>, BackendFault>;
}

/// Something could not be done there. The words are for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BackendFault(pub String);

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a client wants to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// A name or an address, as seen from the backend.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where the connection comes from, as the client says.
    pub originator: (String, u32),
}

/// A port opened for a client. Dropping it closes the port.
#[async_trait::async_trait]
pub trait Listener: Send + Sync {
    /// The port.
    fn port(&self) -> u16;

    /// Waits for the next connection; says where it comes from. Cancellation loses none.
    ///
    /// # Errors
    /// When there will be no more.
    async fn accept(&mut self) -> Result<(Box<dyn Stream>, String, u16), BackendFault>;
}

/// What to start.
pub struct Order {
    /// What.
    pub work: Work,
    /// On which terminal, if on one.
    pub terminal: Option<Terminal>,
    /// Variables: the client's that are allowed, and ours about the connection.
    pub environment: Vec<(String, String)>,
    /// The client's agent, where its use is allowed.
    pub agent: Option<Arc<dyn AgentDialer>>,
    /// Who is asked before a file is opened or changed.
    pub files: Arc<dyn FileReferee>,
}

/// What a session is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// The login shell.
    Shell,
    /// A command, by the login shell.
    Command(Vec<u8>),
    /// Serve files by SFTP.
    Sftp,
}

/// A terminal that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// What `TERM` is to be.
    pub name: String,
    /// Its size.
    pub size: TerminalSize,
    /// Modes by their opcodes (RFC 4254, section 8).
    pub modes: Vec<(u8, u32)>,
}

/// Reaches the client's agent.
#[async_trait::async_trait]
pub trait AgentDialer: Send + Sync {
    /// Connects a stream to the client's agent, until either end closes.
    ///
    /// # Errors
    /// When the client does not want to.
    async fn relay(&self, stream: Box<dyn Stream>) -> Result<(), BackendFault>;
}

/// Is asked before a file is opened or changed.
#[async_trait::async_trait]
pub trait FileReferee: Send + Sync {
    /// Whether it may be done.
    ///
    /// # Errors
    /// When not; the words are shown to the user.
    async fn may(&self, access: FileAccess) -> Result<(), BackendFault>;
}

/// A started program.
pub struct Program {
    /// Its standard input, or its terminal's.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output, or its terminal's.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// Its standard error, when it has no terminal.
    pub error_output: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The rest.
    pub control: Box<dyn Control>,
}

/// Holds a started program. Dropping it kills the program.
#[async_trait::async_trait]
pub trait Control: Send {
    /// Gives the terminal another size.
    async fn resize(&mut self, size: TerminalSize);

    /// Sends a signal.
    async fn signal(&mut self, signal: Signal);

    /// The client is gone: tells the program and everything it started in its session, and makes sure that it ends.
    async fn hang_up(&mut self);

    /// Waits for the end. May be dropped and called again.
    async fn wait(&mut self) -> Exit;
}

/// Signals a client may send (RFC 4254, section 6.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Signal {
    Abort,
    Alarm,
    FloatingPoint,
    HangUp,
    Illegal,
    Interrupt,
    Kill,
    Pipe,
    Quit,
    Segmentation,
    Terminate,
    User1,
    User2,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Abort,
        Self::Alarm,
        Self::FloatingPoint,
        Self::HangUp,
        Self::Illegal,
        Self::Interrupt,
        Self::Kill,
        Self::Pipe,
        Self::Quit,
        Self::Segmentation,
        Self::Terminate,
        Self::User1,
        Self::User2,
    ];

    /// The name without `SIG`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "ABRT",
            Self::Alarm => "ALRM",
            Self::FloatingPoint => "FPE",
            Self::HangUp => "HUP",
            Self::Illegal => "ILL",
            Self::Interrupt => "INT",
            Self::Kill => "KILL",
            Self::Pipe => "PIPE",
            Self::Quit => "QUIT",
            Self::Segmentation => "SEGV",
            Self::Terminate => "TERM",
            Self::User1 => "USR1",
            Self::User2 => "USR2",
        }
    }

    /// The signal of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == name)
    }
}
