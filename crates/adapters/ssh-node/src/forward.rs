//! Connections forwarded both ways, ports opened for the client, and the client's agent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::Channel;
use russh::ChannelId;
use russh::ChannelOpenFailure;
use russh::ChannelWriteHalf;
use russh::server::ChannelOpenHandle;
use russh::server::Handle;
use russh::server::Msg;
use russh::server::Session;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use crate::backend::AgentDialer;
use crate::backend::BackendFault;
use crate::backend::Destination;
use crate::backend::Listener;
use crate::backend::Stream;
use crate::channels::Core;
use crate::channels::Offer;
use crate::connection::Connection;
use crate::connection::prohibited;
use crate::event::ForwardDirection;
use crate::event::Happening;
use crate::event::PortForward;
use crate::inbox::Inbox;
use crate::life::Admitted;
use crate::life::over;
use crate::session::PACKET;
use crate::session::full_or_copied;

/// How long another place may take to answer.
const CONNECT: Duration = Duration::from_secs(30);
/// How long the other end may take to read what the client sent before it closed.
const DELIVER: Duration = Duration::from_secs(60);
/// How long the client may take to close a channel after both ends said that nothing more comes.
const CLOSE: Duration = Duration::from_secs(10);
/// The longest name of a host.
const HOST_LENGTH: usize = 255;

impl Connection {
    /// Connects the client to another place.
    pub(crate) async fn forward_to(
        &mut self,
        channel: Channel<Msg>,
        (host, port): (&str, u32),
        originator: (String, u32),
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let admitted = self.admitted()?;
        let core = Arc::clone(&self.core);
        let what = format!("connection to {host:.255}:{port}");
        if !admitted.rights().local_forwarding {
            let reason = "neither role nor certificate allow to forward ports";
            core.recorder.refused(&what, reason).await;
            reply.reject(prohibited(reason.to_owned())).await;
            return Ok(());
        }
        let (Ok(port), true) = (u16::try_from(port), is_host(host)) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let (channels, _) = core.channels.count();
        if channels >= core.shared.config.channels_max {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        if let Err(reason) = core.shared.take_channel(&admitted.grant.user) {
            // Counted in the log, and answered later and later: whoever goes on is slowed down, and the log is not filled.
            core.recorder.refused(&what, &reason).await;
            reply.reject(prohibited(reason)).await;
            return Ok(());
        }
        let id = channel.id();
        let (_reader, writer) = channel.split();
        let inbox = core.channels.inbox(id);
        let handle = session.handle();
        let destination = Destination {
            host: host.to_owned(),
            port,
            originator,
        };
        tokio::spawn(async move {
            let forwarded = connect(&core, &admitted, &destination).await;
            match forwarded {
                Ok(stream) => {
                    reply.accept().await;
                    relay(&core, &handle, &writer, &inbox, stream).await;
                }
                Err(failure) => {
                    core.channels.remove(id);
                    reply.reject(failure).await;
                }
            }
        });
        Ok(())
    }
}

async fn connect(
    core: &Core,
    admitted: &Admitted,
    destination: &Destination,
) -> Result<Box<dyn Stream>, ChannelOpenFailure> {
    let event = Happening::Port(PortForward {
        direction: ForwardDirection::Local,
        host: destination.host.clone(),
        port: destination.port.into(),
    });
    if core.recorder.record(event).await.is_err() {
        return Err(prohibited("the audit log does not take events".to_owned()));
    }
    let failed = |fault: BackendFault| ChannelOpenFailure::Other {
        code: ChannelOpenFailure::ConnectFailed.code(),
        reason: fault.0,
    };
    let backend = core.backend(admitted).await.map_err(failed)?;
    let connected = tokio::time::timeout(CONNECT, backend.connect(destination)).await;
    let late = |_late| Err(BackendFault("it did not answer in time".to_owned()));
    connected.unwrap_or_else(late).map_err(failed)
}

/// Carries data between a channel and a stream until both have nothing more to say, or the client is gone.
async fn relay(
    core: &Core,
    handle: &Handle,
    writer: &ChannelWriteHalf<Msg>,
    inbox: &Inbox,
    stream: Box<dyn Stream>,
) {
    let id = writer.id();
    let (mut reader, mut sink) = tokio::io::split(stream);
    let mut ended = core.life.ended();
    let inwards = async {
        while let Some(piece) = inbox.next().await {
            core.life.touch();
            if sink.write_all(&piece).await.is_err() || sink.flush().await.is_err() {
                inbox.abandon();
                return;
            }
        }
        let _closed_already = sink.shutdown().await;
    };
    let outwards = async {
        let mut buffer = Vec::with_capacity(PACKET);
        loop {
            buffer.clear();
            if reader.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                break;
            }
            core.life.touch();
            if writer.data_bytes(full_or_copied(&mut buffer)).await.is_err() {
                break;
            }
        }
        let _gone = handle.eof(id).await;
    };
    tokio::pin!(inwards, outwards);
    let (mut is_in_done, mut is_out_done) = (false, false);
    let over = over(&mut ended);
    let closed = closed_by_client(core, id);
    tokio::pin!(over, closed);
    while !(is_in_done && is_out_done) {
        tokio::select! {
            () = &mut inwards, if !is_in_done => is_in_done = true,
            () = &mut outwards, if !is_out_done => is_out_done = true,
            () = &mut over => break,
            () = &mut closed => {
                // What the client sent before it closed is still to be delivered.
                if !is_in_done {
                    let _late = tokio::time::timeout(DELIVER, &mut inwards).await;
                }
                break;
            }
        }
    }
    inbox.abandon();
    // The side that closes last forgets the channel at once, so the client is given the chance to close first.
    let _late = tokio::time::timeout(CLOSE, closed_by_client(core, id)).await;
    core.channels.remove(id);
    let _gone = handle.close(id).await;
}

