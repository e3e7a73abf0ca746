use std::fmt::Write as _;

use const_oid::ObjectIdentifier;

use crate::BuildError;
use crate::ParseError;
use crate::error::unencodable;
use crate::oid;
use crate::read::Cursor;
use crate::read::Element;
use crate::write::DerWriter;
use crate::write::IA5_STRING;
use crate::write::PRINTABLE_STRING;
use crate::write::SEQUENCE;
use crate::write::SET;
use crate::write::UTF8_STRING;

/// The most bytes of a name we read.
const MAXIMUM_LENGTH: usize = 4_096;

/// A kind of attribute in the names we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameAttribute {
    /// `CN`, for people to read.
    CommonName,
    /// `O`.
    Organization,
    /// `OU`.
    OrganizationalUnit,
    /// `serialNumber` (RFC 4519 section 2.31): tells names apart that are otherwise equal.
    SerialNumber,
}

/// A distinguished name (RFC 5280 section 4.1.2.4), held as its exact DER: names are compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Vec<u8>,
}

impl NameAttribute {
    const ALL: [Self; 4] = [
        Self::CommonName,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::SerialNumber,
    ];

    /// The name as RFC 4514 writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CommonName => "CN",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::SerialNumber => "serialNumber",
        }
    }

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::CommonName => oid::COMMON_NAME,
            Self::Organization => oid::ORGANIZATION,
            Self::OrganizationalUnit => oid::ORGANIZATIONAL_UNIT,
            Self::SerialNumber => oid::SERIAL_NUMBER,
        }
    }

    const fn string_tag(self) -> u8 {
        match self {
            Self::CommonName | Self::Organization | Self::OrganizationalUnit => UTF8_STRING,
            Self::SerialNumber => PRINTABLE_STRING,
        }
    }

    fn check(self, value: &str) -> Result<(), BuildError> {
        let length = value.chars().count();
        if length == 0 || length > 64 {
            return Err(unencodable(
                "an attribute of the subject",
                "is not 1 to 64 characters long",
            ));
        }
        if value.chars().any(char::is_control) {
            return Err(unencodable(
                "an attribute of the subject",
                "has a control character",
            ));
        }
        let is_printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
        if self.string_tag() == PRINTABLE_STRING && !value.bytes().all(is_printable) {
            return Err(unencodable(
                "the serialNumber of the subject",
                "has a character PrintableString lacks",
            ));
        }
        Ok(())
    }
}

impl DistinguishedName {
    /// Makes a name of attributes, one in each relative name, in this order.
    ///
    /// # Errors
    /// When a value is empty, longer than 64 characters (RFC 5280 appendix A), or has characters its type does not have.
    pub fn new<'v>(
        attributes: impl IntoIterator<Item = (NameAttribute, &'v str)>,
    ) -> Result<Self, BuildError> {
        let mut writer = DerWriter::with_capacity(128);
        let mut outcome = Ok(());
        writer.sequence(|writer| {
            for (attribute, value) in attributes {
                if let Err(error) = attribute.check(value) {
                    outcome = Err(error);
                    return;
                }
                writer.nested(SET, |writer| {
                    writer.sequence(|writer| {
                        writer.oid(&attribute.oid());
                        writer.primitive(attribute.string_tag(), value.as_bytes());
                    });
                });
            }
        });
        outcome.map(|()| Self { der: writer.finish() })
    }

    /// Reads the DER of a `Name`.
    ///
    /// # Errors
    /// When it is not one, or longer than 4,096 bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        let what = "name";
        if der.len() > MAXIMUM_LENGTH {
            return Err(ParseError::TooLong {
                what,
                length: der.len(),
                maximum: MAXIMUM_LENGTH,
            });
        }
        let mut cursor = Cursor::new(what, der);
        let element = cursor.expect(SEQUENCE)?;
        cursor.finish()?;
        each_attribute(element.content, |_, _| ())?;
        Ok(Self { der: der.to_vec() })
    }

    /// The exact DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether there are no attributes in it.
    pub fn is_empty(&self) -> bool {
        self.der.len() <= 2
    }

    /// The first value of an attribute.
    pub fn attribute(&self, wanted: NameAttribute) -> Option<String> {
        let mut found = None;
        self.each(|oid, value| {
            if found.is_none() && oid == wanted.oid().as_bytes() {
                found = text(value);
            }
        });
        found
    }

    /// The first common name.
    pub fn common_name(&self) -> Option<String> {
        self.attribute(NameAttribute::CommonName)
    }

    fn each(&self, visit: impl FnMut(&[u8], Element<'_>)) {
        // Every value of this type was walked through once when it was made.
        let walked = Cursor::new("name", &self.der)
            .expect(SEQUENCE)
            .map(|element| element.content);
        if let Ok(content) = walked {
            each_attribute(content, visit).unwrap_or_default();
        }
    }
}

impl std::fmt::Display for DistinguishedName {
    /// Writes the name as RFC 4514 does: the last attribute first.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        self.each(|oid, value| {
            let known = NameAttribute::ALL
                .into_iter()
                .find(|attribute| attribute.oid().as_bytes() == oid);
            let part = match (known, text(value)) {
                (Some(attribute), Some(text)) => format!("{}={}", attribute.as_str(), escape(&text)),
                (Some(_), None) | (None, Some(_) | None) => {
                    let name =
                        ObjectIdentifier::<39>::from_bytes(oid).map_or("?".to_owned(), |oid| oid.to_string());
                    format!(
                        "{name}={}",
                        text(value).map_or("?".to_owned(), |text| escape(&text))
                    )
                }
            };
            parts.push(part);
        });
        parts.reverse();
        f.write_str(&parts.join(","))
    }
}

/// Walks the attributes of the content of an `RDNSequence`.
fn each_attribute<'a>(
    content: &'a [u8],
    mut visit: impl FnMut(&'a [u8], Element<'a>),
) -> Result<(), ParseError> {
    let mut names = Cursor::new("name", content);
    while !names.is_empty() {
        let set = names.expect(SET)?;
        let mut set = names.inside(set.content);
        if set.is_empty() {
            return Err(set.error("it has an empty relative name"));
        }
        while !set.is_empty() {
            let mut pair = set.sequence()?;
            let oid = pair.oid()?;
            let value = pair.element()?;
            pair.finish()?;
            visit(oid, value);
        }
    }
    Ok(())
}

fn text(value: Element<'_>) -> Option<String> {
    match value.tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => String::from_utf8(value.content.to_vec()).ok(),
        _ => None,
    }
}

/// RFC 4514 section 2.4.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (position, character) in text.chars().enumerate() {
        let is_edge_blank = character == ' ' && (position == 0 || position == last);
        if character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                // Writing to a String cannot fail.
                write!(escaped, "\\{byte:02x}").unwrap_or_default();
            }
            continue;
        }
        let is_special = matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || (position == 0 && character == '#');
        if is_special || is_edge_blank {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
