//! Sessions on another host, which is reached by SSH: for hosts that run OpenSSH and no agent of ours.
//!
//! The user's connection ends here; what it asks for is asked of the other host again, over a second connection with a
//! credential made for it. What is copied by SFTP is opaque here, so that only the subsystem is recorded, not each file.

mod handler;
mod program;

use std::sync::Arc;
use std::time::Duration;

use key::PublicKey;
use names::UnixSeconds;
use russh::Preferred;
use russh::client::Config;
use russh::client::Handle;
use russh::keys::Certificate as WireCertificate;
use russh::keys::PrivateKey;
use tokio::sync::mpsc;

use crate::backend::Backend;
use crate::backend::BackendFault;
use crate::backend::Destination;
use crate::backend::Listener;
use crate::backend::Order;
use crate::backend::Program;
use crate::backend::Stream;
use crate::backend::Target;
use crate::gate::Admission;
use crate::remote::handler::Arrivals;
use crate::remote::handler::Arrived;
use crate::remote::handler::Client;
use crate::server::preferred;

/// How long the other host may take until somebody is logged in there.
const LOGIN: Duration = Duration::from_secs(30);
/// Connections to one opened port that have not been taken.
const ARRIVED: usize = 16;

/// Finds the other host and makes the credential for it.
#[async_trait::async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Connects to the host an admitted user wants, as the account the user wants.
    ///
    /// # Errors
    /// When it cannot be reached; the words are shown to the user.
    async fn connect(&self, admission: &Admission) -> Result<Route, BackendFault>;
}

/// A way to another host.
pub struct Route {
    /// The connection.
    pub stream: Box<dyn Stream>,
    /// The account there.
    pub login: String,
    /// What we log in with.
    pub credential: Credential,
    /// What the host has to prove.
    pub trust: HostTrust,
}

/// A key and its certificate. It cannot be printed.
pub struct Credential {
    key: Arc<PrivateKey>,
    certificate: WireCertificate,
}

/// How the other host is known.
#[derive(Debug, Clone)]
pub struct HostTrust {
    /// The authorities whose host certificates are accepted.
    pub authorities: Arc<[PublicKey]>,
    /// The names one of which the certificate has to have.
    pub names: Vec<String>,
    /// `SHA256:…` fingerprints of keys that are accepted without a certificate.
    pub fingerprints: Vec<String>,
    /// The time.
    pub now: UnixSeconds,
}

/// A credential cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the credential for the other host does not parse")]
pub struct CredentialError(#[source] russh::keys::ssh_key::Error);

impl Credential {
    /// Reads a private key in OpenSSH's form and the line of its certificate.
    ///
    /// # Errors
    /// When they do not parse.
    pub fn from_openssh(private_key: &str, certificate_line: &str) -> Result<Self, CredentialError> {
        let certificate = WireCertificate::from_openssh(certificate_line.trim());
        Ok(Self {
            key: Arc::new(PrivateKey::from_openssh(private_key).map_err(CredentialError)?),
            certificate: certificate.map_err(CredentialError)?,
        })
    }
}

/// Runs sessions on other hosts.
pub struct RemoteTarget {
    /// Finds them.
    pub connector: Arc<dyn Connector>,
}

#[async_trait::async_trait]
impl Target for RemoteTarget {
    async fn open(&self, admission: &Admission) -> Result<Arc<dyn Backend>, BackendFault> {
        let opened = async {
            let route = self.connector.connect(admission).await?;
            log_in(route).await
        };
        match tokio::time::timeout(LOGIN, opened).await {
            Ok(backend) => Ok(Arc::new(backend?)),
            Err(_late) => Err(BackendFault("the host did not answer in time".to_owned())),
        }
    }
}

async fn log_in(route: Route) -> Result<RemoteBackend, BackendFault> {
    let Route {
        stream,
        login,
        credential,
        trust,
    } = route;
    let algorithms = preferred();
    let config = Config {
        preferred: Preferred {
            host_key_certificates: algorithms.key.clone(),
            ..algorithms
        },
        keepalive_interval: Some(Duration::from_secs(60)),
        nodelay: true,
        ..Config::default()
    };
    let arrivals = Arrivals::default();
    let client = Client::new(trust, arrivals.clone());
    let fault = |error: russh::Error| {
        if matches!(error, russh::Error::UnknownKey) {
            BackendFault("the host did not prove who it is".to_owned())
        } else {
            BackendFault(format!("the host does not speak SSH: {error}"))
        }
    };
    let connected = russh::client::connect_stream(Arc::new(config), stream, client).await;
    let mut handle = connected.map_err(fault)?;
    let Credential { key, certificate } = credential;
    let answer = handle.authenticate_openssh_cert(login, key, certificate).await;
    if !answer.map_err(fault)?.success() {
        return Err(BackendFault("the host does not let this account in".to_owned()));
    }
    Ok(RemoteBackend {
        handle: Arc::new(handle),
        arrivals,
    })
}

struct RemoteBackend {
    handle: Arc<Handle<Client>>,
    arrivals: Arrivals,
}

fn refused(error: russh::Error) -> BackendFault {
    BackendFault(format!("the host refused: {error}"))
}

#[async_trait::async_trait]
impl Backend for RemoteBackend {
    async fn start(&self, mut order: Order) -> Result<Program, BackendFault> {
        if let Some(agent) = order.agent.take() {
            self.arrivals.set_agent(agent);
            return program::start(&self.handle, order, true).await;
        }
        program::start(&self.handle, order, false).await
    }

    async fn connect(&self, destination: &Destination) -> Result<Box<dyn Stream>, BackendFault> {
        let Destination {
            host,
            port,
            originator: (from, from_port),
        } = destination;
        let channel = self
            .handle
            .channel_open_direct_tcpip(host, (*port).into(), from, *from_port)
            .await
            .map_err(refused)?;
        Ok(Box::new(channel.into_stream()))
    }

    async fn listen(&self, host: &str, port: u16) -> Result<Box<dyn Listener>, BackendFault> {
        let given = self
            .handle
            .tcpip_forward(host, port.into())
            .await
            .map_err(refused)?;
        // The port is named in the answer only when any was asked for.
        let port = if port == 0 {
            u16::try_from(given).unwrap_or(0)
        } else {
            port
        };
        let (sender, arrived) = mpsc::channel(ARRIVED);
        self.arrivals.open(port, sender);
        Ok(Box::new(RemoteListener {
            handle: Arc::clone(&self.handle),
            arrivals: self.arrivals.clone(),
            host: host.to_owned(),
            port,
            arrived,
        }))
    }
}

/// A port opened on the other host.
struct RemoteListener {
    handle: Arc<Handle<Client>>,
    arrivals: Arrivals,
    host: String,
    port: u16,
    arrived: mpsc::Receiver<Arrived>,
}

#[async_trait::async_trait]
impl Listener for RemoteListener {
    fn port(&self) -> u16 {
        self.port
    }

    async fn accept(&mut self) -> Result<(Box<dyn Stream>, String, u16), BackendFault> {
        let Arrived {
            stream,
            from,
            from_port,
        } = self
            .arrived
            .recv()
            .await
            .ok_or_else(|| BackendFault("the host is gone".to_owned()))?;
        Ok((stream, from, from_port))
    }
}

impl Drop for RemoteListener {
    fn drop(&mut self) {
        self.arrivals.close(self.port);
        let (handle, host, port) = (Arc::clone(&self.handle), self.host.clone(), self.port);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _gone = handle.cancel_tcpip_forward(host, port.into()).await;
            });
        }
    }
}
