//! Joining: a token and proof of the keys for an identity.

use api_client::CaPin;
use api_client::Client;
use api_client::Endpoint;
use api_client::ServerTrust;
use api_types::ExportParameters;
use api_types::JoinAnswer;
use api_types::JoinRequest;
use api_types::SecretText;
use async_trait::async_trait;
use enrollment::JoinSecret;
use names::UnixSeconds;
use runtime::Entropy;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::AgentError;
use crate::HostIdentity;
use crate::agent::Profile;
use crate::keys::Keys;

/// Takes a request to join to whoever decides on it.
#[async_trait]
pub trait Joiner: Send + Sync {
    /// The secret that gives the right to join.
    ///
    /// # Errors
    /// When there is none.
    async fn secret(&self) -> Result<SecretText, AgentError>;

    /// Joins.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, AgentError>;
}

/// Joins through a proxy or an auth server.
pub struct HttpJoiner {
    /// Where: `host:port`.
    pub address: String,
    /// The keys of the host authority, of which one must be found there. Without pins the server's certificate must be one that
    /// the system's roots vouch for.
    pub pins: Vec<CaPin>,
    /// The secret.
    pub secret: SecretText,
}

#[async_trait]
impl Joiner for HttpJoiner {
    async fn secret(&self) -> Result<SecretText, AgentError> {
        Ok(self.secret.clone())
    }

    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, AgentError> {
        let trust = pinned(&self.address, &self.pins).await?;
        let client = Client::new(Endpoint::public(&self.address, &trust)?);
        Ok(client.join(request).await?)
    }
}

/// The authorities found at an address, when one of them is pinned. Nothing secret was sent to find them.
async fn pinned(address: &str, pins: &[CaPin]) -> Result<ServerTrust, AgentError> {
    let stranger = Client::new(Endpoint::public(address, &ServerTrust::Unverified)?);
    let ping = stranger.ping().await?;
    let export = stranger
        .web_export(&ExportParameters {
            kind: "tls-host".to_owned(),
            ..ExportParameters::default()
        })
        .await?;
    let mut authorities = Vec::new();
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(export.as_bytes()) {
        let certificate = certificate.map_err(|error| AgentError::NotUnderstood(error.to_string()))?;
        let pin = CaPin::of(&certificate).map_err(|error| AgentError::NotUnderstood(error.to_string()))?;
        if pins.contains(&pin) {
            authorities.push(certificate);
        }
        found.push(pin.to_string());
    }
    if authorities.is_empty() {
        return Err(AgentError::NotPinned {
            address: address.to_owned(),
            found: found.join(", "),
        });
    }
    Ok(ServerTrust::Cluster {
        name: ping.cluster_name,
        authorities,
    })
}

/// Joins with new keys.
pub(crate) async fn join(
    joiner: &dyn Joiner,
    profile: &Profile,
    entropy: &dyn Entropy,
    now: UnixSeconds,
) -> Result<HostIdentity, AgentError> {
    let keys = Keys::generate(entropy)?;
    join_by(joiner, profile, (&keys, None, &profile.roles), now).await
}

/// Joins as the host the machine is, with the keys it has.
pub(crate) async fn join_again(
    joiner: &dyn Joiner,
    profile: &Profile,
    identity: &HostIdentity,
    now: UnixSeconds,
) -> Result<HostIdentity, AgentError> {
    let host_id = Some(identity.host_id().to_owned());
    join_by(
        joiner,
        profile,
        (&identity.keys()?, host_id, &identity.roles),
        now,
    )
    .await
}

async fn join_by(
    joiner: &dyn Joiner,
    profile: &Profile,
    (keys, host_id, roles): (&Keys, Option<String>, &[String]),
    now: UnixSeconds,
) -> Result<HostIdentity, AgentError> {
    let token = joiner.secret().await?;
    let secret =
        JoinSecret::parse(token.expose()).map_err(|error| AgentError::BadToken(error.to_string()))?;
    let proof = enrollment::join_proof(&secret, &profile.node_name, &keys.ssh_blob()?);
    let request = JoinRequest {
        token,
        node_name: profile.node_name.clone(),
        roles: roles.to_vec(),
        host_id,
        ssh_public_key: keys.ssh_public.clone(),
        csr: keys.request(&proof)?,
        labels: profile.labels.clone(),
        public_addresses: profile.public_addresses.clone(),
        addr: profile.addr.clone(),
    };
    let answer = joiner.join(&request).await?;
    HostIdentity::new(keys, roles, answer, now)
}
