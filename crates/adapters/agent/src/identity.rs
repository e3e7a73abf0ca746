use api_client::Identity;
use api_types::JoinAnswer;
use api_types::SecretText;
use api_types::TrustBundle;
use names::UnixSeconds;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::AgentError;
use crate::keys::Keys;

/// Who a machine is: its keys, its certificates, and whom it trusts. It cannot be printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostIdentity {
    pub(crate) host_id: String,
    pub(crate) cluster: String,
    pub(crate) roles: Vec<String>,
    /// PKCS#8, base64.
    tls_key: SecretText,
    /// In OpenSSH's form.
    ssh_key: SecretText,
    tls_client: Vec<String>,
    tls_server: Vec<String>,
    ssh_certificate: String,
    pub(crate) issued: UnixSeconds,
    pub(crate) not_after: UnixSeconds,
    /// Whom it trusted when its certificates were issued, and of which generation they are.
    trust: TrustBundle,
}

impl HostIdentity {
    pub(crate) fn new(
        keys: &Keys,
        roles: &[String],
        answer: JoinAnswer,
        now: UnixSeconds,
    ) -> Result<Self, AgentError> {
        use base64::Engine;
        let JoinAnswer {
            host_id,
            tls_client,
            tls_server,
            ssh_certificate,
            not_after,
            trust,
        } = answer;
        let not_after = not_after
            .parse()
            .map_err(|error| AgentError::NotUnderstood(format!("not_after: {error}")))?;
        let identity = Self {
            host_id,
            cluster: trust.cluster.clone(),
            roles: roles.to_vec(),
            tls_key: SecretText::new(base64::engine::general_purpose::STANDARD.encode(keys.tls.as_slice())),
            ssh_key: SecretText::new(keys.ssh.to_string()),
            tls_client,
            tls_server,
            ssh_certificate,
            issued: now,
            not_after,
            trust,
        };
        identity.client()?;
        Ok(identity)
    }

    /// The machine's id.
    pub fn host_id(&self) -> &str {
        &self.host_id
    }

    /// The cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// What it is called in its certificates; nothing when they do not say.
    pub(crate) fn node_name(&self) -> Option<String> {
        let certificate = ssh_key::Certificate::from_openssh(&self.ssh_certificate).ok()?;
        // Its id and that in the cluster come first, then its name.
        certificate.valid_principals().get(2).cloned()
    }

    /// The certificate that it presents to those it connects to.
    ///
    /// # Errors
    /// When there is none that reads.
    pub fn client_certificate(&self) -> Result<CertificateDer<'static>, AgentError> {
        let first = self.client_chain()?.into_iter().next();
        first.ok_or_else(|| AgentError::NotUnderstood("the identity has no certificate".to_owned()))
    }

    /// The SSH host key in OpenSSH's form.
    pub fn ssh_key(&self) -> &str {
        self.ssh_key.expose()
    }

    /// The SSH host certificate, a line.
    pub fn ssh_certificate(&self) -> &str {
        &self.ssh_certificate
    }

    /// When the first of its certificates ends.
    pub const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Whether its certificates are of these generations, and good for a third of their life yet.
    pub(crate) fn is_good(&self, trust: &TrustBundle, now: UnixSeconds) -> bool {
        let life = self.not_after.0.saturating_sub(self.issued.0);
        let renew_from = self.issued.0.saturating_add(life.saturating_mul(2).div_euclid(3));
        self.trust.clients_use == trust.clients_use
            && self.trust.servers_use == trust.servers_use
            && now.0 < renew_from
    }

    /// Whom it trusted when its certificates were issued.
    pub const fn trust(&self) -> &TrustBundle {
        &self.trust
    }

    /// Of every key that signed what it presents to those who connect to it, the hash.
    pub(crate) fn server_issuers(&self) -> Vec<String> {
        let signed = |key: &&api_types::TrustedKey| {
            key.authority == "host" && key.generation == self.trust.servers_use
        };
        self.trust
            .keys
            .iter()
            .filter(signed)
            .map(|key| key.spki_sha256.clone())
            .collect()
    }

    /// How it speaks to the auth service.
    ///
    /// # Errors
    /// When a part of it does not read.
    pub(crate) fn client(&self) -> Result<Identity, AgentError> {
        Ok(Identity::new(
            self.chain(&self.tls_client)?,
            self.tls_key()?,
            self.authorities(&self.trust)?,
        ))
    }

    /// The certificates to present to those it connects to, its own first.
    ///
    /// # Errors
    /// When one does not read.
    pub fn client_chain(&self) -> Result<Vec<CertificateDer<'static>>, AgentError> {
        self.chain(&self.tls_client)
    }

    fn chain(&self, texts: &[String]) -> Result<Vec<CertificateDer<'static>>, AgentError> {
        texts.iter().map(|text| certificate(text)).collect()
    }

    /// The TLS key.
    ///
    /// # Errors
    /// When it does not read.
    pub fn tls_key(&self) -> Result<PrivateKeyDer<'static>, AgentError> {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD
            .decode(self.tls_key.expose())
            .map(|der| PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)))
            .map_err(|_| AgentError::Keys("the TLS key is no base64".to_owned()))
    }

    /// The certificates of the host authority in a trust bundle.
    ///
    /// # Errors
    /// When one does not read.
    pub fn authorities(&self, trust: &TrustBundle) -> Result<Vec<CertificateDer<'static>>, AgentError> {
        trust.texts("host", "tls").map(certificate).collect()
    }

    /// The same identity, which trusts these keys.
    pub(crate) fn trusting(&self, trust: &TrustBundle) -> Self {
        let mut identity = self.clone();
        // The generations stay those of its certificates.
        identity.trust.keys.clone_from(&trust.keys);
        identity
    }

    pub(crate) fn keys(&self) -> Result<Keys, AgentError> {
        let ssh = ssh_key::PrivateKey::from_openssh(self.ssh_key.expose())
            .map_err(|error| AgentError::Keys(error.to_string()))?;
        Ok(Keys {
            tls: Zeroizing::new(self.tls_key()?.secret_der().to_vec()),
            ssh: Zeroizing::new(self.ssh_key.expose().to_owned()),
            ssh_public: ssh
                .public_key()
                .to_openssh()
                .map_err(|error| AgentError::Keys(error.to_string()))?,
        })
    }
}

fn certificate(text: &str) -> Result<CertificateDer<'static>, AgentError> {
    x509::pem::decode_one("certificate", "CERTIFICATE", text)
        .map(CertificateDer::from)
        .map_err(|error| AgentError::NotUnderstood(error.to_string()))
}
