//! The certificates of a host.

use audit::Actor;
use authority::AuthorityType;
use authority::KeyForm;
use cluster::AuthorityKey;
use cluster::Credential;
use cluster::IssueSsh;
use cluster::IssueX509;
use key::PublicKey;
use names::HostName;
use names::Principal;
use names::Ttl;
use names::UnixSeconds;
use profile::SshRequest;
use profile::X509Request;
use resource::SystemRole;
use rotation::Generation;
use ssh_cert::SubjectKey;

use crate::Enrollment;
use crate::EnrollmentError;
use crate::host::IssuedToHost;

/// How long TLS certificates of hosts are good for. They are to be renewed after two thirds of it.
pub const TLS_LIFE: Ttl = Ttl::from_days(7);
/// How long SSH certificates of hosts are good for. They are renewed with the TLS certificates.
pub const SSH_LIFE: Ttl = Ttl::from_days(30);

/// An X.509 certificate with that of the authority that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsCertificate {
    /// DER: the certificate, then its authority's.
    pub chain: Vec<Vec<u8>>,
    /// The generation that signed it.
    pub generation: Generation,
    /// When it ends.
    pub not_after: UnixSeconds,
}

/// An SSH certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshCertificate {
    /// The blob, as it stands in base64 in a `…-cert.pub` file.
    pub blob: Vec<u8>,
    /// The generation that signed it.
    pub generation: Generation,
    /// When it ends.
    pub not_after: UnixSeconds,
}

/// Everything issued to a host at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// To present to those it connects to.
    pub tls_client: TlsCertificate,
    /// To present to those who connect to it. For the same key; only while a rotation has moved clients but not servers is it another.
    pub tls_server: TlsCertificate,
    /// To present to SSH clients.
    pub ssh: SshCertificate,
}

/// For whom.
pub(crate) struct Subject<'a> {
    pub(crate) names: Vec<HostName>,
    pub(crate) roles: &'a [SystemRole],
    pub(crate) tls_key: &'a PublicKey,
    pub(crate) ssh_key: &'a SubjectKey,
    pub(crate) allowed_by: String,
}

impl Enrollment {
    /// Issues everything a host needs, and what to remember of it.
    pub(crate) async fn issue(
        &self,
        actor: &Actor,
        subject: Subject<'_>,
    ) -> Result<(Certificates, Vec<IssuedToHost>), EnrollmentError> {
        let Subject {
            names,
            roles,
            tls_key,
            ssh_key,
            allowed_by,
        } = subject;
        let roles = roles
            .iter()
            .map(|role| Principal::parse(role.as_str()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| EnrollmentError::Internal(error.to_string()))?;
        let x509 = IssueX509 {
            request: X509Request::Host {
                names: names.clone(),
                roles: roles.clone(),
            },
            subject_key: tls_key.clone(),
            ttl: Some(TLS_LIFE),
            allowed_by: allowed_by.clone(),
        };
        let mut issued = Vec::new();
        let client = self.cluster.issue_x509(actor, &x509).await?;
        issued.push(remembered(&client, KeyForm::Tls));
        let desired = self.cluster.authority(AuthorityType::Host)?.record.desired();
        let server = if desired.servers_use == client.generation {
            client.clone()
        } else {
            let server = self.cluster.issue_server_x509(actor, &x509).await?;
            issued.push(remembered(&server, KeyForm::Tls));
            server
        };
        let ssh = IssueSsh {
            request: SshRequest::Host { names, roles },
            subject_key: ssh_key.clone(),
            ttl: Some(SSH_LIFE),
            allowed_by,
        };
        let ssh = self.cluster.issue_server_ssh(actor, &ssh).await?;
        issued.push(remembered(&ssh, KeyForm::Ssh));
        let certificates = Certificates {
            tls_client: self.with_authority(&client)?,
            tls_server: self.with_authority(&server)?,
            ssh: SshCertificate {
                blob: ssh.document.to_vec(),
                generation: ssh.generation,
                not_after: ssh.not_after,
            },
        };
        Ok((certificates, issued))
    }

    fn with_authority(&self, credential: &Credential) -> Result<TlsCertificate, EnrollmentError> {
        let host = self.cluster.authority(AuthorityType::Host)?;
        let keys = host.record.keys_of(credential.generation);
        let tls = keys.iter().filter(|key| key.form == KeyForm::Tls);
        let leaf = x509::Certificate::from_der(&credential.document)
            .map_err(|error| EnrollmentError::Internal(format!("a certificate just issued: {error}")))?;
        let signer = tls
            .filter(|key| leaf.verify_issued(&key.public_key).is_ok())
            .find_map(certificate_of)
            .ok_or_else(|| EnrollmentError::Internal("a certificate just issued has no authority".into()))?;
        Ok(TlsCertificate {
            chain: vec![credential.document.to_vec(), signer],
            generation: credential.generation,
            not_after: credential.not_after,
        })
    }
}

fn certificate_of(key: &AuthorityKey) -> Option<Vec<u8>> {
    key.certificate.as_ref().map(|der| der.0.clone())
}

fn remembered(credential: &Credential, form: KeyForm) -> IssuedToHost {
    IssuedToHost {
        form,
        serial: credential.serial.clone(),
        generation: credential.generation,
        not_after: credential.not_after,
    }
}
