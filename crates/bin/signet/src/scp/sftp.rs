//! The SSH file transfer protocol, version 3 (draft-ietf-secsh-filexfer-02), the client's side. Paths and handles are bytes.
//!
//! Requests are sent without waiting for the answers to those before, so that a connection is full whatever its round trip takes. Whoever sends
//! one gets a [`Pending`] to wait on when it likes.

mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use russh::ChannelMsg;
use russh::ChannelReadHalf;
use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::path::Node;
pub(super) use wire::Attributes;
use wire::Kind;
use wire::Reader;
pub(super) use wire::Writer;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum SftpError {
    /// The server refuses, in its words.
    #[error("{message}")]
    Refused {
        /// `SSH_FX_…`.
        code: u32,
        /// Why.
        message: String,
    },
    /// The connection ended.
    #[error("the connection ended")]
    Ended,
    /// The answer is none to what was asked.
    #[error("the server's answer cannot be read")]
    Unreadable,
}

/// `SSH_FX_EOF`.
const EOF: u32 = 1;
/// `SSH_FX_NO_SUCH_FILE`.
const NO_SUCH_FILE: u32 = 2;
/// The largest packet that is read, in bytes.
const PACKET_MAX: usize = 1 << 20;
/// Requests that wait to be sent.
const QUEUE: usize = 16;
/// Data in one request: what every server takes, and what those take that say they have limits.
const CHUNK: usize = 32 * 1024;
const LARGE_CHUNK: usize = 128 * 1024;

type Waiting = Arc<Mutex<Option<HashMap<u32, oneshot::Sender<Bytes>>>>>;

/// A conversation with a server.
pub(super) struct Sftp {
    requests: mpsc::Sender<Bytes>,
    waiting: Waiting,
    next: AtomicU32,
    /// Data in one request, in bytes.
    pub(super) chunk: usize,
}

/// An answer that is to come.
pub(super) struct Pending(oneshot::Receiver<Bytes>);

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// To be read.
    Read,
    /// To be written from its start, with these permissions if it is new.
    Write {
        /// The permissions.
        mode: u32,
    },
}

