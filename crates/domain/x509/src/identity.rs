use std::collections::BTreeMap;
use std::net::IpAddr;

use names::ClusterName;
use names::Principal;
use serde::Deserialize;
use serde::Serialize;

use crate::BuildError;
use crate::ParseError;
use crate::error::malformed;
use crate::error::unencodable;
use crate::read::Cursor;
use crate::write::DerWriter;
use crate::write::UTF8_STRING;

/// The most bytes of JSON in the extension.
pub const MAXIMUM_IDENTITY_LENGTH: usize = 16_384;

/// Who a certificate is for: the content of the extension [`crate::oid::SIGNET_IDENTITY`].
///
/// It stands there as a `UTF8String` of JSON, is never critical, and has a version. A reader refuses versions and fields it does not
/// know; nothing else in a certificate of ours carries rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The version of this form.
    pub version: IdentityVersion,
    /// What it is the name of.
    pub kind: IdentityKind,
    /// The cluster that knows it.
    pub cluster: ClusterName,
    /// Its name: a user's, or the id of a host.
    pub name: Principal,
    /// The roles it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Principal>,
    /// The logins it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<Principal>,
    /// What else is known about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, Vec<String>>,
    /// The id of the second factor that was given for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_device: Option<String>,
    /// The only address it is accepted from; none means any. An identity whose pin is no address is none that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_to: Option<IpAddr>,
}

/// The version of the identity extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum IdentityVersion {
    /// The first.
    V1,
}

/// What an identity is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// A person.
    User,
    /// A machine account.
    Bot,
    /// An agent, a proxy or an auth server.
    Host,
    /// The operator of the auth server's own machine.
    Operator,
    /// A client of a database.
    DatabaseClient,
    /// A database server.
    DatabaseServer,
    /// A workload.
    Workload,
}

impl From<IdentityVersion> for u32 {
    fn from(version: IdentityVersion) -> Self {
        match version {
            IdentityVersion::V1 => 1,
        }
    }
}

impl TryFrom<u32> for IdentityVersion {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            1 => Ok(Self::V1),
            other => Err(format!("identity version {other} is not known here")),
        }
    }
}

impl Identity {
    /// Whether it is accepted from an address. An IPv4 address mapped into IPv6 is the IPv4 address that it is.
    pub fn is_good_from(&self, address: IpAddr) -> bool {
        self.pinned_to
            .is_none_or(|pin| pin.to_canonical() == address.to_canonical())
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, BuildError> {
        let json = serde_json::to_vec(self).map_err(|_| unencodable("the identity", "has no JSON form"))?;
        if json.len() > MAXIMUM_IDENTITY_LENGTH {
            return Err(unencodable(
                "the identity",
                "is longer than 16,384 bytes; it has too many roles or traits",
            ));
        }
        Ok(json)
    }

    pub(crate) fn write_json(json: &[u8], writer: &mut DerWriter) {
        writer.primitive(UTF8_STRING, json);
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, ParseError> {
        let what = "identity extension";
        let mut cursor = Cursor::new(what, value);
        let json = cursor.expect(UTF8_STRING)?.content;
        cursor.finish()?;
        if json.len() > MAXIMUM_IDENTITY_LENGTH {
            return Err(ParseError::TooLong {
                what,
                length: json.len(),
                maximum: MAXIMUM_IDENTITY_LENGTH,
            });
        }
        serde_json::from_slice(json)
            .map_err(|_| malformed(what, "it is not an identity of a version known here"))
    }
}
