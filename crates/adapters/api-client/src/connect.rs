use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use crate::CaPin;
use crate::ClientError;
use crate::Identity;
use crate::IdentityError;
use crate::ServerTrust;

/// Where the server is and how it is spoken to.
#[derive(Clone)]
pub struct Endpoint(Kind);

#[derive(Clone)]
enum Kind {
    Socket(PathBuf),
    Tls {
        address: String,
        name: ServerName<'static>,
        config: Arc<rustls::ClientConfig>,
    },
}

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Endpoint {
    /// The host's socket: `<data_dir>/signet.sock`.
    pub const fn socket(path: PathBuf) -> Self {
        Self(Kind::Socket(path))
    }

    /// A server over mutual TLS (TLS 1.3). `address` is `host:port`, and the host has to be in the server's
    /// certificate. With pins, only authorities of the identity file with a pinned key are trusted.
    ///
    /// # Errors
    /// When the address or the identity cannot be used.
    pub fn tls(address: &str, identity: Identity, pins: &[CaPin]) -> Result<Self, ClientError> {
        let unusable = |what: String| ClientError::Unusable(what);
        let bare = check_address(address)?;
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| unusable(format!("{bare:?} is no host name")))?;
        let config = identity
            .tls(pins)
            .map_err(|error: IdentityError| unusable(error.to_string()))?;
        Ok(Self(Kind::Tls {
            address: address.to_owned(),
            name,
            config,
        }))
    }

    /// The API of a cluster, reached at `address`, directly or through its proxy. The server is recognised by the cluster's name, which
    /// is in its certificate whatever the address.
    ///
    /// # Errors
    /// When the address or the identity cannot be used.
    pub fn cluster(address: &str, cluster: &str, identity: Identity) -> Result<Self, ClientError> {
        let unusable = |what: String| ClientError::Unusable(what);
        check_address(address)?;
        let name = ServerName::try_from(cluster.to_owned())
            .map_err(|_| unusable(format!("{cluster:?} is no name of a cluster")))?;
        let config = identity.tls(&[]).map_err(|error| unusable(error.to_string()))?;
        Ok(Self(Kind::Tls {
            address: address.to_owned(),
            name,
            config,
        }))
    }

    /// What a server serves to everybody, without showing who we are.
    ///
    /// # Errors
    /// When the address or the trust cannot be used.
    pub fn public(address: &str, trust: &ServerTrust) -> Result<Self, ClientError> {
        let host = check_address(address)?;
        let unusable = |what: String| ClientError::Unusable(what);
        let name = match trust {
            ServerTrust::Cluster { name, .. } => name.as_str(),
            ServerTrust::Roots(_) | ServerTrust::Unverified => host,
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| unusable(format!("{name:?} is no host name")))?;
        let config = trust.config().map_err(|error| unusable(error.to_string()))?;
        Ok(Self(Kind::Tls {
            address: address.to_owned(),
            name,
            config,
        }))
    }

    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> &str {
        match &self.0 {
            Kind::Socket(_) => "localhost",
            Kind::Tls { address, .. } => address,
        }
    }

    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        match &self.0 {
            Kind::Socket(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    Err(ClientError::SocketForbidden { path: path.clone() })
                }
                Err(source) => Err(ClientError::SocketUnreachable {
                    path: path.clone(),
                    source,
                }),
            },
            Kind::Tls {
                address,
                name,
                config,
            } => {
                let unreachable = |source| ClientError::Unreachable {
                    address: address.clone(),
                    source,
                };
                let stream = TcpStream::connect(address).await.map_err(unreachable)?;
                stream.set_nodelay(true).map_err(unreachable)?;
                let stream = TlsConnector::from(Arc::clone(config))
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|source| ClientError::Untrusted {
                        address: address.clone(),
                        source,
                    })?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn check_address(address: &str) -> Result<&str, ClientError> {
    let unusable = |what: String| ClientError::Unusable(what);
    let (host, port) = address.rsplit_once(':').ok_or_else(|| {
        unusable(format!(
            "{address:?} is no address: write host:port, such as auth.example.com:3025"
        ))
    })?;
    if port.parse::<u16>().is_err() {
        return Err(unusable(format!("{port:?} is no port")));
    }
    Ok(host.trim_start_matches('[').trim_end_matches(']'))
}
