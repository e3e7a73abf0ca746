//! Where clients come from: from where their connection does, or from where a balancer in front says they do.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::time::Instant;

use ssh_cert::Network;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::header;
use crate::header::HEADER_MAX;
use crate::header::Header;
use crate::peek::look_until;

/// Balancers that pass TCP through and say with the PROXY protocol where each client comes from. Every connection has to begin with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balancers {
    /// Where they are; empty believes whoever connects.
    pub networks: Vec<Network>,
}

/// What a listener knows of who stands in front of it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    balancers: Option<Balancers>,
    told: Arc<Mutex<Option<Instant>>>,
}

/// How often at most the log says that somebody came in a way that the configuration does not foresee.
const TELL: Duration = Duration::from_secs(60);

/// Why nobody is let in who came by a connection.
#[derive(Debug, thiserror::Error)]
enum NoClient {
    #[error("it comes from no network in proxy_service.trusted_balancers")]
    Untrusted,
    #[error(
        "it does not begin with a header of the PROXY protocol, which proxy_service.proxy_protocol asks for"
    )]
    NoHeader,
    #[error("it broke off")]
    Broken(#[source] io::Error),
}

impl Door {
    pub(crate) fn new(balancers: Option<Balancers>) -> Self {
        Self {
            balancers,
            told: Arc::default(),
        }
    }

    /// Whether a balancer says where clients come from.
    pub(crate) const fn is_behind_balancer(&self) -> bool {
        self.balancers.is_some()
    }

    /// Where the client of a connection comes from, whose header is taken from it; nothing when it has none or may have none, which is in
    /// the log then. How long this may take is for the caller to bound.
    pub(crate) async fn client(&self, stream: &mut TcpStream, peer: SocketAddr) -> Option<SocketAddr> {
        let Some(Balancers { networks }) = &self.balancers else {
            return Some(peer);
        };
        let is_trusted = networks.is_empty() || networks.iter().any(|network| network.contains(peer.ip()));
        let client = if is_trusted {
            take(stream).await
        } else {
            Err(NoClient::Untrusted)
        };
        match client {
            // The balancer itself, which looks whether anybody is here.
            Ok(None) => Some(peer),
            Ok(Some(client)) => Some(client),
            Err(NoClient::Broken(error)) => {
                tracing::debug!(%peer, %error, "a connection broke off before it said where its client is");
                None
            }
            Err(reason @ (NoClient::Untrusted | NoClient::NoHeader)) => {
                if self.is_time_to_tell() {
                    tracing::warn!(%peer, %reason, "a connection is refused");
                } else {
                    tracing::debug!(%peer, %reason, "a connection is refused");
                }
                None
            }
        }
    }

    /// Says in the log that a header came and is not asked for.
    pub(crate) fn was_not_asked(&self, peer: SocketAddr) {
        let reason = "it begins with a header of the PROXY protocol, and proxy_service.proxy_protocol is off";
        if self.is_time_to_tell() {
            tracing::warn!(%peer, reason, "a connection is refused");
        } else {
            tracing::debug!(%peer, reason, "a connection is refused");
        }
    }

    fn is_time_to_tell(&self) -> bool {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = told.is_none_or(|told| now.duration_since(told) >= TELL);
        if is_time {
            *told = Some(now);
        }
        is_time
    }
}

/// Takes the header from a connection, and not a byte more.
async fn take(stream: &mut TcpStream) -> Result<Option<SocketAddr>, NoClient> {
    let judge = |bytes: &[u8]| match header::read(bytes) {
        Header::Partial => None,
        whole @ (Header::Whole { .. } | Header::Foreign) => Some(whole),
    };
    let seen = look_until(stream, HEADER_MAX, judge)
        .await
        .map_err(NoClient::Broken)?;
    let Some(Header::Whole { length, source }) = seen else {
        return Err(NoClient::NoHeader);
    };
    let mut taken = vec![0; length];
    stream.read_exact(&mut taken).await.map_err(NoClient::Broken)?;
    Ok(source)
}

/// A connection that is refused when it begins with a header that nobody asked for. Nobody has to say anything first.
pub(crate) struct Unannounced<S> {
    inner: S,
    door: Option<(Door, SocketAddr)>,
}

impl<S> Unannounced<S> {
    pub(crate) fn new(inner: S, door: &Door, peer: SocketAddr) -> Self {
        Self {
            inner,
            door: (!door.is_behind_balancer()).then(|| (door.clone(), peer)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unannounced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        // Whatever comes first, and nothing after it.
        if let Some((door, peer)) = self.door.take()
            && header::is_begun(buffer.filled().get(before..).unwrap_or_default())
        {
            door.was_not_asked(peer);
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unannounced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
