//! Certificates of the authorities themselves, and their revocation lists.

use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use authority::KeyForm;
use aws_lc_rs::digest;
use key::SpkiSha256;
use ledger::CertificateQuery;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use rotation::Generation;
use state::Expect;
use state::StateKey;
use state::Write;
use x509::CaCertificatePlan;
use x509::Certificate;
use x509::CrlPlan;
use x509::DistinguishedName;
use x509::Issuer;
use x509::KeyUsage;
use x509::NameAttribute;
use x509::RevocationReason;
use x509::RevokedCertificate;

use crate::Cluster;
use crate::ClusterError;
use crate::documents;
use crate::issue::lint_refusal;
use crate::journal::sixteens;
use crate::record::AuthorityKey;
use crate::record::CrlRecord;
use crate::record::HexBytes;
use crate::signer::Signer;
use crate::signer::Unsigned;

/// How long the certificate of an authority is good for.
const AUTHORITY_LIFE: Ttl = Ttl::from_days(3_650);
/// How long a revocation list is good for.
const CRL_LIFE: Ttl = Ttl::from_days(7);
/// A revocation list is made again when it is this old, long before it ends.
const CRL_RENEW: Ttl = Ttl::from_days(1);

fn internal(error: impl std::fmt::Display) -> ClusterError {
    ClusterError::Internal(error.to_string())
}

/// When a certificate of ours ends.
pub(crate) fn not_after(der: &[u8]) -> Option<UnixSeconds> {
    Certificate::from_der(der)
        .ok()
        .map(|certificate| certificate.not_after())
}

/// What certificates below an authority's key need of it.
pub(crate) fn issuer_of(authority: AuthorityType, key: &AuthorityKey) -> Result<Issuer, ClusterError> {
    let der = key.certificate.as_ref().ok_or_else(|| {
        internal(format!(
            "the TLS key {} of the {authority} authority has no certificate",
            key.reference.id
        ))
    })?;
    Issuer::from_certificate(&Certificate::from_der(&der.0).map_err(internal)?).map_err(internal)
}

