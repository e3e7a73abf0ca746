use authority::AuthorityType;
use key::KeyAlgorithm;
use names::Ttl;
use x509::ExtendedKeyUsage;
use x509::IdentityKind;
use x509::KeyUsage;

/// What an X.509 certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum X509Profile {
    /// An agent, a proxy, an auth server.
    Host,
    /// A person or a machine account.
    User,
    /// A database server.
    DatabaseServer,
    /// A client of databases.
    DatabaseClient,
    /// Log-in to a Windows desktop.
    Windows,
    /// A workload (X.509 SVID).
    Workload,
}

/// Which alternative names a certificate must have, and may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AltNameRule {
    /// At least one DNS name or address, and nothing else.
    Hosts,
    /// None.
    None,
    /// One user principal name.
    UserPrincipal,
    /// One SPIFFE id, and DNS names beside it.
    Spiffe,
}

/// What a profile grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct X509Rules {
    /// The authority that signs.
    pub authority: AuthorityType,
    /// What the log calls it.
    pub cert_type: &'static str,
    /// How long it is good for when nothing is asked.
    pub lifetime_usual: Ttl,
    /// How long it is good for at most.
    pub lifetime_longest: Ttl,
    /// What it is for.
    pub purposes: &'static [ExtendedKeyUsage],
    /// Its alternative names.
    pub alt_names: AltNameRule,
    /// What its identity is of; `None` when it has none.
    pub identity: Option<IdentityKind>,
}

impl X509Profile {
    /// Every profile.
    pub const ALL: [Self; 6] = [
        Self::Host,
        Self::User,
        Self::DatabaseServer,
        Self::DatabaseClient,
        Self::Windows,
        Self::Workload,
    ];

    /// What it grants.
    pub const fn rules(self) -> X509Rules {
        use ExtendedKeyUsage::ClientAuth;
        use ExtendedKeyUsage::ServerAuth;
        use ExtendedKeyUsage::SmartcardLogon;
        match self {
            // Agents are clients of the auth service and servers to their users.
            Self::Host => X509Rules {
                authority: AuthorityType::Host,
                cert_type: "host",
                lifetime_usual: Ttl::from_days(7),
                lifetime_longest: Ttl::from_days(365),
                purposes: &[ServerAuth, ClientAuth],
                alt_names: AltNameRule::Hosts,
                identity: Some(IdentityKind::Host),
            },
            Self::User => X509Rules {
                authority: AuthorityType::User,
                cert_type: "user",
                lifetime_usual: Ttl::from_hours(12),
                lifetime_longest: Ttl::from_hours(30),
                purposes: &[ClientAuth],
                alt_names: AltNameRule::None,
                identity: Some(IdentityKind::User),
            },
            // Replication makes database servers clients of one another.
            Self::DatabaseServer => X509Rules {
                authority: AuthorityType::Db,
                cert_type: "db",
                lifetime_usual: Ttl::from_days(90),
                lifetime_longest: Ttl::from_days(825),
                purposes: &[ServerAuth, ClientAuth],
                alt_names: AltNameRule::Hosts,
                identity: None,
            },
            Self::DatabaseClient => X509Rules {
                authority: AuthorityType::DbClient,
                cert_type: "db_client",
                lifetime_usual: Ttl::from_hours(12),
                lifetime_longest: Ttl::from_days(365),
                purposes: &[ClientAuth],
                alt_names: AltNameRule::None,
                identity: None,
            },
            Self::Windows => X509Rules {
                authority: AuthorityType::Windows,
                cert_type: "windows",
                lifetime_usual: Ttl::from_hours(1),
                lifetime_longest: Ttl::from_hours(30),
                purposes: &[ClientAuth, SmartcardLogon],
                alt_names: AltNameRule::UserPrincipal,
                identity: None,
            },
            Self::Workload => X509Rules {
                authority: AuthorityType::Spiffe,
                cert_type: "spiffe",
                lifetime_usual: Ttl::from_hours(1),
                lifetime_longest: Ttl::from_days(7),
                purposes: &[ServerAuth, ClientAuth],
                alt_names: AltNameRule::Spiffe,
                identity: None,
            },
        }
    }

    /// What the holder's key may do: RSA keys may also receive the keys of TLS 1.2, except where SPIFFE forbids it
    /// (X509-SVID section 4.3).
    pub const fn key_usage(self, algorithm: KeyAlgorithm) -> KeyUsage {
        let signs = KeyUsage::DIGITAL_SIGNATURE;
        match self {
            Self::Workload => signs,
            Self::Host | Self::User | Self::DatabaseServer | Self::DatabaseClient | Self::Windows => {
                if algorithm.rsa_bits().is_some() {
                    signs.union(KeyUsage::KEY_ENCIPHERMENT)
                } else {
                    signs
                }
            }
        }
    }
}
