//! Connections for the API of the auth service, which the proxy passes on without looking inside.

use std::net::SocketAddr;

use api_http::HandedOver;
use api_http::Stop;
use async_trait::async_trait;
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
