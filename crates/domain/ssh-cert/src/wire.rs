//! The data types of SSH (RFC 4251 section 5).

use crate::ParseError;
use crate::error::malformed;

/// Writes into one buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.raw(&number.to_be_bytes());
    }

    /// A `string`: its length, then its bytes.
    pub(crate) fn string(&mut self, bytes: &[u8]) {
        // What is written here is limited to far below 4 GiB before.
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.raw(bytes);
    }

    /// An `mpint` of an unsigned big-endian number.
    pub(crate) fn mpint(&mut self, number: &[u8]) {
        let leading = number.iter().take_while(|byte| **byte == 0).count();
        let digits = number.get(leading..).unwrap_or_default();
        self.nested(|writer| {
            if digits.first().is_some_and(|first| first & 0x80 != 0) {
                writer.raw(&[0]);
            }
            writer.raw(digits);
        });
    }

    /// A `string` whose bytes `body` writes.
    pub(crate) fn nested(&mut self, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.u32(0);
        body(self);
        let length = u32::try_from(self.bytes.len().saturating_sub(start + 4)).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Reads in place.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, naming them `what` in errors.
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn error(&self, reason: &'static str) -> ParseError {
        malformed(self.what, reason)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(malformed(self.what, "it ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ParseError> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ParseError> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn string(&mut self) -> Result<&'a [u8], ParseError> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(malformed(self.what, "it ends too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, ParseError> {
        std::str::from_utf8(self.string()?).map_err(|_| self.error("it has a text that is not UTF-8"))
    }

    /// A positive `mpint` in its one right form, without its leading zero.
    pub(crate) fn positive(&mut self) -> Result<&'a [u8], ParseError> {
        match self.string()? {
            [0, digits @ ..] if digits.first().is_some_and(|first| *first >= 0x80) => Ok(digits),
            digits @ [1..=0x7f, ..] => Ok(digits),
            [] | [_, ..] => Err(self.error("it has a number that is not positive and minimal")),
        }
    }

    pub(crate) const fn finish(&self) -> Result<(), ParseError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error("something follows its end"))
        }
    }
}
