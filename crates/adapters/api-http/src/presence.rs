//! What the listeners prove of themselves, and what is the matter with them.

use std::collections::BTreeSet;

use authority::AuthorityType;
use authority::KeyForm;
use cluster::Alert;
use cluster::Presence;
use cluster::Severity;
use rotation::Generation;
use rotation::PartyKind;

use crate::problem::chain;
use crate::tls::Front;
use crate::tls::ReloadError;

/// The TLS listeners, as rotations and alerts name them.
const LISTENERS: [&str; 2] = ["auth/api", "auth/web"];

impl Front {
    /// Tells the cluster what the listeners really present and trust, read from what they run with. Listeners that run with nothing
    /// are live all the same: they have proved nothing, and a rotation waits for them.
    pub(crate) fn note_presence(&self) {
        let installed = self.installed();
        let running = installed.running.as_ref();
        let serves = running
            .filter(|running| self.now() <= running.credential.not_after())
            .map(|running| running.credential.generation());
        let hosts = if running.is_some() {
            self.trusted_hosts()
        } else {
            BTreeSet::new()
        };
        for name in LISTENERS {
            self.cluster.note_presence(Presence {
                name: name.to_owned(),
                authority: AuthorityType::Host,
                kind: PartyKind::Server,
                trusts: hosts.clone(),
                serves,
            });
        }
        self.cluster.note_presence(Presence {
            name: "auth/api".to_owned(),
            authority: AuthorityType::User,
            kind: PartyKind::Verifier,
            trusts: running.map_or_else(BTreeSet::new, |running| {
                running.trust.generations(AuthorityType::User)
            }),
            serves: None,
        });
    }

    fn trusted_hosts(&self) -> BTreeSet<Generation> {
        self.cluster.authority(AuthorityType::Host).map_or_else(
            |_| BTreeSet::new(),
            |host| {
                let tls = host.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls);
                tls.map(|(generation, _)| generation).collect()
            },
        )
    }

    /// Keeps the alerts `listener/<name>` true: raised while the listeners cannot follow the cluster, settled when they do.
    pub(crate) fn note_alerts(&self, failure: Option<&ReloadError>) {
        for name in LISTENERS {
            let id = format!("listener/{name}");
            match failure {
                None => self.cluster.settle_alert(&id),
                Some(failure) => self.cluster.raise_alert(self.alert(id, name, failure)),
            }
        }
    }

    fn alert(&self, id: String, name: &str, failure: &ReloadError) -> Alert {
        let why = match failure {
            // When it is tried again changes from turn to turn, and is no news.
            ReloadError::Resting { cause, until: _ } => cause.clone(),
            ReloadError::Cluster(_) | ReloadError::Trust(_) | ReloadError::Tls { .. } => chain(failure),
        };
        // Old trust is worse than an old certificate: somebody who is no longer to be let in may be.
        let lagging = match failure {
            ReloadError::Trust(_) | ReloadError::Tls { .. } => Severity::High,
            ReloadError::Cluster(_) | ReloadError::Resting { .. } => Severity::Medium,
        };
        let (severity, state) = match self.serves_until() {
            None => (Severity::High, "does not serve: it has no certificate".to_owned()),
            Some(until) if self.is_serving() => (
                lagging,
                format!("goes on with a certificate that ends on {until}"),
            ),
            Some(until) => (
                Severity::High,
                format!("serves nobody: its certificate ended on {until}"),
            ),
        };
        Alert {
            id,
            severity,
            message: format!("the listener {name} {state}; it does not follow the cluster: {why}"),
            hint: "run `signetctl doctor` on the auth server's host; it is tried again by itself".to_owned(),
            since: None,
        }
    }
}
