//! The SFTP server, version 3 (draft-ietf-secsh-filexfer-02) with the extensions of OpenSSH that its clients use. It runs as the
//! account, in a process of its own, and asks the node before it opens or changes a file.

mod attributes;
mod files;
mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use crate::event::FileAction;
use crate::exec_child::question;
use crate::exec_child::sftp::files::Server;

/// The longest packet that is read, in bytes.
const MAXIMUM_PACKET: usize = 256 * 1024;
/// The most data in one read or write, in bytes: a packet without what is around the data.
const MAXIMUM_DATA: usize = MAXIMUM_PACKET - 1024;
/// Answers are collected up to this size while more requests are waiting.
const COLLECTED: usize = 512 * 1024;

/// Serves files on standard input and output until the client is gone, asking on standard error.
pub(super) fn serve() -> io::Result<()> {
    let input = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let node = UnixStream::from(io::stderr().as_fd().try_clone_to_owned()?);
    converse(input, output, &mut Server::new(Node(node)))
}

/// Reads requests and writes answers until there are no more requests.
fn converse<J: Judge>(
    mut input: impl Read,
    mut output: impl Write,
    server: &mut Server<J>,
) -> io::Result<()> {
    let mut requests = Vec::with_capacity(2 * MAXIMUM_PACKET);
    let mut answers = Vec::with_capacity(COLLECTED);
    let mut chunk = vec![0; MAXIMUM_PACKET];
    loop {
        let mut taken = 0;
        while let Some(packet) =
            wire::first_packet(requests.get(taken..).unwrap_or_default(), MAXIMUM_PACKET)?
        {
            taken += packet.len() + 4;
            server.answer(packet, &mut answers)?;
            if answers.len() >= COLLECTED {
                output.write_all(&answers)?;
                answers.clear();
            }
        }
        requests.drain(..taken);
        output.write_all(&answers)?;
        answers.clear();
        let count = match input.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        requests.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

/// Says whether a file may be opened or changed.
trait Judge {
    /// `Ok(Err(reason))` when it may not.
    fn may(
        &mut self,
        action: FileAction,
        path: &[u8],
        target: Option<&[u8]>,
    ) -> io::Result<Result<(), String>>;
}

/// Asks the node.
struct Node(UnixStream);

impl Judge for Node {
    fn may(
        &mut self,
        action: FileAction,
        path: &[u8],
        target: Option<&[u8]>,
    ) -> io::Result<Result<(), String>> {
        let question = question::encode(action, path, target);
        let length = u32::try_from(question.len()).unwrap_or(u32::MAX);
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&question);
        self.0.write_all(&framed)?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length == 0 {
            return Ok(Ok(()));
        }
        let mut reason = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.read_exact(&mut reason)?;
        Ok(Err(String::from_utf8_lossy(&reason).into_owned()))
    }
}
