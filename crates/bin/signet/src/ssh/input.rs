//! Standard input, output and error, each on a thread of its own: what blocks there blocks nothing else.

use std::io::Read;
use std::io::Write;
use std::thread::JoinHandle;

use bytes::Bytes;
use bytes::BytesMut;
use tokio::sync::mpsc;

/// Bytes that are read at once: a packet.
const CHUNK: usize = 32 * 1024;
/// Pieces that wait for the other side.
const WAITING: usize = 16;

/// What is read, piece by piece; the channel closes at the end.
pub(super) fn read_input() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(WAITING);
    // Nobody waits for this thread: it ends with the process, in the middle of a read if need be.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut buffer = BytesMut::zeroed(CHUNK);
        loop {
            let length = match input.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let piece = buffer.get(..length).unwrap_or_default();
            if sender.blocking_send(Bytes::copy_from_slice(piece)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A piece of output.
pub(super) enum Output {
    /// For standard output.
    Out(Bytes),
    /// For standard error.
    Err(Bytes),
}

/// Where output goes. The channel is closed from the other side when nobody reads it any more.
pub(super) struct Writer {
    pub(super) sender: mpsc::Sender<Output>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start() -> Self {
        let (sender, mut receiver) = mpsc::channel::<Output>(WAITING);
        let thread = std::thread::spawn(move || {
            let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
            while let Some(piece) = receiver.blocking_recv() {
                let written = match piece {
                    Output::Out(bytes) => out.write_all(&bytes).and_then(|()| {
                        // One write for many pieces when they come fast.
                        if receiver.is_empty() { out.flush() } else { Ok(()) }
                    }),
                    Output::Err(bytes) => err.write_all(&bytes),
                };
                if written.is_err() {
                    return;
                }
            }
            let _ = out.flush();
        });
        Self { sender, thread }
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) {
        let Self { sender, thread } = self;
        drop(sender);
        // It ends by itself when there is nothing more, or nobody reads.
        let _ = thread.join();
    }
}
