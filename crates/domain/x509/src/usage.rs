use const_oid::ObjectIdentifier;

use crate::ParseError;
use crate::oid;
use crate::read::Cursor;
use crate::write::BIT_STRING;
use crate::write::DerWriter;

/// What the key of a certificate may do (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// `digitalSignature`: TLS handshakes, documents.
    pub const DIGITAL_SIGNATURE: Self = Self(1 << 15);
    /// `keyEncipherment`: RSA key exchange of TLS 1.2.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 13);
    /// `keyCertSign`: certificates.
    pub const KEY_CERT_SIGN: Self = Self(1 << 10);
    /// `cRLSign`: revocation lists.
    pub const CRL_SIGN: Self = Self(1 << 9);

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn write(self, writer: &mut DerWriter) {
        // A named bit list has no trailing zero bits (X.690 section 11.2.2).
        let bytes = self.0.to_be_bytes();
        let unused = self.0.trailing_zeros().min(16);
        let [first, second] = bytes;
        let padding = u8::try_from(unused % 8).unwrap_or(0);
        match unused {
            16 => writer.primitive(BIT_STRING, &[0]),
            8..=15 => writer.primitive(BIT_STRING, &[padding, first]),
            _ => writer.primitive(BIT_STRING, &[padding, first, second]),
        }
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new("key usage", value);
        let element = cursor.expect(BIT_STRING)?;
        cursor.finish()?;
        let (bits, padding) = match element.content {
            [padding @ 0..=7, first] => (u16::from_be_bytes([*first, 0]), u32::from(*padding) + 8),
            [padding @ 0..=7, first, second] => (u16::from_be_bytes([*first, *second]), u32::from(*padding)),
            [0] => (0, 16),
            [..] => return Err(cursor.error("it is not a list of up to 9 bits")),
        };
        if bits.trailing_zeros().min(16) != padding {
            return Err(cursor.error("it has trailing zero bits"));
        }
        Ok(Self(bits))
    }
}

/// What a certificate may be used for (RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExtendedKeyUsage {
    /// The client of TLS.
    ClientAuth,
    /// The server of TLS.
    ServerAuth,
    /// Log-in to Windows.
    SmartcardLogon,
}

impl ExtendedKeyUsage {
    const ALL: [Self; 3] = [Self::ClientAuth, Self::ServerAuth, Self::SmartcardLogon];

    pub(crate) const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::ClientAuth => oid::CLIENT_AUTH,
            Self::ServerAuth => oid::SERVER_AUTH,
            Self::SmartcardLogon => oid::SMARTCARD_LOGON,
        }
    }
}

/// The purposes a certificate states.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatedPurposes {
    /// Those we know.
    pub known: Vec<ExtendedKeyUsage>,
    /// Whether there are others.
    pub has_unknown: bool,
}

impl StatedPurposes {
    pub(crate) fn read(value: &[u8]) -> Result<Self, ParseError> {
        let mut outer = Cursor::new("extended key usage", value);
        let mut list = outer.sequence()?;
        outer.finish()?;
        let mut stated = Self {
            known: Vec::with_capacity(2),
            has_unknown: false,
        };
        if list.is_empty() {
            return Err(list.error("it is empty"));
        }
        while !list.is_empty() {
            let oid = list.oid()?;
            match ExtendedKeyUsage::ALL
                .into_iter()
                .find(|usage| usage.oid().as_bytes() == oid)
            {
                Some(usage) => stated.known.push(usage),
                None => stated.has_unknown = true,
            }
        }
        Ok(stated)
    }
}
