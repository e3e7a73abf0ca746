//! Sessions of the web: a bearer in a cookie, found by its hash, with an end by rest and an end for good.

use std::net::SocketAddr;

use audit::Actor;
use audit::AuditEvent;
use authn::Bearer;
use authn::BearerHash;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use state::Write;

use crate::IdentityError;
use crate::NewSession;
use crate::Refusal;
use crate::attempt::Proven;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::load;
use crate::documents::load_all;
use crate::documents::path;
use crate::identity::Identity;
use crate::identity::proven;
use crate::identity::source_of;
use crate::people::Person;
use crate::records::Credentials;
use crate::records::SessionPlace;
use crate::records::SessionRecord;
use crate::records::user_path;

/// The most sessions of a user at once; a new one ends the oldest.
const SESSIONS_MAX: usize = 32;
/// How stale the note of a session's last use may be.
const TOUCH: Ttl = Ttl::from_seconds(60);

/// A session in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What lists and the log call it.
    pub id: String,
    /// Whose, as of now.
    pub person: Person,
    /// The second factor it began with.
    pub device: String,
    /// When it began.
    pub created: UnixSeconds,
    /// When it ends at the latest.
    pub ends: UnixSeconds,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// What lists and the log call it.
    pub id: String,
    /// The network it began from.
    pub source: String,
    /// When it began.
    pub created: UnixSeconds,
    /// When it was last used, to the minute.
    pub used: UnixSeconds,
    /// When it ends at the latest.
    pub ends: UnixSeconds,
}

impl Identity {
    pub(crate) async fn begin_session(
        &self,
        proven_now: &Proven,
        remote: SocketAddr,
    ) -> Result<NewSession, IdentityError> {
        let Proven {
            person,
            device,
            epoch,
        } = proven_now;
        let now = self.now();
        let bearer = self.bearer()?;
        let longest = self.settings.session_longest.min(person.session_longest);
        let record = SessionRecord {
            id: hex::encode(self.random::<8>()?),
            user: person.user.clone(),
            epoch: epoch.clone(),
            device: device.clone(),
            source: source_of(remote),
            pinned_to: person.is_pinned.then(|| remote.ip().to_canonical()),
            created: now,
            used: now,
            ends: now.plus(longest),
        };
        let event = AuditEvent::WebSessionCreated {
            session: record.id.clone(),
            expires: record.ends,
        };
        self.record(&proven(&person.user, remote), event).await?;
        let state = self.state.as_ref();
        let hash = bearer.hash();
        let stored = load::<SessionRecord>(state, session_path(&hash)?).await?;
        let place = load::<SessionPlace>(state, place_path(&person.user, &record.id)?).await?;
        let mut writes = vec![
            stored.put(&record, Some(self.expiry(&record)))?,
            place.put(&SessionPlace { hash }, Some(record.ends))?,
        ];
        writes.extend(self.surplus(&person.user).await?);
        if !commit(state, writes).await? {
            return Err(Refusal::Conflict(person.user.clone()).into());
        }
        Ok(NewSession {
            bearer,
            id: record.id,
            ends: record.ends,
        })
    }

    /// What ends the oldest session of somebody who has as many as may be, and tidies places of sessions that ended.
    async fn surplus(&self, user: &UserName) -> Result<Vec<Write>, IdentityError> {
        let (live, mut writes) = self.live(user).await?;
        let surplus = live.len().saturating_add(1).saturating_sub(SESSIONS_MAX);
        for (place, session) in live.iter().take(surplus) {
            writes.push(place.delete());
            writes.push(session.delete());
        }
        // What does not fit into the commit is tidied the next time.
        writes.truncate(2 * SESSIONS_MAX);
        Ok(writes)
    }

    /// The sessions of a user, oldest first, and what tidies places of sessions that ended.
    async fn live(
        &self,
        user: &UserName,
    ) -> Result<(Vec<(Stored<SessionPlace>, Stored<SessionRecord>)>, Vec<Write>), IdentityError> {
        let mut live = Vec::new();
        let mut stale = Vec::new();
        for place in load_all::<SessionPlace>(self.state.as_ref(), &user_path(user, "session")?).await? {
            let Some(SessionPlace { hash }) = &place.value else {
                continue;
            };
            let session = load::<SessionRecord>(self.state.as_ref(), session_path(hash)?).await?;
            match &session.value {
                Some(_) => live.push((place, session)),
                None => stale.push(place.delete()),
            }
        }
        live.sort_by_key(|(_, session)| session.value.as_ref().map(|record| record.created));
        Ok((live, stale))
    }

    /// As [`Identity::session`], for a bearer that is shown from an address. A pinned session that is shown from another one ends: it was
    /// copied, or its user is elsewhere and logs in anew.
    ///
    /// # Errors
    /// As [`Identity::session`].
    pub async fn session_from(&self, bearer: &str, remote: SocketAddr) -> Result<Session, IdentityError> {
        let (stored, record) = self.session_record(bearer).await?;
        let address = remote.ip().to_canonical();
        if record.pinned_to.is_some_and(|pin| pin != address) {
            let place = place_path(&record.user, &record.id)?;
            let place = load::<SessionPlace>(self.state.as_ref(), place).await?;
            let actor = Actor::Claimed {
                user: record.user.to_string(),
                remote: remote.to_string(),
            };
            let writes = vec![stored.delete(), place.delete()];
            self.end(&actor, &record, writes, "other_address").await?;
            return Err(Refusal::SessionGone.into());
        }
        self.session(bearer).await
    }

