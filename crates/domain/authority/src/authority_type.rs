use serde::Deserialize;
use serde::Serialize;

/// What an authority certifies. A cluster has one authority of each type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityType {
    /// Agents, proxies and auth servers; OpenSSH hosts.
    Host,
    /// People.
    User,
    /// Database servers.
    Db,
    /// The clients that connect to databases.
    DbClient,
    /// The short-lived user certificates a proxy presents to plain OpenSSH servers.
    Openssh,
    /// The tokens that applications receive.
    Jwt,
    /// SAML assertions of the identity provider.
    SamlIdp,
    /// Tokens of the OpenID Connect identity provider.
    OidcIdp,
    /// Workload identities (SPIFFE X.509 and JWT SVIDs).
    Spiffe,
    /// The tokens of the Okta integration.
    Okta,
    /// Client certificates for Windows desktops.
    Windows,
}

/// What a key of an authority signs. An authority has one key of each of its forms in each generation (per owner).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// SSH certificates.
    Ssh,
    /// X.509 certificates.
    Tls,
    /// JSON web tokens.
    Jwt,
}

/// The text names no authority type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown authority type {0:?}; known are host, user, db, db_client, openssh, jwt, saml_idp, oidc_idp, spiffe, okta, windows"
)]
pub struct UnknownAuthorityType(pub String);

impl AuthorityType {
    /// Every type, in the order they are shown.
    pub const ALL: [Self; 11] = [
        Self::Host,
        Self::User,
        Self::Db,
        Self::DbClient,
        Self::Openssh,
        Self::Jwt,
        Self::SamlIdp,
        Self::OidcIdp,
        Self::Spiffe,
        Self::Okta,
        Self::Windows,
    ];

    /// The name as configurations, commands and documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::User => "user",
            Self::Db => "db",
            Self::DbClient => "db_client",
            Self::Openssh => "openssh",
            Self::Jwt => "jwt",
            Self::SamlIdp => "saml_idp",
            Self::OidcIdp => "oidc_idp",
            Self::Spiffe => "spiffe",
            Self::Okta => "okta",
            Self::Windows => "windows",
        }
    }

    /// The forms of key this authority has.
    pub const fn forms(self) -> &'static [KeyForm] {
        match self {
            Self::Host | Self::User => &[KeyForm::Ssh, KeyForm::Tls],
            Self::Db | Self::DbClient | Self::SamlIdp | Self::Windows => &[KeyForm::Tls],
            Self::Openssh => &[KeyForm::Ssh],
            Self::Jwt | Self::OidcIdp | Self::Okta => &[KeyForm::Jwt],
            Self::Spiffe => &[KeyForm::Tls, KeyForm::Jwt],
        }
    }
}

impl KeyForm {
    /// The name as documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Tls => "tls",
            Self::Jwt => "jwt",
        }
    }

    /// The name as the `protocol` column of `signetctl status` writes it.
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::Ssh => "SSH",
            Self::Tls => "TLS",
            Self::Jwt => "JWT",
        }
    }
}

impl std::fmt::Display for AuthorityType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Display for KeyForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for AuthorityType {
    type Err = UnknownAuthorityType;
    fn from_str(text: &str) -> Result<Self, UnknownAuthorityType> {
        let spelled = text.replace('-', "_");
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == spelled)
            .ok_or_else(|| UnknownAuthorityType(text.chars().take(64).collect()))
    }
}

impl std::str::FromStr for KeyForm {
    type Err = UnknownAuthorityType;
    fn from_str(text: &str) -> Result<Self, UnknownAuthorityType> {
        match text {
            "ssh" => Ok(Self::Ssh),
            "tls" => Ok(Self::Tls),
            "jwt" => Ok(Self::Jwt),
            other => Err(UnknownAuthorityType(other.chars().take(64).collect())),
        }
    }
}
