//! Letting agents in: who may have a tunnel, and for how long.

use std::net::SocketAddr;
use std::sync::Arc;

use api_http::Stop;
use key::PublicKey;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tunnel::Agent;
use tunnel::HostId;
use tunnel::Tunnels;

use crate::Events;
use crate::Gate;
use crate::ProxyEvent;

/// Lets agents open tunnels.
pub struct Tunnelling {
    tunnels: Arc<Tunnels>,
    gate: Arc<dyn Gate>,
    events: Arc<dyn Events>,
    slots: Arc<Semaphore>,
}

/// An agent that may have a tunnel, with its share of those there may be.
pub(crate) struct Entering {
    agent: Agent,
    _slot: OwnedSemaphorePermit,
}

/// Why an agent may not have a tunnel.
pub(crate) struct Refusal {
    host: Option<HostId>,
    remote: SocketAddr,
    reason: String,
}

impl Tunnelling {
    /// Lets agents open at most so many tunnels.
    pub fn new(
        tunnels: Arc<Tunnels>,
        gate: Arc<dyn Gate>,
        events: Arc<dyn Events>,
        tunnels_max: usize,
    ) -> Self {
        Self {
            tunnels,
            gate,
            events,
            slots: Arc::new(Semaphore::new(tunnels_max.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The tunnels that are open.
    pub const fn tunnels(&self) -> &Arc<Tunnels> {
        &self.tunnels
    }

    /// Cuts the tunnels of everybody who may not have one any more. Done every few seconds anyway; for when it cannot wait.
    pub fn recheck(&self) {
        let cut = self.tunnels.cut_unless(|agent| self.gate.host_may(agent).is_ok());
        for agent in cut {
            tracing::info!(host = %agent.host, remote = %agent.remote, "a tunnel is cut");
        }
    }

    /// Decides whether an agent that showed these certificates may have a tunnel.
    pub(crate) fn judge(
        &self,
        shown: Option<&[CertificateDer<'_>]>,
        authorities: &[PublicKey],
        remote: SocketAddr,
    ) -> Result<Entering, Refusal> {
        let refusal = |host, reason| Refusal { host, remote, reason };
        let agent =
            Agent::from_tls(shown, authorities, remote).map_err(|error| refusal(None, error.to_string()))?;
        let host = agent.host.clone();
        if let Err(reason) = self.gate.host_may(&agent) {
            return Err(refusal(Some(host), reason));
        }
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => Ok(Entering { agent, _slot: slot }),
            Err(_) => Err(refusal(Some(host), "there are too many tunnels".to_owned())),
        }
    }

    /// Serves the tunnel of an agent that may have one. The stream is boxed, and so is what of this is not there for as long as the tunnel:
    /// there are as many of these as machines.
    pub(crate) async fn serve(&self, stream: Box<TlsStream<TcpStream>>, entering: Entering, stop: Stop) {
        let (host, remote) = (entering.agent.host.clone(), entering.agent.remote);
        let opened = ProxyEvent::TunnelOpened {
            host: host.clone(),
            remote,
        };
        if let Err(fault) = self.events.record(opened).await {
            tracing::error!(error = %fault, %host, "a tunnel is not opened unseen");
            return;
        }
        let Entering { agent, _slot } = entering;
        let ended = self.tunnels.serve(stream, agent, stop).await;
        self.note(ProxyEvent::TunnelClosed {
            host,
            remote,
            reason: ended.as_str(),
        })
        .await;
    }

    /// Notes that an agent may not have a tunnel.
    pub(crate) async fn refuse(&self, refusal: Refusal) {
        let Refusal { host, remote, reason } = refusal;
        tracing::info!(%remote, reason, "a tunnel is refused");
        self.note(ProxyEvent::TunnelRefused { host, remote, reason })
            .await;
    }

    async fn note(&self, event: ProxyEvent) {
        if let Err(fault) = self.events.record(event).await {
            tracing::error!(error = %fault, "what happened to a tunnel is not in the log");
        }
    }
}