    /// The session of a bearer, and that it was used. The user is as the directory knows it now.
    ///
    /// # Errors
    /// [`Refusal::SessionGone`] when it ended, its user's password changed, or the user is removed or locked.
    pub async fn session(&self, bearer: &str) -> Result<Session, IdentityError> {
        let (stored, record) = self.session_record(bearer).await?;
        let now = self.now();
        let key = user_path(&record.user, "credentials")?;
        let credentials = load::<Credentials>(self.state.as_ref(), key).await?.value;
        let is_of_epoch = credentials.is_some_and(|credentials| credentials.epoch == record.epoch);
        let person = self.people.person(&record.user).await?;
        let (Some(person), true) = (person, is_of_epoch) else {
            return Err(Refusal::SessionGone.into());
        };
        let lock = self.people.lock_on(&person, Some(&record.device), now);
        if lock.is_some() {
            return Err(Refusal::SessionGone.into());
        }
        if record.used.plus(TOUCH) <= now {
            let mut touched = record.clone();
            touched.used = now;
            let write = stored.put(&touched, Some(self.expiry(&touched)))?;
            // Of two requests at once one notes it.
            commit(self.state.as_ref(), vec![write]).await?;
        }
        Ok(Session {
            id: record.id,
            person,
            device: record.device,
            created: record.created,
            ends: record.ends,
        })
    }

    /// Ends the session of a bearer; one that ended is no error.
    ///
    /// # Errors
    /// When the state or the ledger does not answer.
    pub async fn session_end(&self, actor: &Actor, bearer: &str) -> Result<(), IdentityError> {
        let (stored, record) = match self.session_record(bearer).await {
            Ok(found) => found,
            Err(IdentityError::Refused(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let place = load::<SessionPlace>(self.state.as_ref(), place_path(&record.user, &record.id)?).await?;
        self.end(actor, &record, vec![stored.delete(), place.delete()], "asked")
            .await
    }

    /// A user's sessions, oldest first.
    ///
    /// # Errors
    /// When the state does not answer.
    pub async fn sessions(&self, user: &UserName) -> Result<Vec<SessionView>, IdentityError> {
        let (live, _) = self.live(user).await?;
        let view = |record: SessionRecord| SessionView {
            id: record.id,
            source: record.source.as_str().to_owned(),
            created: record.created,
            used: record.used,
            ends: record.ends,
        };
        let records = live.into_iter().filter_map(|(_, session)| session.value);
        Ok(records.map(view).collect())
    }

    /// Ends one of a user's sessions by what lists call it.
    ///
    /// # Errors
    /// [`Refusal::SessionGone`] when the user has none such.
    pub async fn session_end_by_id(
        &self,
        actor: &Actor,
        user: &UserName,
        id: &str,
        reason: &str,
    ) -> Result<(), IdentityError> {
        let (live, _) = self.live(user).await?;
        for (place, session) in live {
            if let Some(record) = session.value.clone().filter(|record| record.id == id) {
                let writes = vec![session.delete(), place.delete()];
                return self.end(actor, &record, writes, reason).await;
            }
        }
        Err(Refusal::SessionGone.into())
    }

    async fn end(
        &self,
        actor: &Actor,
        record: &SessionRecord,
        writes: Vec<Write>,
        reason: &str,
    ) -> Result<(), IdentityError> {
        let event = AuditEvent::WebSessionEnded {
            account: record.user.to_string(),
            session: record.id.clone(),
            reason: reason.to_owned(),
        };
        self.record(actor, event).await?;
        let unconditional = writes.into_iter().map(|write| Write {
            expect: state::Expect::Anything,
            ..write
        });
        commit(self.state.as_ref(), unconditional.collect()).await?;
        Ok(())
    }

    /// What keeps a session through a change of the password: its epoch becomes the new one.
    pub(crate) async fn carried_over(
        &self,
        bearer: &Bearer,
        user: &UserName,
        before: &str,
        after: &str,
    ) -> Result<Option<Write>, IdentityError> {
        let stored = load::<SessionRecord>(self.state.as_ref(), session_path(&bearer.hash())?).await?;
        let record = stored.value.clone();
        let Some(mut record) = record.filter(|record| record.user == *user && record.epoch == before) else {
            return Ok(None);
        };
        record.epoch = after.to_owned();
        let expires = self.expiry(&record);
        stored.put(&record, Some(expires)).map(Some)
    }

    /// A session that has not ended by time.
    async fn session_record(
        &self,
        bearer: &str,
    ) -> Result<(Stored<SessionRecord>, SessionRecord), IdentityError> {
        let hash = Bearer::parse(bearer).ok_or(Refusal::SessionGone)?.hash();
        let stored = load::<SessionRecord>(self.state.as_ref(), session_path(&hash)?).await?;
        let record = stored.value.clone().ok_or(Refusal::SessionGone)?;
        if self.expiry(&record) <= self.now() {
            return Err(Refusal::SessionGone.into());
        }
        Ok((stored, record))
    }

    fn expiry(&self, record: &SessionRecord) -> UnixSeconds {
        record.used.plus(self.settings.session_idle).min(record.ends)
    }
}

fn session_path(hash: &BearerHash) -> Result<state::StateKey, IdentityError> {
    path(&format!("identity/session/{hash}"))
}

fn place_path(user: &UserName, id: &str) -> Result<state::StateKey, IdentityError> {
    user_path(user, &format!("session/{id}"))
}
