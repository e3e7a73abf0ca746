use h2::Ping;
use h2::PingPong;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::KeepAlive;

/// Returns when the other end of a tunnel gave no sign of life in time.
pub(crate) async fn fades(mut pings: PingPong, keep_alive: KeepAlive) {
    loop {
        sleep(keep_alive.interval).await;
        match timeout(keep_alive.timeout, pings.ping(Ping::opaque())).await {
            Ok(Ok(_pong)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
