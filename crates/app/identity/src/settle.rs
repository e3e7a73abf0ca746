//! Entering an attempt before it is looked at, and settling it afterwards, by compare-and-swap.

use std::net::SocketAddr;

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authn::Admission;
use authn::AttemptId;
use authn::Attempts;
use authn::LockedOut;
use authn::LockoutPolicy;
use authn::PasswordHash;
use authn::Scope;
use authn::Source;
use names::UnixSeconds;
use names::UserName;
use state::Change;
use state::Expect;
use state::StateKey;
use state::Write;

use crate::IdentityError;
use crate::Refusal;
use crate::attempt::Attempted;
use crate::attempt::Facts;
use crate::attempt::Proven;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::committed;
use crate::documents::load;
use crate::documents::path;
use crate::factor::Accepted;
use crate::identity::Claim;
use crate::identity::Identity;
use crate::identity::proven;
use crate::people::Person;
use crate::records::Challenge;

/// How often a race for the same document is run again.
const RACES_MAX: usize = 20;

/// An attempt under way.
pub(crate) struct Entered {
    policy: LockoutPolicy,
    /// The attempts of who it claims to be, with this one.
    attempts: Stored<Attempts>,
    /// What the log calls who it claims to be.
    account: String,
    id: AttemptId,
    source: Source,
    is_known: bool,
    /// Whether it is listened to; one that is not gets the same work and the same answer as a wrong one.
    pub(crate) is_admitted: bool,
}

/// An attempt that was right.
pub(crate) struct Right {
    pub(crate) person: Person,
    pub(crate) accepted: Accepted,
    pub(crate) rehashed: Option<PasswordHash>,
    pub(crate) method: &'static str,
    pub(crate) remote: SocketAddr,
}

impl Entered {
    fn write(
        &self,
        stored: &Stored<Attempts>,
        after: &Attempts,
        now: UnixSeconds,
    ) -> Result<Write, IdentityError> {
        if after.is_empty() && stored.value.is_some() {
            return Ok(stored.delete());
        }
        let policy = &self.policy;
        // Nothing in it matters after the longest of all, a minute for attempts under way included.
        let expires = now
            .plus(policy.period.max(policy.lock))
            .plus(names::Ttl::from_seconds(60));
        stored.put(after, Some(expires))
    }
}

impl Identity {
    /// Enters the attempt and uses up the question that it answers, in one commit.
    pub(crate) async fn enter(
        &self,
        claim: &Claim,
        facts: &Facts,
        source: Source,
        question: Option<&Stored<Challenge>>,
    ) -> Result<Entered, IdentityError> {
        let now = self.now();
        let known = facts.known.value.as_ref();
        let mut entered = Entered {
            policy: self.people.preference().lockout,
            attempts: facts.attempts.clone(),
            account: claim.shown(),
            id: AttemptId::from_random(self.random()?),
            is_known: known.is_some_and(|known| known.has(&source, now)),
            source,
            is_admitted: false,
        };
        for _ in 0..RACES_MAX {
            let (policy, source) = (&entered.policy, &entered.source);
            let attempts = entered.attempts.value.clone().unwrap_or_default();
            let is_admitted = match attempts.admission(policy, source, entered.is_known, now) {
                Admission::Admitted => true,
                Admission::Locked { .. } => false,
                Admission::Busy => return Err(Refusal::Busy.into()),
            };
            let after = if is_admitted {
                attempts.entered(policy, source, entered.is_known, entered.id.clone(), now)
            } else {
                attempts
            };
            // Attempts that are refused write as well: they take as long as others.
            let mut writes = vec![entered.write(&entered.attempts, &after, now)?];
            writes.extend(question.map(Stored::delete));
            if let Some(revision) = committed(self.state.as_ref(), writes).await? {
                let after = Some(after).filter(|after| !after.is_empty());
                entered.attempts = entered.attempts.after(after, revision);
                entered.is_admitted = is_admitted;
                return Ok(entered);
            }
            if let Some(question) = question {
                let again = load::<Challenge>(self.state.as_ref(), question.key.clone()).await?;
                if again.expect() != question.expect() {
                    return Err(Refusal::ChallengeGone.into());
                }
            }
            entered.attempts = self.attempts_now(&entered).await?;
        }
        Err(Refusal::Busy.into())
    }

