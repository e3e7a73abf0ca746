//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::SystemTime;

use crate::PartError;

/// Below the range that Linux hands out to outgoing connections (32768 and up), so that no client takes the port between
/// its choice and its use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback TCP port that is free and stays reserved among tests for as long as this value lives.
///
/// The reservation is a UDP socket on the same number: every chooser takes it first, so two test processes never choose
/// the same port, while the TCP port itself is left to the part.
#[derive(Debug)]
pub struct Reserved {
    number: u16,
    _reservation: UdpSocket,
}

impl Reserved {
    /// The port number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Chooses a free TCP port on 127.0.0.1.
///
/// # Errors
/// [`PartError::System`] when none of the 12,000 candidates is free.
pub fn free() -> Result<Reserved, PartError> {
    let start = starting_point();
    let mut last = std::io::Error::other("no candidate");
    for _ in 0..COUNT {
        let number = FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT;
        match reserve(number) {
            Ok(reserved) => return Ok(reserved),
            Err(error) => last = error,
        }
    }
    Err(PartError::system("find a free loopback port")(last))
}

fn reserve(number: u16) -> std::io::Result<Reserved> {
    let reservation = UdpSocket::bind((Ipv4Addr::LOCALHOST, number))?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, number))?;
    Ok(Reserved {
        number,
        _reservation: reservation,
    })
}

/// Spreads processes over the range, so that they seldom meet at all.
fn starting_point() -> u16 {
    let nanos = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.subsec_nanos());
    u16::try_from((std::process::id().wrapping_mul(7919) ^ (nanos >> 10)) % u32::from(COUNT)).unwrap_or(0)
}
