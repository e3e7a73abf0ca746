//! Deciding who has access: whoever does that over the network says anew who they are, so that a stolen certificate gives nobody more
//! than it opens by itself.

use api_http::Caller;
use api_http::Reauthentication;
use identity::PrivilegedAct;
use resource::Kind;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;

/// What is done to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One is made that was not there.
    Create,
    /// One is written that may have been there.
    Write,
    /// One is removed.
    Delete,
}

/// Whether it decides who has access, by giving some or by taking a safeguard away.
///
/// What takes access away and gives none is not asked about, for it may be urgent: making a lock, and removing a token. Writing a lock may
/// empty one that was there. A machine that is removed never comes back, so that a stolen certificate could end a fleet: a lock does for the
/// moment.
pub(crate) const fn decides(kind: Kind, change: Change) -> bool {
    match (kind, change) {
        (Kind::Lock, Change::Create) | (Kind::Token, Change::Delete) => false,
        // Who there is, what they may do, and how they prove who they are.
        (
            Kind::User | Kind::Role | Kind::ClusterAuthPreference,
            Change::Create | Change::Write | Change::Delete,
        )
        // Who may join; and by its labels, who may log in to a machine, and by its address, which one that is.
        | (Kind::Token, Change::Create | Change::Write)
        | (Kind::Node, Change::Create | Change::Write | Change::Delete)
        // Whom a lock kept out comes back.
        | (Kind::Lock, Change::Write | Change::Delete)
        // What is seen of sessions, and how long one stays that nobody watches.
        | (
            Kind::SessionRecordingConfig | Kind::ClusterNetworkingConfig,
            Change::Create | Change::Write | Change::Delete,
        ) => true,
    }
}

impl Access {
    /// Asks people who signed up for a proof made minutes ago; not the operator of the host, who is there.
    ///
    /// # Errors
    /// When there is none that is good for this and for the certificate that was shown.
    pub(crate) async fn ask_for_proof(&self, asked: &Asked) -> Result<(), Problem> {
        let act = PrivilegedAct::Admin.as_str();
        let user = match &asked.caller {
            Caller::Local { .. } => return Ok(()),
            Caller::Identity { user, .. } => user,
            Caller::Host { .. } => return Err(Problem::NotForYou("people and operators, not for machines")),
        };
        let proof = asked.plain.privilege.as_deref();
        if self.is_proved(user, &asked.peer, proof, act).await? {
            Ok(())
        } else {
            Err(api_http::Problem::ProofNeeded { act }.into())
        }
    }

    /// The same, for a change of a document that [decides](decides) who has access.
    ///
    /// # Errors
    /// As [`Access::ask_for_proof`].
    pub(crate) async fn ask_for_proof_of(
        &self,
        asked: &Asked,
        kind: Kind,
        change: Change,
    ) -> Result<(), Problem> {
        if decides(kind, change) {
            self.ask_for_proof(asked).await
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use api_types::AccessRoute;

    use super::*;

    #[test]
    fn everything_decides_but_what_only_takes_away() {
        let spared = |change| {
            let kinds = Kind::ALL.into_iter().filter(move |kind| !decides(*kind, change));
            kinds.collect::<Vec<_>>()
        };
        assert_eq!(spared(Change::Create), [Kind::Lock]);
        assert_eq!(spared(Change::Write), []);
        assert_eq!(spared(Change::Delete), [Kind::Token]);
    }

    #[test]
    fn what_is_described_is_what_is_decided() {
        for (route, change) in [
            (AccessRoute::ResourceCreate, Change::Create),
            (AccessRoute::ResourcePut, Change::Write),
            (AccessRoute::ResourceDelete, Change::Delete),
        ] {
            assert_eq!(route.privileged_act(), Some(PrivilegedAct::Admin.as_str()));
            for kind in Kind::ALL {
                let is_spared = route.spared_kinds().contains(&kind.as_str());
                assert_eq!(is_spared, !decides(kind, change), "{route:?} {kind}");
            }
        }
        for route in [
            AccessRoute::UserInvite,
            AccessRoute::UserUnlock,
            AccessRoute::TokenCreate,
        ] {
            assert_eq!(route.privileged_act(), Some(PrivilegedAct::Admin.as_str()));
            assert!(route.spared_kinds().is_empty());
        }
    }
}
