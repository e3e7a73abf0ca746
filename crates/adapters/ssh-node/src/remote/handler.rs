//! What the other host may start by itself: connections to ports we opened there, and to the user's agent.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use russh::Channel;
use russh::ChannelOpenFailure;
use russh::client::ChannelOpenHandle;
use russh::client::Handler;
use russh::client::Msg;
use russh::client::Session;
use russh::keys::HashAlg;
use russh::keys::PublicKeyOrCertificate;
use ssh_cert::Certificate;
use ssh_cert::CertificateType;
use ssh_cert::Expected;
use tokio::sync::mpsc;

use crate::backend::AgentDialer;
use crate::backend::Stream;
use crate::limits::lock;
use crate::remote::HostTrust;

/// Our side of the second connection.
pub(super) struct Client {
    trust: HostTrust,
    arrivals: Arrivals,
}

/// A connection to a port we opened.
pub(super) struct Arrived {
    pub(super) stream: Box<dyn Stream>,
    pub(super) from: String,
    pub(super) from_port: u16,
}

/// Who waits for what the other host starts.
#[derive(Clone, Default)]
pub(super) struct Arrivals(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    ports: HashMap<u16, mpsc::Sender<Arrived>>,
    agent: Option<Arc<dyn AgentDialer>>,
}

impl Arrivals {
    pub(super) fn open(&self, port: u16, sender: mpsc::Sender<Arrived>) {
        lock(&self.0).ports.insert(port, sender);
    }

    pub(super) fn close(&self, port: u16) {
        lock(&self.0).ports.remove(&port);
    }

    pub(super) fn set_agent(&self, agent: Arc<dyn AgentDialer>) {
        lock(&self.0).agent = Some(agent);
    }
}

impl Client {
    pub(super) const fn new(trust: HostTrust, arrivals: Arrivals) -> Self {
        Self { trust, arrivals }
    }

    fn is_known(&self, proven: &PublicKeyOrCertificate) -> bool {
        let trust = &self.trust;
        let certificate = match proven {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
                return trust.fingerprints.contains(&fingerprint);
            }
            PublicKeyOrCertificate::Certificate(certificate) => certificate,
        };
        let Ok(certificate) = Certificate::from_blob(&certificate.to_bytes().unwrap_or_default()) else {
            return false;
        };
        trust.names.iter().any(|name| {
            let expected = Expected {
                authorities: &trust.authorities,
                certificate_type: CertificateType::Host,
                principal: name,
                now: trust.now,
                source: None,
            };
            certificate.check(&expected).is_ok()
        })
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, proven: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(self.is_known(proven))
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        originator_address: &str,
        originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let port = u16::try_from(connected_port).unwrap_or(0);
        let sender = lock(&self.arrivals.0).ports.get(&port).cloned();
        let Some(Ok(place)) = sender.map(mpsc::Sender::try_reserve_owned) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        reply.accept().await;
        place.send(Arrived {
            stream: Box::new(channel.into_stream()),
            from: originator_address.to_owned(),
            from_port: u16::try_from(originator_port).unwrap_or(0),
        });
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let agent = lock(&self.arrivals.0).agent.clone();
        let Some(agent) = agent else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        reply.accept().await;
        tokio::spawn(async move {
            if let Err(error) = agent.relay(Box::new(channel.into_stream())).await {
                tracing::debug!(%error, "the client's agent was not reached");
            }
        });
        Ok(())
    }
}
