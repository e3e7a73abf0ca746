//! Agents on other hosts, as parties of rotations: what they proved, and until when that counts as the present.

use std::sync::PoisonError;

use authority::AuthorityType;
use names::UnixSeconds;
use rotation::Party;

use crate::Cluster;
use crate::Presence;

/// What one host proved of itself.
#[derive(Debug)]
pub(crate) struct Remote {
    live_until: UnixSeconds,
    presences: Vec<Presence>,
}

impl Cluster {
    /// Notes what a host really serves and trusts, in place of what was known of it. After `live_until` it no longer holds a rotation
    /// back, but is named among those who may be cut off; [`Cluster::forget_remote`] ends that too.
    pub fn note_remote(&self, host: &str, live_until: UnixSeconds, presences: Vec<Presence>) {
        let remote = Remote {
            live_until,
            presences,
        };
        let mut remotes = self.watch.remote.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.insert(host.to_owned(), remote);
    }

    /// Forgets a host that was removed.
    pub fn forget_remote(&self, host: &str) {
        let mut remotes = self.watch.remote.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.remove(host);
    }

    /// The hosts that hold or verify credentials of an authority.
    pub(crate) fn remote_parties(&self, authority: AuthorityType) -> Vec<Party> {
        let now = self.now();
        let remotes = self.watch.remote.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parties = Vec::new();
        for Remote {
            live_until,
            presences,
        } in remotes.values()
        {
            let of_authority = presences
                .iter()
                .filter(|presence| presence.authority == authority);
            parties.extend(of_authority.map(|presence| Party {
                name: presence.name.clone(),
                kind: presence.kind,
                trusts: presence.trusts.clone(),
                serves: presence.serves,
                live: now <= *live_until,
            }));
        }
        parties
    }
}
