//! A program that waits for an approval, as it is stored and found.

use std::net::SocketAddr;

use audit::AuditEvent;
use audit::Outcome;
use authn::Bearer;
use authn::BearerHash;
use key::PublicKey;
use key::SpkiSha256;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use serde::Deserialize;
use serde::Serialize;
use state::StateKey;

use crate::IdentityError;
use crate::ProofPurpose;
use crate::Refusal;
use crate::attempt::Attempted;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::load;
use crate::documents::load_all;
use crate::documents::path;
use crate::identity::Identity;
use crate::identity::source_of;
use crate::waiting::Waiter;

/// Where requests lie, each under its id.
const FOLDER: &str = "identity/approval";

/// `identity/approval/<id>`: a program that waits.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// What the program shows to collect.
    pub(crate) secret: BearerHash,
    pub(crate) code: String,
    pub(crate) wanted: Wanted,
    pub(crate) remote: SocketAddr,
    pub(crate) asked: UnixSeconds,
    pub(crate) expires: UnixSeconds,
    /// How many were typed.
    #[serde(default)]
    pub(crate) wrong_codes: u32,
    pub(crate) decision: Decision,
}

/// What the program asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wanted", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Wanted {
    LogIn {
        /// Who is to log in, where the program said so.
        user: Option<UserName>,
        /// A line as in `authorized_keys`.
        ssh: String,
        tls: PublicKey,
        ttl: Option<Ttl>,
    },
    Proof {
        /// Whose, by the certificate that was shown.
        user: UserName,
        /// The key of that certificate: whoever collects and uses the proof shows one with it.
        key: SpkiSha256,
        purpose: ProofPurpose,
    },
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Decision {
    Open,
    Refused,
    Approved(Approved),
}

/// Who approved it, with what.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approved {
    pub(crate) user: UserName,
    /// Of the credentials it was approved with.
    pub(crate) epoch: String,
    /// The second factor.
    pub(crate) device: String,
    pub(crate) moment: UnixSeconds,
}

impl Wanted {
    /// Who alone may approve it.
    const fn user(&self) -> Option<&UserName> {
        match self {
            Self::LogIn { user, .. } => user.as_ref(),
            Self::Proof { user, .. } => Some(user),
        }
    }

    /// How the log tells of the proof that it is approved with.
    pub(crate) const fn attempted(&self) -> Attempted<'_> {
        match self {
            Self::LogIn { .. } => Attempted::Approval,
            Self::Proof { purpose, .. } => purpose.attempted(),
        }
    }

    /// Whose certificate was shown by what asks.
    const fn shown(&self) -> Option<&UserName> {
        match self {
            Self::LogIn { .. } => None,
            Self::Proof { user, .. } => Some(user),
        }
    }

    /// One more, or one of those, that wait for this.
    pub(crate) fn waiter(&self, remote: SocketAddr) -> Waiter {
        Waiter {
            remote,
            user: self.shown().cloned(),
        }
    }

    const fn is_of_kind(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::LogIn { .. }, Self::LogIn { .. }) | (Self::Proof { .. }, Self::Proof { .. })
        )
    }
}

impl Record {
    /// What the log tells of a decision.
    pub(crate) fn decided(&self, outcome: Outcome) -> AuditEvent {
        let asked_from = self.remote.to_string();
        match &self.wanted {
            Wanted::LogIn { .. } => AuditEvent::BrowserLoginDecided {
                outcome,
                login_code: self.code.clone(),
                asked_from,
            },
            Wanted::Proof { purpose, .. } => {
                let place = purpose.place();
                AuditEvent::BrowserProofDecided {
                    outcome,
                    purpose: purpose.as_str().to_owned(),
                    login: place.map(|place| place.login.to_string()),
                    server_id: place.map(|place| place.host_id.clone()),
                    server_hostname: place.map(|place| place.hostname.clone()),
                    shown_code: self.code.clone(),
                    asked_from,
                }
            }
        }
    }

    /// Whether the program asked from another place than this.
    pub(crate) fn is_elsewhere(&self, remote: SocketAddr) -> bool {
        source_of(self.remote) != source_of(remote)
    }
}

/// Whether a text can be the id of a request: 32 hexadecimal digits.
pub fn is_approval_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Identity {
    /// The programs that wait for the same kind of thing.
    pub(crate) async fn waiting_like(&self, wanted: &Wanted) -> Result<Vec<Waiter>, IdentityError> {
        let stored = load_all::<Record>(self.state.as_ref(), &path(FOLDER)?).await?;
        let records = stored.iter().filter_map(|stored| stored.value.as_ref());
        let alike = records.filter(|record| record.wanted.is_of_kind(wanted));
        Ok(alike.map(|record| record.wanted.waiter(record.remote)).collect())
    }

    /// Writes a new request down.
    pub(crate) async fn keep_request(&self, id: &str, record: &Record) -> Result<(), IdentityError> {
        let stored = load::<Record>(self.state.as_ref(), request_path(id)?).await?;
        let write = stored.put(record, Some(record.expires))?;
        if commit(self.state.as_ref(), vec![write]).await? {
            Ok(())
        } else {
            Err(IdentityError::Internal("a random id stands twice".to_owned()))
        }
    }

    /// Uses a request up: of two that do so at once one goes on.
    pub(crate) async fn used_up(&self, stored: &Stored<Record>) -> Result<(), IdentityError> {
        if commit(self.state.as_ref(), vec![stored.delete()]).await? {
            Ok(())
        } else {
            Err(Refusal::ChallengeGone.into())
        }
    }

    /// A request that nobody has decided yet, and that this user may decide.
    pub(crate) async fn open_request_of(
        &self,
        id: &str,
        user: &UserName,
    ) -> Result<(Stored<Record>, Record), IdentityError> {
        let (stored, record) = self.request(id).await?;
        match record.decision {
            Decision::Open => {}
            Decision::Refused | Decision::Approved { .. } => return Err(Refusal::ChallengeGone.into()),
        }
        match record.wanted.user() {
            Some(wanted) if wanted != user => Err(Refusal::ApprovalOfAnother(wanted.clone()).into()),
            Some(_) | None => Ok((stored, record)),
        }
    }

    /// A request of whoever has its secret.
    pub(crate) async fn request_with(
        &self,
        id: &str,
        secret: &str,
    ) -> Result<(Stored<Record>, Record), IdentityError> {
        let hash = Bearer::parse(secret).ok_or(Refusal::ChallengeGone)?.hash();
        let (stored, record) = self.request(id).await?;
        if record.secret != hash {
            return Err(Refusal::ChallengeGone.into());
        }
        Ok((stored, record))
    }

    /// That the cluster lets the command line ask in this way.
    pub(crate) fn has_browser_login(&self) -> Result<(), Refusal> {
        if self.people.preference().is_browser_login_allowed {
            Ok(())
        } else {
            Err(Refusal::BrowserLoginOff)
        }
    }

    async fn request(&self, id: &str) -> Result<(Stored<Record>, Record), IdentityError> {
        self.has_browser_login()?;
        if !is_approval_id(id) {
            return Err(Refusal::ChallengeGone.into());
        }
        let stored = load::<Record>(self.state.as_ref(), request_path(id)?).await?;
        let record = stored.value.clone().filter(|record| record.expires > self.now());
        record
            .map(|record| (stored, record))
            .ok_or_else(|| Refusal::ChallengeGone.into())
    }
}

fn request_path(id: &str) -> Result<StateKey, IdentityError> {
    path(&format!("{FOLDER}/{id}"))
}
