//! Walking an authority through its rotation by hand.

use crate::Signet;

/// A phase that an operator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The new keys become known.
    Init,
    /// The new keys sign.
    UpdateClients,
    /// Server sides follow.
    UpdateServers,
    /// The end: the other keys are distrusted.
    Standby,
    /// Back to the old keys.
    Rollback,
}

impl Phase {
    /// A whole rotation, in order.
    pub const FORWARD: [Self; 4] = [
        Self::Init,
        Self::UpdateClients,
        Self::UpdateServers,
        Self::Standby,
    ];

    /// The word on the command line and in documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::UpdateClients => "update_clients",
            Self::UpdateServers => "update_servers",
            Self::Standby => "standby",
            Self::Rollback => "rollback",
        }
    }
}

/// `signetctl auth rotate --manual` to this phase, which has to be granted and to be where the authority then stands.
#[track_caller]
pub fn rotate(signet: &Signet, authority: &str, phase: Phase) {
    let word = phase.word();
    signet.ok(&[
        "auth",
        "rotate",
        "--manual",
        &format!("--type={authority}"),
        &format!("--phase={word}"),
    ]);
    let reached = signet.status().authority(authority).phase;
    if reached != word {
        crate::fail(format!(
            "{authority} was asked to go to {word} and is in {reached}"
        ));
    }
}
