//! A program on the other host, as a program here.

use std::sync::Arc;

use russh::ChannelMsg;
use russh::ChannelReadHalf;
use russh::ChannelWriteHalf;
use russh::Pty;
use russh::client::Handle;
use russh::client::Msg;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::sync::watch;

use crate::backend::BackendFault;
use crate::backend::Control;
use crate::backend::Order;
use crate::backend::Program;
use crate::backend::Signal;
use crate::backend::Work;
use crate::event::Exit;
use crate::event::TerminalSize;
use crate::remote::handler::Client;
use crate::remote::refused;
use crate::signals::signal_name;
use crate::signals::wire_signal;

/// How much output may wait to be taken.
const BUFFER: usize = 256 * 1024;

/// Asks the other host for what was asked of us.
pub(super) async fn start(
    handle: &Handle<Client>,
    order: Order,
    wants_agent: bool,
) -> Result<Program, BackendFault> {
    let Order {
        work,
        terminal,
        environment,
        agent: _,
        files: _,
    } = order;
    let channel = handle.channel_open_session().await.map_err(refused)?;
    let (mut reader, writer) = channel.split();
    for (name, value) in environment {
        // Variables about the connection are the other host's to set.
        if !name.starts_with("SSH_") {
            writer.set_env(false, name, value).await.map_err(refused)?;
        }
    }
    if wants_agent {
        writer.agent_forward(true).await.map_err(refused)?;
        answered(&mut reader, "the agent is not forwarded there").await?;
    }
    let has_terminal = terminal.is_some();
    if let Some(terminal) = terminal {
        let modes = terminal.modes.iter();
        let modes: Vec<_> = modes
            .filter_map(|(code, value)| Some((Pty::from_u8(*code)?, *value)))
            .collect();
        let size = terminal.size;
        let (columns, rows) = (size.columns.into(), size.rows.into());
        let (width, height) = (size.pixel_width.into(), size.pixel_height.into());
        let asked = writer.request_pty(true, &terminal.name, columns, rows, width, height, &modes);
        asked.await.map_err(refused)?;
        answered(&mut reader, "the host gives no terminal").await?;
    }
    match work {
        Work::Shell => writer.request_shell(true).await,
        Work::Command(command) => writer.exec(true, command).await,
        Work::Sftp => writer.request_subsystem(true, "sftp").await,
    }
    .map_err(refused)?;
    answered(&mut reader, "the host does not start it").await?;
    let (output, output_sink) = tokio::io::duplex(BUFFER);
    let (errors, errors_sink) = tokio::io::duplex(BUFFER);
    let (exit_sender, exit) = watch::channel(None);
    tokio::spawn(deliver(reader, output_sink, errors_sink, exit_sender));
    let input = writer.make_writer();
    Ok(Program {
        input: Box::new(input),
        output: Box::new(output),
        error_output: (!has_terminal).then(|| Box::new(errors) as _),
        control: Box::new(Remote {
            writer: Arc::new(writer),
            exit,
        }),
    })
}

/// Waits for the answer to a request.
async fn answered(reader: &mut ChannelReadHalf, refusal: &str) -> Result<(), BackendFault> {
    loop {
        match reader.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure | ChannelMsg::Close) | None => {
                return Err(BackendFault(refusal.to_owned()));
            }
            Some(_) => {}
        }
    }
}

/// Takes what comes from the program to its end.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the protocol has messages that say nothing of a program, and will have more"
)]
async fn deliver(
    mut reader: ChannelReadHalf,
    mut output: DuplexStream,
    mut errors: DuplexStream,
    exit: watch::Sender<Option<Exit>>,
) {
    let mut over = Exit::Failed("the host was lost".to_owned());
    while let Some(message) = reader.wait().await {
        match message {
            // When nobody takes output any more, it is lost, and the end is still waited for.
            ChannelMsg::Data { data } => {
                let _untaken = output.write_all(&data).await;
            }
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                let _untaken = errors.write_all(&data).await;
            }
            ChannelMsg::ExitStatus { exit_status } => over = Exit::Code(exit_status),
            ChannelMsg::ExitSignal {
                signal_name: signal,
                core_dumped,
                ..
            } => {
                over = Exit::Signal {
                    name: signal_name(&signal).unwrap_or("UNKNOWN").to_owned(),
                    is_core_dumped: core_dumped,
                };
            }
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    drop((output, errors));
    exit.send_replace(Some(over));
}

struct Remote {
    writer: Arc<ChannelWriteHalf<Msg>>,
    exit: watch::Receiver<Option<Exit>>,
}

#[async_trait::async_trait]
impl Control for Remote {
    async fn resize(&mut self, size: TerminalSize) {
        let (columns, rows) = (size.columns.into(), size.rows.into());
        let (width, height) = (size.pixel_width.into(), size.pixel_height.into());
        let _gone = self.writer.window_change(columns, rows, width, height).await;
    }

    async fn signal(&mut self, signal: Signal) {
        let _gone = self.writer.signal(wire_signal(signal.as_str())).await;
    }

    async fn hang_up(&mut self) {
        let _gone = self.writer.close().await;
    }

    async fn wait(&mut self) -> Exit {
        let exit = self.exit.wait_for(Option::is_some).await;
        let exit = exit.ok().and_then(|exit| exit.clone());
        exit.unwrap_or_else(|| Exit::Failed("the host was lost".to_owned()))
    }
}
