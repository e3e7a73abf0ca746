//! Proving anew who one is, in a browser, for somebody who works in a terminal: for people whose second factor works in browsers alone.
//!
//! A program that shows a person's certificate says what the proof is for, and waits for an [approval](crate::approval). What it
//! collects is the proof that [`Identity::reauthenticate`] gives to whoever can type theirs: for that purpose, that user and the
//! key of that certificate alone.

use std::net::SocketAddr;

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use key::SpkiSha256;
use names::UserName;

use crate::ActProof;
use crate::ApprovalBegun;
use crate::IdentityError;
use crate::ProofHolder;
use crate::ProofPurpose;
use crate::approval::Collected;
use crate::approval_record::Approved;
use crate::approval_record::Wanted;
use crate::identity::Identity;
use crate::identity::proven;
use crate::privilege::PROOF_TTL;
use crate::records::Privilege;

/// What a program asks for.
pub struct BrowserProof<'a> {
    /// Who the caller is, from the certificate.
    pub user: &'a UserName,
    /// The key of that certificate.
    pub key: SpkiSha256,
    /// What for.
    pub purpose: ProofPurpose,
    /// Where the request came from.
    pub remote: SocketAddr,
}

/// What a program that asked collects with.
pub struct BrowserProofCollect<'a> {
    /// The id of the request.
    pub id: &'a str,
    /// What it was given for this.
    pub secret: &'a str,
    /// Who the caller is, from the certificate.
    pub user: &'a UserName,
    /// The key of that certificate.
    pub key: SpkiSha256,
    /// Where the request came from.
    pub remote: SocketAddr,
}

impl Identity {
    /// Writes down that a program waits for a proof.
    ///
    /// # Errors
    /// [`Refusal::BrowserLoginOff`](crate::Refusal::BrowserLoginOff) when the cluster has none of these,
    /// [`Refusal::NotSignedUp`](crate::Refusal::NotSignedUp) when the user has nothing to prove it with, and
    /// [`Refusal::Busy`](crate::Refusal::Busy) when as many wait as may.
    pub async fn browser_proof_begin(&self, asked: BrowserProof<'_>) -> Result<ApprovalBegun, IdentityError> {
        let BrowserProof {
            user,
            key,
            purpose,
            remote,
        } = asked;
        self.has_browser_login()?;
        self.signed_up(user).await?;
        let wanted = Wanted::Proof {
            user: user.clone(),
            key,
            purpose,
        };
        self.wait_for_approval(wanted, remote).await
    }

    /// Hands the proof out, once; nothing while nobody has decided.
    ///
    /// # Errors
    /// [`Refusal::ChallengeGone`](crate::Refusal::ChallengeGone) when the request is unknown, collected, too old or not of this user
    /// and key, or the secret is another one; [`Refusal::ApprovalRefused`](crate::Refusal::ApprovalRefused) when it was refused;
    /// [`Refusal::InvalidCredentials`](crate::Refusal::InvalidCredentials) when the user has other credentials by now, and
    /// [`Refusal::UserLocked`](crate::Refusal::UserLocked) when a lock is on them or on the second factor.
    pub async fn browser_proof_collect(
        &self,
        asked: BrowserProofCollect<'_>,
    ) -> Result<Option<ActProof>, IdentityError> {
        let BrowserProofCollect {
            id,
            secret,
            user,
            key,
            remote,
        } = asked;
        let is_callers = |wanted: &Wanted| match wanted {
            Wanted::Proof {
                user: of, key: by, ..
            } => of == user && *by == key,
            Wanted::LogIn { .. } => false,
        };
        let Some(Collected {
            wanted,
            by,
            remote: _,
        }) = self.collect(id, secret, is_callers).await?
        else {
            return Ok(None);
        };
        let Wanted::Proof { purpose, .. } = wanted else {
            return Err(IdentityError::Internal(
                "a log-in was collected as a proof".to_owned(),
            ));
        };
        let Approved {
            user,
            epoch,
            device,
            moment,
        } = by;
        if let Err((cause, refusal)) = self.still_good(&user, &epoch, &device).await? {
            let actor = Actor::Claimed {
                user: user.to_string(),
                remote: remote.to_string(),
            };
            let void = Outcome::Failure(cause.to_owned());
            self.record(&actor, collected(&purpose, &device, void)).await?;
            return Err(refusal.into());
        }
        let event = collected(&purpose, &device, Outcome::Success);
        self.record(&proven(&user, remote), event).await?;
        let proof = self.keep_proof(Privilege {
            user,
            epoch,
            device,
            purpose,
            holder: ProofHolder::Key(key),
            // From when somebody proved who they are, not from when it was fetched.
            expires: moment.plus(PROOF_TTL),
        });
        Ok(Some(proof.await?))
    }
}

/// What the log tells of a proof that was collected, or was void by then.
fn collected(purpose: &ProofPurpose, device: &str, outcome: Outcome) -> AuditEvent {
    let place = purpose.place();
    AuditEvent::BrowserProofCollected {
        outcome,
        purpose: purpose.as_str().to_owned(),
        device: device.to_owned(),
        login: place.map(|place| place.login.to_string()),
        server_id: place.map(|place| place.host_id.clone()),
        server_hostname: place.map(|place| place.hostname.clone()),
    }
}
