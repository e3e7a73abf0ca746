//! Accepting TLS connections: the configuration is chosen anew for each, so that a change of trust holds from the next one on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::caller::Caller;
use crate::caller::Peer;
use crate::connection::Visitor;
use crate::connection::serve_visitor;
use crate::limits::ConnectionLimits;
use crate::places::Holder;
use crate::places::Place;
use crate::places::Places;
use crate::stop::Stop;
use crate::strangers::Admission;
use crate::strangers::Strangers;
use crate::tls::Front;
use crate::visitors::Visit;

/// How long accepting rests when the system has no room for another connection.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// Which face of the server a listener shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The API: clients prove who they are by a certificate.
    Api,
    /// What everybody may read.
    Web,
}

/// A connection that somebody else accepted: untouched, with where it came from.
pub type HandedOver = (TcpStream, SocketAddr);

/// A TLS listener, bound.
#[derive(Debug)]
pub struct TlsListener {
    listener: TcpListener,
    address: SocketAddr,
    handed_over: Option<mpsc::Receiver<HandedOver>>,
}

impl TlsListener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the system refuses, such as for an address in use.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            handed_over: None,
        })
    }

    /// The same listener, which also serves connections that a proxy in this process accepted. They count against the same limits.
    #[must_use]
    pub fn with_handed_over(self, handed_over: mpsc::Receiver<HandedOver>) -> Self {
        Self {
            handed_over: Some(handed_over),
            ..self
        }
    }

    /// The address that was bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves a face of the server until asked to stop.
    pub async fn run(
        mut self,
        face: Face,
        front: Arc<Front>,
        router: Router,
        limits: ConnectionLimits,
        mut stop: Stop,
    ) {
        let strangers = Strangers::new(&limits);
        let places = Places::default();
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &mut self.handed_over) => accepted,
                () = stop.requested() => break,
            };
            while connections.try_join_next().is_some() {}
            let Some((stream, remote)) = accepted else {
                continue;
            };
            // Closed before a handshake: nothing can be said, and nothing is spent on it.
            let Some(admission) = strangers.admit(remote, Instant::now()) else {
                continue;
            };
            let connection = Connection {
                face,
                front: Arc::clone(&front),
                remote,
                admission,
                places: places.clone(),
                limits,
            };
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(connection.serve(stream, router, stop));
        }
        // One that panicked ends alone.
        while connections.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: &TcpListener,
    handed_over: &mut Option<mpsc::Receiver<HandedOver>>,
) -> Option<HandedOver> {
    let accepted = tokio::select! {
        accepted = listener.accept() => accepted,
        Some((stream, remote)) = next(handed_over) => Ok((stream, remote)),
    };
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// The next connection that is handed over; never, when none will be.
async fn next(handed_over: &mut Option<mpsc::Receiver<HandedOver>>) -> Option<HandedOver> {
    match handed_over {
        Some(receiver) => match receiver.recv().await {
            Some(connection) => Some(connection),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// A connection that was let in, before its handshake.
struct Connection {
    face: Face,
    front: Arc<Front>,
    remote: SocketAddr,
    /// What it counts as until its client has shown who it is.
    admission: Admission,
    /// The places of those who have shown who they are.
    places: Places,
    limits: ConnectionLimits,
}

impl Connection {
    async fn serve(self, stream: TcpStream, router: Router, stop: Stop) {
        let Self {
            face,
            front,
            remote,
            mut admission,
            places,
            limits,
        } = self;
        // Answers are small and whole: waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps its delay");
        }
        let Some(config) = front.config(face) else {
            tracing::debug!(%remote, "a connection came before there was a certificate to present");
            return;
        };
        // Boxed, both: a connection's memory is that of what it does, and not of the handshake that it once was.
        let handshake = timeout(limits.handshake, Box::pin(handshake(stream, config)));
        let stream = match admission.notice().unless_given(handshake).await {
            Some(Ok(Ok(stream))) => stream,
            Some(Ok(Err(error))) => {
                tracing::debug!(%remote, error = %error, "TLS handshake failed");
                return;
            }
            Some(Err(_)) => {
                tracing::debug!(%remote, "TLS handshake took too long");
                return;
            }
            None => {
                tracing::debug!(%remote, "a connection made room for another before its TLS handshake ended");
                return;
            }
        };
        let peer = match face {
            Face::Web => None,
            Face::Api => match peer(&stream, &front, remote) {
                Some(peer) => Some(peer),
                None => {
                    tracing::warn!(%remote, "a client's certificate was accepted in the handshake and cannot be read; the connection is closed");
                    return;
                }
            },
        };
        let place = peer
            .as_ref()
            .and_then(|peer| place(peer, &front, &places, admission.visit_mut()));
        // Whoever is not known, or has as many as it may have, is answered all the same, and stays a stranger.
        let limits = match (face, &place) {
            (Face::Api, Some(_)) => {
                admission.give_back();
                limits
            }
            (Face::Api, None) => limits.of_stranger(),
            (Face::Web, _) => limits,
        };
        let visitor = Visitor {
            remote,
            admission,
            peer,
            entropy: front.entropy(),
        };
        Box::pin(serve_visitor(stream, visitor, router, limits, stop)).await;
        // Until here.
        drop(place);
    }
}

/// The place of a client whose certificate gives access now: others stay strangers, whoever signed for them.
fn place(peer: &Peer, front: &Front, places: &Places, visit: Option<&mut Visit>) -> Option<Place> {
    let caller = Caller::recognise(peer, front.cluster.name(), &front.trust(), front.now()).ok()?;
    let holder = Holder::of(caller)?;
    let kind = holder.kind();
    let place = places.take(holder)?;
    // An address has so many as well.
    visit.is_none_or(|visit| visit.prove(kind)).then_some(place)
}

async fn handshake(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await?
        .into_stream(config)
        .await
}

/// Whom the handshake proved. Which key signed the certificate is found once, here, and only compared later.
fn peer(stream: &TlsStream<TcpStream>, front: &Front, remote: SocketAddr) -> Option<Peer> {
    let der = stream.get_ref().1.peer_certificates()?.first()?;
    let certificate = x509::Certificate::from_der(der).ok()?;
    let issuer = front.trust().issuer_of(&certificate)?;
    Some(Peer::Certificate {
        certificate: Arc::new(certificate),
        issuer,
        remote,
    })
}
