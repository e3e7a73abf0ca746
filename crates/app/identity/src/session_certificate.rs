//! Certificates for one session: on one host, by one account, for minutes, after a second factor that was given for it.

use std::net::SocketAddr;

use audit::Actor;
use audit::Outcome;
use cluster::Credential;
use cluster::IssueSsh;
use names::Principal;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use profile::SshProfile;
use profile::SshRequest;
use serde::Deserialize;
use serde::Serialize;
use ssh_cert::OwnFact;
use ssh_cert::SubjectKey;

use crate::Carried;
use crate::Factor;
use crate::IdentityError;
use crate::ProofPurpose;
use crate::Refusal;
use crate::ShownProof;
use crate::approval::METHOD;
use crate::attempt::Knowledge;
use crate::attempt::Offered;
use crate::documents::commit;
use crate::identity::Identity;
use crate::identity::proven;

/// Where a session is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPlace {
    /// The id of the host.
    pub host_id: String,
    /// What the host calls itself.
    pub hostname: String,
    /// The account there.
    pub login: Principal,
}

/// How it is shown that whoever asks for a session is who they say.
pub enum SessionShown<'a> {
    /// By the answer to a question of [`Identity::login_begin`].
    Factor {
        /// The id of the question.
        challenge: &'a str,
        /// The second factor.
        factor: Factor,
    },
    /// By a proof made for this session in a browser ([`Identity::browser_proof_collect`]), which is used up.
    Proof(ShownProof<'a>),
}

/// What is asked for, for one session.
pub struct SessionAsked<'a> {
    /// The second factor, or that it was given.
    pub shown: SessionShown<'a>,
    /// Who the caller is, from a certificate whose key they have shown to hold.
    pub user: &'a UserName,
    /// What that certificate carries: the one for the session carries no more.
    pub carried: &'a Carried,
    /// When that certificate ends: the log-in that the session rests on.
    pub login_ends: UnixSeconds,
    /// The key to certify.
    pub key: SubjectKey,
    /// Where the session is to be.
    pub place: &'a SessionPlace,
    /// Which rule allows it, for the log.
    pub allowed_by: String,
    /// Where the request came from.
    pub remote: SocketAddr,
}

impl Identity {
    /// Takes a second factor for one session and issues the certificate for it. That the roles allow the session is the caller's to have
    /// found. Failures count as those of log-ins do.
    ///
    /// # Errors
    /// [`Refusal::InvalidCredentials`] for whatever is wrong with the second factor, [`Refusal::FactorNotAllowed`] for a recovery code,
    /// which stands in for a second factor where one logs in to get another, [`Refusal::ReauthenticationNeeded`] when the log-in has
    /// ended or the proof is not good for this session; otherwise as [`Identity::login_finish`].
    pub async fn session_certificate(&self, asked: SessionAsked<'_>) -> Result<Credential, IdentityError> {
        let SessionAsked {
            shown,
            user,
            carried,
            login_ends,
            key,
            place,
            allowed_by,
            remote,
        } = asked;
        let purpose = ProofPurpose::Session(place.clone());
        if let SessionShown::Factor { factor, .. } = &shown {
            purpose.takes(factor)?;
        }
        let left = u64::try_from(login_ends.0.saturating_sub(self.now().0)).unwrap_or_default();
        if left == 0 {
            return Err(Refusal::ReauthenticationNeeded.into());
        }
        let given = match shown {
            SessionShown::Factor { challenge, factor } => {
                let offered = Offered {
                    challenge: Some(challenge),
                    user: user.as_str(),
                    knowledge: Knowledge::Certificate,
                    factor,
                    remote,
                };
                let proven_now = self.attempt(offered, purpose.attempted()).await?;
                Given {
                    is_pinned: proven_now.person.is_pinned,
                    device: proven_now.device,
                }
            }
            SessionShown::Proof(shown) => self.session_proof(user, shown, &purpose, remote).await?,
        };
        let narrow = self.people.person_within(user, carried).await?;
        // Removed this very moment.
        let mut person = narrow.ok_or(Refusal::InvalidCredentials)?;
        // A role that the certificate does not carry takes nothing back by that.
        person.is_pinned |= given.is_pinned;
        let mut request = self.ssh_request(&person, Some(&given.device), remote)?;
        bind(&mut request, place, login_ends);
        let (usual, _) = SshProfile::Session.lifetimes();
        let issue = IssueSsh {
            request,
            subject_key: key,
            ttl: Some(usual.min(Ttl::from_seconds(left))),
            allowed_by,
        };
        let actor = proven(&person.user, remote);
        Ok(self.cluster.issue_ssh(&actor, &issue).await?)
    }

    /// Uses up a proof that was made for this session; one that is not good is in the log.
    async fn session_proof(
        &self,
        user: &UserName,
        shown: ShownProof<'_>,
        purpose: &ProofPurpose,
        remote: SocketAddr,
    ) -> Result<Given, IdentityError> {
        let refused = match self.proof(user, shown, purpose).await {
            Ok(good) => {
                // Of two that use it at once one gets something.
                if commit(self.state.as_ref(), vec![good.stored.delete()]).await? {
                    return Ok(Given {
                        is_pinned: good.person.is_pinned,
                        device: good.device,
                    });
                }
                Refusal::ReauthenticationNeeded
            }
            Err(IdentityError::Refused(refusal)) => refusal,
            Err(error) => return Err(error),
        };
        let actor = Actor::Claimed {
            user: user.to_string(),
            remote: remote.to_string(),
        };
        let outcome = Outcome::Failure("no proof that is good for this session".to_owned());
        let event = purpose.attempted().event(outcome, METHOD, None);
        self.record(&actor, event).await?;
        Err(refused.into())
    }
}

/// A second factor that was given for a session.
struct Given {
    device: String,
    is_pinned: bool,
}

/// Narrows a request for a person's certificate to one session.
fn bind(request: &mut SshRequest, place: &SessionPlace, login_ends: UnixSeconds) {
    match request {
        SshRequest::User {
            profile,
            logins,
            facts,
            ..
        } => {
            *profile = SshProfile::Session;
            *logins = vec![place.login.clone()];
            facts.insert(OwnFact::SessionNode.name(), place.host_id.clone());
            facts.insert(OwnFact::LoginExpires.name(), login_ends.as_u64().to_string());
        }
        SshRequest::Host { .. } => {}
    }
}
