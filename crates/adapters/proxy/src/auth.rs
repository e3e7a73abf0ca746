//! Connections for the API of the auth service, which the proxy passes on without looking inside.

use std::net::SocketAddr;

use api_http::HandedOver;
use api_http::Stop;
use async_trait::async_trait;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Takes connections for the API of the auth service.
#[async_trait]
pub trait AuthIntake: Send + Sync + 'static {
    /// Takes a connection of which nothing has been read. It counts among those of its address until this returns.
    async fn take(&self, stream: TcpStream, remote: SocketAddr, stop: Stop);
}

/// Hands connections to the API's listener in this process, which learns where they really come from and counts them itself.
#[derive(Debug, Clone)]
pub struct HandOver(pub mpsc::Sender<HandedOver>);

#[async_trait]
impl AuthIntake for HandOver {
    async fn take(&self, stream: TcpStream, remote: SocketAddr, mut stop: Stop) {
        tokio::select! {
            // An error means that the listener is gone: the connection is closed.
            _ = self.0.send((stream, remote)) => {}
            () = stop.requested() => {}
        }
    }
}

/// Passes connections on to an auth service elsewhere, to which they seem to come from the proxy.
#[derive(Debug, Clone)]
pub struct SpliceTo(pub String);

#[async_trait]
impl AuthIntake for SpliceTo {
    async fn take(&self, mut stream: TcpStream, remote: SocketAddr, mut stop: Stop) {
        let mut auth = match TcpStream::connect(&self.0).await {
            Ok(auth) => auth,
            Err(error) => {
                tracing::warn!(address = %self.0, error = %error, "the auth service is not reached");
                return;
            }
        };
        for socket in [&stream, &auth] {
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(error = %error, "a connection keeps its delay");
            }
        }
        tokio::select! {
            ended = copy_bidirectional(&mut stream, &mut auth) => if let Err(error) = ended {
                tracing::debug!(%remote, error = %error, "a connection to the auth service broke off");
            },
            () = stop.requested() => {}
        }
    }
}
