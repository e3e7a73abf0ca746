//! A SOCKS proxy (RFC 1928, and version 4 with its 4A) whose connections begin at the server. It asks nobody who they are: it listens for this
//! machine.

use std::io;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncBufRead;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::forward::open;
use crate::path::Node;

/// How long a client may take to say where it wants to go.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest name that version 4 may send, in bytes.
const NAME_MAX: u64 = 256;

/// A version, for its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Four,
    Five,
}

/// Serves one connection.
pub(super) async fn serve(stream: TcpStream, from: SocketAddr, node: &Node) {
    let mut stream = BufReader::new(stream);
    let Ok(Ok(Some((version, target)))) = timeout(PATIENCE, asked(&mut stream)).await else {
        return;
    };
    match open(node, &target, from).await {
        Ok(mut channel) => {
            if stream.write_all(answer(version, true)).await.is_ok() {
                // How it ended is known at both ends.
                let _ = copy_bidirectional(&mut stream, &mut channel).await;
            }
        }
        Err(_) => {
            // A client that is gone needs no answer.
            let _ = stream.write_all(answer(version, false)).await;
        }
    }
}

/// Where a client wants to go, `host:port`; nothing when it wants something else.
async fn asked<S>(stream: &mut S) -> io::Result<Option<(Version, String)>>
where
    S: AsyncBufRead + AsyncWrite + Unpin,
{
    match stream.read_u8().await? {
        4 => Ok(asked_by_four(stream).await?.map(|target| (Version::Four, target))),
        5 => Ok(asked_by_five(stream).await?.map(|target| (Version::Five, target))),
        _ => Ok(None),
    }
}

const CONNECT: u8 = 1;

async fn asked_by_four<S: AsyncBufRead + Unpin>(stream: &mut S) -> io::Result<Option<String>> {
    let command = stream.read_u8().await?;
    let port = stream.read_u16().await?;
    let address = Ipv4Addr::from(stream.read_u32().await?);
    text(stream).await?;
    // 0.0.0.x stands for a name that follows.
    let host = match address.octets() {
        [0, 0, 0, last] if last != 0 => text(stream).await?,
        [_, _, _, _] => address.to_string(),
    };
    Ok((command == CONNECT && is_host(&host)).then(|| format!("{host}:{port}")))
}

/// Bytes up to a zero.
async fn text<S: AsyncBufRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.take(NAME_MAX).read_until(0, &mut bytes).await?;
    if bytes.pop() != Some(0) {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

async fn asked_by_five<S>(stream: &mut S) -> io::Result<Option<String>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let count = stream.read_u8().await?;
    let mut methods = vec![0; usize::from(count)];
    stream.read_exact(&mut methods).await?;
    // Without authentication, or not at all.
    let is_possible = methods.contains(&0);
    stream.write_all(&[5, if is_possible { 0 } else { 0xff }]).await?;
    stream.flush().await?;
    if !is_possible {
        return Ok(None);
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [5, command, _, kind] = head else {
        return Ok(None);
    };
    let host = match kind {
        1 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        3 => {
            let length = stream.read_u8().await?;
            let mut name = vec![0; usize::from(length)];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?
        }
        4 => format!("[{}]", Ipv6Addr::from(stream.read_u128().await?)),
        _ => return Ok(None),
    };
    let port = stream.read_u16().await?;
    if command == CONNECT && is_host(&host) {
        return Ok(Some(format!("{host}:{port}")));
    }
    // RFC 1928 section 6: the command is not supported.
    stream.write_all(&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(None)
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && !host.contains(|c: char| c.is_control() || c.is_whitespace())
}

const fn answer(version: Version, is_open: bool) -> &'static [u8] {
    match (version, is_open) {
        (Version::Four, true) => &[0, 90, 0, 0, 0, 0, 0, 0],
        (Version::Four, false) => &[0, 91, 0, 0, 0, 0, 0, 0],
        (Version::Five, true) => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        (Version::Five, false) => &[5, 1, 0, 1, 0, 0, 0, 0, 0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client that says this is understood to want, and what it is answered.
    async fn spoken(says: &[u8]) -> (Option<(Version, String)>, Vec<u8>) {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(says).await.unwrap();
        client.shutdown().await.unwrap();
        let mut server = BufReader::new(server);
        let asked = asked(&mut server).await.ok().flatten();
        drop(server);
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).await.unwrap();
        (asked, answered)
    }

    #[tokio::test]
    async fn both_versions_are_understood() {
        let want = |version, target: &str| Some((version, target.to_owned()));
        let (asked, _) = spoken(b"\x04\x01\x00\x50\x7f\x00\x00\x01me\0").await;
        assert_eq!(asked, want(Version::Four, "127.0.0.1:80"));
        let (asked, _) = spoken(b"\x04\x01\x00\x50\x00\x00\x00\x01me\0db.local\0").await;
        assert_eq!(asked, want(Version::Four, "db.local:80"));
        let (asked, answered) = spoken(b"\x05\x01\x00\x05\x01\x00\x03\x02db\x15\x38").await;
        assert_eq!(asked, want(Version::Five, "db:5432"));
        assert_eq!(answered, [5, 0]);
        let mut six = b"\x05\x02\x02\x00\x05\x01\x00\x04".to_vec();
        six.extend(Ipv6Addr::LOCALHOST.octets());
        six.extend([0, 80]);
        assert_eq!(spoken(&six).await.0, want(Version::Five, "[::1]:80"));
    }

    #[tokio::test]
    async fn what_is_not_a_connection_is_refused() {
        let (asked, answered) = spoken(b"\x05\x01\x02").await;
        assert_eq!((asked, answered), (None, vec![5, 0xff]));
        // To listen.
        let (asked, answered) = spoken(b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50").await;
        assert_eq!(asked, None);
        assert_eq!(answered.get(2..4), Some([5, 7].as_slice()));
        assert_eq!(spoken(b"GET / HTTP/1.1\r\n").await.0, None);
        let endless = [b"\x04\x01\x00\x50\x7f\x00\x00\x01".to_vec(), vec![b'a'; 400]].concat();
        assert_eq!(spoken(&endless).await.0, None);
    }
}
