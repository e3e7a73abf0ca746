//! Proving anew who one is, for what matters: good for five minutes, one purpose, one user and whoever asked.

use std::net::SocketAddr;

use authn::Bearer;
use authn::BearerHash;
use authn::Password;
use key::SpkiSha256;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use serde::Deserialize;
use serde::Serialize;

use crate::Factor;
use crate::IdentityError;
use crate::Refusal;
use crate::SessionPlace;
use crate::attempt::Attempted;
use crate::attempt::Knowledge;
use crate::attempt::Offered;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::load;
use crate::documents::path;
use crate::factor::RECOVERY_DEVICE;
use crate::identity::Identity;
use crate::people::Person;
use crate::records::Credentials;
use crate::records::Privilege;
use crate::records::user_path;

/// How long a proof is good.
pub(crate) const PROOF_TTL: Ttl = Ttl::from_seconds(5 * 60);

/// An act that needs a proof made minutes ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivilegedAct {
    /// Changing one's own password.
    ChangePassword,
    /// Adding or removing one's own second factors, and making recovery codes.
    ChangeSecondFactors,
    /// A step of a rotation.
    Rotate,
    /// Signing for others.
    Sign,
    /// Exports with secrets.
    ReadSecrets,
    /// Deciding who has access: links to sign up, and documents that say who may do what.
    Admin,
}

impl PrivilegedAct {
    /// Every act.
    pub const ALL: [Self; 6] = [
        Self::ChangePassword,
        Self::ChangeSecondFactors,
        Self::Rotate,
        Self::Sign,
        Self::ReadSecrets,
        Self::Admin,
    ];

    /// Its name in requests and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangePassword => "change_password",
            Self::ChangeSecondFactors => "change_second_factors",
            Self::Rotate => "rotate",
            Self::Sign => "sign",
            Self::ReadSecrets => "read_secrets",
            Self::Admin => "admin",
        }
    }
}

/// What a proof is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProofPurpose {
    /// Acts of a kind.
    Act(PrivilegedAct),
    /// One session on a host.
    Session(SessionPlace),
}

impl ProofPurpose {
    /// Its name in the log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Act(act) => act.as_str(),
            Self::Session(_) => "session",
        }
    }

    /// Where the session is to be, when it is about one.
    pub const fn place(&self) -> Option<&SessionPlace> {
        match self {
            Self::Act(_) => None,
            Self::Session(place) => Some(place),
        }
    }

    /// How the log tells of proving it.
    pub(crate) const fn attempted(&self) -> Attempted<'_> {
        match self {
            Self::Act(act) => Attempted::Reauthentication { act: *act },
            Self::Session(place) => Attempted::Session(place),
        }
    }

    /// Whether a second factor of this kind does: a recovery code stands in for one where somebody logs in to get another.
    pub(crate) const fn takes(&self, factor: &Factor) -> Result<(), Refusal> {
        match (self, factor) {
            (Self::Session(_), Factor::RecoveryCode(_)) => {
                Err(Refusal::FactorNotAllowed("a recovery code, for sessions,"))
            }
            (Self::Session(_), Factor::Totp(_) | Factor::Webauthn(_))
            | (Self::Act(_), Factor::Totp(_) | Factor::Webauthn(_) | Factor::RecoveryCode(_)) => Ok(()),
        }
    }
}

/// Who may use a proof: whoever asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofHolder {
    /// The pages of the web, within the request that makes it.
    Pages,
    /// Whoever shows a certificate with this key.
    Key(SpkiSha256),
}

/// A proof as a request shows it.
#[derive(Clone, Copy)]
pub struct ShownProof<'a> {
    /// What was given for it.
    pub token: &'a str,
    /// Who shows it.
    pub holder: ProofHolder,
}

/// The answer to a question of [`Identity::login_begin`], for an act.
pub struct Reauthenticate<'a> {
    /// The id of the question.
    pub challenge: &'a str,
    /// Who the caller is, from the certificate or the session.
    pub user: &'a UserName,
    /// The password.
    pub password: Password,
    /// The second factor.
    pub factor: Factor,
    /// What for.
    pub act: PrivilegedAct,
    /// Who may use the proof.
    pub holder: ProofHolder,
    /// Where the request came from.
    pub remote: SocketAddr,
}

/// A proof. The bearer is shown once.
pub struct ActProof {
    /// What the act's request carries.
    pub bearer: Bearer,
    /// When it ends.
    pub expires: UnixSeconds,
}

/// A proof that is good now.
pub(crate) struct GoodProof {
    /// To be used up.
    pub(crate) stored: Stored<Privilege>,
    pub(crate) person: Person,
    /// The second factor that it was made with.
    pub(crate) device: String,
}

