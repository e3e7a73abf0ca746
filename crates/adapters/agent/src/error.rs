use std::path::PathBuf;

use api_client::ClientError;

/// Why a machine cannot do its part.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A file of the machine's own cannot be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The stored identity does not read.
    #[error("{path} does not read: {reason}; move it away and join again with a new token")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The stored identity is of another cluster.
    #[error(
        "{path} is the identity of a machine of {found}, not of {expected}; move it away to join another cluster"
    )]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who was expected.
        expected: String,
    },
    /// The auth service refused or was not reached.
    #[error("the auth service does not do it")]
    Client(#[from] ClientError),
    /// The cluster is not the one that is pinned.
    #[error(
        "the authority at {address} has the key {found}, and none of the pins is that: this is another cluster, or somebody is in between; the token was not sent"
    )]
    NotPinned {
        /// Where.
        address: String,
        /// The pins of what was found there.
        found: String,
    },
    /// The auth service in this process refused.
    #[error("the auth service does not let this machine join: {0}")]
    NotLetIn(String),
    /// Keys could not be made or used.
    #[error("the machine's keys: {0}")]
    Keys(String),
    /// Something that was sent does not read.
    #[error("what the auth service sent does not read: {0}")]
    NotUnderstood(String),
    /// There is no identity, and no way to get one.
    #[error(
        "this machine has not joined: give it `signet.join_params` with a token from `signetctl nodes add`"
    )]
    NoToken,
}
