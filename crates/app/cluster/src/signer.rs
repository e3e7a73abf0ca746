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
use profile::LintedPlan;
use profile::Summary;
use rotation::Generation;
use x509::Issuer;
use zeroize::Zeroizing;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::cluster::AuthorityView;
use crate::cluster::SigningKey;
use crate::mint::issuer_of;
use crate::record::AuthorityKey;

/// A key of an authority that can sign here.
pub(crate) struct Signer {
    pub(crate) authority: AuthorityType,
    pub(crate) generation: Generation,
    pub(crate) key: Arc<AuthorityKey>,
    issuer: Option<Arc<Issuer>>,
    backend: Arc<dyn KeyBackend>,
}

/// Something issued and recorded. It cannot be printed: a token is a secret.
pub(crate) struct Issued {
    /// What it says.
    pub(crate) summary: Summary,
    /// DER (X.509), a blob (SSH), the text of a token.
    pub(crate) document: Zeroizing<Vec<u8>>,
}

impl Signer {
    /// What certificates below the key need of it.
    pub(crate) fn issuer(&self) -> Result<&Issuer, ClusterError> {
        self.issuer.as_deref().ok_or_else(|| {
            let id = self.key.reference.id;
            ClusterError::Internal(format!(
                "the {} key {id} has no certificate that reads",
                self.authority
            ))
        })
    }

    /// Signs what carries no serial of its own, such as a revocation list; the caller recorded it.
    pub(crate) async fn sign_unnumbered(&self, plan: LintedPlan) -> Result<Vec<u8>, ClusterError> {
        let (_, to_be_signed) = plan.into_parts();
        let signature = self
            .signature(to_be_signed.scheme(), to_be_signed.bytes())
            .await?;
        to_be_signed
            .assemble(&signature)
            .map_err(|error| ClusterError::Internal(error.to_string()))
    }

    async fn signature(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Signature, ClusterError> {
        let Self {
            authority,
            generation: _,
            key,
            issuer: _,
            backend,
        } = self;
        let context = || format!("signing with the {} key of the {authority} authority", key.form);
        let signature = backend
            .sign(&key.reference, scheme, message)
            .await
            .map_err(|source| ClusterError::key(context(), source))?;
        self.check(message, &signature)?;
        Ok(signature)
    }

    /// Checks a signature where the backend is not our own code: a broken token must not issue.
    fn check(&self, to_be_signed: &[u8], signature: &Signature) -> Result<(), ClusterError> {
        let key = &self.key;
        if key.reference.backend == BackendKind::Software {
            return Ok(());
        }
        key.public_key.verify(to_be_signed, signature).map_err(|fault| {
            ClusterError::Internal(format!(
                "{} answered a wrong signature: {fault}",
                key.reference.store
            ))
        })
    }
}

impl Cluster {
    /// A key of this generation that can sign here.
    pub(crate) fn signer_of(
        &self,
        view: &AuthorityView,
        generation: Generation,
        form: KeyForm,
    ) -> Result<Signer, ClusterError> {
        let authority = view.record.authority;
        let mut elsewhere = None;
        for signing in view
            .signing
            .iter()
            .filter(|key| key.generation == generation && key.key.form == form)
        {
            let SigningKey {
                generation,
                key,
                issuer,
            } = signing;
            match self.custody.holder(&key.reference) {
                None => elsewhere = Some(key.reference.store.clone()),
                Some(backend) => {
                    let (key, issuer, backend) = (key.clone(), issuer.clone(), backend.clone());
                    return Ok(Signer {
                        authority,
                        generation: *generation,
                        key,
                        issuer,
                        backend,
                    });
                }
            }
        }
        let reason = match elsewhere {
            None => format!("it has none; {authority} signs {}", forms(authority)),
            Some(store) => format!(
                "it lives in {store}, which is not configured here; add it to `auth_service.former_ca_key_params` and restart"
            ),
        };
        Err(Refusal::NoUsableKey {
            authority,
            form: form.protocol(),
            reason,
        }
        .into())
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
        let issuer = issuer_of(authority, key).ok().map(Arc::new);
        Ok(Signer {
            authority,
            generation,
            key: Arc::new(key.clone()),
            issuer,
            backend: backend.clone(),
        })
    }

