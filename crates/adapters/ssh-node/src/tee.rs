//! The seam for recordings: what goes through a session, with its times and sizes.

use crate::event::TerminalSize;
use crate::gate::Admission;

/// Opens a recording for a session, or not.
#[async_trait::async_trait]
pub trait Tee: Send + Sync + 'static {
    /// Called before a session begins. `None` means that it is not recorded.
    ///
    /// # Errors
    /// When it has to be recorded and cannot; the session is then refused.
    async fn open(&self, session: &TeeSession<'_>) -> Result<Option<Box<dyn TeeStream>>, TeeFault>;
}

/// What a recording is of.
#[derive(Debug)]
pub struct TeeSession<'a> {
    /// The session.
    pub session_id: &'a str,
    /// Whose it is.
    pub admission: &'a Admission,
    /// The terminal; `None` for commands without one and for subsystems.
    pub terminal: Option<TerminalSize>,
}

/// Receives what goes through one session, in the order of its times.
#[async_trait::async_trait]
pub trait TeeStream: Send {
    /// Takes one frame.
    ///
    /// # Errors
    /// When it must be kept and cannot; the session is then cut.
    async fn frame(&mut self, unix_millis: i64, frame: Frame<'_>) -> Result<(), TeeFault>;

    /// The session is over.
    async fn close(self: Box<Self>);
}

/// One piece of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// From the client.
    Input(&'a [u8]),
    /// To the client.
    Output(&'a [u8]),
    /// To the client, as standard error.
    ErrorOutput(&'a [u8]),
    /// The terminal has another size.
    Resize(TerminalSize),
}

/// A recording that had to be made was not.
#[derive(Debug, thiserror::Error)]
#[error("the recording could not be written: {0}")]
pub struct TeeFault(pub String);

/// Records nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTee;

#[async_trait::async_trait]
impl Tee for NoTee {
    async fn open(&self, _session: &TeeSession<'_>) -> Result<Option<Box<dyn TeeStream>>, TeeFault> {
        Ok(None)
    }
}
