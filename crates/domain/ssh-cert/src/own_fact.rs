use crate::options::EXTENSION_DOMAIN;
use crate::options::ExtensionName;

/// What our own extensions say of a person, each under `name@signet.dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnFact {
    /// The names of the roles, with commas between.
    Roles,
    /// The traits, as JSON.
    Traits,
    /// The address of the log-in.
    LoginIp,
    /// The id of the second factor that was given for the certificate.
    MfaVerified,
    /// The id of the one host that the certificate is good for: its second factor was given for one session there.
    SessionNode,
    /// When the log-in behind a certificate for one session ends, in seconds since 1970, decimal.
    LoginExpires,
}

impl OwnFact {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Roles,
        Self::Traits,
        Self::LoginIp,
        Self::MfaVerified,
        Self::SessionNode,
        Self::LoginExpires,
    ];

    /// What stands before the domain.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Traits => "traits",
            Self::LoginIp => "login-ip",
            Self::MfaVerified => "mfa-verified",
            Self::SessionNode => "session-node",
            Self::LoginExpires => "login-expires",
        }
    }

    /// The name of the extension.
    pub fn name(self) -> ExtensionName {
        ExtensionName::of_parts(self.as_str(), EXTENSION_DOMAIN)
    }
}
