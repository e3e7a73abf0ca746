//! Links by which users sign up or begin anew: made by operators, good once, for hours.

use std::net::SocketAddr;

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authn::Bearer;
use authn::BearerHash;
use authn::Password;
use authn::PasswordHash;
use authn::RecoveryCode;
use authn::check_new_password;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use serde::Deserialize;
use serde::Serialize;
use state::Write;
use uuid::Uuid;

use crate::Answer;
use crate::FactorKind;
use crate::Granted;
use crate::IdentityError;
use crate::Offer;
use crate::Refusal;
use crate::Wanted;
use crate::attempt::Attempted;
use crate::attempt::Proven;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::load;
use crate::documents::path;
use crate::identity::Claim;
use crate::identity::Identity;
use crate::identity::proven;
use crate::identity::source_of;
use crate::people::Person;
use crate::records::Credentials;
use crate::records::CurrentInvite;
use crate::records::Device;
use crate::records::InviteRecord;
use crate::records::Known;
use crate::records::Under;
use crate::records::user_path;
use crate::settle::forget_attempts;

/// How long a link is good when nothing is asked.
const USUAL: Ttl = Ttl::from_hours(1);
/// How long at most.
const LONGEST: Ttl = Ttl::from_hours(48);

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A new user sets a password and a second factor.
    SignUp,
    /// A user who lost them sets new ones; the old ones end when the link is used.
    Reset,
}

impl Purpose {
    /// Its name in answers and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "signup",
            Self::Reset => "reset",
        }
    }
}

/// A link. The bearer is shown once.
pub struct Invite {
    /// What the link's address holds.
    pub bearer: Bearer,
    /// When it ends.
    pub expires: UnixSeconds,
    /// What for.
    pub purpose: Purpose,
}

/// What whoever has a link sees first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteView {
    /// For whom.
    pub user: UserName,
    /// What for.
    pub purpose: Purpose,
    /// When it ends.
    pub expires: UnixSeconds,
    /// The second factors to choose from.
    pub kinds: Vec<FactorKind>,
}

/// What whoever has a link answers.
pub struct InviteFinish<'a> {
    /// The link's bearer.
    pub token: &'a str,
    /// The id of the second factor's offer.
    pub challenge: &'a str,
    /// The new password.
    pub password: Password,
    /// The proof of the new second factor.
    pub answer: Answer,
    /// What its owner calls it.
    pub device_name: &'a str,
    /// Where the request came from.
    pub remote: SocketAddr,
    /// What to log in for at once, if at all.
    pub wanted: Option<Wanted>,
}

/// A user who signed up.
pub struct Enrolled {
    /// Who.
    pub user: UserName,
    /// The recovery codes, shown once.
    pub recovery_codes: Vec<RecoveryCode>,
    /// What was asked for.
    pub granted: Option<Granted>,
}

/// A link as stored: found by its bearer, and the one that counts for its user.
struct Link {
    hash: BearerHash,
    record: InviteRecord,
    stored: Stored<InviteRecord>,
    current: Stored<CurrentInvite>,
    person: Person,
}

