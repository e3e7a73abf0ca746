use std::sync::Arc;
use std::time::Duration;

use api_types::AcceptRestoreRequest;
use api_types::Alert;
use api_types::AuditVerdict;
use api_types::CertAuthority;
use api_types::CertAuthorityParameters;
use api_types::CertificateParameters;
use api_types::CertificateRow;
use api_types::Crl;
use api_types::CrlParameters;
use api_types::EventPage;
use api_types::EventParameters;
use api_types::Export;
use api_types::ExportParameters;
use api_types::Finding;
use api_types::KeyDetail;
use api_types::KeyVerdict;
use api_types::Method;
use api_types::RetireRequest;
use api_types::RevokeAnswer;
use api_types::RevokeRequest;
use api_types::RotateAnswer;
use api_types::RotateRequest;
use api_types::Route;
use api_types::SecretText;
use api_types::SignAnswer;
use api_types::SignRequest;
use api_types::Status;
use api_types::SweepAnswer;
use api_types::SweepRequest;
use api_types::VerifyRequest;
use api_types::Version;

use crate::ClientError;
use crate::Endpoint;
use crate::call;
use crate::call::Call;
use crate::kept::Kept;

/// A client of one server. Cheap to make; it connects for every call, unless it is [`Client::keeping`] a connection.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    deadline: Duration,
    privilege: Option<SecretText>,
    /// What its clones share, too.
    kept: Option<Arc<Kept>>,
}

/// How long a call may take as a whole, unless [`Client::with_deadline`] says otherwise. Making keys in a slow token
/// takes its time.
const DEADLINE: Duration = Duration::from_secs(120);

// Every method fails with `ClientError`: unreachable, refused, failed or not understood.
#[expect(
    clippy::missing_errors_doc,
    reason = "every method fails alike: see `ClientError`"
)]
impl Client {
    /// A client of the server at this endpoint.
    pub const fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            deadline: DEADLINE,
            privilege: None,
            kept: None,
        }
    }

    /// The same client, which keeps a connection open from one call to the next: for who asks again and again, one call after the other. A
    /// call that finds it in use connects anew.
    #[must_use]
    pub fn keeping(self) -> Self {
        Self {
            kept: Some(Arc::default()),
            ..self
        }
    }

    /// The same client, which connects for every call: for who will not ask for a while.
    #[must_use]
    pub fn connecting(self) -> Self {
        Self { kept: None, ..self }
    }

    /// The same client with another deadline for each call.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The same client, which shows with each call that its user said anew who they are.
    #[must_use]
    pub fn with_privilege(self, privilege: SecretText) -> Self {
        Self {
            privilege: Some(privilege),
            ..self
        }
    }

    fn call(&self, route: Route, id: Option<&str>) -> Call<'_> {
        self.call_at(route.method(), call::path(route.path(), id.as_slice()))
    }

    pub(crate) fn call_at(&self, method: Method, path: String) -> Call<'_> {
        Call {
            endpoint: &self.endpoint,
            method,
            path,
            privilege: self.privilege.as_ref(),
            kept: self.kept.as_deref(),
            deadline: self.deadline,
        }
    }

    /// The server's version.
    pub async fn version(&self) -> Result<Version, ClientError> {
        self.call(Route::Version, None).get(&()).await
    }

    /// What an operator sees first.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Route::Status, None).get(&()).await
    }

    /// Authorities as documents.
    pub async fn cert_authorities(
        &self,
        parameters: &CertAuthorityParameters,
    ) -> Result<Vec<CertAuthority>, ClientError> {
        self.call(Route::CertAuthorities, None).get(parameters).await
    }

    /// Begins a rotation, moves it on, or plans it.
    pub async fn rotate(&self, request: &RotateRequest) -> Result<RotateAnswer, ClientError> {
        self.call(Route::Rotate, None).send_document(request).await
    }

    /// The public material of an authority.
    pub async fn export(&self, parameters: &ExportParameters) -> Result<Export, ClientError> {
        self.call(Route::Export, None).get(parameters).await
    }

    /// Issues a credential.
    pub async fn sign(&self, request: &SignRequest) -> Result<SignAnswer, ClientError> {
        self.call(Route::Sign, None).send_document(request).await
    }

    /// The revocation lists of an authority, one per key.
    pub async fn crl(&self, parameters: &CrlParameters) -> Result<Vec<Crl>, ClientError> {
        self.call(Route::Crl, None).get(parameters).await
    }

    /// Every key.
    pub async fn keys(&self) -> Result<Vec<KeyDetail>, ClientError> {
        self.call(Route::Keys, None).get(&()).await
    }

    /// One key.
    pub async fn key(&self, id: &str) -> Result<KeyDetail, ClientError> {
        self.call(Route::Key, Some(id)).get(&()).await
    }

    /// Has keys sign a challenge.
    pub async fn verify_keys(&self, request: &VerifyRequest) -> Result<Vec<KeyVerdict>, ClientError> {
        self.call(Route::KeysVerify, None).send_document(request).await
    }

    /// Puts a key into quarantine.
    pub async fn retire_key(&self, id: &str, request: &RetireRequest) -> Result<KeyDetail, ClientError> {
        self.call(Route::KeyRetire, Some(id)).send_document(request).await
    }

    /// Takes a key out of quarantine.
    pub async fn restore_key(&self, id: &str, request: &RetireRequest) -> Result<KeyDetail, ClientError> {
        self.call(Route::KeyRestore, Some(id))
            .send_document(request)
            .await
    }

    /// Destroys what has sat out its quarantine, or tells what would be.
    pub async fn sweep_keys(&self, request: &SweepRequest) -> Result<SweepAnswer, ClientError> {
        self.call(Route::KeysSweep, None).send_document(request).await
    }

    /// A page of audit events.
    pub async fn events(&self, parameters: &EventParameters) -> Result<EventPage, ClientError> {
        self.call(Route::AuditEvents, None).get(parameters).await
    }

    /// Whether the audit log is as it was written.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, ClientError> {
        self.call(Route::AuditVerify, None).get(&()).await
    }

    /// Accepts that the audit log was restored from a backup, and answers how it is then.
    pub async fn accept_restore(&self, request: &AcceptRestoreRequest) -> Result<AuditVerdict, ClientError> {
        self.call(Route::AuditAcceptRestore, None)
            .send_document(request)
            .await
    }

    /// What needs attention.
    pub async fn alerts(&self) -> Result<Vec<Alert>, ClientError> {
        self.call(Route::Alerts, None).get(&()).await
    }

    /// Examines the server's surroundings.
    pub async fn doctor(&self) -> Result<Vec<Finding>, ClientError> {
        self.call(Route::Doctor, None).get(&()).await
    }

    /// Certificates as they were issued.
    pub async fn certificates(
        &self,
        parameters: &CertificateParameters,
    ) -> Result<Vec<CertificateRow>, ClientError> {
        self.call(Route::Certificates, None).get(parameters).await
    }

    /// Revokes a certificate.
    pub async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeAnswer, ClientError> {
        self.call(Route::CertificatesRevoke, None)
            .send_document(request)
            .await
    }
}
