//! Packets.

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;

use super::SftpError;

/// `SSH_FXP_VERSION`.
pub(super) const VERSION: u8 = 2;
/// `SSH_FXP_STATUS`.
pub(super) const STATUS: u8 = 101;
/// `SSH_FXP_HANDLE`.
pub(super) const HANDLE: u8 = 102;
/// `SSH_FXP_DATA`.
pub(super) const DATA: u8 = 103;
/// `SSH_FXP_NAME`.
pub(super) const NAME: u8 = 104;
/// `SSH_FXP_ATTRS`.
pub(super) const ATTRS: u8 = 105;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Init = 1,
    Open = 3,
    Close = 4,
    Read = 5,
    Write = 6,
    Setstat = 9,
    Fsetstat = 10,
    Opendir = 11,
    Readdir = 12,
    Mkdir = 14,
    Stat = 17,
}

/// Writes one packet.
pub(crate) struct Writer(BytesMut);

impl Writer {
    pub(super) fn new(kind: Kind) -> Self {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_u32(0);
        bytes.put_u8(kind as u8);
        Self(bytes)
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.0.put_u32(number);
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.0.put_u64(number);
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        self.0.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.put_slice(bytes);
    }

    /// A string of at most `length` bytes, which `fill` puts there. Returns how many it were.
    pub(crate) fn data<E>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let start = self.0.len();
        let from = start.saturating_add(4);
        self.0.resize(from.saturating_add(length), 0);
        let filled = fill(self.0.get_mut(from..).unwrap_or_default())?;
        self.0.truncate(from.saturating_add(filled));
        self.put_length(start, filled);
        Ok(filled)
    }

    fn put_length(&mut self, at: usize, length: usize) {
        let bytes = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = self.0.get_mut(at..at.saturating_add(4)) {
            place.copy_from_slice(&bytes);
        }
    }

    /// The packet with its length.
    pub(super) fn finish(mut self) -> Bytes {
        self.put_length(0, self.0.len().saturating_sub(4));
        self.0.freeze()
    }
}

/// Reads one packet.
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn u8(&mut self) -> Result<u8, SftpError> {
        self.0.try_get_u8().map_err(|_| SftpError::Unreadable)
    }

    pub(super) fn u32(&mut self) -> Result<u32, SftpError> {
        self.0.try_get_u32().map_err(|_| SftpError::Unreadable)
    }

    fn u64(&mut self) -> Result<u64, SftpError> {
        self.0.try_get_u64().map_err(|_| SftpError::Unreadable)
    }

    pub(super) fn string(&mut self) -> Result<Bytes, SftpError> {
        let length = usize::try_from(self.u32()?).map_err(|_| SftpError::Unreadable)?;
        if length > self.0.len() {
            return Err(SftpError::Unreadable);
        }
        Ok(self.0.split_to(length))
    }
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Attributes {
    /// In bytes.
    pub(crate) size: Option<u64>,
    /// Type and permissions, as in `st_mode`.
    pub(crate) mode: Option<u32>,
    /// When it was last read and last changed, in seconds since 1970.
    pub(crate) times: Option<(u32, u32)>,
}

const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_MODE: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_EXTENDED: u32 = 0x8000_0000;
/// `S_IFMT` and `S_IFDIR`.
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

impl Attributes {
    /// Permissions alone.
    pub(crate) fn of_mode(mode: u32) -> Self {
        Self {
            mode: Some(mode & 0o7777),
            ..Self::default()
        }
    }

    /// Whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.mode.is_some_and(|mode| mode & TYPE == DIRECTORY)
    }

    /// Whether it is a file with content; what says nothing of its type is taken for one.
    pub(crate) fn is_file(&self) -> bool {
        self.mode
            .is_none_or(|mode| mode & TYPE == REGULAR || mode & TYPE == 0)
    }

    /// The permissions, or these.
    pub(crate) fn permissions(&self, otherwise: u32) -> u32 {
        self.mode.map_or(otherwise, |mode| mode & 0o777)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let Self { size: _, mode, times } = self;
        let flag = |is_there: bool, flag: u32| if is_there { flag } else { 0 };
        writer.u32(flag(mode.is_some(), HAS_MODE) | flag(times.is_some(), HAS_TIMES));
        if let Some(mode) = mode {
            writer.u32(*mode);
        }
        if let Some((read, changed)) = times {
            writer.u32(*read);
            writer.u32(*changed);
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self, SftpError> {
        let flags = reader.u32()?;
        let has = |flag: u32| flags & flag != 0;
        let size = has(HAS_SIZE).then(|| reader.u64()).transpose()?;
        if has(HAS_OWNER) {
            reader.u64()?;
        }
        let mode = has(HAS_MODE).then(|| reader.u32()).transpose()?;
        let times = if has(HAS_TIMES) {
            Some((reader.u32()?, reader.u32()?))
        } else {
            None
        };
        if has(HAS_EXTENDED) {
            for _ in 0..reader.u32()? {
                reader.string()?;
                reader.string()?;
            }
        }
        Ok(Self { size, mode, times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_are_written() {
        let attributes = Attributes {
            size: None,
            mode: Some(0o644),
            times: Some((1, 2)),
        };
        let mut writer = Writer::new(Kind::Setstat);
        attributes.write(&mut writer);
        let mut packet = writer.finish();
        packet.advance(5);
        assert_eq!(Attributes::read(&mut Reader(packet)).unwrap(), attributes);
    }

    #[test]
    fn data_are_put_in_place() {
        let mut writer = Writer::new(Kind::Write);
        let filled = writer.data(8, |place| {
            place.get_mut(..2).unwrap().copy_from_slice(b"ab");
            Ok::<_, ()>(2)
        });
        assert_eq!(filled, Ok(2));
        assert_eq!(writer.finish().as_ref(), b"\0\0\0\x07\x06\0\0\0\x02ab");
    }

    #[test]
    fn what_is_short_is_no_packet() {
        for bytes in [b"".as_slice(), b"\0\0\0", b"\0\0\0\x05abcd", b"\xff\xff\xff\xff"] {
            assert!(Reader(Bytes::copy_from_slice(bytes)).string().is_err());
        }
        assert!(Attributes::read(&mut Reader(Bytes::from_static(b"\x80\0\0\0\xff\xff\xff\xff"))).is_err());
    }
}