impl Cluster {
    /// Makes the self-signed certificate of a TLS key.
    ///
    /// Its subject has the serial number in it, so that no two generations share a name and no verifier tries the wrong key.
    pub(crate) async fn certify_authority(
        &self,
        actor: &Actor,
        authority: AuthorityType,
        generation: Generation,
        key: &mut AuthorityKey,
    ) -> Result<Issuer, ClusterError> {
        let [serial, event_uid] = sixteens(self.entropy.as_ref())?;
        let serial = Serial::from_random(serial);
        let name = self.name().as_str();
        let subject = DistinguishedName::new([
            (NameAttribute::CommonName, name),
            (NameAttribute::Organization, name),
            (NameAttribute::SerialNumber, &serial.to_string()),
        ])
        .map_err(internal)?;
        let mut key_usage = KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN);
        if authority == AuthorityType::SamlIdp {
            key_usage = key_usage.union(KeyUsage::DIGITAL_SIGNATURE);
        }
        let now = self.now();
        let plan = CaCertificatePlan {
            subject,
            public_key: key.public_key.clone(),
            scheme: key.reference.algorithm.default_scheme(),
            serial,
            not_before: now.minus(profile::BACKDATE),
            not_after: now.plus(AUTHORITY_LIFE),
            path_length: Some(0),
            key_usage,
        };
        let linted = profile::lint_authority(plan).map_err(lint_refusal)?;
        let signer = self.signer_for(authority, generation, key)?;
        let allowed_by = format!("generation {generation} of the {authority} authority is being made");
        let unsigned = Unsigned::new(signer, linted, event_uid, &allowed_by);
        let der = self.issue(actor, unsigned).await?.document.to_vec();
        key.certificate = Some(HexBytes(der));
        issuer_of(authority, key)
    }

    /// The first, empty revocation list of a key, as a write.
    pub(crate) async fn first_crl(
        &self,
        authority: AuthorityType,
        generation: Generation,
        key: &AuthorityKey,
    ) -> Result<Write, ClusterError> {
        let signer = self.signer_for(authority, generation, key)?;
        let record = self.sign_crl(&signer, 1, Vec::new()).await?;
        // Interrupted preparations leave none; a list made twice is as good as one.
        documents::put(crl_path(key)?, Expect::Anything, &record)
    }

    async fn sign_crl(
        &self,
        signer: &Signer,
        number: u64,
        revoked: Vec<RevokedCertificate>,
    ) -> Result<CrlRecord, ClusterError> {
        let issuer = signer.issuer()?;
        let now = self.now();
        let mut plan = CrlPlan::under(issuer, number, now, now.plus(CRL_LIFE));
        let count = revoked.len();
        let serials_sha256 = serials_sha256(&revoked);
        plan.revoked = revoked;
        for entry in &mut plan.revoked {
            // After a clock stepped back: a list cannot name what has not happened yet.
            entry.revoked_at = entry.revoked_at.min(now);
        }
        let event = AuditEvent::RevocationListCreated {
            authority: signer.authority,
            key_id: signer.key.reference.id,
            number,
            entries: count as u64,
            next_update: plan.next_update,
        };
        self.journal.record(&Actor::System, event).await?;
        let next_update = plan.next_update;
        let linted = profile::lint_crl(plan, issuer).map_err(lint_refusal)?;
        let der = signer.sign_unnumbered(linted).await?;
        Ok(CrlRecord {
            number,
            this_update: now,
            next_update,
            der: HexBytes(der),
            revoked: count,
            serials_sha256,
        })
    }

    /// Makes the revocation lists again that are a day old or lack a revocation. Each key has its own.
    ///
    /// # Errors
    /// The first failure; the other lists were tried all the same.
    pub async fn refresh_crls(&self) -> Result<(), ClusterError> {
        let mut failure = None;
        for view in self.view().authorities.values() {
            for (generation, key) in view.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls) {
                if self.custody.holder(&key.reference).is_none() {
                    continue; // Its owner, or the alert of the unusable key, sees to it.
                }
                let done = self.refresh_crl(view.record.authority, generation, key).await;
                failure = failure.or(done.err());
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Makes the list of the key that signed a certificate again, if it is a trusted one.
    pub(crate) async fn refresh_crl_of(
        &self,
        authority: AuthorityType,
        issuer: SpkiSha256,
    ) -> Result<(), ClusterError> {
        let view = self.authority(authority)?;
        for (generation, key) in view.record.trusted() {
            if key.form == KeyForm::Tls && key.public_key.spki_sha256() == issuer {
                self.refresh_crl(authority, generation, key).await?;
            }
        }
        Ok(())
    }

    async fn refresh_crl(
        &self,
        authority: AuthorityType,
        generation: Generation,
        key: &AuthorityKey,
    ) -> Result<(), ClusterError> {
        let path = crl_path(key)?;
        let stored = documents::load::<CrlRecord>(self.state.as_ref(), &path).await?;
        let revoked = self.revoked_by(authority, key.public_key.spki_sha256()).await?;
        let (number, expect) = match &stored {
            None => (1, Expect::Absent),
            Some(stored) => {
                let age = self.now().0.saturating_sub(stored.value.this_update.0);
                let is_young = age >= 0 && age.unsigned_abs() < CRL_RENEW.seconds();
                if is_young && stored.value.serials_sha256 == serials_sha256(&revoked) {
                    return Ok(());
                }
                (stored.value.number.saturating_add(1), Expect::At(stored.revision))
            }
        };
        let signer = self.signer_for(authority, generation, key)?;
        let record = self.sign_crl(&signer, number, revoked).await?;
        let write = documents::put(path, expect, &record)?;
        documents::commit(self.state.as_ref(), "revocation list", vec![write])
            .await
            .map(|_| ())
    }

    /// What one key's list has to name: a list that names another key's certificates misleads.
    async fn revoked_by(
        &self,
        authority: AuthorityType,
        issuer: SpkiSha256,
    ) -> Result<Vec<RevokedCertificate>, ClusterError> {
        let ledger = self.journal.ledger();
        let all = ledger
            .revocations(authority, self.now())
            .await
            .map_err(ClusterError::Ledger)?;
        let mut revoked = Vec::new();
        for entry in all {
            let query = CertificateQuery {
                authority: Some(authority),
                issuer: Some(issuer),
                serial: Some(entry.serial.clone()),
                ..CertificateQuery::default()
            };
            let issued = ledger.certificates(&query).await.map_err(ClusterError::Ledger)?;
            let Ok(serial) = entry.serial.parse::<Serial>() else {
                continue;
            };
            if issued.iter().any(|certificate| certificate.form == KeyForm::Tls) {
                let reason = reason_named(&entry.reason).unwrap_or(RevocationReason::Unspecified);
                revoked.push(RevokedCertificate {
                    serial,
                    revoked_at: entry.revoked_at,
                    reason,
                });
            }
        }
        Ok(revoked)
    }

    /// The revocation lists of an authority's trusted keys, with the key each belongs to.
    ///
    /// # Errors
    /// When the state does not answer.
    pub async fn crls(
        &self,
        authority: AuthorityType,
    ) -> Result<Vec<(AuthorityKey, CrlRecord)>, ClusterError> {
        let mut lists = Vec::new();
        let view = self.authority(authority)?;
        for (_, key) in view.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls) {
            if let Some(stored) = documents::load::<CrlRecord>(self.state.as_ref(), &crl_path(key)?).await? {
                lists.push((key.clone(), stored.value));
            }
        }
        Ok(lists)
    }
}

fn serials_sha256(revoked: &[RevokedCertificate]) -> String {
    let mut serials: Vec<String> = revoked.iter().map(|entry| entry.serial.to_string()).collect();
    serials.sort_unstable();
    hex::encode(digest::digest(&digest::SHA256, serials.join(",").as_bytes()))
}

fn crl_path(key: &AuthorityKey) -> Result<StateKey, ClusterError> {
    documents::path("crl", key.public_key.spki_sha256())
}

/// A revocation reason by the name RFC 5280 section 5.3.1 gives it.
pub(crate) fn reason_named(name: &str) -> Option<RevocationReason> {
    match name {
        "unspecified" => Some(RevocationReason::Unspecified),
        "keyCompromise" => Some(RevocationReason::KeyCompromise),
        "affiliationChanged" => Some(RevocationReason::AffiliationChanged),
        "superseded" => Some(RevocationReason::Superseded),
        "cessationOfOperation" => Some(RevocationReason::CessationOfOperation),
        "privilegeWithdrawn" => Some(RevocationReason::PrivilegeWithdrawn),
        _ => None,
    }
}
