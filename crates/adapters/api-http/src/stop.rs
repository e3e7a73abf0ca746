//! Asking everything that runs to come to an end.

use tokio::sync::watch;

/// Asks for the end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Learns that the end was asked for. Clones learn of the same end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// Somebody who can ask, and somebody who learns.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Asks for the end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns when the end was asked for, or nobody is left who could ask.
    pub async fn requested(&mut self) {
        // An error means that the stopper is gone, and with it whoever wanted us to run.
        let _ = self.0.wait_for(|stops| *stops).await;
    }
}
