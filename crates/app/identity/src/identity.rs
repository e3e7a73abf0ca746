use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use audit::Actor;
use audit::AuditEvent;
use authn::Bearer;
use authn::Source;
use aws_lc_rs::digest;
use cluster::Cluster;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use runtime::Clock;
use runtime::Entropy;
use state::State;
use zeroize::Zeroizing;

use crate::FactorKind;
use crate::IdentityError;
use crate::Refusal;
use crate::RelyingParty;
use crate::documents;
use crate::hashing::Hashing;
use crate::people::People;
use crate::people::Person;
use crate::records::FakesKey;
use crate::seal::Seal;
use crate::security_keys::SecurityKeys;

/// What log-ins are made of.
pub struct Parts {
    /// The authorities, and the journal.
    pub cluster: Arc<Cluster>,
    /// The cluster's state.
    pub state: Arc<dyn State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Users and what their roles grant.
    pub people: Arc<dyn People>,
    /// What keeps seeds from whoever reads the state.
    pub seal: Arc<dyn Seal>,
}

/// What an operator configures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who asks for keys in authenticators; without it there is no WebAuthn.
    pub relying_party: Option<RelyingParty>,
    /// How many passwords are hashed at once: the processors there are.
    pub hashes_at_once: usize,
    /// How long a session of the web may rest.
    pub session_idle: Ttl,
    /// How long a session of the web may last.
    pub session_longest: Ttl,
}

impl Default for Settings {
    /// No WebAuthn, two hashes at once, sessions of at most 12 hours that end after 30 minutes of rest.
    fn default() -> Self {
        Self {
            relying_party: None,
            hashes_at_once: 2,
            session_idle: Ttl::from_seconds(30 * 60),
            session_longest: Ttl::from_hours(12),
        }
    }
}

/// What hangs on users, and how they log in.
pub struct Identity {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) state: Arc<dyn State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) people: Arc<dyn People>,
    pub(crate) seal: Arc<dyn Seal>,
    pub(crate) settings: Settings,
    pub(crate) hashing: Hashing,
    pub(crate) keys: Option<SecurityKeys>,
}

/// Somebody who says who they are: the name as given, and what stands for it in paths.
pub(crate) struct Claim {
    /// The name, when it can be one.
    pub(crate) user: Option<UserName>,
    /// SHA-256 of the name as given, hexadecimal: anything may be given.
    pub(crate) segment: String,
}

impl Claim {
    pub(crate) fn new(text: &str) -> Self {
        let known = UserName::parse(text)
            .ok()
            .filter(|name| documents::path(&format!("identity/user/{name}")).is_ok());
        Self {
            user: known,
            segment: hex::encode(digest::digest(&digest::SHA256, text.as_bytes())),
        }
    }

    /// What the log calls them.
    pub(crate) fn shown(&self) -> String {
        self.user
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string)
    }
}

impl Identity {
    /// Opens what hangs on users. Makes, at the first time, the key from which answers for unknown users follow.
    ///
    /// # Errors
    /// When the state does not answer, the relying party is unfit, or the stored key does not open.
    pub async fn open(parts: Parts, settings: Settings) -> Result<Self, IdentityError> {
        let Parts {
            cluster,
            state,
            clock,
            entropy,
            people,
            seal,
        } = parts;
        let fakes = fakes_key(state.as_ref(), entropy.as_ref(), seal.as_ref()).await?;
        let keys = settings
            .relying_party
            .as_ref()
            .map(|party| SecurityKeys::new(party, &fakes))
            .transpose()?;
        Ok(Self {
            cluster,
            state,
            clock,
            entropy,
            people,
            seal,
            hashing: Hashing::start(settings.hashes_at_once)?,
            keys,
            settings,
        })
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// Writes an event; durable on return.
    pub(crate) async fn record(&self, actor: &Actor, event: AuditEvent) -> Result<(), IdentityError> {
        self.record_all(actor, vec![event]).await
    }

    /// Writes events, all or none; durable on return.
    pub(crate) async fn record_all(
        &self,
        actor: &Actor,
        events: Vec<AuditEvent>,
    ) -> Result<(), IdentityError> {
        let journal = self.cluster.journal();
        let records = events
            .into_iter()
            .map(|event| journal.event(actor, event).map(|(_, record)| record))
            .collect::<Result<Vec<_>, _>>()?;
        if records.is_empty() {
            return Ok(());
        }
        Ok(journal.append(records).await?)
    }

    /// A user that exists now.
    pub(crate) async fn existing(&self, user: &UserName) -> Result<Person, IdentityError> {
        let person = self.people.person(user).await?;
        person.ok_or_else(|| Refusal::NoSuchUser(user.clone()).into())
    }

    /// The kinds of second factor that may be enrolled and used.
    pub fn kinds(&self) -> Vec<FactorKind> {
        FactorKind::ALL
            .into_iter()
            .filter(|kind| self.allows(*kind))
            .collect()
    }

    pub(crate) fn allows(&self, kind: FactorKind) -> bool {
        let preference = self.people.preference();
        match kind {
            FactorKind::Totp => preference.is_totp_allowed,
            FactorKind::Webauthn => preference.is_webauthn_allowed && self.keys.is_some(),
        }
    }

    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], IdentityError> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn bearer(&self) -> Result<Bearer, IdentityError> {
        let bytes = Zeroizing::new(self.random::<32>()?);
        Ok(Bearer::from_random(*bytes))
    }
}

/// The event's actor for somebody who proved who they are.
pub(crate) fn proven(user: &UserName, remote: SocketAddr) -> Actor {
    Actor::Identity {
        user: user.to_string(),
        remote: remote.to_string(),
    }
}

pub(crate) fn source_of(remote: SocketAddr) -> Source {
    let address: IpAddr = remote.ip();
    Source::of(address)
}

async fn fakes_key(
    state: &dyn State,
    entropy: &dyn Entropy,
    seal: &dyn Seal,
) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    const CONTEXT: &str = "identity/fakes";
    // Of two that open at the same time one writes it, and both read what was written.
    for _ in 0..2 {
        let stored = documents::load::<FakesKey>(state, documents::path(CONTEXT)?).await?;
        if let Some(record) = &stored.value {
            return Ok(seal.open(CONTEXT, &record.key)?);
        }
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key)?;
        let record = FakesKey {
            key: seal.seal(CONTEXT, &*key)?,
        };
        documents::commit(state, vec![stored.put(&record, None)?]).await?;
    }
    Err(IdentityError::Internal(
        "the key for stand-ins could not be kept".to_owned(),
    ))
}
