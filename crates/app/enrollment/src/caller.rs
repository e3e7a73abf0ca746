//! Who a host is, by the certificate it presents.

use audit::Actor;
use authority::AuthorityType;
use authority::KeyForm;
use names::UnixSeconds;
use resource::SystemRole;
use rotation::Generation;
use x509::Certificate;
use x509::IdentityKind;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::HostId;
use crate::Refusal;
use crate::host::HostRecord;
use crate::join::distinct;

/// A host of the cluster, shown by its certificate. Only [`Enrollment::identify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCaller {
    host_id: HostId,
    roles: Vec<SystemRole>,
    generation: Generation,
    not_after: UnixSeconds,
    remote: String,
    is_own: bool,
}

impl HostCaller {
    /// Its id.
    pub const fn host_id(&self) -> &HostId {
        &self.host_id
    }

    /// Its system roles.
    pub fn roles(&self) -> &[SystemRole] {
        &self.roles
    }

    /// The generation that signed its certificate.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// When its certificate ends.
    pub const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Where it connects from.
    pub fn remote(&self) -> &str {
        &self.remote
    }

    /// Whether it is the machine of the auth service itself.
    pub const fn is_own(&self) -> bool {
        self.is_own
    }

    /// As the log names it.
    pub fn actor(&self) -> Actor {
        Actor::Host {
            host_id: self.host_id.to_string(),
            remote: self.remote.clone(),
        }
    }
}

impl Enrollment {
    /// Who presents this certificate (DER). That the peer holds its key is what TLS has shown; everything else is checked here: a trusted
    /// generation of the host authority signed it, it is of this cluster and time, not revoked, and its host is a member in the same
    /// roles and not locked. Ask on every request of a long connection.
    ///
    /// # Errors
    /// A [`Refusal`]; otherwise whatever failed.
    pub async fn identify(&self, certificate: &[u8], remote: &str) -> Result<HostCaller, EnrollmentError> {
        let bad = Refusal::BadCertificate;
        let certificate = Certificate::from_der(certificate).map_err(|_| bad("it does not read"))?;
        let generation = self
            .signed_by(&certificate)?
            .ok_or(bad("no trusted key of the host authority signed it"))?;
        if certificate.is_ca() || certificate.has_unknown_critical() {
            return Err(bad("it is no certificate of a host").into());
        }
        if !certificate.is_valid_at(self.cluster.now()) {
            return Err(bad("it has ended, or not begun; renew it, or join again").into());
        }
        let identity = certificate.identity().ok_or(bad("it names nobody"))?;
        if identity.kind != IdentityKind::Host || identity.cluster != *self.cluster.name() {
            return Err(bad("it is of no host of this cluster").into());
        }
        let host_id =
            HostId::parse(identity.name.as_str()).map_err(|_| bad("it names no host that joined"))?;
        let roles = identity
            .roles
            .iter()
            .map(|role| role.as_str().parse::<SystemRole>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| bad("it has roles that are not known here"))?;
        let stored = self.member(&host_id).await?;
        self.refuse_other_roles(&host_id, &stored.value, &roles)?;
        self.refuse_revoked(&host_id, &stored.value, self.cluster.now())
            .await?;
        Ok(HostCaller {
            host_id,
            is_own: stored.value.is_own,
            roles: stored.value.roles,
            generation,
            not_after: certificate.not_after(),
            remote: remote.to_owned(),
        })
    }

    fn signed_by(&self, certificate: &Certificate) -> Result<Option<Generation>, EnrollmentError> {
        let host = self.cluster.authority(AuthorityType::Host)?;
        let tls = host.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls);
        let mut signers = tls.filter(|(_, key)| certificate.verify_issued(&key.public_key).is_ok());
        Ok(signers.next().map(|(generation, _)| generation))
    }

    pub(crate) fn refuse_other_roles(
        &self,
        host_id: &HostId,
        record: &HostRecord,
        asked: &[SystemRole],
    ) -> Result<(), Refusal> {
        let asked = distinct(asked);
        if asked == record.roles {
            return Ok(());
        }
        Err(Refusal::RolesDiffer {
            host_id: host_id.clone(),
            joined: record.roles.clone(),
            asked,
        })
    }

    /// Refuses a host of whose certificates any was revoked: those that had not ended at `unexpired_at` are looked at.
    pub(crate) async fn refuse_revoked(
        &self,
        host_id: &HostId,
        record: &HostRecord,
        unexpired_at: UnixSeconds,
    ) -> Result<(), EnrollmentError> {
        let ledger = self.cluster.journal().ledger();
        let revoked = ledger
            .revocations(AuthorityType::Host, unexpired_at)
            .await
            .map_err(|error| EnrollmentError::Cluster(cluster::ClusterError::Ledger(error)))?;
        let mut own = record
            .certificates
            .iter()
            .filter(|issued| issued.form == KeyForm::Tls);
        if own.any(|issued| revoked.iter().any(|revoked| revoked.serial == issued.serial)) {
            return Err(Refusal::NotAMember(host_id.clone()).into());
        }
        Ok(())
    }
}
