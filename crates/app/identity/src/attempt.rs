//! One attempt to prove who one is: entered before it is looked at, looked at with the same work whoever it is, settled after.

use std::net::SocketAddr;

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authn::Attempts;
use authn::Password;
use authn::PasswordHash;
use names::UserName;
use webauthn_rs::prelude::SecurityKeyAuthentication;

use crate::Factor;
use crate::IdentityError;
use crate::PrivilegedAct;
use crate::Refusal;
use crate::SessionPlace;
use crate::documents::Stored;
use crate::documents::find;
use crate::documents::load;
use crate::documents::path;
use crate::factor::Accepted;
use crate::identity::Claim;
use crate::identity::Identity;
use crate::identity::source_of;
use crate::people::Person;
use crate::records::Ceremony;
use crate::records::Challenge;
use crate::records::Credentials;
use crate::records::Known;
use crate::records::user_path;
use crate::settle::Entered;
use crate::settle::Right;
use crate::settle::attempts_key;

/// What somebody offers as proof.
pub(crate) struct Offered<'a> {
    /// The question that is answered, where one was asked.
    pub(crate) challenge: Option<&'a str>,
    pub(crate) user: &'a str,
    pub(crate) knowledge: Knowledge,
    pub(crate) factor: Factor,
    pub(crate) remote: SocketAddr,
}

/// What is shown besides the second factor.
pub(crate) enum Knowledge {
    /// The password.
    Password(Password),
    /// A certificate, which a password was given for: whoever asks has shown it, and to have its key.
    Certificate,
}

/// What the attempt is for: how the log tells of it.
#[derive(Clone, Copy)]
pub(crate) enum Attempted<'a> {
    Login {
        client: &'static str,
    },
    Reauthentication {
        act: PrivilegedAct,
    },
    /// Of a log-in of the command line, in a browser.
    Approval,
    Session(&'a SessionPlace),
}

impl Attempted<'_> {
    pub(crate) fn event(self, outcome: Outcome, method: &str, device: Option<String>) -> AuditEvent {
        let method = method.to_owned();
        match self {
            Self::Login { client } => AuditEvent::UserLogin {
                outcome,
                method,
                client: client.to_owned(),
                device,
            },
            Self::Reauthentication { act } => AuditEvent::Reauthenticated {
                outcome,
                purpose: act.as_str().to_owned(),
                method,
            },
            Self::Approval => AuditEvent::Reauthenticated {
                outcome,
                purpose: "approve_log_in".to_owned(),
                method,
            },
            Self::Session(place) => AuditEvent::SessionProven {
                outcome,
                method,
                device,
                login: place.login.to_string(),
                server_id: place.host_id.clone(),
                server_hostname: place.hostname.clone(),
            },
        }
    }
}

/// Somebody who proved who they are.
pub(crate) struct Proven {
    pub(crate) person: Person,
    /// The second factor.
    pub(crate) device: String,
    /// The epoch of the credentials.
    pub(crate) epoch: String,
}

/// All that is read of a user before the attempt is looked at. Nothing of the store is needed after that but to settle it.
pub(crate) struct Facts {
    person: Option<Person>,
    pub(crate) credentials: Stored<Credentials>,
    pub(crate) known: Stored<Known>,
    /// The attempts of who it claims to be.
    pub(crate) attempts: Stored<Attempts>,
}

/// What the work showed.
struct Looked {
    is_password: bool,
    accepted: Option<Accepted>,
    password: Option<Password>,
}

/// Why an attempt is none that is right.
enum Wrong {
    /// It is told to nobody but the log.
    Guess(&'static str),
    /// Password and second factor are right, and a lock is on the user or the second factor: who proved that much is told the lock's words,
    /// and the attempt does not count as a guess.
    Locked(String),
}

/// What the log says of one that is locked.
const LOCKED: &str = "locked by an operator";

fn claimed(claim: &Claim, remote: SocketAddr) -> Actor {
    Actor::Claimed {
        user: claim.shown(),
        remote: remote.to_string(),
    }
}

impl Identity {
    /// Looks at an attempt. Success has been recorded and settled when this returns; what it is for comes after.
    pub(crate) async fn attempt(
        &self,
        offered: Offered<'_>,
        attempted: Attempted<'_>,
    ) -> Result<Proven, IdentityError> {
        let claim = Claim::new(offered.user);
        let question = self.question(&offered, &claim).await?;
        let asked = question.as_ref().and_then(|question| question.value.as_ref());
        let webauthn = match asked.map(|challenge| &challenge.ceremony) {
            Some(Ceremony::Authentication { webauthn }) => webauthn.clone(),
            Some(Ceremony::TotpRegistration { .. } | Ceremony::WebauthnRegistration { .. }) => {
                return Err(Refusal::ChallengeGone.into());
            }
            None => None,
        };
        let facts = self.facts(&claim).await?;
        let source = source_of(offered.remote);
        let entered = self.enter(&claim, &facts, source, question.as_ref()).await?;
        let done = self
            .look_and_settle(&claim, &entered, facts, offered, attempted, webauthn.as_deref())
            .await;
        match done {
            Ok(Some(proven)) => Ok(proven),
            Ok(None) => Err(Refusal::InvalidCredentials.into()),
            Err(error) => {
                // Nobody could look, or say what was seen: it does not count.
                self.withdraw(&entered).await;
                Err(error)
            }
        }
    }

