use const_oid::ObjectIdentifier;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `[number]` of a primitive type, implicitly tagged.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// `[number]` of a constructed type, or explicitly tagged.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Writes DER forwards into one buffer. It cannot fail; what has no encoding is refused before.
pub(crate) struct DerWriter {
    bytes: Vec<u8>,
}

impl DerWriter {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes an element whose content `body` writes.
    pub(crate) fn nested(&mut self, tag: u8, body: impl FnOnce(&mut Self)) {
        self.bytes.push(tag);
        let length_at = self.bytes.len();
        self.bytes.push(0);
        body(self);
        let length = self.bytes.len().saturating_sub(length_at + 1);
        if let (Ok(short @ 0..=0x7f), Some(place)) = (u8::try_from(length), self.bytes.get_mut(length_at)) {
            *place = short;
        } else {
            // Contents of 128 bytes and more move up by the few bytes their length takes.
            let (encoded, used) = long_length(length);
            self.bytes
                .splice(length_at..=length_at, encoded.into_iter().take(used));
        }
    }

    /// Writes an element with this content.
    pub(crate) fn primitive(&mut self, tag: u8, content: &[u8]) {
        self.bytes.push(tag);
        match u8::try_from(content.len()) {
            Ok(short @ 0..=0x7f) => self.bytes.push(short),
            Ok(_) | Err(_) => {
                let (encoded, used) = long_length(content.len());
                self.bytes.extend(encoded.into_iter().take(used));
            }
        }
        self.bytes.extend_from_slice(content);
    }

    /// Writes an element that is encoded already.
    pub(crate) fn raw(&mut self, element: &[u8]) {
        self.bytes.extend_from_slice(element);
    }

    pub(crate) fn sequence(&mut self, body: impl FnOnce(&mut Self)) {
        self.nested(SEQUENCE, body);
    }

    pub(crate) fn oid(&mut self, oid: &ObjectIdentifier) {
        self.primitive(OID, oid.as_bytes());
    }

    /// Writes an INTEGER of an unsigned big-endian number.
    pub(crate) fn unsigned(&mut self, number: &[u8]) {
        let significant = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let digits = number.get(significant..).unwrap_or_default();
        self.nested(INTEGER, |writer| {
            if digits.first().is_none_or(|first| first & 0x80 != 0) {
                writer.bytes.push(0);
            }
            writer.raw(digits);
        });
    }

    /// Writes a BIT STRING of whole bytes.
    pub(crate) fn bit_string(&mut self, bytes: &[u8]) {
        self.nested(BIT_STRING, |writer| {
            writer.bytes.push(0);
            writer.raw(bytes);
        });
    }

    /// Writes an `Extension` (RFC 5280 section 4.1) whose value `body` writes.
    pub(crate) fn extension(
        &mut self,
        oid: &ObjectIdentifier,
        is_critical: bool,
        body: impl FnOnce(&mut Self),
    ) {
        self.sequence(|writer| {
            writer.oid(oid);
            if is_critical {
                writer.primitive(BOOLEAN, &[0xff]);
            }
            writer.nested(OCTET_STRING, body);
        });
    }
}

/// The long form of a length: its bytes and how many of them are used.
fn long_length(length: usize) -> ([u8; 9], usize) {
    let digits = (length as u64).to_be_bytes();
    let skipped = digits.iter().position(|byte| *byte != 0).unwrap_or(7);
    let count = 8 - skipped;
    let mut encoded = [0; 9];
    let significant = digits.iter().skip(skipped);
    for (place, digit) in encoded.iter_mut().skip(1).zip(significant) {
        *place = *digit;
    }
    if let (Some(first), Ok(count)) = (encoded.first_mut(), u8::try_from(count)) {
        *first = if length < 0x80 { 0 } else { 0x80 | count };
    }
    (encoded, count + 1)
}
