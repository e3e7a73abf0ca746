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
use profile::ToBeSigned;
use rotation::Generation;
use x509::Issuer;
use zeroize::Zeroizing;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::cluster::AuthorityView;
use crate::cluster::SigningKey;
use crate::journal::Journal;
use crate::journal::event_id;
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

/// Something that is about to be issued.
pub(crate) struct Unsigned {
    what: Wanted,
    to_be_signed: ToBeSigned,
}

/// What it will say, and who signs it.
struct Wanted {
    signer: Signer,
    summary: Summary,
    /// Random bytes for the event that announces it.
    event_uid: [u8; 16],
    /// Which policy allows it, for the log.
    allowed_by: String,
}

/// What came of signing it.
struct Tried {
    what: Wanted,
    document: Result<Vec<u8>, ClusterError>,
}

/// Something issued and recorded. It cannot be printed: a token is a secret.
pub(crate) struct Issued {
    pub(crate) authority: AuthorityType,
    pub(crate) generation: Generation,
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
    pub(crate) async fn issue(&self, actor: &Actor, unsigned: Unsigned) -> Result<Issued, ClusterError> {
        self.announce(actor, [&unsigned.what]).await?;
        let tried = unsigned.sign().await;
        self.keep(actor, [&tried]).await?;
        tried.issued()
    }

    /// As [`Cluster::issue`], for two that are wanted together: announced in one append, recorded in one append.
    /// When one cannot be signed neither leaves.
    pub(crate) async fn issue_two(
        &self,
        actor: &Actor,
        (one, other): (Unsigned, Unsigned),
    ) -> Result<(Issued, Issued), ClusterError> {
        self.announce(actor, [&one.what, &other.what]).await?;
        let (one, other) = (one.sign().await, other.sign().await);
        self.keep(actor, [&one, &other]).await?;
        Ok((one.issued()?, other.issued()?))
    }

    /// One durable append: the events, the serials, and the first uses of keys where these are theirs.
    async fn announce<const COUNT: usize>(
        &self,
        actor: &Actor,
        all: [&Wanted; COUNT],
    ) -> Result<(), ClusterError> {
        let mut records = Vec::with_capacity(2 * COUNT);
        let mut first_used = Vec::new();
        for wanted in all {
            records.extend(wanted.announcement(&self.journal, actor));
            let key_id = wanted.signer.key.reference.id;
            if self.key_use.note(key_id, self.now()) {
                first_used.push(key_id);
                let event = self.journal.event(&Actor::System, wanted.first_use())?;
                records.push(event.1);
            }
        }
        let appended = self.journal.append(records).await;
        if appended.is_err() {
            first_used
                .into_iter()
                .for_each(|key_id| self.key_use.forget(key_id));
        }
        appended
    }

    /// One durable append of what came of signing. What was signed is recorded even where it does not leave, for another was not.
    async fn keep<const COUNT: usize>(
        &self,
        actor: &Actor,
        all: [&Tried; COUNT],
    ) -> Result<(), ClusterError> {
        let mut records = Vec::with_capacity(COUNT);
        for Tried { what, document } in all {
            records.push(match document {
                Ok(document) => what.certificate(document),
                Err(error) => self.journal.event(actor, what.failure(error))?.1,
            });
        }
        self.journal.append(records).await
    }
}

impl Unsigned {
    /// A plan, to be signed. `event_uid`: random bytes for the event that announces it.
    pub(crate) fn new(signer: Signer, plan: LintedPlan, event_uid: [u8; 16], allowed_by: &str) -> Self {
        let (summary, to_be_signed) = plan.into_parts();
        Self {
            what: Wanted {
                signer,
                summary,
                event_uid,
                allowed_by: allowed_by.to_owned(),
            },
            to_be_signed,
        }
    }

    async fn sign(self) -> Tried {
        let Self { what, to_be_signed } = self;
        let signature = what.signer.signature(to_be_signed.scheme(), to_be_signed.bytes());
        let document = signature.await.and_then(|signature| {
            let assembled = to_be_signed.assemble(&signature);
            assembled.map_err(|error| ClusterError::Internal(error.to_string()))
        });
        Tried { what, document }
    }
}

impl Tried {
    fn issued(self) -> Result<Issued, ClusterError> {
        let Self { what, document } = self;
        Ok(Issued {
            authority: what.signer.authority,
            generation: what.signer.generation,
            summary: what.summary,
            document: Zeroizing::new(document?),
        })
    }
}

impl Wanted {
    /// The event, and the serial.
    fn announcement(&self, journal: &Journal, actor: &Actor) -> [Record; 2] {
        let Self {
            signer,
            summary,
            event_uid,
            allowed_by,
        } = self;
        let (authority, form) = (signer.authority, signer.key.form);
        let event = AuditEvent::CertificateCreated {
            authority,
            form,
            cert_type: summary.cert_type.to_owned(),
            serial: summary.serial.clone(),
            subject: summary.subject.clone(),
            principals: summary.principals.clone(),
            not_before: summary.not_before,
            not_after: summary.not_after,
            key_id: signer.key.reference.id,
            allowed_by: allowed_by.clone(),
        };
        let (_, event) = journal.event_as(*event_uid, actor, event);
        let serial = Record::Serial {
            authority,
            form,
            serial: summary.serial.clone(),
        };
        [event, serial]
    }

    fn first_use(&self) -> AuditEvent {
        let signer = &self.signer;
        AuditEvent::KeyFirstUsed {
            authority: signer.authority,
            form: signer.key.form,
            generation: signer.generation.number(),
            key_id: signer.key.reference.id,
        }
    }

    fn certificate(&self, document: &[u8]) -> Record {
        let Self {
            signer,
            summary,
            event_uid,
            allowed_by: _,
        } = self;
        // A token is a secret: that it was issued is recorded, not what it is.
        let bytes = if signer.key.form == KeyForm::Jwt {
            Vec::new()
        } else {
            document.to_vec()
        };
        Record::Certificate(Box::new(IssuedCertificate {
            authority: signer.authority,
            form: signer.key.form,
            serial: summary.serial.clone(),
            subject: summary.subject.clone(),
            issuer_spki_sha256: signer.key.public_key.spki_sha256(),
            not_before: summary.not_before,
            not_after: summary.not_after,
            event_uid: event_id(*event_uid),
            bytes,
        }))
    }

    fn failure(&self, error: &ClusterError) -> AuditEvent {
        AuditEvent::CertificateFailed {
            authority: self.signer.authority,
            form: self.signer.key.form,
            serial: self.summary.serial.clone(),
            announced_by: event_id(self.event_uid),
            error: describe(error),
        }
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
