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
    #[error("asking the auth service failed")]
    Client(#[from] ClientError),
    /// It has not joined, and another try would end the same way.
    #[error("this machine cannot join the cluster")]
    CannotJoin(#[source] Box<AgentError>),
    /// What was given as a token is none.
    #[error("the token cannot be one: {0}")]
    BadToken(String),
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

impl AgentError {
    /// Whether another try to join with the same words would end the same way. What the network, a busy server or another machine does
    /// passes.
    pub(crate) const fn is_final(&self) -> bool {
        match self {
            Self::NoToken | Self::BadToken(_) | Self::NotPinned { .. } | Self::CannotJoin(_) => true,
            Self::Client(error) => is_final(error),
            Self::File { .. }
            | Self::Damaged { .. }
            | Self::OtherCluster { .. }
            | Self::NotLetIn(_)
            | Self::Keys(_)
            | Self::NotUnderstood(_) => false,
        }
    }

    /// What to run next.
    pub fn hint(&self) -> Option<String> {
        const COMMAND: &str = "run the command that `signetctl nodes add` prints on the auth server; each token is good for a while, and as a rule once";
        match self {
            Self::CannotJoin(because) => because.hint(),
            Self::NoToken | Self::BadToken(_) => Some(COMMAND.to_owned()),
            Self::NotPinned { .. } => Some(
                "compare the pin with the one that `signetctl status` shows on the auth server, and the address with the proxy's".to_owned(),
            ),
            Self::Client(error @ ClientError::Refused { code, .. }) => match code.as_str() {
                "bad_token" | "role_not_given" => Some(COMMAND.to_owned()),
                _ => error.hint(),
            },
            Self::Client(error) => error.hint(),
            Self::File { .. }
            | Self::Damaged { .. }
            | Self::OtherCluster { .. }
            | Self::NotLetIn(_)
            | Self::Keys(_)
            | Self::NotUnderstood(_) => None,
        }
    }
}

/// Request Timeout, Conflict by a race, Too Early and Too Many Requests pass (RFC 9110 section 15.5, RFC 6585 section 4, RFC 8470 section 5.2).
const fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { status, code, .. } => match *status {
            408 | 425 | 429 => false,
            409 => !matches!(code.as_bytes(), b"conflict"),
            _ => true,
        },
        ClientError::Unusable(_) => true,
        ClientError::SocketUnreachable { .. }
        | ClientError::SocketForbidden { .. }
        | ClientError::Unreachable { .. }
        | ClientError::Untrusted { .. }
        | ClientError::TooSlow { .. }
        | ClientError::Broken(_)
        | ClientError::Fault { .. }
        | ClientError::NotUnderstood(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> AgentError {
        AgentError::Client(ClientError::Refused {
            status,
            code: code.to_owned(),
            message: "no".to_owned(),
            hint: None,
            request_id: "1".to_owned(),
            retry_after: None,
        })
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_says_what_to_run() {
        for (error, is_final) in [
            (AgentError::NoToken, true),
            (AgentError::BadToken("short".to_owned()), true),
            (refused(401, "bad_token"), true),
            (refused(403, "role_not_given"), true),
            (refused(403, "not_a_member"), true),
            (refused(409, "name_taken"), true),
            (refused(409, "conflict"), false),
            (refused(429, "too_many_requests"), false),
            (AgentError::NotLetIn("no".to_owned()), false),
            (AgentError::Client(ClientError::TooSlow { seconds: 1 }), false),
        ] {
            assert_eq!(error.is_final(), is_final, "{error:?}");
        }
        for error in [AgentError::NoToken, refused(401, "bad_token")] {
            let said = AgentError::CannotJoin(Box::new(error));
            assert!(said.hint().unwrap().contains("signetctl nodes add"));
        }
    }
}
