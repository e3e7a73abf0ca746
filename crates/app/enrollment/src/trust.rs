//! Whom a host trusts, and which generation it should present.

use authority::AuthorityType;
use authority::KeyForm;
use key::SpkiSha256;
use names::ClusterName;
use rotation::Generation;
use serde::Deserialize;
use serde::Serialize;

use crate::Enrollment;
use crate::EnrollmentError;

/// The authorities a host needs: that of other hosts, that of people, and that of people on plain OpenSSH servers.
pub(crate) const AUTHORITIES: [AuthorityType; 3] =
    [AuthorityType::Host, AuthorityType::User, AuthorityType::Openssh];

/// Every key a host trusts, and what it should present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustBundle {
    /// The cluster.
    pub cluster: ClusterName,
    /// The keys.
    pub keys: Vec<TrustedKey>,
    /// The generation of the host authority whose certificate a host presents to those it connects to. One that has another renews.
    pub clients_use: Generation,
    /// The generation of the host authority whose certificate a host presents to those who connect to it.
    pub servers_use: Generation,
}

/// A key that a host trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedKey {
    /// Whose.
    pub authority: AuthorityType,
    /// What it signs.
    pub form: KeyForm,
    /// Its generation.
    pub generation: Generation,
    /// SHA-256 of its `SubjectPublicKeyInfo`: what a host reports when it has installed it.
    pub spki_sha256: SpkiSha256,
    /// PEM of its certificate (TLS), or a line as in `authorized_keys` without options (SSH).
    pub text: String,
}

impl TrustBundle {
    /// The texts of the keys of one authority and form.
    pub fn texts(&self, authority: AuthorityType, form: KeyForm) -> impl Iterator<Item = &str> {
        let of_both = move |key: &&TrustedKey| key.authority == authority && key.form == form;
        self.keys.iter().filter(of_both).map(|key| key.text.as_str())
    }
}

impl Enrollment {
    /// Whom hosts trust now, and what they should present.
    ///
    /// # Errors
    /// When the cluster lacks an authority, which the next start repairs.
    pub fn trust_bundle(&self) -> Result<TrustBundle, EnrollmentError> {
        let mut keys = Vec::new();
        for authority in AUTHORITIES {
            let view = self.cluster.authority(authority)?;
            for (generation, key) in view.record.trusted() {
                let text = match (key.form, &key.certificate) {
                    (KeyForm::Tls, Some(der)) => x509::pem::encode("CERTIFICATE", &der.0),
                    (KeyForm::Ssh, _) => {
                        let comment = format!("signet-{authority}@{}", self.cluster.name());
                        ssh_cert::public_key_line(&key.public_key, &comment)
                            .map_err(|error| EnrollmentError::Internal(error.to_string()))?
                    }
                    (KeyForm::Tls, None) | (KeyForm::Jwt, _) => continue,
                };
                keys.push(TrustedKey {
                    authority,
                    form: key.form,
                    generation,
                    spki_sha256: key.public_key.spki_sha256(),
                    text,
                });
            }
        }
        let desired = self.cluster.authority(AuthorityType::Host)?.record.desired();
        Ok(TrustBundle {
            cluster: self.cluster.name().clone(),
            keys,
            clients_use: desired.clients_use,
            servers_use: desired.servers_use,
        })
    }
}