    /// Records the success, and settles it together with what it used up, in one commit. `None`: somebody was first.
    pub(crate) async fn settle_right(
        &self,
        entered: &Entered,
        mut facts: Facts,
        right: Right,
        attempted: Attempted<'_>,
    ) -> Result<Option<Proven>, IdentityError> {
        let Right {
            person,
            accepted,
            rehashed,
            method,
            remote,
        } = right;
        let now = self.now();
        let actor = proven(&person.user, remote);
        let device = accepted.device().to_owned();
        let mut epoch = None;
        let mut events = vec![attempted.event(Outcome::Success, method, Some(device.clone()))];
        if let Some(credentials) = &facts.credentials.value {
            events.extend(accepted.event(&person.user, credentials));
            epoch = Some(credentials.epoch.clone());
        }
        self.record_all(&actor, events).await?;
        // As it was entered: nobody else wrote there since, mostly.
        let mut stored = entered.attempts.clone();
        for _ in 0..RACES_MAX {
            // Whoever changed the credentials or used the same code since they were read was first.
            let current = facts.credentials.value.clone();
            let current = current.filter(|current| Some(&current.epoch) == epoch.as_ref());
            let Some(mut after) = current.and_then(|current| accepted.applied_to(current, now)) else {
                break;
            };
            if let Some(hash) = &rehashed {
                after.password = hash.clone();
            }
            let attempts = stored.value.clone().unwrap_or_default();
            let attempts = attempts.succeeded(&entered.policy, &entered.source, &entered.id, now);
            let known = facts.known.value.clone().unwrap_or_default();
            let writes = vec![
                facts.credentials.put(&after, None)?,
                facts.known.put(&known.with(&entered.source, now), None)?,
                entered.write(&stored, &attempts, now)?,
            ];
            if commit(self.state.as_ref(), writes).await? {
                let epoch = after.epoch;
                return Ok(Some(Proven {
                    person,
                    device,
                    epoch,
                }));
            }
            facts.credentials = load(self.state.as_ref(), facts.credentials.key.clone()).await?;
            facts.known = load(self.state.as_ref(), facts.known.key.clone()).await?;
            stored = self.attempts_now(entered).await?;
        }
        let cause = "the second factor was used, or the credentials changed, at the same moment";
        let event = attempted.event(Outcome::Failure(cause.to_owned()), method, Some(device));
        self.settle_wrong(entered, &actor, event).await?;
        Ok(None)
    }

    /// Records the failure, then counts it.
    pub(crate) async fn settle_wrong(
        &self,
        entered: &Entered,
        actor: &Actor,
        event: AuditEvent,
    ) -> Result<(), IdentityError> {
        self.record(actor, event).await?;
        let mut told: Vec<Scope> = Vec::new();
        let mut stored = entered.attempts.clone();
        for _ in 0..RACES_MAX {
            let now = self.now();
            let attempts = stored.value.clone().unwrap_or_default();
            let (after, begun) = if entered.is_admitted {
                attempts.failed(
                    &entered.policy,
                    &entered.source,
                    entered.is_known,
                    &entered.id,
                    now,
                )
            } else {
                // One that was not listened to writes as well, and changes nothing.
                (attempts, Vec::new())
            };
            for lock in begun {
                if !told.contains(&lock.scope) {
                    self.record(actor, lockout_event(entered, &lock)).await?;
                    told.push(lock.scope);
                }
            }
            if commit(self.state.as_ref(), vec![entered.write(&stored, &after, now)?]).await? {
                return Ok(());
            }
            stored = self.attempts_now(entered).await?;
        }
        Err(Refusal::Busy.into())
    }

    /// The attempts of who is claimed to be, as they are now.
    async fn attempts_now(&self, entered: &Entered) -> Result<Stored<Attempts>, IdentityError> {
        load(self.state.as_ref(), entered.attempts.key.clone()).await
    }

    /// Takes the attempt back, as well as can be: one that stays entered lapses by itself.
    pub(crate) async fn withdraw(&self, entered: &Entered) {
        for _ in 0..RACES_MAX {
            match self.try_withdraw(entered).await {
                Ok(false) => {}
                Ok(true) | Err(_) => return,
            }
        }
    }

    async fn try_withdraw(&self, entered: &Entered) -> Result<bool, IdentityError> {
        let now = self.now();
        let stored = self.attempts_now(entered).await?;
        let Some(attempts) = stored.value.clone() else {
            return Ok(true);
        };
        let after = attempts.withdrawn(&entered.policy, &entered.source, &entered.id, now);
        commit(self.state.as_ref(), vec![entered.write(&stored, &after, now)?]).await
    }

    /// Until when attempts of a user are not listened to, wherever they come from; `None` when they are.
    pub(crate) async fn locked_until(&self, user: &UserName) -> Result<Option<UnixSeconds>, IdentityError> {
        let key = attempts_key(&Claim::new(user.as_str()))?;
        let stored = load::<Attempts>(self.state.as_ref(), key).await?;
        let now = self.now();
        Ok(stored.value.and_then(|attempts| attempts.locked_until(now)))
    }
}

pub(crate) fn attempts_key(claim: &Claim) -> Result<StateKey, IdentityError> {
    path(&format!("identity/attempts/{}", claim.segment))
}

/// What forgets the failures of a user.
pub(crate) fn forget_attempts(user: &UserName) -> Result<Write, IdentityError> {
    Ok(Write {
        key: attempts_key(&Claim::new(user.as_str()))?,
        expect: Expect::Anything,
        change: Change::Delete,
    })
}

fn lockout_event(entered: &Entered, lock: &LockedOut) -> AuditEvent {
    let (source, failures) = match &lock.scope {
        Scope::Source(source) => (source.as_str().to_owned(), entered.policy.attempts),
        Scope::Strangers => ("addresses never seen before".to_owned(), entered.policy.ceiling),
    };
    AuditEvent::LoginLocked {
        account: entered.account.clone(),
        source,
        failures: failures as u64,
        until: lock.until,
    }
}
