//! Ports here that lead to addresses as seen from the server.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::socks;
use crate::console;
use crate::failure::Failure;
use crate::path::Node;

/// `[bind:]port:host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forward {
    pub(super) listen: Listen,
    /// `host:port`.
    pub(super) target: String,
}

/// `[bind:]port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listen {
    /// The address, when it is said.
    pub(super) bind: Option<String>,
    pub(super) port: u16,
}

impl Forward {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not [BIND:]PORT:HOST:PORT, such as 8080:localhost:80");
        let parts = split(text).ok_or_else(bad)?;
        let (bind, port, host, host_port) = match parts.as_slice() {
            [port, host, host_port] => (None, port, host, host_port),
            [bind, port, host, host_port] => (Some((*bind).to_owned()), port, host, host_port),
            _ => return Err(bad()),
        };
        let port = port.parse().map_err(|_| bad())?;
        let host_port = host_port
            .parse::<u16>()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(bad)?;
        if host.is_empty() {
            return Err(bad());
        }
        let target = if host.contains(':') {
            format!("[{host}]:{host_port}")
        } else {
            format!("{host}:{host_port}")
        };
        Ok(Self {
            listen: Listen { bind, port },
            target,
        })
    }
}

impl Listen {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not [BIND:]PORT, such as 1080");
        let parts = split(text).ok_or_else(bad)?;
        let (bind, port) = match parts.as_slice() {
            [port] => (None, port),
            [bind, port] => (Some((*bind).to_owned()), port),
            _ => return Err(bad()),
        };
        Ok(Self {
            bind,
            port: port.parse().map_err(|_| bad())?,
        })
    }
}

/// Splits at colons outside brackets, and takes the brackets away.
fn split(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix('[') {
            let (address, after) = inner.split_once(']')?;
            parts.push(address);
            match after.strip_prefix(':') {
                Some(after) => rest = after,
                None => return after.is_empty().then_some(parts),
            }
        } else {
            match rest.split_once(':') {
                Some((part, after)) => {
                    parts.push(part);
                    rest = after;
                }
                None => {
                    parts.push(rest);
                    return Some(parts);
                }
            }
        }
    }
}

/// Listens: on this machine only, unless another address is said. `*` is every address.
pub(super) async fn bind(listen: &Listen) -> Result<TcpListener, Failure> {
    let address = match listen.bind.as_deref() {
        None | Some("" | "localhost") => "127.0.0.1",
        Some("*") => "0.0.0.0",
        Some(address) => address,
    };
    TcpListener::bind((address, listen.port)).await.map_err(|error| {
        Failure::local(&format!("cannot listen on {address}:{}", listen.port), &error)
            .with_hint("choose another port; ports below 1024 are root's")
    })
}

/// Passes on what connects, to the target, or to where each connection asks by SOCKS.
pub(super) async fn serve(listener: TcpListener, target: Option<String>, node: Arc<Node>) {
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            // Too many open files, for one: the next may succeed when others have ended.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (target, node) = (target.clone(), Arc::clone(&node));
        tokio::spawn(async move {
            // Small packets of interactive protocols wait for nothing; a socket that will not have that is still a socket.
            let _ = stream.set_nodelay(true);
            match target {
                Some(target) => carry(stream, &target, from, &node).await,
                None => socks::serve(stream, from, &node).await,
            }
        });
    }
}

const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Carries a connection to a target as seen from the server.
async fn carry(mut stream: TcpStream, target: &str, from: std::net::SocketAddr, node: &Node) {
    match open(node, target, from).await {
        Ok(mut channel) => {
            // How it ended is known at both ends.
            let _ = copy_bidirectional(&mut stream, &mut channel).await;
        }
        Err(reason) => console::say(&format!("signet: no connection to {target}: {reason}")),
    }
}

/// A connection from the server to `host:port`.
pub(super) async fn open(
    node: &Node,
    target: &str,
    from: std::net::SocketAddr,
) -> Result<russh::ChannelStream<russh::client::Msg>, String> {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "0"));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port: u32 = port.parse().unwrap_or_default();
    let originator = from.ip().to_string();
    let opened = node
        .handle
        .channel_open_direct_tcpip(host, port, originator, u32::from(from.port()))
        .await;
    match opened {
        Ok(channel) => Ok(channel.into_stream()),
        Err(russh::Error::ChannelOpenFailure(failure)) => Err(node.said.refusal(failure.description()).await),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_read_as_ssh_reads_them() {
        let forward = |bind: Option<&str>, port, target: &str| Forward {
            listen: Listen {
                bind: bind.map(ToOwned::to_owned),
                port,
            },
            target: target.to_owned(),
        };
        for (text, expected) in [
            ("8080:localhost:80", forward(None, 8080, "localhost:80")),
            ("127.0.0.1:0:db:5432", forward(Some("127.0.0.1"), 0, "db:5432")),
            ("*:1:h:2", forward(Some("*"), 1, "h:2")),
            (":1:h:2", forward(Some(""), 1, "h:2")),
            (
                "[::1]:1:[2001:db8::1]:2",
                forward(Some("::1"), 1, "[2001:db8::1]:2"),
            ),
        ] {
            assert_eq!(Forward::parse(text), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "1",
            "1:h",
            "1:h:0",
            "x:h:1",
            "1::2",
            "[::1:1:h:2",
            "1:2:3:4:5",
        ] {
            assert!(Forward::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Listen::parse("[::1]:1080"),
            Ok(Listen {
                bind: Some("::1".to_owned()),
                port: 1080
            })
        );
        assert!(Listen::parse("a:b:1").is_err());
    }
}
