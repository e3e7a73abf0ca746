use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use names::HostName;

use crate::BuildError;
use crate::ParseError;
use crate::error::malformed;
use crate::error::unencodable;
use crate::oid;
use crate::read::Cursor;
use crate::write::DerWriter;
use crate::write::UTF8_STRING;
use crate::write::context;
use crate::write::context_constructed;

/// The most alternative names we read from one certificate or request.
pub(crate) const MAXIMUM_COUNT: usize = 256;

/// A subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectAltName {
    /// A DNS name, without wildcards.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// A URI, such as a SPIFFE id.
    Uri(String),
    /// An email address (`rfc822Name`).
    Email(String),
    /// A Windows user principal name, `user@domain` (an `otherName`).
    UserPrincipal(String),
    /// A name of a form we do not use, found in a document of somebody else: the whole element.
    Other(Vec<u8>),
}

impl SubjectAltName {
    /// A host by its DNS name or its address, as the name is.
    pub fn host(host: &HostName) -> Self {
        host.address()
            .map_or_else(|| Self::Dns(host.as_str().to_owned()), Self::Ip)
    }

    /// A URI.
    ///
    /// # Errors
    /// When it has no scheme or host, or characters that URIs do not have (RFC 3986 section 2).
    pub fn uri(text: &str) -> Result<Self, BuildError> {
        if is_uri(text) {
            Ok(Self::Uri(text.to_owned()))
        } else {
            Err(unencodable(
                "a URI among the alternative names",
                "is not of the form scheme://host/path",
            ))
        }
    }

    /// An email address.
    ///
    /// # Errors
    /// When it is not of the form `local@domain` in ASCII (RFC 5280 section 4.2.1.6).
    pub fn email(text: &str) -> Result<Self, BuildError> {
        if is_email(text) {
            Ok(Self::Email(text.to_owned()))
        } else {
            Err(unencodable(
                "an email address among the alternative names",
                "is not of the form local@domain in ASCII",
            ))
        }
    }

    /// Whether the name is one our profiles may put into a certificate.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::Dns(name) => is_dns_name(name),
            Self::Ip(_) => true,
            Self::Uri(uri) => is_uri(uri),
            Self::Email(address) => is_email(address),
            Self::UserPrincipal(name) => is_user_principal(name),
            Self::Other(_) => false,
        }
    }
}

/// RFC 5280 section 4.2.1.6: preferred name syntax (RFC 1034 section 3.5, digits first allowed by RFC 1123 section 2.1).
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label) && name.parse::<IpAddr>().is_err()
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !host.is_empty()
        && text.len() <= 2_048
        && rest.bytes().all(is_allowed)
}

fn is_email(text: &str) -> bool {
    let is_local = |local: &str| {
        !local.is_empty()
            && local.split('.').all(|atom| {
                let is_atext =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
                !atom.is_empty() && atom.bytes().all(is_atext)
            })
    };
    text.rsplit_once('@')
        .is_some_and(|(local, domain)| is_local(local) && is_dns_name(domain))
        && text.len() <= 254
}

fn is_user_principal(text: &str) -> bool {
    let is_plain =
        |character: char| !character.is_control() && !character.is_whitespace() && character != '@';
    text.rsplit_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && user.chars().all(is_plain) && is_dns_name(domain) && text.len() <= 1_024
    })
}

pub(crate) fn write_alt_name(writer: &mut DerWriter, name: &SubjectAltName) {
    match name {
        SubjectAltName::Email(address) => writer.primitive(context(1), address.as_bytes()),
        SubjectAltName::Dns(name) => writer.primitive(context(2), name.as_bytes()),
        SubjectAltName::Uri(uri) => writer.primitive(context(6), uri.as_bytes()),
        SubjectAltName::Ip(IpAddr::V4(address)) => writer.primitive(context(7), &address.octets()),
        SubjectAltName::Ip(IpAddr::V6(address)) => writer.primitive(context(7), &address.octets()),
        SubjectAltName::UserPrincipal(name) => writer.nested(context_constructed(0), |writer| {
            writer.oid(&oid::USER_PRINCIPAL_NAME);
            writer.nested(context_constructed(0), |writer| {
                writer.primitive(UTF8_STRING, name.as_bytes())
            });
        }),
        SubjectAltName::Other(element) => writer.raw(element),
    }
}

/// Reads the value of the extension.
pub(crate) fn read_alt_names(value: &[u8]) -> Result<Vec<SubjectAltName>, ParseError> {
    let what = "subject alternative name";
    let mut outer = Cursor::new(what, value);
    let mut list = outer.sequence()?;
    outer.finish()?;
    let mut found = Vec::with_capacity(4);
    while !list.is_empty() {
        if found.len() >= MAXIMUM_COUNT {
            return Err(ParseError::TooLong {
                what,
                length: MAXIMUM_COUNT + 1,
                maximum: MAXIMUM_COUNT,
            });
        }
        let element = list.element()?;
        let ascii = || match std::str::from_utf8(element.content) {
            Ok(text) if text.is_ascii() => Ok(text.to_owned()),
            Ok(_) | Err(_) => Err(malformed(what, "it has a name that is not ASCII")),
        };
        found.push(match element.tag {
            0x81 => SubjectAltName::Email(ascii()?),
            0x82 => SubjectAltName::Dns(ascii()?),
            0x86 => SubjectAltName::Uri(ascii()?),
            0x87 => SubjectAltName::Ip(read_address(element.content)?),
            0xa0 => read_other(element.content, element.whole)?,
            _ => SubjectAltName::Other(element.whole.to_vec()),
        });
    }
    Ok(found)
}

fn read_address(content: &[u8]) -> Result<IpAddr, ParseError> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Ok(IpAddr::V4(Ipv4Addr::from(octets)));
    }
    <[u8; 16]>::try_from(content)
        .map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))
        .map_err(|_| {
            malformed(
                "subject alternative name",
                "it has an address of neither 4 nor 16 bytes",
            )
        })
}

fn read_other(content: &[u8], whole: &[u8]) -> Result<SubjectAltName, ParseError> {
    let mut cursor = Cursor::new("subject alternative name", content);
    let oid = cursor.oid()?;
    let value = cursor.expect(context_constructed(0))?;
    cursor.finish()?;
    if oid != oid::USER_PRINCIPAL_NAME.as_bytes() {
        return Ok(SubjectAltName::Other(whole.to_vec()));
    }
    let mut inner = cursor.inside(value.content);
    let text = inner.expect(UTF8_STRING)?;
    inner.finish()?;
    String::from_utf8(text.content.to_vec())
        .map(SubjectAltName::UserPrincipal)
        .map_err(|_| cursor.error("it has a user principal name that is not UTF-8"))
}
