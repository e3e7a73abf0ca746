use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use authority::AuthorityType;
use authority::Suite;
use ledger::Ledger;
use names::ClusterName;
use names::Ttl;
use names::UnixSeconds;
use rotation::Generation;
use runtime::Clock;
use runtime::Entropy;
use state::Revision;
use state::State;
use x509::Issuer;

use crate::ClusterError;
use crate::Custody;
use crate::Refusal;
use crate::documents;
use crate::journal::Journal;
use crate::key_use::KeyUse;
use crate::mint::issuer_of;
use crate::record::AuthorityKey;
use crate::record::AuthorityRecord;

/// What an auth service is made of.
pub struct Parts {
    /// Small, mutable state.
    pub state: Arc<dyn State>,
    /// Audit events and issued certificates.
    pub ledger: Arc<dyn Ledger>,
    /// What holds private keys.
    pub custody: Custody,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// What an operator configures.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The algorithms of new keys of a new cluster; `None`: by custody.
    pub suite: Option<Suite>,
    /// The id of this auth server.
    pub server_id: String,
    /// The version of Signet.
    pub version: String,
    /// How long a retired key is kept before it is destroyed.
    pub quarantine: Ttl,
    /// Where lists of revoked certificates are served, such as `https://auth.example.com:3080`; `None`: certificates name no place.
    pub public_url: Option<String>,
}

/// An auth service's use cases on its parts.
pub struct Cluster {
    pub(crate) state: Arc<dyn State>,
    pub(crate) journal: Journal,
    pub(crate) custody: Custody,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
    pub(crate) suite: Suite,
    pub(crate) view: ArcSwap<View>,
    pub(crate) key_use: KeyUse,
    pub(crate) watch: crate::watch::Watch,
}

/// The authorities as last read: what issuance works from, without asking the state.
#[derive(Debug, Default)]
pub struct View {
    /// The authorities.
    pub authorities: BTreeMap<AuthorityType, Arc<AuthorityView>>,
    /// The state's revision they were read at.
    pub revision: Revision,
}

/// An authority as last read.
#[derive(Debug)]
pub struct AuthorityView {
    /// Its record.
    pub record: AuthorityRecord,
    /// The revision it carries: what a change must be decided on.
    pub revision: Revision,
    /// Its trusted keys, ready to sign: what issuance works with, without copying or parsing anything.
    pub(crate) signing: Vec<SigningKey>,
}

/// A trusted key, ready to sign.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pub(crate) generation: Generation,
    pub(crate) key: Arc<AuthorityKey>,
    /// What certificates below it need of it; none where the key has no certificate that reads.
    pub(crate) issuer: Option<Arc<Issuer>>,
}

impl AuthorityView {
    fn new(record: AuthorityRecord, revision: Revision) -> Self {
        let signing = record
            .trusted()
            .map(|(generation, key)| SigningKey {
                generation,
                key: Arc::new(key.clone()),
                issuer: issuer_of(record.authority, key).ok().map(Arc::new),
            })
            .collect();
        Self {
            record,
            revision,
            signing,
        }
    }
}

impl Cluster {
    /// The cluster's name.
    pub fn name(&self) -> &ClusterName {
        &self.settings.cluster
    }

    /// The algorithms of new keys.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// What was configured.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The backends.
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }

    /// The log of what happened.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The authorities as last read.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// One authority as last read.
    ///
    /// # Errors
    /// When the cluster has none of this type, which the next start repairs.
    pub fn authority(&self, authority: AuthorityType) -> Result<Arc<AuthorityView>, ClusterError> {
        self.view
            .load()
            .authorities
            .get(&authority)
            .cloned()
            .ok_or_else(|| {
                Refusal::NoUsableKey {
                    authority,
                    form: "",
                    reason: "the authority does not exist yet; restart signetd".into(),
                }
                .into()
            })
    }

    /// Random bytes.
    pub const fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }

    /// The clock.
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time.
    pub fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// Reads the authorities again.
    ///
    /// # Errors
    /// When one does not read; the view stays as it was.
    pub async fn refresh(&self) -> Result<(), ClusterError> {
        let read = Arc::new(read_view(self.state.as_ref()).await?);
        // Of two that read at the same time, the one that read first may be here last: the view never goes back.
        self.view.rcu(|view| {
            Arc::clone(if view.revision > read.revision {
                view
            } else {
                &read
            })
        });
        Ok(())
    }
}

pub(crate) async fn read_view(state: &dyn State) -> Result<View, ClusterError> {
    let mut view = View::default();
    for (key, stored) in documents::load_all::<AuthorityRecord>(state, "authority").await? {
        let record = stored.value;
        if key.as_str() != format!("authority/{}", record.authority) {
            let reason = format!("it is the record of {}", record.authority);
            return Err(ClusterError::Document {
                key: key.to_string(),
                reason,
            });
        }
        view.revision = view.revision.max(stored.revision);
        let authority = AuthorityView::new(record, stored.revision);
        view.authorities
            .insert(authority.record.authority, Arc::new(authority));
    }
    Ok(view)
}
