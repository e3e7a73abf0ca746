//! The auth service's own machine: the one whose services run in its process.

use audit::Actor;
use state::Expect;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::host::HostRecord;
use crate::records;

impl Enrollment {
    /// Notes that a host is the auth service's own machine, one that joined before that was noted. It has the names of that machine from its
    /// next certificates on. A host that is not known, or was removed, stays so.
    ///
    /// Only for whoever knows it from within the process: nothing that comes over the network may say so.
    ///
    /// # Errors
    /// When the id is none, or the state does not answer.
    pub async fn note_own(&self, host_id: &str) -> Result<(), EnrollmentError> {
        let host_id = HostId::parse(host_id)?;
        self.note_served_here(&host_id);
        let _one_at_a_time = self.claiming.lock().await;
        let key = records::host_key(&host_id)?;
        let Some(stored) = records::load::<HostRecord>(self.state.as_ref(), &key).await? else {
            return Ok(());
        };
        if stored.value.is_own || stored.value.removed.is_some() {
            return Ok(());
        }
        let record = HostRecord {
            is_own: true,
            ..stored.value
        };
        let write = records::put(key, Expect::At(stored.revision), &record)?;
        records::commit(self.state.as_ref(), &host_id, vec![write]).await?;
        Ok(())
    }

    /// How the auth service's own machine stands, by the certificate that it would present (DER).
    ///
    /// # Errors
    /// When that cannot be said now.
    pub async fn own_standing(&self, certificate: &[u8]) -> Result<Standing, EnrollmentError> {
        match self.identify(certificate, "local").await {
            Ok(_) | Err(EnrollmentError::Refused(Refusal::Locked { .. })) => Ok(Standing::Good),
            Err(EnrollmentError::Refused(refusal @ Refusal::BadCertificate(_))) => {
                Ok(Standing::Outdated(refusal))
            }
            Err(EnrollmentError::Refused(refusal)) => Ok(Standing::Gone(refusal)),
            Err(error) => Err(error),
        }
    }

    /// Takes out a host that was the auth service's own machine, for another in its place. One that is gone already, or was never known,
    /// stays so.
    ///
    /// Only for whoever knows it from within the process, like [`Enrollment::note_own`].
    ///
    /// # Errors
    /// When the id is none, or whatever failed.
    pub async fn retire_own(&self, host_id: &str, reason: &str) -> Result<(), EnrollmentError> {
        let host_id = HostId::parse(host_id)?;
        let _one_at_a_time = self.claiming.lock().await;
        let key = records::host_key(&host_id)?;
        match records::load::<HostRecord>(self.state.as_ref(), &key).await? {
            None => Ok(()),
            Some(stored) => {
                self.remove_host(&Actor::System, &host_id, stored, Some(reason.to_owned()))
                    .await
            }
        }
    }
}

/// How the auth service's own machine stands with the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is a member, locked or not.
    Good,
    /// Its certificate is not good any more, or not yet: the host may be.
    Outdated(Refusal),
    /// It is no member any more, or in other roles.
    Gone(Refusal),
}
