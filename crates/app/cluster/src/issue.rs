//! Issuing credentials: X.509 and SSH certificates, tokens.

use audit::Actor;
use authority::AuthorityType;
use authority::KeyForm;
use key::PublicKey;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use profile::Finding;
use profile::SshRequest;
use profile::TokenProfile;
use profile::TokenRequest;
use profile::X509Request;
use rotation::Generation;
use ssh_cert::SubjectKey;
use zeroize::Zeroizing;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::journal::sixteens;
use crate::signer::Issued;
use crate::signer::Signer;
use crate::signer::Unsigned;

/// A request for an X.509 certificate.
#[derive(Debug, Clone)]
pub struct IssueX509 {
    /// For whom.
    pub request: X509Request,
    /// The holder's key.
    pub subject_key: PublicKey,
    /// How long; the profile's usual length when `None`.
    pub ttl: Option<Ttl>,
    /// Which policy allows it, for the log.
    pub allowed_by: String,
}

/// A request for an SSH certificate.
#[derive(Debug, Clone)]
pub struct IssueSsh {
    /// For whom.
    pub request: SshRequest,
    /// The holder's key.
    pub subject_key: SubjectKey,
    /// How long; the profile's usual length when `None`.
    pub ttl: Option<Ttl>,
    /// Which policy allows it, for the log.
    pub allowed_by: String,
}

/// A request for a token.
#[derive(Debug, Clone)]
pub struct IssueToken {
    /// For whom.
    pub request: TokenRequest,
    /// How long; the profile's usual length when `None`.
    pub ttl: Option<Ttl>,
    /// Which policy allows it, for the log.
    pub allowed_by: String,
}

/// What was issued.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// DER (X.509), a blob (SSH), the text of a token, which is a secret.
    pub document: Zeroizing<Vec<u8>>,
    /// Its serial: hexadecimal (X.509), decimal (SSH), the `jti` of a token.
    pub serial: String,
    /// When it begins.
    pub not_before: UnixSeconds,
    /// When it ends.
    pub not_after: UnixSeconds,
    /// Who signed it.
    pub authority: AuthorityType,
    /// The generation of the key that signed it.
    pub generation: Generation,
}

impl Credential {
    fn new(issued: Issued) -> Self {
        let Issued {
            authority,
            generation,
            summary,
            document,
        } = issued;
        Self {
            document,
            serial: summary.serial,
            not_before: summary.not_before,
            not_after: summary.not_after,
            authority,
            generation,
        }
    }
}

/// What breaks a rule is the request's doing.
pub(crate) fn lint_refusal(findings: Vec<Finding>) -> ClusterError {
    Refusal::Lint {
        findings: findings.iter().map(ToString::to_string).collect(),
    }
    .into()
}

impl Cluster {
    /// Issues an X.509 certificate.
    ///
    /// # Errors
    /// [`Refusal::Lint`] when the request asks for more than its profile grants; otherwise whatever failed. Nothing leaves after an error.
    pub async fn issue_x509(&self, actor: &Actor, issue: &IssueX509) -> Result<Credential, ClusterError> {
        let authority = issue.request.profile().rules().authority;
        let signer = self.signer_for_issue(authority, KeyForm::Tls)?;
        let unsigned = self.unsigned_x509(issue, signer)?;
        self.issue(actor, unsigned).await.map(Credential::new)
    }

    /// Issues an X.509 certificate by the generation that servers present now: the certificate of a listener of ours.
    ///
    /// # Errors
    /// As [`Cluster::issue_x509`].
    pub async fn issue_server_x509(
        &self,
        actor: &Actor,
        issue: &IssueX509,
    ) -> Result<Credential, ClusterError> {
        let authority = issue.request.profile().rules().authority;
        let view = self.authority(authority)?;
        let signer = self.signer_of(&view, view.record.desired().servers_use, KeyForm::Tls)?;
        let unsigned = self.unsigned_x509(issue, signer)?;
        self.issue(actor, unsigned).await.map(Credential::new)
    }

    fn unsigned_x509(&self, issue: &IssueX509, signer: Signer) -> Result<Unsigned, ClusterError> {
        let issuer = signer.issuer()?;
        let [serial, event_uid] = sixteens(self.entropy.as_ref())?;
        let serial = Serial::from_random(serial);
        let crl_url = self
            .settings
            .public_url
            .as_ref()
            .map(|base| format!("{base}/crl/{}.crl", signer.key.public_key.spki_sha256()));
        let plan = profile::plan_x509(
            &issue.request,
            issue.subject_key.clone(),
            issue.ttl,
            issuer,
            self.name(),
            serial,
            self.now(),
            crl_url,
        )
        .map_err(lint_refusal)?;
        let linted = profile::lint_x509(plan, issuer).map_err(lint_refusal)?;
        Ok(Unsigned::new(signer, linted, event_uid, &issue.allowed_by))
    }

