//! Who the agent at the other end of a tunnel is, as TLS proved it.

use std::net::SocketAddr;

use key::SpkiSha256;
use names::Principal;
use names::UnixSeconds;
use x509::Certificate;
use x509::IdentityKind;
use x509::SubjectAltName;

use crate::HostId;

/// An agent that showed a host's certificate. Only TLS makes one: the certificate was verified against the authorities of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The host, as its certificate says.
    pub host: HostId,
    /// What it is called: the first name in its certificate that is not made of its id. Nobody else's certificate has it.
    pub name: Option<String>,
    /// The system roles its certificate has.
    pub roles: Vec<Principal>,
    /// The serial of its certificate, lower-case hexadecimal.
    pub serial: String,
    /// The key that signed its certificate.
    pub issuer: SpkiSha256,
    /// When its certificate ends.
    pub not_after: UnixSeconds,
    /// Where it connected from.
    pub remote: SocketAddr,
}

/// A certificate is not one of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// There is none.
    #[error("the client showed no certificate")]
    Missing,
    /// It does not decode.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// It says nothing of whom it is for, or it is for somebody else.
    #[error("the certificate is not a host's; only agents that joined open tunnels")]
    NotAHost,
    /// Its name is not the id of a host.
    #[error("the certificate's name is not the id of a host")]
    Name,
    /// None of the authorities signed it.
    #[error("the certificate was signed by no authority of hosts that is trusted now")]
    Authority,
}

impl Agent {
    /// Who a client that completed a handshake is; `chain` is what it showed, `authorities` the keys that hosts are trusted by.
    ///
    /// # Errors
    /// When it showed no certificate of a host.
    pub fn from_tls(
        chain: Option<&[rustls::pki_types::CertificateDer<'_>]>,
        authorities: &[key::PublicKey],
        remote: SocketAddr,
    ) -> Result<Self, AgentError> {
        let der = chain.and_then(<[_]>::first).ok_or(AgentError::Missing)?;
        let certificate = Certificate::from_der(der).map_err(|_| AgentError::Unreadable)?;
        let identity = certificate
            .identity()
            .filter(|identity| identity.kind == IdentityKind::Host)
            .ok_or(AgentError::NotAHost)?;
        let issuer = authorities
            .iter()
            .find(|authority| certificate.verify_issued(authority).is_ok())
            .ok_or(AgentError::Authority)?;
        let host = HostId::parse(identity.name.as_str()).map_err(|_| AgentError::Name)?;
        Ok(Self {
            name: given_name(&certificate, &host),
            host,
            roles: identity.roles.clone(),
            serial: hex::encode(certificate.serial_octets()),
            issuer: issuer.spki_sha256(),
            not_after: certificate.not_after(),
            remote,
        })
    }
}

/// The name that the host was given. Its id stands before it, by itself and in the cluster.
fn given_name(certificate: &Certificate, host: &HostId) -> Option<String> {
    let is_of_id = |name: &str| {
        name.strip_prefix(host.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut names = certificate.alt_names().iter().filter_map(|name| match name {
        SubjectAltName::Dns(name) => Some(name.as_str()),
        SubjectAltName::Ip(_)
        | SubjectAltName::Uri(_)
        | SubjectAltName::Email(_)
        | SubjectAltName::UserPrincipal(_)
        | SubjectAltName::Other(_) => None,
    });
    names.find(|name| !is_of_id(name)).map(str::to_owned)
}
