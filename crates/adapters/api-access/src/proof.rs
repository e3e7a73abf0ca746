//! Proofs of having said anew who one is, for acts of people with second factors.

use api_http::Caller;
use api_http::Locked;
use api_http::Peer;
use api_http::Reauthentication;
use async_trait::async_trait;
use cluster::ClusterError;
use directory::DirectoryError;
use identity::IdentityError;
use identity::PrivilegedAct;
use identity::ProofHolder;
use identity::ShownProof;
use key::SpkiSha256;
use names::UserName;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;
use crate::people;

/// The key of the certificate that a person showed: proofs are for whoever has it.
///
/// # Errors
/// When they showed none.
pub(crate) fn key_of(peer: &Peer) -> Result<SpkiSha256, Problem> {
    match peer {
        Peer::Certificate { certificate, .. } => Ok(certificate.public_key().spki_sha256()),
        Peer::Local { .. } => Err(Problem::NotForYou("people who logged in")),
    }
}

/// The proof that came with the request; one of nothing when there is none.
///
/// # Errors
/// When no certificate was shown.
pub(crate) fn shown(asked: &Asked) -> Result<ShownProof<'_>, Problem> {
    Ok(ShownProof {
        token: asked.plain.privilege.as_deref().unwrap_or_default(),
        holder: ProofHolder::Key(key_of(&asked.peer)?),
    })
}

#[async_trait]
impl Reauthentication for Access {
    fn second_factors(&self) -> Vec<String> {
        people::second_factors(&self.identity.kinds())
    }

    async fn is_proved(
        &self,
        user: &str,
        peer: &Peer,
        proof: Option<&str>,
        act: &'static str,
    ) -> Result<bool, ClusterError> {
        let Ok(user) = UserName::parse(user) else {
            return Ok(false);
        };
        let failed = |error: IdentityError| ClusterError::Internal(api_http::chain(&error));
        if self.identity.status(&user).await.map_err(failed)?.second_factors == 0 {
            // Nobody signed up by this name: it is known by its certificate alone. A certificate of a log-in is from somebody before.
            return Ok(crate::session::mfa_device(peer).is_none());
        }
        let Some(act) = PrivilegedAct::ALL.into_iter().find(|known| known.as_str() == act) else {
            return Ok(false);
        };
        let Ok(key) = key_of(peer) else {
            return Ok(false);
        };
        let shown = ShownProof {
            token: proof.unwrap_or_default(),
            holder: ProofHolder::Key(key),
        };
        match self.identity.require(&user, shown, act).await {
            Ok(()) => Ok(true),
            Err(IdentityError::Refused(_)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn locked(&self, caller: &Caller, peer: &Peer) -> Result<Option<Locked>, ClusterError> {
        let failed = |error: DirectoryError| ClusterError::Internal(api_http::chain(&error));
        self.lock_on(caller, peer).await.map_err(failed)
    }
}