    async fn look_and_settle(
        &self,
        claim: &Claim,
        entered: &Entered,
        facts: Facts,
        offered: Offered<'_>,
        attempted: Attempted<'_>,
        webauthn: Option<&SecurityKeyAuthentication>,
    ) -> Result<Option<Proven>, IdentityError> {
        let Offered {
            challenge: _,
            user: _,
            knowledge,
            factor,
            remote,
        } = offered;
        let method = match &knowledge {
            Knowledge::Password(_) => factor.method(),
            Knowledge::Certificate => factor.method_alone(),
        };
        let looked = self.look(claim, &facts, knowledge, &factor, webauthn).await?;
        let password = looked.password;
        match self.verdict(&facts, entered, looked.is_password, looked.accepted) {
            Ok((person, accepted)) => {
                let right = Right {
                    person,
                    accepted,
                    rehashed: self.rehashed(&facts, password).await,
                    method,
                    remote,
                };
                self.settle_right(entered, facts, right, attempted).await
            }
            Err(Wrong::Guess(cause)) => {
                let actor = claimed(claim, remote);
                let event = attempted.event(Outcome::Failure(cause.to_owned()), method, None);
                self.settle_wrong(entered, &actor, event).await.map(|()| None)
            }
            Err(Wrong::Locked(message)) => {
                let event = attempted.event(Outcome::Failure(LOCKED.to_owned()), method, None);
                self.record(&claimed(claim, remote), event).await?;
                Err(Refusal::UserLocked { message }.into())
            }
        }
    }

    /// The question that is answered. Keys answer one; what a person types needs none, for it is good once by itself.
    async fn question(
        &self,
        offered: &Offered<'_>,
        claim: &Claim,
    ) -> Result<Option<Stored<Challenge>>, IdentityError> {
        match (offered.challenge, &offered.factor) {
            (Some(id), _) => self.challenge(id, claim).await.map(Some),
            (None, Factor::Totp(_) | Factor::RecoveryCode(_)) => Ok(None),
            (None, Factor::Webauthn(_)) => Err(Refusal::ChallengeGone.into()),
        }
    }

    /// A challenge of this claim that has not ended.
    pub(crate) async fn challenge(
        &self,
        id: &str,
        claim: &Claim,
    ) -> Result<Stored<Challenge>, IdentityError> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Err(Refusal::ChallengeGone.into());
        }
        let key = path(&format!("identity/challenge/{id}"))?;
        let stored = load::<Challenge>(self.state.as_ref(), key).await?;
        let is_good =
            |challenge: &Challenge| challenge.claim == claim.segment && challenge.expires > self.now();
        if stored.value.as_ref().is_some_and(is_good) {
            Ok(stored)
        } else {
            Err(Refusal::ChallengeGone.into())
        }
    }

    /// Everything that is read of a user, known or not.
    async fn facts(&self, claim: &Claim) -> Result<Facts, IdentityError> {
        // For what cannot be a name, the same documents are looked for where none is.
        let (credentials, known) = match &claim.user {
            Some(user) => (user_path(user, "credentials")?, user_path(user, "known")?),
            None => (
                path("identity/nobody/credentials")?,
                path("identity/nobody/known")?,
            ),
        };
        let person = match &claim.user {
            Some(user) => self.people.person(user).await?,
            None => None,
        };
        let [credentials, known, attempts] =
            find(self.state.as_ref(), [credentials, known, attempts_key(claim)?]).await?;
        Ok(Facts {
            person,
            credentials: credentials.read()?,
            known: known.read()?,
            attempts: attempts.read()?,
        })
    }

    /// The work: a password's hash and a second factor, whoever it is.
    async fn look(
        &self,
        claim: &Claim,
        facts: &Facts,
        knowledge: Knowledge,
        factor: &Factor,
        webauthn: Option<&SecurityKeyAuthentication>,
    ) -> Result<Looked, IdentityError> {
        let credentials = facts.credentials.value.as_ref();
        let (is_right, password) = match knowledge {
            Knowledge::Password(password) => {
                let hash = credentials.map_or_else(PasswordHash::of_nobody, |credentials| {
                    credentials.password.clone()
                });
                let (is_right, password) = self.hashing.verify(hash, password).await?;
                (is_right, Some(password))
            }
            Knowledge::Certificate => (true, None),
        };
        let of: Option<(&UserName, &Credentials)> = claim.user.as_ref().zip(credentials);
        Ok(Looked {
            is_password: is_right && of.is_some(),
            accepted: self.check_factor(of, factor, webauthn)?,
            password,
        })
    }

    /// What follows; for the log, why not.
    fn verdict(
        &self,
        facts: &Facts,
        entered: &Entered,
        is_password: bool,
        accepted: Option<Accepted>,
    ) -> Result<(Person, Accepted), Wrong> {
        let person = facts.person.clone().ok_or(Wrong::Guess("unknown user"))?;
        if facts.credentials.value.is_none() {
            return Err(Wrong::Guess("the user has not signed up"));
        }
        if !entered.is_admitted {
            return Err(Wrong::Guess("locked out after too many failures"));
        }
        if !is_password {
            return Err(Wrong::Guess("wrong password"));
        }
        let accepted = accepted.ok_or(Wrong::Guess("wrong second factor"))?;
        let now = self.now();
        match self.people.lock_on(&person, Some(accepted.device()), now) {
            Some(message) => Err(Wrong::Locked(message)),
            None => Ok((person, accepted)),
        }
    }

    /// The password's hash with today's parameters, when it was made with others.
    async fn rehashed(&self, facts: &Facts, password: Option<Password>) -> Option<PasswordHash> {
        let password = password?;
        let credentials = facts.credentials.value.as_ref()?;
        if !credentials.password.is_outdated() {
            return None;
        }
        let salt = self.random().ok()?;
        self.hashing.hash(password, salt).await.ok()
    }
}
