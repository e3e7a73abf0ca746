//! Letting agents in: who may have a tunnel, and for how long.

use std::net::SocketAddr;
use std::sync::Arc;

use api_http::Stop;
use key::PublicKey;
use tokio::net::TcpStream;
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
    slots: Semaphore,
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
            slots: Semaphore::new(tunnels_max.min(Semaphore::MAX_PERMITS)),
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

    /// Serves a tunnel on which TLS was spoken; `let_in` is called once the agent is known.
    pub(crate) async fn serve(
        &self,
        stream: TlsStream<TcpStream>,
        authorities: &[PublicKey],
        remote: SocketAddr,
        let_in: impl FnOnce(),
        stop: Stop,
    ) {
        let agent = match Agent::from_tls(stream.get_ref().1.peer_certificates(), authorities, remote) {
            Ok(agent) => agent,
            Err(error) => return self.refuse(None, remote, error.to_string()).await,
        };
        let host = agent.host.clone();
        if let Err(reason) = self.gate.host_may(&agent) {
            return self.refuse(Some(host), remote, reason).await;
        }
        let Ok(_slot) = self.slots.try_acquire() else {
            return self
                .refuse(Some(host), remote, "there are too many tunnels".to_owned())
                .await;
        };
        let opened = ProxyEvent::TunnelOpened {
            host: host.clone(),
            remote,
        };
        if let Err(fault) = self.events.record(opened).await {
            tracing::error!(error = %fault, %host, "a tunnel is not opened unseen");
            return;
        }
        let_in();
        let ended = self.tunnels.serve(stream, agent, stop).await;
        self.note(ProxyEvent::TunnelClosed {
            host,
            remote,
            reason: ended.as_str(),
        })
        .await;
    }

    async fn refuse(&self, host: Option<HostId>, remote: SocketAddr, reason: String) {
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