    /// Issues: records what is about to be signed and takes its serial, signs, records what was signed. Only then may it leave.
    pub(crate) async fn issue(
        &self,
        actor: &Actor,
        signer: &Signer,
        plan: LintedPlan,
        event_uid: [u8; 16],
        allowed_by: &str,
    ) -> Result<Issued, ClusterError> {
        let (summary, to_be_signed) = plan.into_parts();
        let event_uid = self
            .announce_issue(actor, signer, &summary, event_uid, allowed_by)
            .await?;
        let signature = match signer
            .signature(to_be_signed.scheme(), to_be_signed.bytes())
            .await
        {
            Ok(signature) => signature,
            Err(error) => {
                self.record_failure(actor, signer, &summary, &event_uid, describe(&error))
                    .await?;
                return Err(error);
            }
        };
        let document = to_be_signed
            .assemble(&signature)
            .map_err(|error| ClusterError::Internal(error.to_string()))?;
        // A token is a secret: that it was issued is recorded, not what it is.
        let bytes = if signer.key.form == KeyForm::Jwt {
            Vec::new()
        } else {
            document.clone()
        };
        let issued = IssuedCertificate {
            authority: signer.authority,
            form: signer.key.form,
            serial: summary.serial.clone(),
            subject: summary.subject.clone(),
            issuer_spki_sha256: signer.key.public_key.spki_sha256(),
            not_before: summary.not_before,
            not_after: summary.not_after,
            event_uid,
            bytes,
        };
        self.journal
            .append(vec![Record::Certificate(Box::new(issued))])
            .await?;
        Ok(Issued {
            summary,
            document: Zeroizing::new(document),
        })
    }

    /// One durable append: the event, the serial, and the first use of the key where this is it.
    async fn announce_issue(
        &self,
        actor: &Actor,
        signer: &Signer,
        summary: &Summary,
        event_uid: [u8; 16],
        allowed_by: &str,
    ) -> Result<String, ClusterError> {
        let Signer {
            authority,
            generation,
            key,
            issuer: _,
            backend: _,
        } = signer;
        let (authority, form, key_id) = (*authority, key.form, key.reference.id);
        let event = AuditEvent::CertificateCreated {
            authority,
            form,
            cert_type: summary.cert_type.to_owned(),
            serial: summary.serial.clone(),
            subject: summary.subject.clone(),
            principals: summary.principals.clone(),
            not_before: summary.not_before,
            not_after: summary.not_after,
            key_id,
            allowed_by: allowed_by.to_owned(),
        };
        let (event_uid, record) = self.journal.event_as(event_uid, actor, event);
        let mut records = vec![
            record,
            Record::Serial {
                authority,
                form,
                serial: summary.serial.clone(),
            },
        ];
        let is_first = self.key_use.note(key_id, self.now());
        if is_first {
            let first = AuditEvent::KeyFirstUsed {
                authority,
                form,
                generation: generation.number(),
                key_id,
            };
            records.push(self.journal.event(&Actor::System, first)?.1);
        }
        let appended = self.journal.append(records).await;
        if is_first && appended.is_err() {
            self.key_use.forget(key_id);
        }
        appended.map(|()| event_uid)
    }

    async fn record_failure(
        &self,
        actor: &Actor,
        signer: &Signer,
        summary: &Summary,
        event_uid: &str,
        error: String,
    ) -> Result<(), ClusterError> {
        let event = AuditEvent::CertificateFailed {
            authority: signer.authority,
            form: signer.key.form,
            serial: summary.serial.clone(),
            announced_by: event_uid.to_owned(),
            error,
        };
        self.journal.record(actor, event).await.map(|_| ())
    }
}

fn describe(error: &ClusterError) -> String {
    if let ClusterError::Key { context, source } = error {
        return format!("{context}: {source}");
    }
    error.to_string()
}

fn forms(authority: AuthorityType) -> String {
    let forms: Vec<&str> = authority.forms().iter().map(|form| form.protocol()).collect();
    forms.join(" and ")
}
