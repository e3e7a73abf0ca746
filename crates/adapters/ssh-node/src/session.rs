//! One session: from its request to its recorded end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use russh::ChannelId;
use russh::ChannelWriteHalf;
use russh::server::Handle;
use russh::server::Msg;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::backend::AgentDialer;
use crate::backend::BackendFault;
use crate::backend::Order;
use crate::backend::Program;
use crate::backend::Signal;
use crate::backend::Terminal;
use crate::backend::Work;
use crate::channels::Core;
use crate::event::DisconnectReason;
use crate::event::Exit;
use crate::event::Happening;
use crate::event::TerminalSize;
use crate::files::Referee;
use crate::inbox::Inbox;
use crate::life::Admitted;
use crate::life::Life;
use crate::life::over;
use crate::recorder::Recorder;
use crate::tee::Frame;
use crate::tee::TeeSession;
use crate::tee::TeeStream;

/// The most data in one message to the client.
pub(crate) const PACKET: usize = 32 * 1024;
/// The shortest time between two sizes of a terminal that are recorded and set.
const RESIZE_INTERVAL: Duration = Duration::from_millis(100);
/// Signals waiting to be sent; more are dropped.
const SIGNALS: usize = 16;

/// A session channel before and after its program was started.
pub(crate) struct Waiting {
    pub(crate) writer: Arc<ChannelWriteHalf<Msg>>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) agent: Option<Arc<dyn AgentDialer>>,
    pub(crate) steering: Option<Steering>,
    pub(crate) is_begun: bool,
}

/// How the client steers a running program. Dropping it hangs up.
pub(crate) struct Steering {
    pub(crate) size: watch::Sender<TerminalSize>,
    pub(crate) signals: mpsc::Sender<Signal>,
}

/// A session that is about to start; every event that announces it has been recorded.
pub(crate) struct Beginning {
    pub(crate) core: Arc<Core>,
    pub(crate) admitted: Admitted,
    pub(crate) recorder: Recorder,
    pub(crate) session_id: Arc<str>,
    pub(crate) started_unix_millis: i64,
    pub(crate) channel: ChannelId,
    pub(crate) handle: Handle,
    pub(crate) writer: Arc<ChannelWriteHalf<Msg>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) work: Work,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) agent: Option<Arc<dyn AgentDialer>>,
}

impl Beginning {
    /// Starts the program and the task that carries the session to its end.
    ///
    /// # Errors
    /// When it cannot be started; its end is recorded then.
    pub(crate) async fn start(self) -> Result<Steering, BackendFault> {
        let size = self.terminal.as_ref().map(|terminal| terminal.size);
        let recorder = self.recorder.clone();
        let started_unix_millis = self.started_unix_millis;
        match self.try_start(size).await {
            Ok(steering) => Ok(steering),
            Err(fault) => {
                let end = Happening::SessionEnd {
                    exit: Exit::Failed(fault.0.clone()),
                    bytes_received: 0,
                    bytes_sent: 0,
                    started_unix_millis,
                };
                let _logged = recorder.record(end).await;
                Err(fault)
            }
        }
    }

