//! Packets of SFTP: numbers, strings, status codes.

use std::io;

/// Reads fields. What is missing makes a [`Malformed`].
pub(super) struct Reader<'a>(&'a [u8]);

/// A packet does not hold what its kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }
}

/// The first packet in the bytes, without its length, if all of it is there.
///
/// # Errors
/// When it is longer than a packet may be, or empty.
pub(super) fn first_packet(bytes: &[u8], maximum: usize) -> io::Result<Option<&[u8]>> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 || length > maximum {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(rest.get(..length))
}

/// Writes one packet: its length is set when it is complete.
pub(super) struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(bytes: &'a mut Vec<u8>, kind: u8) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(&[0, 0, 0, 0, kind]);
        Self { bytes, start }
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn string(&mut self, text: &[u8]) {
        self.u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(text);
    }

    /// Writes a string that is read straight into its place, at most so long. Nothing is written when it is empty or fails.
    pub(super) fn filled(
        &mut self,
        maximum: usize,
        fill: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let at = self.bytes.len();
        self.bytes.resize(at + 4 + maximum, 0);
        let filled = fill(self.bytes.get_mut(at + 4..).unwrap_or_default());
        let count = *filled.as_ref().unwrap_or(&0);
        if count == 0 {
            self.bytes.truncate(at);
        } else {
            self.bytes.truncate(at + 4 + count);
            self.patch(at, count);
        }
        filled
    }

    /// Completes the packet.
    pub(super) fn end(self) {
        let length = self.bytes.len() - self.start - 4;
        let Self { bytes, start } = self;
        let mut whole = Writer { bytes, start };
        whole.patch(start, length);
    }

    /// Takes the packet back.
    pub(super) fn undo(self) {
        self.bytes.truncate(self.start);
    }

    fn patch(&mut self, at: usize, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&length);
        }
    }
}

/// A status of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

impl Code {
    /// The status for an error of the system.
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind;
        let known = [
            (ErrorKind::NotFound, Self::NoSuchFile),
            (ErrorKind::NotADirectory, Self::NoSuchFile),
            (ErrorKind::PermissionDenied, Self::PermissionDenied),
            (ErrorKind::UnexpectedEof, Self::Eof),
            (ErrorKind::Unsupported, Self::Unsupported),
        ];
        let found = known.into_iter().find(|(kind, _)| *kind == error.kind());
        found.map_or(Self::Failure, |(_, code)| code)
    }
}