impl Identity {
    /// Makes a link for a user: to sign up where there is no password yet, otherwise to begin anew. It replaces the one before it.
    ///
    /// # Errors
    /// [`Refusal::NoSuchUser`]; [`Refusal::Malformed`] for more than 48 hours.
    pub async fn invite(
        &self,
        actor: &Actor,
        user: &UserName,
        ttl: Option<Ttl>,
    ) -> Result<Invite, IdentityError> {
        self.existing(user).await?;
        let ttl = ttl.unwrap_or(USUAL);
        if ttl > LONGEST || ttl.seconds() == 0 {
            return Err(Refusal::Malformed {
                field: "ttl",
                problem: format!("{ttl} is not between one second and {LONGEST}"),
            }
            .into());
        }
        let credentials = load::<Credentials>(self.state.as_ref(), user_path(user, "credentials")?).await?;
        let purpose = if credentials.value.is_some() {
            Purpose::Reset
        } else {
            Purpose::SignUp
        };
        let expires = self.now().plus(ttl);
        let bearer = self.bearer()?;
        let hash = bearer.hash();
        let current = load::<CurrentInvite>(self.state.as_ref(), user_path(user, "invite")?).await?;
        let fresh = load::<InviteRecord>(self.state.as_ref(), invite_path(&hash)?).await?;
        let record = InviteRecord {
            user: user.clone(),
            purpose,
            expires,
        };
        let mut writes = vec![
            fresh.put(&record, Some(expires))?,
            current.put(&CurrentInvite { hash }, Some(expires))?,
        ];
        if let Some(old) = &current.value {
            let old = load::<InviteRecord>(self.state.as_ref(), invite_path(&old.hash)?).await?;
            writes.push(old.delete());
        }
        let event = AuditEvent::InviteCreated {
            account: user.to_string(),
            purpose: purpose.as_str().to_owned(),
            expires,
        };
        self.record(actor, event).await?;
        if !commit(self.state.as_ref(), writes).await? {
            return Err(Refusal::Conflict(user.clone()).into());
        }
        Ok(Invite {
            bearer,
            expires,
            purpose,
        })
    }

    /// What a link is for.
    ///
    /// # Errors
    /// [`Refusal::LinkGone`] when it is not good any more.
    pub async fn invite_look(&self, token: &str) -> Result<InviteView, IdentityError> {
        let InviteRecord {
            user,
            purpose,
            expires,
        } = self.link(token).await?.record;
        Ok(InviteView {
            user,
            purpose,
            expires,
            kinds: self.kinds(),
        })
    }

    /// Offers a second factor to whoever has a link. May be asked again, for another kind too.
    ///
    /// # Errors
    /// [`Refusal::LinkGone`], [`Refusal::FactorNotAllowed`].
    pub async fn invite_begin(&self, token: &str, kind: FactorKind) -> Result<Offer, IdentityError> {
        let link = self.link(token).await?;
        let handle = Uuid::from_bytes(self.random()?);
        let under = Under::Invite(link.hash.clone());
        let still = vec![link.stored.keep(), link.current.keep()];
        self.begin_registration(&link.record.user, kind, under, handle, &[], still)
            .await
    }

    /// Uses a link up: sets the password and the second factor, and makes recovery codes. What the user had before ends.
    ///
    /// # Errors
    /// [`Refusal::LinkGone`], [`Refusal::ChallengeGone`], [`Refusal::WeakPassword`], [`Refusal::SecondFactorRefused`]: the link is
    /// still good after the last two.
    pub async fn invite_finish(&self, finish: InviteFinish<'_>) -> Result<Enrolled, IdentityError> {
        let InviteFinish {
            token,
            challenge,
            password,
            answer,
            device_name,
            remote,
            wanted,
        } = finish;
        let link = self.link(token).await?;
        let user = link.record.user.clone();
        check_new_password(&password, &user).map_err(Refusal::WeakPassword)?;
        let challenge = self.challenge(challenge, &Claim::new(user.as_str())).await?;
        let under = Under::Invite(link.hash.clone());
        let (device, handle) = self.finish_registration(&user, &challenge, &under, answer, device_name)?;
        let salt = self.random()?;
        let password = self.hashing.hash(password, salt).await?;
        let handle = match handle {
            Some(handle) => handle,
            None => Uuid::from_bytes(self.random()?),
        };
        let (credentials, recovery_codes) = self.new_credentials(password, device.clone(), handle)?;
        let actor = proven(&user, remote);
        let mut events = enrolment_events(&link.record, &device, recovery_codes.len());
        if let Some(wanted) = &wanted {
            let attempted = Attempted::Login {
                client: wanted.client(),
            };
            events.push(attempted.event(
                Outcome::Success,
                link.record.purpose.as_str(),
                Some(device.id.clone()),
            ));
        }
        self.record_all(&actor, events).await?;
        let writes = self
            .enrolment(&link, &credentials, challenge.delete(), remote)
            .await?;
        if !commit(self.state.as_ref(), writes).await? {
            let event = AuditEvent::InviteUsed {
                outcome: Outcome::Failure(
                    "the link was used, replaced or taken back at the same moment".to_owned(),
                ),
                account: user.to_string(),
                purpose: link.record.purpose.as_str().to_owned(),
            };
            self.record(&actor, event).await?;
            return Err(Refusal::LinkGone.into());
        }
        let proven = Proven {
            person: link.person,
            device: device.id,
            epoch: credentials.epoch,
        };
        let granted = match wanted {
            Some(wanted) => Some(self.grant(proven, wanted, remote).await?.granted),
            None => None,
        };
        Ok(Enrolled {
            user,
            recovery_codes,
            granted,
        })
    }