    async fn try_start(self, size: Option<TerminalSize>) -> Result<Steering, BackendFault> {
        let Self {
            core,
            admitted,
            recorder,
            session_id,
            started_unix_millis,
            channel,
            handle,
            writer,
            inbox,
            work,
            terminal,
            environment,
            agent,
        } = self;
        let recording = TeeSession {
            session_id: &session_id,
            admission: &admitted.admission,
            terminal: size,
        };
        let tee = core.shared.parts.tee.open(&recording).await;
        let tee = tee.map_err(|fault| BackendFault(fault.to_string()))?;
        let order = Order {
            work,
            terminal,
            environment,
            agent,
            files: Arc::new(Referee::sftp(recorder.clone())),
        };
        let program = core.backend(&admitted).await?.start(order).await?;
        let (size_sender, sizes) = watch::channel(size.unwrap_or_default());
        let (signal_sender, signals) = mpsc::channel(SIGNALS);
        let held_until_recorded = core.life.session();
        let alive = core.shared.alive.subscribe();
        let flow = Flow {
            life: Arc::clone(&core.life),
            recorder,
            tee: tee.map(Mutex::new),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        };
        tokio::spawn(async move {
            let exit = match carry(&flow, program, &writer, &inbox, sizes, signals).await {
                Exit::Cut(_) => Exit::Cut(flow.life.why_over(&core.shared).await),
                exit @ (Exit::Code(_) | Exit::Signal { .. } | Exit::Failed(_)) => exit,
            };
            inbox.abandon();
            if let Some(tee) = flow.tee {
                tee.into_inner().close().await;
            }
            if size.is_some() {
                let _ends_anyway = flow.recorder.record(Happening::SessionLeave).await;
            }
            let end = Happening::SessionEnd {
                exit: exit.clone(),
                bytes_received: flow.received.into_inner(),
                bytes_sent: flow.sent.into_inner(),
                started_unix_millis,
            };
            let _logged = flow.recorder.record(end).await;
            core.channels.remove(channel);
            drop((held_until_recorded, alive));
            // A client whose only channel closes leaves at once, and would not hear why its connection is ended.
            if !matches!(exit, Exit::Cut(_)) || flow.life.cut_for().is_none() {
                say_goodbye(&handle, channel, &exit).await;
            }
        });
        Ok(Steering {
            size: size_sender,
            signals: signal_sender,
        })
    }
}

