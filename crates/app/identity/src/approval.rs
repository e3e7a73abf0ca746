//! What a program on the command line asks for, and somebody approves in a browser, where every kind of second factor works.
//!
//! A program asks, and gets an id, a secret and a short code. Whoever opens the id's page, logged in, sees what is asked for and from
//! where, and approves by typing the code that the program shows and by proving anew who they are. The program, which alone has the
//! secret, collects what was approved, once. It is made when it is collected, so that a lock, a new password or a removed second factor
//! in between counts.
//!
//! Two things are asked for in this way: to be logged in ([`Identity::browser_login_begin`]), and a proof of who one is
//! ([`Identity::browser_proof_begin`]).

use std::net::IpAddr;
use std::net::SocketAddr;

use audit::Actor;
use audit::Outcome;
use authn::Bearer;
use authn::Password;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;

use crate::Factor;
use crate::IdentityError;
use crate::ProofPurpose;
use crate::Refusal;
use crate::approval_code::code;
use crate::approval_code::is_code;
use crate::approval_record::Approved;
use crate::approval_record::Decision;
use crate::approval_record::Record;
use crate::approval_record::Wanted;
use crate::attempt::Knowledge;
use crate::attempt::Offered;
use crate::certificates::asked_ttl;
use crate::documents::Stored;
use crate::documents::commit;
use crate::identity::Identity;
use crate::identity::proven;
use crate::login::CHALLENGE_TTL;
use crate::people::Person;
use crate::waiting;

/// How often a race for the same request is run again.
const RACES_MAX: usize = 20;
/// How long what was approved at the last moment may be collected.
const COLLECT_TTL: Ttl = Ttl::from_seconds(60);
/// So many wrong codes end a request.
const WRONG_CODES_MAX: u32 = 3;
/// How the log calls what was approved in a browser, once it is collected.
pub(crate) const METHOD: &str = "browser";

/// What was approved, and has been collected by this.
pub(crate) struct Collected {
    pub(crate) wanted: Wanted,
    pub(crate) by: Approved,
    /// Where the program asked from, as the page showed it.
    pub(crate) remote: SocketAddr,
}

/// What a program that asked waits with.
pub struct ApprovalBegun {
    /// Names the request, 32 hexadecimal digits; part of the page's address.
    pub id: String,
    /// What collects it. Shown once, to the program alone.
    pub secret: Bearer,
    /// What the program shows and the page asks for, such as `BCDF-GHJK`.
    pub code: String,
    /// When it ends.
    pub expires: UnixSeconds,
}

/// A request as its page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalView {
    /// What the program gets.
    pub gives: ApprovalGives,
    /// Where the program asked from.
    pub from: IpAddr,
    /// Where whoever looks is.
    pub looked_from: IpAddr,
    /// Whether these are two places (of IPv6, two /64): then an approval has to say that this is known.
    pub is_elsewhere: bool,
    /// When it asked.
    pub asked: UnixSeconds,
    /// When the request ends.
    pub expires: UnixSeconds,
}

/// What an approval gives a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalGives {
    /// It is logged in as whoever approves, by certificates that are good for so long.
    LogIn {
        /// For how long.
        ttl: Ttl,
    },
    /// A proof of who asks.
    Proof(ProofPurpose),
}

/// An approval: of what, who, with what proof.
pub struct Approval<'a> {
    /// The id of the request.
    pub id: &'a str,
    /// What the program shows, as it was typed.
    pub code: &'a str,
    /// Whether whoever approves says that they know that the program asked from elsewhere.
    pub is_elsewhere_known: bool,
    /// The id of the question that the proof answers ([`Identity::login_begin`]).
    pub challenge: &'a str,
    /// Who approves, from the session.
    pub user: &'a UserName,
    /// The password.
    pub password: Password,
    /// The second factor.
    pub factor: Factor,
    /// Where the approval came from.
    pub remote: SocketAddr,
}

impl Identity {
    /// Writes down that a program waits. Log-ins and proofs are counted apart: strangers, who may ask for the former, take no room from
    /// those who are logged in.
    pub(crate) async fn wait_for_approval(
        &self,
        wanted: Wanted,
        remote: SocketAddr,
    ) -> Result<ApprovalBegun, IdentityError> {
        let waiting = self.waiting_like(&wanted).await?;
        if !waiting::may_wait(&waiting, &wanted.waiter(remote)) {
            return Err(Refusal::Busy.into());
        }
        let now = self.now();
        let secret = self.bearer()?;
        let record = Record {
            secret: secret.hash(),
            code: code(self.random::<32>()?)?,
            wanted,
            remote,
            asked: now,
            expires: now.plus(CHALLENGE_TTL),
            wrong_codes: 0,
            decision: Decision::Open,
        };
        let id = hex::encode(self.random::<16>()?);
        self.keep_request(&id, &record).await?;
        Ok(ApprovalBegun {
            id,
            secret,
            code: record.code,
            expires: record.expires,
        })
    }

    /// What somebody who is logged in sees of a request that waits for their decision.
    ///
    /// # Errors
    /// [`Refusal::ChallengeGone`] when it is unknown, decided or too old, [`Refusal::ApprovalOfAnother`] when somebody else is to decide,
    /// [`Refusal::BrowserLoginOff`] when the cluster has none of these.
    pub async fn approval_look(
        &self,
        person: &Person,
        id: &str,
        remote: SocketAddr,
    ) -> Result<ApprovalView, IdentityError> {
        let (_, record) = self.open_request_of(id, &person.user).await?;
        let is_elsewhere = record.is_elsewhere(remote);
        Ok(ApprovalView {
            gives: match record.wanted {
                Wanted::LogIn { ttl, .. } => ApprovalGives::LogIn {
                    ttl: asked_ttl(ttl, person.session_longest)?,
                },
                Wanted::Proof { purpose, .. } => ApprovalGives::Proof(purpose),
            },
            from: record.remote.ip().to_canonical(),
            looked_from: remote.ip().to_canonical(),
            is_elsewhere,
            asked: record.asked,
            expires: record.expires,
        })
    }

