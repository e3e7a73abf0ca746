use std::path::PathBuf;
use std::time::Duration;

/// Why a call has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens on the host's socket.
    #[error("no auth service answers on {}", path.display())]
    SocketUnreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The socket is there and may not be used by this account.
    #[error("this account may not use {}", path.display())]
    SocketForbidden {
        /// The socket.
        path: PathBuf,
    },
    /// The server cannot be reached over the network.
    #[error("the auth service at {address} cannot be reached")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server was reached and is not the one that the identity file trusts, or does not trust the identity.
    #[error("no trusted connection to {address}")]
    Untrusted {
        /// Its address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server did not answer in time. What was asked for may have been done.
    #[error("no answer within {seconds} s; what was asked for may have been done")]
    TooSlow {
        /// The deadline.
        seconds: u64,
    },
    /// The connection broke. What was asked for may have been done.
    #[error("the connection broke before the answer was complete; what was asked for may have been done")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server refused: it is the caller's doing.
    #[error("{message}")]
    Refused {
        /// The HTTP status, 400 to 499.
        status: u16,
        /// The stable code.
        code: String,
        /// Why.
        message: String,
        /// What to do next.
        hint: Option<String>,
        /// The id of the request in the server's log.
        request_id: String,
        /// How long the server wishes to be left alone (RFC 9110 section 10.2.3), when it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// The server failed: it is its doing, or the world's.
    #[error("the auth service failed: {message} (request {request_id})")]
    Fault {
        /// The HTTP status, 500 to 599.
        status: u16,
        /// The stable code.
        code: String,
        /// What failed.
        message: String,
        /// What to do next.
        hint: Option<String>,
        /// The id of the request in the server's log.
        request_id: String,
        /// How long the server wishes to be left alone (RFC 9110 section 10.2.3), when it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// The answer is not one of this API.
    #[error("the answer is not one of Signet's API: {0}")]
    NotUnderstood(String),
    /// The call cannot be made.
    #[error("the call cannot be made: {0}")]
    Unusable(String),
}

impl ClientError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::SocketUnreachable { path, source } => {
                Some(if source.kind() == std::io::ErrorKind::NotFound {
                    format!(
                        "start it with `signetd start`, or say where it keeps its data: `--data-dir DIR` ({} does not exist)",
                        path.display()
                    )
                } else {
                    "start it with `signetd start`; its log says why when it does not stay".to_owned()
                })
            }
            Self::SocketForbidden { .. } => {
                Some("run as the account of the service or as root, or connect with --auth-server and --identity".to_owned())
            }
            Self::Unreachable { .. } => Some("check the address, that the service runs, and what is between".to_owned()),
            Self::Untrusted { .. } => Some(
                "the identity file may be expired or from before a rotation: have a new one made with `signetctl auth sign --format file`"
                    .to_owned(),
            ),
            Self::TooSlow { .. } | Self::Broken(_) => Some("look at `signetctl status` before trying again".to_owned()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Fault { hint, .. } => {
                Some(hint.clone().unwrap_or_else(|| "the server's log has the cause under the request's id".to_owned()))
            }
            Self::NotUnderstood(_) => Some("is something else listening there, or a server of another version?".to_owned()),
            Self::Unusable(_) => None,
        }
    }

    /// Whether no server was reached, so that surely nothing was done.
    pub const fn is_unreachable(&self) -> bool {
        match self {
            Self::SocketUnreachable { .. }
            | Self::SocketForbidden { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. } => true,
            Self::TooSlow { .. }
            | Self::Broken(_)
            | Self::Refused { .. }
            | Self::Fault { .. }
            | Self::NotUnderstood(_)
            | Self::Unusable(_) => false,
        }
    }

    /// How long the server wishes to be left alone, when it says so.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::Fault { retry_after, .. } => *retry_after,
            Self::SocketUnreachable { .. }
            | Self::SocketForbidden { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::TooSlow { .. }
            | Self::Broken(_)
            | Self::NotUnderstood(_)
            | Self::Unusable(_) => None,
        }
    }

    /// The server's stable code, when it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } | Self::Fault { code, .. } => Some(code),
            Self::SocketUnreachable { .. }
            | Self::SocketForbidden { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::TooSlow { .. }
            | Self::Broken(_)
            | Self::NotUnderstood(_)
            | Self::Unusable(_) => None,
        }
    }
}