    /// Issues an SSH certificate.
    ///
    /// # Errors
    /// As [`Cluster::issue_x509`].
    pub async fn issue_ssh(&self, actor: &Actor, issue: &IssueSsh) -> Result<Credential, ClusterError> {
        let signer = self.signer_for_issue(issue.request.profile().authority(), KeyForm::Ssh)?;
        let unsigned = self.unsigned_ssh(issue, signer)?;
        self.issue(actor, unsigned).await.map(Credential::new)
    }

    /// Issues an SSH and an X.509 certificate that are wanted together. Both or neither.
    ///
    /// # Errors
    /// As [`Cluster::issue_x509`].
    pub async fn issue_ssh_and_x509(
        &self,
        actor: &Actor,
        ssh: &IssueSsh,
        x509: &IssueX509,
    ) -> Result<(Credential, Credential), ClusterError> {
        let by = self.signer_for_issue(ssh.request.profile().authority(), KeyForm::Ssh)?;
        let unsigned_ssh = self.unsigned_ssh(ssh, by)?;
        let by = self.signer_for_issue(x509.request.profile().rules().authority, KeyForm::Tls)?;
        let unsigned_x509 = self.unsigned_x509(x509, by)?;
        let (ssh, x509) = self.issue_two(actor, (unsigned_ssh, unsigned_x509)).await?;
        Ok((Credential::new(ssh), Credential::new(x509)))
    }

    /// Issues an SSH certificate by the generation that servers present now: the certificate of a host.
    ///
    /// # Errors
    /// As [`Cluster::issue_x509`].
    pub async fn issue_server_ssh(
        &self,
        actor: &Actor,
        issue: &IssueSsh,
    ) -> Result<Credential, ClusterError> {
        let view = self.authority(issue.request.profile().authority())?;
        let signer = self.signer_of(&view, view.record.desired().servers_use, KeyForm::Ssh)?;
        let unsigned = self.unsigned_ssh(issue, signer)?;
        self.issue(actor, unsigned).await.map(Credential::new)
    }

    fn unsigned_ssh(&self, issue: &IssueSsh, signer: Signer) -> Result<Unsigned, ClusterError> {
        let profile = issue.request.profile();
        let [serial, event_uid, left, right] = sixteens(self.entropy.as_ref())?;
        let serial = Serial::from_random(serial);
        let mut nonce = [0; 32];
        nonce.copy_from_slice([left, right].as_flattened());
        let plan = profile::plan_ssh(
            &issue.request,
            issue.subject_key.clone(),
            issue.ttl,
            &signer.key.public_key,
            serial,
            nonce,
            self.now(),
        )
        .map_err(lint_refusal)?;
        let linted = profile::lint_ssh(plan, profile).map_err(lint_refusal)?;
        Ok(Unsigned::new(signer, linted, event_uid, &issue.allowed_by))
    }

    /// Issues a token.
    ///
    /// # Errors
    /// As [`Cluster::issue_x509`].
    pub async fn issue_token(&self, actor: &Actor, issue: &IssueToken) -> Result<Credential, ClusterError> {
        let profile = issue.request.profile;
        if profile == TokenProfile::Workload {
            profile::check_spiffe_id(&issue.request.subject, self.name()).map_err(lint_refusal)?;
        }
        let signer = self.signer_for_issue(profile.authority(), KeyForm::Jwt)?;
        let [serial, event_uid] = sixteens(self.entropy.as_ref())?;
        let serial = Serial::from_random(serial);
        let issuer = self.token_issuer(profile);
        let plan = profile::plan_token(
            &issue.request,
            issue.ttl,
            &issuer,
            &signer.key.public_key,
            serial,
            self.now(),
        )
        .map_err(lint_refusal)?;
        let linted = profile::lint_token(plan, profile).map_err(lint_refusal)?;
        let unsigned = Unsigned::new(signer, linted, event_uid, &issue.allowed_by);
        self.issue(actor, unsigned).await.map(Credential::new)
    }

    /// Who tokens say issued them: the provider's address for relying parties that look it up, the cluster's name for the others.
    pub fn token_issuer(&self, profile: TokenProfile) -> String {
        match profile {
            TokenProfile::Oidc => self.oidc_issuer(),
            TokenProfile::Application | TokenProfile::Okta | TokenProfile::Workload => {
                self.name().to_string()
            }
        }
    }

    /// The address of the OpenID Connect identity provider.
    pub fn oidc_issuer(&self) -> String {
        self.settings
            .public_url
            .clone()
            .unwrap_or_else(|| format!("https://{}", self.name()))
    }

    /// The key that signs now; for database servers the incoming one as soon as there is one, so that databases are configured only twice.
    fn signer_for_issue(&self, authority: AuthorityType, form: KeyForm) -> Result<Signer, ClusterError> {
        let view = self.authority(authority)?;
        let generation = if authority == AuthorityType::Db {
            rotation::db_server_signer(&view.record.rotation)
        } else {
            view.record.desired().signs_with
        };
        self.signer_of(&view, generation, form)
    }
}
