use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Buf;
use bytes::Bytes;
use h2::Reason;
use h2::RecvStream;
use h2::SendStream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::sync::OwnedSemaphorePermit;

/// One connection through a tunnel. Shutting down writing leaves reading open; dropping it unfinished resets it.
#[derive(Debug)]
pub struct TunnelStream {
    receive: RecvStream,
    send: SendStream<Bytes>,
    /// What was received and not read yet.
    chunk: Bytes,
    is_shut: bool,
    /// Counts the connection while it is open.
    _slot: Option<OwnedSemaphorePermit>,
}

impl TunnelStream {
    pub(crate) const fn new(
        receive: RecvStream,
        send: SendStream<Bytes>,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            receive,
            send,
            chunk: Bytes::new(),
            is_shut: false,
            _slot: slot,
        }
    }

    /// Why writing failed: a reset that says "no error" is the other end's way of not wanting more.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        Poll::Ready(match ready!(self.send.poll_reset(cx)) {
            Ok(Reason::NO_ERROR | Reason::CANCEL | Reason::STREAM_CLOSED) => io::ErrorKind::BrokenPipe.into(),
            Ok(reason) => io_error(h2::Error::from(reason)),
            Err(error) => io_error(error),
        })
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let length = self.chunk.len().min(buffer.remaining());
        buffer.put_slice(self.chunk.get(..length).unwrap_or_default());
        self.chunk.advance(length);
        // The sender may send as much again as was read: this is the back-pressure. An error means that there is no sender any more.
        let _ = self.receive.flow_control().release_capacity(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.send.reserve_capacity(bytes.len());
        let mut capacity = self.send.capacity();
        while capacity == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(more)) => capacity = more,
                None | Some(Err(_)) => return self.poll_reset(cx).map(Err),
            }
        }
        let length = capacity.min(bytes.len());
        let chunk = Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default());
        match self.send.send_data(chunk, false) {
            Ok(()) => Poll::Ready(Ok(length)),
            Err(_) => self.poll_reset(cx).map(Err),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written is the tunnel's to send.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            self.is_shut = true;
            // An error means that the other end is gone, and with it whoever would learn of the end.
            let _ = self.send.send_data(Bytes::new(), true);
        }
        Poll::Ready(Ok(()))
    }
}

fn io_error(error: h2::Error) -> io::Error {
    if error.is_io() {
        error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::ConnectionReset.into())
    } else {
        io::Error::new(io::ErrorKind::ConnectionReset, error)
    }
}