impl Sftp {
    /// Begins.
    pub(super) async fn open(node: &Node, name: &str) -> Result<Self, Failure> {
        let channel = match node.handle.channel_open_session().await {
            Ok(channel) => channel,
            Err(russh::Error::ChannelOpenFailure(failure)) => {
                let reason = node.said.refusal(failure.description()).await;
                return Err(Failure::refused(format!("{name} opens no session: {reason}")));
            }
            Err(error) => return Err(node.said.or(&format!("{name} opens no session"), &error)),
        };
        let (mut reading, writing) = channel.split();
        let broken = |error: russh::Error| node.said.or(name, &error);
        // The first words of the protocol are sent along: a server that refuses it does not read them.
        writing.request_subsystem(true, "sftp").await.map_err(broken)?;
        let mut hello = Writer::new(Kind::Init);
        hello.u32(3);
        writing.data_bytes(hello.finish()).await.map_err(broken)?;
        let refused = || {
            Failure::refused(format!("{name} copies no files"))
                .with_hint("your roles do not allow it (`ssh_file_copy`), or the server has no SFTP")
        };
        let mut buffer = BytesMut::new();
        let version = loop {
            match reading.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    buffer.extend_from_slice(&data);
                    match first_packet(&mut buffer) {
                        Ok(Some(packet)) => break packet,
                        Ok(None) => {}
                        Err(_) => return Err(refused()),
                    }
                }
                Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) | None => {
                    return Err(refused());
                }
                // What is said besides, such as on standard error.
                Some(_) => {}
            }
        };
        let chunk = chunk_of(&version).map_err(|_| refused())?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(send(writing, queue));
        tokio::spawn(receive(reading, buffer, Arc::clone(&waiting)));
        Ok(Self {
            requests,
            waiting,
            next: AtomicU32::new(1),
            chunk,
        })
    }

    /// Sends a request. `fill` writes what comes after the id.
    async fn request(&self, kind: Kind, fill: impl FnOnce(&mut Writer)) -> Result<Pending, SftpError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut writer = Writer::new(kind);
        writer.u32(id);
        fill(&mut writer);
        self.send(id, writer.finish()).await
    }

    async fn send(&self, id: u32, packet: Bytes) -> Result<Pending, SftpError> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.as_mut().ok_or(SftpError::Ended)?.insert(id, sender);
        }
        self.requests.send(packet).await.map_err(|_| SftpError::Ended)?;
        Ok(Pending(receiver))
    }

    /// Opens a file, and returns its handle.
    pub(super) async fn open_file(&self, path: &[u8], open: Open) -> Result<Bytes, SftpError> {
        let (flags, attributes) = match open {
            // SSH_FXF_READ.
            Open::Read => (1, Attributes::default()),
            // SSH_FXF_WRITE, _CREAT and _TRUNC.
            Open::Write { mode } => (2 | 8 | 16, Attributes::of_mode(mode)),
        };
        let asked = self.request(Kind::Open, |writer| {
            writer.string(path);
            writer.u32(flags);
            attributes.write(writer);
        });
        asked.await?.handle().await
    }

    pub(super) async fn close(&self, handle: &[u8]) -> Result<(), SftpError> {
        self.request(Kind::Close, |writer| writer.string(handle))
            .await?
            .done()
            .await
    }

    /// Asks for a part of a file.
    pub(super) async fn read(&self, handle: &[u8], offset: u64, length: usize) -> Result<Pending, SftpError> {
        self.request(Kind::Read, |writer| {
            writer.string(handle);
            writer.u64(offset);
            writer.u32(u32::try_from(length).unwrap_or(u32::MAX));
        })
        .await
    }

    /// Begins a request to write, into which the data are read without another copy: see [`Writer::data`].
    pub(super) fn write_request(&self, handle: &[u8], offset: u64) -> (u32, Writer) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut writer = Writer::new(Kind::Write);
        writer.u32(id);
        writer.string(handle);
        writer.u64(offset);
        (id, writer)
    }

    /// Sends a request to write.
    pub(super) async fn write(&self, id: u32, request: Writer) -> Result<Pending, SftpError> {
        self.send(id, request.finish()).await
    }

    /// What a path leads to; nothing when there is nothing.
    pub(super) async fn stat(&self, path: &[u8]) -> Result<Option<Attributes>, SftpError> {
        let asked = self.request(Kind::Stat, |writer| writer.string(path)).await?;
        match asked.attributes().await {
            Ok(attributes) => Ok(Some(attributes)),
            Err(SftpError::Refused {
                code: NO_SUCH_FILE, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets what is known of an open file.
    pub(super) async fn set_of_open(&self, handle: &[u8], attributes: &Attributes) -> Result<(), SftpError> {
        let asked = self.request(Kind::Fsetstat, |writer| {
            writer.string(handle);
            attributes.write(writer);
        });
        asked.await?.done().await
    }

    /// Sets what is known of a path.
    pub(super) async fn set(&self, path: &[u8], attributes: &Attributes) -> Result<(), SftpError> {
        let asked = self.request(Kind::Setstat, |writer| {
            writer.string(path);
            attributes.write(writer);
        });
        asked.await?.done().await
    }

    pub(super) async fn make_directory(&self, path: &[u8], mode: u32) -> Result<(), SftpError> {
        let asked = self.request(Kind::Mkdir, |writer| {
            writer.string(path);
            Attributes::of_mode(mode).write(writer);
        });
        asked.await?.done().await
    }

    /// The entries of a directory, with those that every directory has.
    pub(super) async fn entries(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Attributes)>, SftpError> {
        let opened = self.request(Kind::Opendir, |writer| writer.string(path)).await?;
        let handle = opened.handle().await?;
        let mut entries = Vec::new();
        let outcome = loop {
            let asked = self
                .request(Kind::Readdir, |writer| writer.string(&handle))
                .await?;
            match asked.names().await {
                Ok(names) => entries.extend(names),
                Err(SftpError::Refused { code: EOF, .. }) => break Ok(entries),
                Err(error) => break Err(error),
            }
        };
        self.close(&handle).await?;
        outcome
    }
}

impl Pending {
    async fn packet(self) -> Result<(u8, Reader), SftpError> {
        let packet = self.0.await.map_err(|_| SftpError::Ended)?;
        let mut reader = Reader(packet);
        let kind = reader.u8()?;
        reader.u32()?;
        if kind == wire::STATUS {
            let code = reader.u32()?;
            if code != 0 {
                let message = reader.string().unwrap_or_default();
                return Err(refusal(code, &message));
            }
        }
        Ok((kind, reader))
    }

    async fn of(self, wanted: u8) -> Result<Reader, SftpError> {
        let (kind, reader) = self.packet().await?;
        (kind == wanted).then_some(reader).ok_or(SftpError::Unreadable)
    }

    /// Waits until it is done.
    pub(super) async fn done(self) -> Result<(), SftpError> {
        self.of(wire::STATUS).await.map(drop)
    }

    /// Waits for data; nothing at the end of the file.
    pub(super) async fn data(self) -> Result<Option<Bytes>, SftpError> {
        match self.of(wire::DATA).await {
            Ok(mut reader) => Ok(Some(reader.string()?)),
            Err(SftpError::Refused { code: EOF, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn handle(self) -> Result<Bytes, SftpError> {
        self.of(wire::HANDLE).await?.string()
    }

    async fn attributes(self) -> Result<Attributes, SftpError> {
        Attributes::read(&mut self.of(wire::ATTRS).await?)
    }

    async fn names(self) -> Result<Vec<(Vec<u8>, Attributes)>, SftpError> {
        let mut reader = self.of(wire::NAME).await?;
        let count = reader.u32()?;
        let mut names = Vec::new();
        for _ in 0..count {
            let name = reader.string()?.to_vec();
            reader.string()?;
            names.push((name, Attributes::read(&mut reader)?));
        }
        Ok(names)
    }
}

fn refusal(code: u32, message: &[u8]) -> SftpError {
    let words = match code {
        EOF => "end of file",
        NO_SUCH_FILE => "no such file or directory",
        3 => "permission denied",
        8 => "not supported by the server",
        _ => "failed",
    };
    let message = String::from_utf8_lossy(message).into_owned();
    SftpError::Refused {
        code,
        message: if message.is_empty() {
            words.to_owned()
        } else {
            message
        },
    }
}

/// The first whole packet, without its length.
fn first_packet(buffer: &mut BytesMut) -> Result<Option<Bytes>, SftpError> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 || length > PACKET_MAX {
        return Err(SftpError::Unreadable);
    }
    if buffer.len() < length + 4 {
        buffer.reserve(length + 4 - buffer.len());
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// How much data one request may have, by what the server says of itself.
fn chunk_of(version: &Bytes) -> Result<usize, SftpError> {
    let mut reader = Reader(version.clone());
    if reader.u8()? != wire::VERSION || reader.u32()? != 3 {
        return Err(SftpError::Unreadable);
    }
    // Those that tell their limits when they are asked take packets of 256 KiB.
    while let Ok(name) = reader.string() {
        reader.string()?;
        if name.as_ref() == b"limits@openssh.com" {
            return Ok(LARGE_CHUNK);
        }
    }
    Ok(CHUNK)
}

async fn send(writing: ChannelWriteHalf<Msg>, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(packet) = queue.recv().await {
        if writing.data_bytes(packet).await.is_err() {
            return;
        }
    }
    // Nothing more is asked; who is gone need not hear it.
    let _ = writing.eof().await;
    let _ = writing.close().await;
}

async fn receive(mut reading: ChannelReadHalf, mut buffer: BytesMut, waiting: Waiting) {
    'connection: while let Some(message) = reading.wait().await {
        let ChannelMsg::Data { data } = message else {
            continue;
        };
        buffer.extend_from_slice(&data);
        loop {
            match first_packet(&mut buffer) {
                Ok(Some(packet)) => deliver(packet, &waiting),
                Ok(None) => break,
                Err(_) => break 'connection,
            }
        }
    }
    // Everybody who waits learns that nothing comes.
    *waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn deliver(packet: Bytes, waiting: &Waiting) {
    let mut reader = Reader(packet.clone());
    let id = reader.u8().and_then(|_| reader.u32());
    let sender = id.ok().and_then(|id| {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_mut()?.remove(&id)
    });
    if let Some(sender) = sender {
        // Who asked may have given up.
        let _ = sender.send(packet);
    }
}
