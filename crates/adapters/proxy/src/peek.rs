//! Looking at the start of a connection without taking anything from it.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::recv;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::header;
use crate::hello::Asked;
use crate::hello::HELLO_MAX;
use crate::hello::Start;
use crate::hello::asked;
use crate::hello::examine;

/// What a connection begins with.
#[derive(Debug)]
pub(crate) enum Begins {
    /// A whole ClientHello, and what it asks for.
    Hello(Asked),
    /// A header of a balancer.
    Header,
    /// Something else.
    Foreign,
}

/// What a connection begins with; `None` when it is closed before that can be said. The bytes stay where they are: whoever takes the
/// connection reads them again. How long this may take is for the caller to bound.
pub(crate) async fn peek(stream: &TcpStream) -> io::Result<Option<Begins>> {
    let judge = |bytes: &[u8]| match examine(bytes) {
        Start::Partial => None,
        Start::Whole => Some(asked(bytes).map_or(Begins::Foreign, Begins::Hello)),
        Start::Foreign if header::is_begun(bytes) => Some(Begins::Header),
        Start::Foreign => Some(Begins::Foreign),
    };
    look_until(stream, HELLO_MAX, judge).await
}

/// Looks at the bytes that have come, of at most so many, until they can be judged; `None` when no more come before that.
pub(crate) async fn look_until<T>(
    stream: &TcpStream,
    most: usize,
    judge: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut buffer = vec![0; most];
    let mut seen = 0;
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        // Bytes that were seen leave the socket readable. To sleep until there are more, the readiness is taken back; one that came
        // meanwhile is noticed, for that is what `try_io` is careful about.
        let looked = stream.try_io(Interest::READABLE, || {
            let length = look(stream, &mut buffer)?;
            if length > seen || (length == 0 && seen == 0) {
                Ok(length)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        match looked {
            // Closed with nothing said, such as by a port scan.
            Ok(0) => return Ok(None),
            Ok(length) => seen = length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if ready.is_read_closed() {
                    return Ok(None);
                }
                continue;
            }
            Err(error) => return Err(error),
        }
        if let Some(judged) = judge(buffer.get(..seen).unwrap_or_default()) {
            return Ok(Some(judged));
        }
    }
}

fn look(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(
            stream.as_raw_fd(),
            buffer,
            MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT,
        ) {
            Err(Errno::EINTR) => {}
            looked => return looked.map_err(io::Error::from),
        }
    }
}
