//! The one way to a signature: recorded before, recorded after.

use std::sync::Arc;

use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use authority::KeyForm;
use key::BackendKind;
use key::Signature;
use key::SignatureScheme;
use keystore::KeyBackend;
use ledger::IssuedCertificate;
use ledger::Record;
use names::UnixSeconds;
use rotation::Generation;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::record::AuthorityKey;
use crate::record::AuthorityRecord;

/// A key of an authority that can sign here.
pub(crate) struct Signer {
    pub(crate) authority: AuthorityType,
    pub(crate) generation: Generation,
    pub(crate) key: AuthorityKey,
    backend: Arc<dyn KeyBackend>,
}

/// What the log says of something about to be signed.
#[derive(Debug, Clone)]
pub(crate) struct Announcement {
    pub(crate) cert_type: &'static str,
    pub(crate) serial: String,
    pub(crate) subject: String,
    pub(crate) principals: Vec<String>,
    pub(crate) not_before: UnixSeconds,
    pub(crate) not_after: UnixSeconds,
    /// What allowed it.
    pub(crate) allowed_by: String,
}

/// Something signed, not yet recorded as issued.
pub(crate) struct Signed {
    pub(crate) signature: Signature,
    event_uid: String,
}

impl Signer {
    /// Signs what carries no serial of its own, such as a revocation list; the caller recorded it.
    pub(crate) async fn sign_unnumbered(
        &self,
        scheme: SignatureScheme,
        to_be_signed: &[u8],
    ) -> Result<Signature, ClusterError> {
        let Self { authority, generation: _, key, backend } = self;
        let context = || format!("signing with the {} key of the {authority} authority", key.form);
        let signature = backend
            .sign(&key.reference, scheme, to_be_signed)
            .await
            .map_err(|source| ClusterError::key(context(), source))?;
        self.check(to_be_signed, &signature)?;
        Ok(signature)
    }

    /// Checks a signature where the backend is not our own code: a broken token must not issue.
    fn check(&self, to_be_signed: &[u8], signature: &Signature) -> Result<(), ClusterError> {
        let key = &self.key;
        if key.reference.backend == BackendKind::Software {
            return Ok(());
        }
        key.public_key.verify(to_be_signed, signature).map_err(|fault| {
            ClusterError::Internal(format!("{} answered a wrong signature: {fault}", key.reference.store))
        })
    }
}

impl Cluster {
    /// The key of an authority that signs this form now.
    pub(crate) fn signer(&self, authority: AuthorityType, form: KeyForm) -> Result<Signer, ClusterError> {
        let view = self.authority(authority)?;
        self.signer_of(&view.record, view.record.desired().signs_with, form)
    }

    /// A key of this generation that can sign here.
    pub(crate) fn signer_of(
        &self,
        record: &AuthorityRecord,
        generation: Generation,
        form: KeyForm,
    ) -> Result<Signer, ClusterError> {
        let authority = record.authority;
        let mut elsewhere = None;
        for key in record.keys_of(generation).iter().filter(|key| key.form == form) {
            match self.custody.holder(&key.reference) {
                None => elsewhere = Some(key.reference.store.clone()),
                Some(backend) => {
                    return Ok(Signer { authority, generation, key: key.clone(), backend: backend.clone() });
                }
            }
        }
        let reason = match elsewhere {
            None => format!("it has none; {authority} signs {}", forms(authority)),
            Some(store) => format!(
                "it lives in {store}, which is not configured here; add it to `auth_service.former_ca_key_params` and restart"
            ),
        };
        Err(Refusal::NoUsableKey { authority, form: form.protocol(), reason }.into())
    }

    /// A key just made, before any record names it.
    pub(crate) fn signer_for(
        &self,
        authority: AuthorityType,
        generation: Generation,
        key: &AuthorityKey,
    ) -> Result<Signer, ClusterError> {
        let backend = self.custody.holder(&key.reference).ok_or_else(|| {
            ClusterError::Internal(format!("the key just made is not in {}", key.reference.store))
        })?;
        Ok(Signer { authority, generation, key: key.clone(), backend: backend.clone() })
    }

    /// Records that something is about to be signed and takes its serial, then signs it.
    pub(crate) async fn sign(
        &self,
        actor: &Actor,
        signer: &Signer,
        announcement: &Announcement,
        scheme: SignatureScheme,
        to_be_signed: &[u8],
    ) -> Result<Signed, ClusterError> {
        let Signer { authority, generation, key, backend: _ } = signer;
        let (authority, form, key_id) = (*authority, key.form, key.reference.id);
        let event = AuditEvent::CertificateCreated {
            authority,
            form,
            cert_type: announcement.cert_type.to_owned(),
            serial: announcement.serial.clone(),
            subject: announcement.subject.clone(),
            principals: announcement.principals.clone(),
            not_before: announcement.not_before,
            not_after: announcement.not_after,
            key_id,
            allowed_by: announcement.allowed_by.clone(),
        };
        let (event_uid, record) = self.journal.event(actor, event)?;
        let mut records = vec![record, Record::Serial { authority, form, serial: announcement.serial.clone() }];
        if self.key_use.note(key_id, self.now()) {
            let first =
                AuditEvent::KeyFirstUsed { authority, form, generation: generation.number(), key_id };
            records.push(self.journal.event(&Actor::System, first)?.1);
        }
        self.journal.append(records).await?;
        match signer.sign_unnumbered(scheme, to_be_signed).await {
            Ok(signature) => Ok(Signed { signature, event_uid }),
            Err(error) => {
                let words = match &error {
                    ClusterError::Key { context, source } => format!("{context}: {source}"),
                    other => other.to_string(),
                };
                self.record_failure(actor, signer, announcement, &event_uid, words).await?;
                Err(error)
            }
        }
    }

    async fn record_failure(
        &self,
        actor: &Actor,
        signer: &Signer,
        announcement: &Announcement,
        event_uid: &str,
        error: String,
    ) -> Result<(), ClusterError> {
        let event = AuditEvent::CertificateFailed {
            authority: signer.authority,
            form: signer.key.form,
            serial: announcement.serial.clone(),
            announced_by: event_uid.to_owned(),
            error,
        };
        self.journal.record(actor, event).await.map(|_| ())
    }

    /// Records what was issued; only then may it leave.
    pub(crate) async fn record_issued(
        &self,
        signer: &Signer,
        announcement: Announcement,
        signed: Signed,
        bytes: Vec<u8>,
    ) -> Result<(), ClusterError> {
        let issued = IssuedCertificate {
            authority: signer.authority,
            form: signer.key.form,
            serial: announcement.serial,
            subject: announcement.subject,
            issuer_spki_sha256: signer.key.public_key.spki_sha256(),
            not_before: announcement.not_before,
            not_after: announcement.not_after,
            event_uid: signed.event_uid,
            bytes,
        };
        self.journal.append(vec![Record::Certificate(Box::new(issued))]).await
    }
}

fn forms(authority: AuthorityType) -> String {
    let forms: Vec<&str> = authority.forms().iter().map(|form| form.protocol()).collect();
    forms.join(" and ")
}
