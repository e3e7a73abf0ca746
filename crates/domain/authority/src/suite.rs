use key::BackendKind;
use key::KeyAlgorithm;
use serde::Deserialize;
use serde::Serialize;

use crate::AuthorityType;
use crate::KeyForm;

/// Which algorithms new keys have: `auth_service.authentication.signature_algorithm_suite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// RSA 2048 wherever a protocol allows it.
    Legacy,
    /// Ed25519 for SSH, P-256 for TLS, RSA where an ecosystem asks for it.
    BalancedV1,
    /// What FIPS 186-5 validated modules commonly offer: P-256 and RSA.
    FipsV1,
    /// What hardware modules and key management services commonly offer: P-256 and RSA for authorities.
    HsmV1,
}

/// The text names no suite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature algorithm suite {0:?}; known are legacy, balanced-v1, fips-v1, hsm-v1")]
pub struct UnknownSuite(pub String);

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 4] = [Self::Legacy, Self::BalancedV1, Self::FipsV1, Self::HsmV1];

    /// The name as configurations write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::BalancedV1 => "balanced-v1",
            Self::FipsV1 => "fips-v1",
            Self::HsmV1 => "hsm-v1",
        }
    }

    /// The suite of a new cluster whose keys will live there. It is chosen once, at the cluster's birth.
    pub const fn default_for(custody: BackendKind) -> Self {
        match custody {
            BackendKind::Software => Self::BalancedV1,
            BackendKind::Pkcs11 | BackendKind::AwsKms => Self::HsmV1,
        }
    }

    /// The algorithm of an authority's key. Forms the authority does not have get what the suite would give them.
    ///
    /// The database authorities, SAML, OIDC and Windows stay RSA in every suite because their consumers ask for it;
    /// Okta accepts P-256 in every suite.
    pub const fn algorithm(self, authority: AuthorityType, form: KeyForm) -> KeyAlgorithm {
        use KeyAlgorithm::EcdsaP256;
        use KeyAlgorithm::Ed25519;
        use KeyAlgorithm::Rsa2048;
        match authority {
            AuthorityType::Db
            | AuthorityType::DbClient
            | AuthorityType::SamlIdp
            | AuthorityType::OidcIdp
            | AuthorityType::Windows => Rsa2048,
            AuthorityType::Okta => EcdsaP256,
            AuthorityType::Host | AuthorityType::User | AuthorityType::Openssh => match (self, form) {
                (Self::Legacy, _) => Rsa2048,
                (Self::BalancedV1, KeyForm::Ssh) => Ed25519,
                (Self::BalancedV1, KeyForm::Tls | KeyForm::Jwt) | (Self::FipsV1 | Self::HsmV1, _) => {
                    EcdsaP256
                }
            },
            AuthorityType::Jwt => match self {
                Self::Legacy => Rsa2048,
                Self::BalancedV1 | Self::FipsV1 | Self::HsmV1 => EcdsaP256,
            },
            AuthorityType::Spiffe => match (self, form) {
                (Self::Legacy, _) | (_, KeyForm::Jwt) => Rsa2048,
                (Self::BalancedV1 | Self::FipsV1 | Self::HsmV1, KeyForm::Tls | KeyForm::Ssh) => EcdsaP256,
            },
        }
    }
}

impl std::fmt::Display for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Suite {
    type Err = UnknownSuite;
    fn from_str(text: &str) -> Result<Self, UnknownSuite> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.as_str() == text)
            .ok_or_else(|| UnknownSuite(text.chars().take(64).collect()))
    }
}
