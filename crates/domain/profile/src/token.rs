use authority::AuthorityType;
use jwt::Claims;
use jwt::TokenPlan;
use key::PublicKey;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use serde_json::Map;
use serde_json::Value;

use crate::BACKDATE;
use crate::Finding;
use crate::lifetime;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenProfile {
    /// Applications behind the cluster.
    Application,
    /// Relying parties of the OpenID Connect identity provider, such as clouds.
    Oidc,
    /// The Okta integration.
    Okta,
    /// A workload (JWT SVID).
    Workload,
}

/// Whom a token is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRequest {
    /// What it is for.
    pub profile: TokenProfile,
    /// Whom it is about.
    pub subject: String,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// What else it says.
    pub claims: Map<String, Value>,
}

impl TokenProfile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Application, Self::Oidc, Self::Okta, Self::Workload];

    /// The authority that signs.
    pub const fn authority(self) -> AuthorityType {
        match self {
            Self::Application => AuthorityType::Jwt,
            Self::Oidc => AuthorityType::OidcIdp,
            Self::Okta => AuthorityType::Okta,
            Self::Workload => AuthorityType::Spiffe,
        }
    }

    /// What the log calls it.
    pub const fn cert_type(self) -> &'static str {
        match self {
            Self::Application => "jwt",
            Self::Oidc => "oidc",
            Self::Okta => "okta",
            Self::Workload => "spiffe",
        }
    }

    /// How long it is good for when nothing is asked, and at most.
    pub const fn lifetimes(self) -> (Ttl, Ttl) {
        match self {
            Self::Application | Self::Oidc | Self::Okta => (Ttl::from_hours(1), Ttl::from_hours(30)),
            Self::Workload => (Ttl::from_seconds(300), Ttl::from_hours(24)),
        }
    }
}

/// Plans a token.
///
/// # Errors
/// Findings, when the request asks for more than its profile grants.
pub fn plan_token(
    request: &TokenRequest,
    ttl: Option<Ttl>,
    issuer: &str,
    signing_key: &PublicKey,
    serial: Serial,
    now: UnixSeconds,
) -> Result<TokenPlan, Vec<Finding>> {
    let (usual, longest) = request.profile.lifetimes();
    let ttl = lifetime(ttl, usual, longest)?;
    let claims = Claims {
        issuer: issuer.to_owned(),
        subject: request.subject.clone(),
        audience: request.audience.clone(),
        token_id: serial.to_string(),
        issued_at: now,
        not_before: now.minus(BACKDATE),
        expires: now.plus(ttl),
        others: request.claims.clone(),
    };
    Ok(TokenPlan {
        claims,
        signing_key: signing_key.clone(),
        scheme: signing_key.algorithm().default_scheme(),
    })
}