/// Returns when the client has closed the channel.
async fn closed_by_client(core: &Core, id: ChannelId) {
    let closed = core.channels.with(id, |entry| entry.closed.subscribe());
    if let Some(mut closed) = closed {
        // The entry is dropped with the channel.
        while closed.changed().await.is_ok() {}
    }
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.len() <= HOST_LENGTH && host.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The ports opened for one connection.
pub(crate) struct OpenPorts {
    ports: HashMap<(String, u32), watch::Sender<()>>,
    most: usize,
}

impl OpenPorts {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            ports: HashMap::new(),
            most,
        }
    }

    /// Opens a port, and says which when any was asked for.
    pub(crate) async fn open(
        &mut self,
        core: &Arc<Core>,
        admitted: &Admitted,
        handle: Handle,
        address: &str,
        port: &mut u32,
    ) -> bool {
        let what = format!("port {address:.255}:{port}");
        let refusal = if !admitted.rights().remote_forwarding {
            Some("neither role nor certificate allow to forward ports")
        } else if self.ports.len() >= self.most {
            Some("too many ports are open for this connection")
        } else if address.len() > HOST_LENGTH {
            Some("the address is too long")
        } else {
            None
        };
        let refusal = match refusal {
            Some(reason) => Some(reason.to_owned()),
            None => core.shared.take_channel(&admitted.grant.user).err(),
        };
        if let Some(reason) = refusal {
            core.recorder.refused(&what, &reason).await;
            return false;
        }
        let Ok(wanted) = u16::try_from(*port) else {
            return false;
        };
        let event = Happening::Port(PortForward {
            direction: ForwardDirection::Remote,
            host: address.to_owned(),
            port: *port,
        });
        if core.recorder.record(event).await.is_err() {
            return false;
        }
        let opened = async { core.backend(admitted).await?.listen(address, wanted).await };
        let listener = match opened.await {
            Ok(listener) => listener,
            Err(fault) => {
                core.recorder.refused(&what, &fault.0).await;
                return false;
            }
        };
        *port = listener.port().into();
        let (open, closed) = watch::channel(());
        tokio::spawn(offer(
            Arc::clone(core),
            handle,
            address.to_owned(),
            listener,
            closed,
        ));
        self.ports.insert((address.to_owned(), *port), open);
        true
    }

    /// Closes a port. Connections through it live on.
    pub(crate) async fn close(&mut self, core: &Core, address: &str, port: u32) -> bool {
        let Some(open) = self.ports.remove(&(address.to_owned(), port)) else {
            return false;
        };
        drop(open);
        let event = Happening::Port(PortForward {
            direction: ForwardDirection::RemoteClosed,
            host: address.to_owned(),
            port,
        });
        let _closed_anyway = core.recorder.record(event).await;
        true
    }
}

/// Offers the connections to an opened port to the client, until the port is closed.
async fn offer(
    core: Arc<Core>,
    handle: Handle,
    address: String,
    mut listener: Box<dyn Listener>,
    mut closed: watch::Receiver<()>,
) {
    let port = listener.port();
    let mut ended = core.life.ended();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _closed = closed.changed() => return,
            () = over(&mut ended) => return,
        };
        let Ok((stream, from, from_port)) = accepted else {
            return;
        };
        // One that is too many is closed.
        let Some(offer) = core.channels.offer(core.shared.config.channels_max) else {
            continue;
        };
        let (core, handle, address) = (Arc::clone(&core), handle.clone(), address.clone());
        tokio::spawn(async move {
            let channel = handle.channel_open_forwarded_tcpip(address, port.into(), from, from_port.into());
            let _refused = relay_offered(&core, &handle, offer, channel, stream).await;
        });
    }
}

/// Relays through a channel that the client is offered. A client that does not answer in time keeps nothing open but the offer, which counts
/// until it answers or is gone.
async fn relay_offered(
    core: &Core,
    handle: &Handle,
    offer: Offer,
    channel: impl Future<Output = Result<Channel<Msg>, russh::Error>>,
    stream: Box<dyn Stream>,
) -> Result<(), russh::Error> {
    tokio::pin!(channel);
    let Ok(channel) = tokio::time::timeout(core.shared.config.offer_patience, &mut channel).await else {
        drop(stream);
        let late = channel.await?;
        drop(offer);
        core.channels.remove(late.id());
        let _gone = late.close().await;
        return Err(russh::Error::ConnectionTimeout);
    };
    let (_, writer) = channel?.split();
    let inbox = core.channels.inbox(writer.id());
    drop(offer);
    relay(core, handle, &writer, &inbox, stream).await;
    Ok(())
}

/// The agent of the client, reached through the connection.
pub(crate) struct ClientAgent {
    core: Arc<Core>,
    handle: Handle,
}

impl ClientAgent {
    pub(crate) const fn new(core: Arc<Core>, handle: Handle) -> Self {
        Self { core, handle }
    }
}

#[async_trait::async_trait]
impl AgentDialer for ClientAgent {
    async fn relay(&self, stream: Box<dyn Stream>) -> Result<(), BackendFault> {
        let Some(offer) = self.core.channels.offer(self.core.shared.config.channels_max) else {
            return Err(BackendFault("too many channels are open".to_owned()));
        };
        let channel = self.handle.channel_open_agent();
        relay_offered(&self.core, &self.handle, offer, channel, stream)
            .await
            .map_err(|error| BackendFault(format!("the client's agent: {error}")))
    }
}