    /// Gives the program what it asks for, as whoever approves. Failures count as those of log-ins do.
    ///
    /// # Errors
    /// As [`Identity::reauthenticate`] and [`Identity::approval_look`]; [`Refusal::ApprovalFromElsewhere`] when nobody says that the
    /// program's address is known, [`Refusal::WrongApprovalCode`] when the code is another one, [`Refusal::ApprovalVoid`] when that was
    /// the last try, and [`Refusal::FactorNotAllowed`] for a recovery code where it is about a session on a host.
    pub async fn approve(&self, approval: Approval<'_>) -> Result<(), IdentityError> {
        let Approval {
            id,
            code,
            is_elsewhere_known,
            challenge,
            user,
            password,
            factor,
            remote,
        } = approval;
        let (stored, mut record) = self.open_request_of(id, user).await?;
        if record.is_elsewhere(remote) && !is_elsewhere_known {
            return Err(Refusal::ApprovalFromElsewhere.into());
        }
        if !is_code(&record.code, code) {
            return Err(self.count_wrong_code(id, user, remote).await?.into());
        }
        if let Wanted::Proof { purpose, .. } = &record.wanted {
            purpose.takes(&factor)?;
        }
        let offered = Offered {
            challenge: Some(challenge),
            user: user.as_str(),
            knowledge: Knowledge::Password(password),
            factor,
            remote,
        };
        let proven_now = self.attempt(offered, record.wanted.attempted()).await?;
        let actor = proven(user, remote);
        self.record(&actor, record.decided(Outcome::Success)).await?;
        record.decision = Decision::Approved(Approved {
            user: proven_now.person.user,
            epoch: proven_now.epoch,
            device: proven_now.device,
            moment: self.now(),
        });
        record.expires = record.expires.max(self.now().plus(COLLECT_TTL));
        self.decide(&stored, &record, &actor).await
    }

    /// Records a wrong code, then counts it. The last one ends the request. An approval with the right one loses against it, for it
    /// was looked at before this was counted.
    async fn count_wrong_code(
        &self,
        id: &str,
        user: &UserName,
        remote: SocketAddr,
    ) -> Result<Refusal, IdentityError> {
        let (mut stored, mut record) = self.open_request_of(id, user).await?;
        let failure = Outcome::Failure("a wrong code was typed".to_owned());
        self.record(&proven(user, remote), record.decided(failure))
            .await?;
        for _ in 0..RACES_MAX {
            record.wrong_codes += 1;
            let left = WRONG_CODES_MAX.saturating_sub(record.wrong_codes);
            if left == 0 {
                record.decision = Decision::Refused;
            }
            let write = stored.put(&record, Some(record.expires))?;
            if commit(self.state.as_ref(), vec![write]).await? {
                return Ok(match left {
                    0 => Refusal::ApprovalVoid,
                    left => Refusal::WrongApprovalCode { left },
                });
            }
            (stored, record) = self.open_request_of(id, user).await?;
        }
        Err(Refusal::Busy.into())
    }

    /// Turns the program away.
    ///
    /// # Errors
    /// As [`Identity::approval_look`].
    pub async fn approval_refuse(
        &self,
        id: &str,
        user: &UserName,
        remote: SocketAddr,
    ) -> Result<(), IdentityError> {
        let (stored, mut record) = self.open_request_of(id, user).await?;
        let event = record.decided(Outcome::Failure("refused by whoever was asked".to_owned()));
        let actor = proven(user, remote);
        self.record(&actor, event).await?;
        record.decision = Decision::Refused;
        self.decide(&stored, &record, &actor).await
    }

    /// Settles what was recorded, unless somebody was first; then that is recorded, too.
    async fn decide(
        &self,
        stored: &Stored<Record>,
        record: &Record,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let write = stored.put(record, Some(record.expires))?;
        if commit(self.state.as_ref(), vec![write]).await? {
            return Ok(());
        }
        let cause = "decided, ended or mistyped at the same moment: this decision does not count";
        self.record(actor, record.decided(Outcome::Failure(cause.to_owned())))
            .await?;
        Err(Refusal::ChallengeGone.into())
    }

    /// Whether somebody has decided, for whoever has the secret. Changes nothing.
    ///
    /// # Errors
    /// [`Refusal::ChallengeGone`] when the request is unknown, collected or too old, or the secret is another one.
    pub async fn approval_is_decided(&self, id: &str, secret: &str) -> Result<bool, IdentityError> {
        let (_, record) = self.request_with(id, secret).await?;
        Ok(record.decision != Decision::Open)
    }

    /// Takes what was approved, once; nothing while nobody has decided. A request that is not the caller's is gone for them, and stays.
    pub(crate) async fn collect(
        &self,
        id: &str,
        secret: &str,
        is_callers: impl Fn(&Wanted) -> bool + Send,
    ) -> Result<Option<Collected>, IdentityError> {
        let (stored, record) = self.request_with(id, secret).await?;
        if !is_callers(&record.wanted) {
            return Err(Refusal::ChallengeGone.into());
        }
        let by = match record.decision {
            Decision::Open => return Ok(None),
            Decision::Refused => {
                self.used_up(&stored).await?;
                return Err(Refusal::ApprovalRefused.into());
            }
            Decision::Approved(by) => by,
        };
        // Of two that collect at once one gets something.
        self.used_up(&stored).await?;
        Ok(Some(Collected {
            wanted: record.wanted,
            by,
            remote: record.remote,
        }))
    }
}
