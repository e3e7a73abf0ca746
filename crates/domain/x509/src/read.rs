use crate::ParseError;
use crate::error::malformed;
use crate::write::BIT_STRING;
use crate::write::INTEGER;
use crate::write::OID;
use crate::write::SEQUENCE;

/// Reads DER without copying: definite, minimal lengths and one-byte tags only (X.690 section 10).
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    what: &'static str,
}

/// One element of DER.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Reads `bytes`, naming them `what` in errors.
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn error(&self, reason: &'static str) -> ParseError {
        malformed(self.what, reason)
    }

    /// Reads the next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, ParseError> {
        let truncated = || malformed(self.what, "it ends too early");
        let (&tag, after_tag) = self.rest.split_first().ok_or_else(truncated)?;
        if tag & 0x1f == 0x1f {
            return Err(self.error("it has a tag of more than one byte"));
        }
        let (&first, after_first) = after_tag.split_first().ok_or_else(truncated)?;
        let (length, body) = match first {
            0..=0x7f => (usize::from(first), after_first),
            0x81..=0x83 => {
                let (digits, body) = after_first
                    .split_at_checked(usize::from(first & 0x7f))
                    .ok_or_else(truncated)?;
                let length = digits
                    .iter()
                    .fold(0_usize, |total, digit| (total << 8) | usize::from(*digit));
                if length < 0x80 || digits.first() == Some(&0) {
                    return Err(self.error("it has a length that is not minimal"));
                }
                (length, body)
            }
            0x80 | 0x84..=0xff => return Err(self.error("it has an indefinite or excessive length")),
        };
        let (content, rest) = body.split_at_checked(length).ok_or_else(truncated)?;
        let (whole, _) = self
            .rest
            .split_at_checked(self.rest.len() - rest.len())
            .ok_or_else(truncated)?;
        self.rest = rest;
        Ok(Element { tag, content, whole })
    }

    /// Reads the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, ParseError> {
        let element = self.element()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(self.error("it has an element of an unexpected type"))
        }
    }

    /// Reads the next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, ParseError> {
        if self.rest.first() == Some(&tag) {
            self.element().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Reads a SEQUENCE and steps into it.
    pub(crate) fn sequence(&mut self) -> Result<Self, ParseError> {
        let content = self.expect_content(SEQUENCE)?;
        Ok(self.inside(content))
    }

    pub(crate) fn oid(&mut self) -> Result<&'a [u8], ParseError> {
        self.expect_content(OID)
    }

    fn expect_content(&mut self, tag: u8) -> Result<&'a [u8], ParseError> {
        Ok(self.expect(tag)?.content)
    }

    /// The content of an INTEGER: two's complement, minimal.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], ParseError> {
        let content = self.expect_content(INTEGER)?;
        match content {
            [] => Err(self.error("it has an empty integer")),
            [0, second, ..] if *second < 0x80 => Err(self.error("it has an integer that is not minimal")),
            [0xff, second, ..] if *second >= 0x80 => Err(self.error("it has an integer that is not minimal")),
            [_, ..] => Ok(content),
        }
    }

    /// A BIT STRING of whole bytes.
    pub(crate) fn bit_string(&mut self) -> Result<&'a [u8], ParseError> {
        match self.expect_content(BIT_STRING)? {
            [0, bytes @ ..] => Ok(bytes),
            [] | [_, ..] => Err(self.error("it has a bit string that is not a whole number of bytes")),
        }
    }

    /// A cursor over the content of an element of this one.
    pub(crate) const fn inside(&self, content: &'a [u8]) -> Self {
        Self {
            rest: content,
            what: self.what,
        }
    }

    /// Checks that nothing follows.
    pub(crate) const fn finish(&self) -> Result<(), ParseError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error("something follows its end"))
        }
    }
}

/// A small unsigned INTEGER, such as a path length.
pub(crate) fn small_unsigned(content: &[u8], what: &'static str) -> Result<u64, ParseError> {
    let digits = match content {
        [0, rest @ ..] => rest,
        [first, ..] if *first < 0x80 => content,
        [..] => return Err(malformed(what, "it has a negative number")),
    };
    if digits.len() > 8 {
        return Err(malformed(what, "it has a number of more than 64 bits"));
    }
    Ok(digits
        .iter()
        .fold(0, |total, digit| (total << 8) | u64::from(*digit)))
}
