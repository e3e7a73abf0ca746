//! The header by which a balancer of TCP says where a client comes from: the PROXY protocol, versions 1 and 2.
//!
//! What is not exactly as the protocol says is no header, and so is a header longer than anybody needs.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

/// The most bytes of a header. The first version has at most 107; of the second, balancers send 28 to 200.
pub(crate) const HEADER_MAX: usize = 1_024;

/// How the first version begins.
const V1_START: &[u8] = b"PROXY ";
/// The longest line of the first version, with its end.
const V1_MAX: usize = 107;
/// How the second version begins.
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What follows before the addresses: version and command, family and protocol, length.
const V2_FIXED: usize = 16;

/// What the bytes at the start of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// The start of a header, so far.
    Partial,
    /// A whole header.
    Whole {
        /// Its length in bytes.
        length: usize,
        /// Where the client comes from; nothing when the balancer speaks for itself, such as to see whether anybody is here.
        source: Option<SocketAddr>,
    },
    /// Something else.
    Foreign,
}

/// What the bytes at the start of a connection are.
pub(crate) fn read(bytes: &[u8]) -> Header {
    if begins(bytes, V1_START) {
        read_v1(bytes)
    } else if begins(bytes, V2_START) {
        read_v2(bytes)
    } else {
        Header::Foreign
    }
}

/// Whether bytes that nobody asked for begin as a header does.
pub(crate) fn is_begun(bytes: &[u8]) -> bool {
    bytes.starts_with(V1_START) || bytes.starts_with(V2_START)
}

/// Whether bytes are the start of something, as far as either goes.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let length = bytes.len().min(start.len());
    bytes.get(..length) == start.get(..length)
}

fn read_v1(bytes: &[u8]) -> Header {
    let window = bytes.get(..V1_MAX).unwrap_or(bytes);
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < V1_MAX {
            Header::Partial
        } else {
            Header::Foreign
        };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let Some(said) = line.and_then(|line| line.strip_prefix("PROXY ")) else {
        return Header::Foreign;
    };
    let length = end.saturating_add(1);
    // Whatever stands after this word is not looked at.
    if said == "UNKNOWN" || said.starts_with("UNKNOWN ") {
        return Header::Whole { length, source: None };
    }
    match v1_source(said) {
        Some(source) => whole(length, source),
        None => Header::Foreign,
    }
}

/// `TCP4 source destination source-port destination-port`, with one space between, and nothing else.
fn v1_source(said: &str) -> Option<SocketAddr> {
    let words: Vec<_> = said.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words.as_slice() else {
        return None;
    };
    let address = |text: &str| -> Option<IpAddr> {
        match *family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let _checked = (address(destination)?, v1_port(destination_port)?);
    Some(SocketAddr::new(address(source)?, v1_port(source_port)?))
}

/// A number from 0 to 65,535 without zeros before it.
fn v1_port(text: &str) -> Option<u16> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

fn read_v2(bytes: &[u8]) -> Header {
    let Some(fixed) = bytes.get(..V2_FIXED) else {
        return Header::Partial;
    };
    let [.., command, family, high, low] = fixed else {
        return Header::Foreign;
    };
    let said = usize::from(u16::from_be_bytes([*high, *low]));
    let length = V2_FIXED.saturating_add(said);
    if length > HEADER_MAX || !matches!(command, 0x20 | 0x21) {
        return Header::Foreign;
    }
    let Some(body) = bytes.get(V2_FIXED..length) else {
        return Header::Partial;
    };
    // The balancer speaks for itself, or does not know for whom.
    if *command == 0x20 || *family == 0x00 {
        return Header::Whole { length, source: None };
    }
    let (address, rest) = match family {
        0x11 => {
            let Some((addresses, rest)) = body.split_first_chunk::<12>() else {
                return Header::Foreign;
            };
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let source = SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]));
            (source, rest)
        }
        0x21 => {
            let Some((source, rest)) = body.split_first_chunk::<16>() else {
                return Header::Foreign;
            };
            let Some(([.., high, low, _, _], rest)) = rest.split_first_chunk::<20>() else {
                return Header::Foreign;
            };
            let source = SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes([*high, *low]));
            (source, rest)
        }
        // Sockets in a file system, and whatever is no TCP.
        _ => return Header::Foreign,
    };
    if is_whole_additions(rest) {
        whole(length, address)
    } else {
        Header::Foreign
    }
}

/// Whether bytes are a list of types, lengths and values. What they say is not used.
fn is_whole_additions(mut bytes: &[u8]) -> bool {
    while let [_kind, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(length..) else {
            return false;
        };
        bytes = next;
    }
    bytes.is_empty()
}

/// A header with an address that a client can have.
fn whole(length: usize, source: SocketAddr) -> Header {
    let ip = source.ip().to_canonical();
    if ip.is_unspecified() || ip.is_multicast() {
        return Header::Foreign;
    }
    Header::Whole {
        length,
        source: Some(SocketAddr::new(ip, source.port())),
    }
}

#[cfg(test)]
mod tests;