    /// Everything that a link changes when it is used, in one commit.
    async fn enrolment(
        &self,
        link: &Link,
        credentials: &Credentials,
        challenge: Write,
        remote: SocketAddr,
    ) -> Result<Vec<Write>, IdentityError> {
        let user = &link.record.user;
        let state = self.state.as_ref();
        let before = load::<Credentials>(state, user_path(user, "credentials")?).await?;
        let known = load::<Known>(state, user_path(user, "known")?).await?;
        let here = known.value.clone().unwrap_or_default();
        let here = here.with(&source_of(remote), self.now());
        Ok(vec![
            link.stored.delete(),
            link.current.delete(),
            challenge,
            before.put(credentials, None)?,
            known.put(&here, None)?,
            forget_attempts(user)?,
        ])
    }

    fn new_credentials(
        &self,
        password: PasswordHash,
        device: Device,
        handle: Uuid,
    ) -> Result<(Credentials, Vec<RecoveryCode>), IdentityError> {
        let (recovery_codes, hashes) = self.new_recovery_codes()?;
        let credentials = Credentials {
            epoch: hex::encode(self.random::<16>()?),
            handle,
            password,
            password_changed: self.now(),
            devices: vec![device],
            recovery_codes: hashes,
        };
        Ok((credentials, recovery_codes))
    }

    /// A link that is good: known, not over, the latest of its user, who exists and is not locked.
    async fn link(&self, token: &str) -> Result<Link, IdentityError> {
        let hash = Bearer::parse(token).ok_or(Refusal::LinkGone)?.hash();
        let stored = load::<InviteRecord>(self.state.as_ref(), invite_path(&hash)?).await?;
        let record = stored.value.clone().ok_or(Refusal::LinkGone)?;
        let current = load::<CurrentInvite>(self.state.as_ref(), user_path(&record.user, "invite")?).await?;
        let is_current = current.value.as_ref().is_some_and(|current| current.hash == hash);
        if !is_current || record.expires <= self.now() {
            return Err(Refusal::LinkGone.into());
        }
        let person = self.people.person(&record.user).await?.ok_or(Refusal::LinkGone)?;
        if let Some(message) = self.people.lock_on(&person, None, self.now()) {
            return Err(Refusal::UserLocked { message }.into());
        }
        Ok(Link {
            hash,
            record,
            stored,
            current,
            person,
        })
    }
}

fn invite_path(hash: &BearerHash) -> Result<state::StateKey, IdentityError> {
    path(&format!("identity/invite/{hash}"))
}

fn enrolment_events(record: &InviteRecord, device: &Device, codes: usize) -> Vec<AuditEvent> {
    let account = record.user.to_string();
    let purpose = record.purpose.as_str().to_owned();
    vec![
        AuditEvent::InviteUsed {
            outcome: Outcome::Success,
            account: account.clone(),
            purpose: purpose.clone(),
        },
        AuditEvent::PasswordChanged {
            outcome: Outcome::Success,
            account: account.clone(),
            cause: purpose,
        },
        device.added_event(&record.user, Outcome::Success),
        AuditEvent::RecoveryCodesMade {
            account,
            count: codes as u64,
        },
    ]
}