impl Identity {
    /// Proves anew who one is. Failures count as those of log-ins do.
    ///
    /// # Errors
    /// As [`Identity::login_finish`].
    pub async fn reauthenticate(&self, asked: Reauthenticate<'_>) -> Result<ActProof, IdentityError> {
        let Reauthenticate {
            challenge,
            user,
            password,
            factor,
            act,
            holder,
            remote,
        } = asked;
        let offered = Offered {
            challenge: Some(challenge),
            user: user.as_str(),
            knowledge: Knowledge::Password(password),
            factor,
            remote,
        };
        let proven = self.attempt(offered, Attempted::Reauthentication { act }).await?;
        self.keep_proof(Privilege {
            user: proven.person.user,
            epoch: proven.epoch,
            device: proven.device,
            purpose: ProofPurpose::Act(act),
            holder,
            expires: self.now().plus(PROOF_TTL),
        })
        .await
    }

    /// Keeps a proof that was made, and gives out by what it is found.
    pub(crate) async fn keep_proof(&self, privilege: Privilege) -> Result<ActProof, IdentityError> {
        let bearer = self.bearer()?;
        let expires = privilege.expires;
        let stored = load::<Privilege>(self.state.as_ref(), privilege_path(&bearer.hash())?).await?;
        if !commit(self.state.as_ref(), vec![stored.put(&privilege, Some(expires))?]).await? {
            return Err(IdentityError::Internal("a random id stands twice".to_owned()));
        }
        Ok(ActProof { bearer, expires })
    }

    /// Whether the user proved anew, minutes ago and for this act, who it is. The proof stays good until it ends.
    ///
    /// # Errors
    /// [`Refusal::ReauthenticationNeeded`] when not.
    pub async fn require(
        &self,
        user: &UserName,
        shown: ShownProof<'_>,
        act: PrivilegedAct,
    ) -> Result<(), IdentityError> {
        self.proof(user, shown, &ProofPurpose::Act(act)).await.map(|_| ())
    }

    /// A proof that is good: of this user, for this, by whoever shows it, and with credentials and a second factor that are still theirs.
    pub(crate) async fn proof(
        &self,
        user: &UserName,
        shown: ShownProof<'_>,
        purpose: &ProofPurpose,
    ) -> Result<GoodProof, IdentityError> {
        let ShownProof { token, holder } = shown;
        let hash = Bearer::parse(token)
            .ok_or(Refusal::ReauthenticationNeeded)?
            .hash();
        let stored = load::<Privilege>(self.state.as_ref(), privilege_path(&hash)?).await?;
        let is_good = |privilege: &Privilege| {
            privilege.user == *user
                && privilege.purpose == *purpose
                && privilege.holder == holder
                && privilege.expires > self.now()
        };
        let privilege = stored.value.as_ref().filter(|privilege| is_good(privilege));
        let Privilege { epoch, device, .. } = privilege.ok_or(Refusal::ReauthenticationNeeded)?;
        match self.still_good(user, epoch, device).await? {
            Ok(person) => Ok(GoodProof {
                device: device.clone(),
                person,
                stored,
            }),
            Err(_) => Err(Refusal::ReauthenticationNeeded.into()),
        }
    }

    /// The user as of now, when what they proved themselves with is still theirs; otherwise why not, for the log and for the program.
    pub(crate) async fn still_good(
        &self,
        user: &UserName,
        epoch: &str,
        device: &str,
    ) -> Result<Result<Person, (&'static str, Refusal)>, IdentityError> {
        let credentials = load::<Credentials>(self.state.as_ref(), user_path(user, "credentials")?).await?;
        let now = credentials.value.as_ref();
        self.still_good_by(now, user, epoch, device).await
    }

    /// The same by credentials that were read: a change that is committed on their revision rests on what they say.
    pub(crate) async fn still_good_by(
        &self,
        credentials: Option<&Credentials>,
        user: &UserName,
        epoch: &str,
        device: &str,
    ) -> Result<Result<Person, (&'static str, Refusal)>, IdentityError> {
        let has_device =
            |now: &Credentials| device == RECOVERY_DEVICE || now.devices.iter().any(|own| own.id == device);
        let is_good = credentials.is_some_and(|now| now.epoch == epoch && has_device(now));
        let Some(person) = self.people.person(user).await?.filter(|_| is_good) else {
            let cause = "removed, or with other credentials, since it was approved";
            return Ok(Err((cause, Refusal::InvalidCredentials)));
        };
        match self.people.lock_on(&person, Some(device), self.now()) {
            Some(message) => Ok(Err(("locked by an operator", Refusal::UserLocked { message }))),
            None => Ok(Ok(person)),
        }
    }
}

fn privilege_path(hash: &BearerHash) -> Result<state::StateKey, IdentityError> {
    path(&format!("identity/proof/{hash}"))
}
