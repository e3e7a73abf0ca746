//! The routes that ask nobody who they are: one list for the router, the description and the page.

/// What everybody may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicRoute {
    Health,
    Readiness,
    Ping,
    AuthorityExport,
    KeySet,
    OidcKeySet,
    OidcConfiguration,
    SamlMetadata,
    SamlEntity,
    RevocationList,
}

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// A line of text.
    Text,
    /// [`api_types::Ping`].
    Ping,
    /// A JSON document of this media type, in a form that is not ours.
    Json(&'static str),
    /// A file of this media type.
    File(&'static str),
}

impl PublicRoute {
    pub(crate) const ALL: [Self; 10] = [
        Self::KeySet,
        Self::OidcKeySet,
        Self::OidcConfiguration,
        Self::AuthorityExport,
        Self::RevocationList,
        Self::SamlMetadata,
        Self::SamlEntity,
        Self::Ping,
        Self::Health,
        Self::Readiness,
    ];

    /// The path, with names in braces.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::Ping => "/webapi/ping",
            Self::AuthorityExport => "/webapi/auth/export",
            Self::KeySet => "/.well-known/jwks.json",
            Self::OidcKeySet => "/.well-known/jwks-oidc",
            Self::OidcConfiguration => "/.well-known/openid-configuration",
            Self::SamlMetadata => "/saml-idp/metadata",
            // The provider's entity id is an address, and this one (SAML 2.0 Metadata, section 4.1).
            Self::SamlEntity => "/saml/metadata",
            Self::RevocationList => "/crl/{name}",
        }
    }

    /// What is there.
    pub(crate) const fn summary(self) -> &'static str {
        match self {
            Self::Health => "200 while the process serves",
            Self::Readiness => "200 while every authority can sign and every backend answers, 503 otherwise",
            Self::Ping => {
                "The cluster's name, the server's version, and with which second factors one logs in"
            }
            Self::AuthorityExport => {
                "An export, as the one file it is; `type`, `status` and `format` as in `signetctl auth export`"
            }
            Self::KeySet => "The keys that tokens of `jwt` and `okta` verify under (RFC 7517)",
            Self::OidcKeySet => "The keys that tokens of the OpenID Connect provider verify under",
            Self::OidcConfiguration => "The discovery document of the OpenID Connect provider",
            Self::SamlMetadata => "The metadata of the SAML identity provider",
            Self::SamlEntity => "The same, at the provider's entity id",
            Self::RevocationList => {
                "The revocation list of a key (DER), where certificates say it is: the key's hash and `.crl`"
            }
        }
    }

    /// What an answer is made of.
    pub(crate) const fn content(self) -> Content {
        match self {
            Self::Health | Self::Readiness => Content::Text,
            Self::Ping => Content::Ping,
            // What it is depends on what is asked for.
            Self::AuthorityExport => Content::File("*/*"),
            Self::KeySet | Self::OidcKeySet => Content::Json("application/jwk-set+json"),
            Self::OidcConfiguration => Content::Json("application/json"),
            Self::SamlMetadata | Self::SamlEntity => Content::File("application/samlmetadata+xml"),
            Self::RevocationList => Content::File("application/pkix-crl"),
        }
    }
}