/// What the pumps of one session share.
struct Flow {
    life: Arc<Life>,
    recorder: Recorder,
    tee: Option<Mutex<Box<dyn TeeStream>>>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Why a pump stopped before its end.
enum Stopped {
    /// The other side takes no more.
    Closed,
    /// The recording does not.
    Unrecorded(String),
}

/// Carries data both ways until the program has ended and its output is sent, or the client is gone.
async fn carry(
    flow: &Flow,
    program: Program,
    writer: &ChannelWriteHalf<Msg>,
    inbox: &Inbox,
    mut sizes: watch::Receiver<TerminalSize>,
    mut signals: mpsc::Receiver<Signal>,
) -> Exit {
    let Program {
        input,
        mut output,
        error_output,
        mut control,
    } = program;
    let mut ended = flow.life.ended();
    let input = flow.pump_in(inbox, input);
    let output = async {
        let errors = async {
            match error_output {
                Some(mut errors) => flow.pump_out(&mut *errors, writer, true).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(flow.pump_out(&mut *output, writer, false), errors).map(drop)
    };
    tokio::pin!(input, output);
    let (mut is_input_done, mut is_output_done) = (false, false);
    let mut exit = None;
    let mut next_size = Instant::now();
    let mut failure = None;
    loop {
        if is_output_done && let Some(exit) = exit.take() {
            return exit;
        }
        tokio::select! {
            over = control.wait(), if exit.is_none() => exit = Some(over),
            result = &mut output, if !is_output_done => match result {
                Ok(()) => is_output_done = true,
                Err(Stopped::Closed) => break,
                Err(Stopped::Unrecorded(reason)) => {
                    failure = Some(reason);
                    break;
                }
            },
            result = &mut input, if !is_input_done => match result {
                Ok(()) | Err(Stopped::Closed) => is_input_done = true,
                Err(Stopped::Unrecorded(reason)) => {
                    failure = Some(reason);
                    break;
                }
            },
            Ok(()) = changed_after(next_size, &mut sizes) => {
                let size = *sizes.borrow_and_update();
                next_size = Instant::now() + RESIZE_INTERVAL;
                if let Err(reason) = flow.resized(size).await {
                    failure = Some(reason);
                    break;
                }
                control.resize(size).await;
            },
            signal = signals.recv() => match signal {
                Some(signal) => control.signal(signal).await,
                None => break,
            },
            () = over(&mut ended) => break,
        }
    }
    control.hang_up().await;
    match (failure, exit) {
        (Some(reason), _) => Exit::Failed(reason),
        (None, Some(exit)) if is_output_done => exit,
        (None, Some(_) | None) => Exit::Cut(None),
    }
}

/// Waits for another size, not before that time. What comes before it is overtaken by what comes later.
async fn changed_after(
    time: Instant,
    sizes: &mut watch::Receiver<TerminalSize>,
) -> Result<(), watch::error::RecvError> {
    tokio::time::sleep_until(time).await;
    sizes.changed().await
}

impl Flow {
    async fn pump_in(
        &self,
        inbox: &Inbox,
        mut program: Box<dyn AsyncWrite + Send + Unpin>,
    ) -> Result<(), Stopped> {
        while let Some(piece) = inbox.next().await {
            self.count(&self.received, piece.len());
            self.tee(Frame::Input(&piece)).await?;
            let written = async {
                program.write_all(&piece).await?;
                program.flush().await
            };
            if written.await.is_err() {
                // The program closed its input; what else comes is not wanted.
                inbox.abandon();
                return Err(Stopped::Closed);
            }
        }
        // The program's input ends when it is dropped, not before.
        let _closed_already = program.shutdown().await;
        drop(program);
        Ok(())
    }

    async fn pump_out(
        &self,
        program: &mut (dyn AsyncRead + Send + Unpin),
        writer: &ChannelWriteHalf<Msg>,
        is_error: bool,
    ) -> Result<(), Stopped> {
        let mut buffer = Vec::with_capacity(PACKET);
        loop {
            buffer.clear();
            // A terminal whose last user is gone gives an error, not an end.
            if program.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return Ok(());
            }
            self.count(&self.sent, buffer.len());
            let piece = full_or_copied(&mut buffer);
            if is_error {
                self.tee(Frame::ErrorOutput(&piece)).await?;
                writer.extended_data_bytes(1, piece).await
            } else {
                self.tee(Frame::Output(&piece)).await?;
                writer.data_bytes(piece).await
            }
            .map_err(|_gone| Stopped::Closed)?;
        }
    }

    /// A terminal's new size goes into the log and the recording before it is set.
    async fn resized(&self, size: TerminalSize) -> Result<(), String> {
        if let Err(error) = self.recorder.record(Happening::Resize(size)).await {
            self.life.cut(DisconnectReason::NotRecorded);
            return Err(error.to_string());
        }
        match self.tee(Frame::Resize(size)).await {
            Err(Stopped::Unrecorded(reason)) => Err(reason),
            Ok(()) | Err(Stopped::Closed) => Ok(()),
        }
    }

    async fn tee(&self, frame: Frame<'_>) -> Result<(), Stopped> {
        let Some(tee) = &self.tee else {
            return Ok(());
        };
        let mut tee = tee.lock().await;
        let taken = tee.frame(self.recorder.now_millis(), frame).await;
        taken.map_err(|fault| Stopped::Unrecorded(fault.to_string()))
    }

    fn count(&self, counter: &AtomicU64, length: usize) {
        counter.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        self.life.touch();
    }
}

/// What was read: the buffer itself when it is well filled, a copy of the right size when it is not.
pub(crate) fn full_or_copied(buffer: &mut Vec<u8>) -> Vec<u8> {
    if buffer.len() > PACKET / 4 {
        std::mem::replace(buffer, Vec::with_capacity(PACKET))
    } else {
        buffer.to_vec()
    }
}

/// Tells the client how its program ended, and closes the channel.
async fn say_goodbye(handle: &Handle, channel: ChannelId, exit: &Exit) {
    let said = async {
        match exit {
            Exit::Code(code) => handle.exit_status_request(channel, *code).await?,
            Exit::Signal { name, is_core_dumped } => {
                let signal = crate::signals::wire_signal(name);
                handle
                    .exit_signal_request(channel, signal, *is_core_dumped, String::new(), String::new())
                    .await?;
            }
            Exit::Cut(_) => {}
            Exit::Failed(reason) => {
                let words = format!("signet: {reason}\r\n");
                handle
                    .extended_data(channel, 1, words.into_bytes())
                    .await
                    .map_err(drop)?;
                handle.exit_status_request(channel, 255).await?;
            }
        }
        handle.eof(channel).await?;
        handle.close(channel).await
    };
    let _gone: Result<(), ()> = said.await;
}
