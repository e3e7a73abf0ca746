//! What is stored of users, below `identity/`.

use authn::BearerHash;
use authn::PasswordHash;
use authn::RecoveryCodeHash;
use authn::Source;
use authn::Step;
use names::UnixSeconds;
use names::UserName;
use serde::Deserialize;
use serde::Serialize;
use state::StateKey;
use uuid::Uuid;
use webauthn_rs::prelude::SecurityKey;
use webauthn_rs::prelude::SecurityKeyAuthentication;
use webauthn_rs::prelude::SecurityKeyRegistration;

use crate::FactorKind;
use crate::IdentityError;
use crate::ProofHolder;
use crate::ProofPurpose;
use crate::Purpose;
use crate::documents::path;

/// `identity/user/<name>/credentials`: what a user proves himself with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// A random id, new with each sign-up, reset and change of the password. What was given out under another one (sessions, proofs
    /// of re-authentication) is good no more.
    pub(crate) epoch: String,
    /// What authenticators know the user by; says nothing about him.
    pub(crate) handle: Uuid,
    pub(crate) password: PasswordHash,
    pub(crate) password_changed: UnixSeconds,
    pub(crate) devices: Vec<Device>,
    pub(crate) recovery_codes: Vec<RecoveryCodeHash>,
}

/// A second factor.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) added: UnixSeconds,
    pub(crate) used: Option<UnixSeconds>,
    pub(crate) proof: Proof,
}

/// What a second factor is checked with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Proof {
    /// One-time codes.
    Totp {
        /// The seed, sealed for this user and device.
        seed: String,
        /// The last step accepted.
        last_used: Option<Step>,
    },
    /// A key in an authenticator.
    Webauthn {
        /// Its public half, and its counter.
        key: Box<SecurityKey>,
    },
}

impl Proof {
    pub(crate) const fn kind(&self) -> FactorKind {
        match self {
            Self::Totp { .. } => FactorKind::Totp,
            Self::Webauthn { .. } => FactorKind::Webauthn,
        }
    }
}

/// `identity/user/<name>/known`: where the user has logged in from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// The latest last.
    pub(crate) sources: Vec<(Source, UnixSeconds)>,
}

/// The most sources remembered of a user.
const SOURCES_MAX: usize = 16;
/// How long a source is remembered after the last log-in from it.
const SOURCE_TTL: names::Ttl = names::Ttl::from_days(90);

impl Known {
    pub(crate) fn has(&self, source: &Source, now: UnixSeconds) -> bool {
        self.sources
            .iter()
            .any(|(known, last)| known == source && last.plus(SOURCE_TTL) > now)
    }

    /// With one more log-in from a source.
    pub(crate) fn with(&self, source: &Source, now: UnixSeconds) -> Self {
        let mut sources: Vec<_> = self
            .sources
            .iter()
            .filter(|(known, last)| known != source && last.plus(SOURCE_TTL) > now)
            .cloned()
            .collect();
        sources.push((source.clone(), now));
        let surplus = sources.len().saturating_sub(SOURCES_MAX);
        sources.drain(..surplus);
        Self { sources }
    }
}

/// `identity/challenge/<id>`: a ceremony under way.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Challenge {
    /// The state key's last segment of the user it is for.
    pub(crate) claim: String,
    pub(crate) expires: UnixSeconds,
    pub(crate) ceremony: Ceremony,
}

impl Challenge {
    /// What a registration was begun under.
    pub(crate) const fn under(&self) -> Option<&Under> {
        match &self.ceremony {
            Ceremony::TotpRegistration { under, .. } | Ceremony::WebauthnRegistration { under, .. } => {
                Some(under)
            }
            Ceremony::Authentication { .. } => None,
        }
    }
}

/// What a challenge is of.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "ceremony", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ceremony {
    /// Proving who one is.
    Authentication {
        /// What WebAuthn needs to check the answer; absent where the cluster has no WebAuthn.
        webauthn: Option<Box<SecurityKeyAuthentication>>,
    },
    /// A new device for one-time codes.
    TotpRegistration {
        /// The id the device will have.
        device: String,
        /// The seed, sealed for this user and device.
        seed: String,
        /// The link or the credentials it was begun under.
        under: Under,
    },
    /// A new key.
    WebauthnRegistration {
        device: String,
        handle: Uuid,
        webauthn: Box<SecurityKeyRegistration>,
        under: Under,
    },
}

/// What allowed a registration to begin: it must still be there at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Under {
    /// A link.
    Invite(BearerHash),
    /// A proof of re-authentication, used up by it.
    Proof {
        /// Of the credentials that it was made with.
        epoch: String,
        /// The second factor that it was made with.
        device: String,
    },
}

/// `identity/invite/<hash>`: a link to sign up or to begin anew.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteRecord {
    pub(crate) user: UserName,
    pub(crate) purpose: Purpose,
    pub(crate) expires: UnixSeconds,
}

/// `identity/user/<name>/invite`: which link of a user is the one that counts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurrentInvite {
    pub(crate) hash: BearerHash,
}

/// `identity/proof/<hash>`: that a user proved anew who he is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privilege {
    pub(crate) user: UserName,
    pub(crate) epoch: String,
    /// The second factor.
    pub(crate) device: String,
    pub(crate) purpose: ProofPurpose,
    pub(crate) holder: ProofHolder,
    pub(crate) expires: UnixSeconds,
}

/// `identity/session/<hash>`: a session of the web.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionRecord {
    pub(crate) id: String,
    pub(crate) user: UserName,
    pub(crate) epoch: String,
    pub(crate) device: String,
    pub(crate) source: Source,
    /// The only address it is good from, when the user's roles pin what they get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pinned_to: Option<std::net::IpAddr>,
    pub(crate) created: UnixSeconds,
    pub(crate) used: UnixSeconds,
    /// Whatever happens, it ends then.
    pub(crate) ends: UnixSeconds,
}

/// `identity/user/<name>/session/<id>`: where a session is found.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionPlace {
    pub(crate) hash: BearerHash,
}

/// `identity/fakes`: the key from which plausible answers for users without keys are made.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FakesKey {
    /// 32 bytes, sealed.
    pub(crate) key: String,
}

/// The top of what hangs on a user: everything at and below it goes with the user.
pub(crate) fn user_path(user: &UserName, part: &str) -> Result<StateKey, IdentityError> {
    path(&format!("identity/user/{user}/{part}"))
}
