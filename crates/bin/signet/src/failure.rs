use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use api_client::ClientError;

use crate::trust::DISOWNED;
use crate::trust::is_alert;
use crate::trust::not_recognised;

/// Why a command did not do what was asked. Printed as an `error:` line and, where there is something to do about it,
/// a `hint:` line.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// Whether the same may succeed a moment later.
    is_passing: bool,
}

/// Who has to act, as the exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something failed: exit code 1.
    Failed,
    /// The command was not given what it needs: exit code 2, as for unknown options.
    Usage,
    /// The server refused: exit code 3.
    Refused,
    /// The server could not be reached, and nothing was done: exit code 4.
    Unreachable,
}

impl Failure {
    /// The command was not given what it needs.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message).with_hint(hint)
    }

    /// Something on this side failed.
    pub(crate) fn local(what: &str, cause: &dyn Error) -> Self {
        Self::failed(format!("{what}: {}", chain(cause)))
    }

    /// Something failed, in words.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The server refused, in words.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// The server could not be reached.
    pub(crate) fn unreachable(what: &str, cause: &dyn Error) -> Self {
        Self::new(Kind::Unreachable, format!("{what}: {}", chain(cause)))
    }

    /// The server could not be reached, in words.
    pub(crate) fn unreachable_in_words(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, message)
    }

    /// Nobody is logged in.
    pub(crate) fn not_logged_in() -> Self {
        Self::failed("you are not logged in")
            .with_hint("log in: `signet login --proxy=HOST:3080 --user=NAME`")
    }

    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            is_passing: false,
        }
    }

    /// The same, which a moment later may not happen: a door was closed before anything was said.
    pub(crate) fn passing(self) -> Self {
        Self {
            is_passing: true,
            ..self
        }
    }

    /// Whether the same may succeed a moment later.
    pub(crate) const fn is_passing(&self) -> bool {
        self.is_passing
    }

    /// The last failure of many, in so long a time.
    pub(crate) fn after_many(self, what: &str, tries: u32, time: std::time::Duration) -> Self {
        let seconds = time.as_secs();
        Self {
            message: format!(
                "{what} closed {tries} connections before they began, within {seconds} s: {}",
                self.message
            ),
            is_passing: false,
            ..self
        }
    }

    /// The same with something to do about it.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    const fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Unreachable => 4,
        }
    }

    /// The lines for standard error.
    pub(crate) fn lines(&self) -> String {
        let mut lines = format!("error: {}\n", terminal::visible_lines(&self.message));
        if let Some(hint) = &self.hint {
            lines.push_str(&format!("hint: {}\n", terminal::visible_lines(hint)));
        }
        lines
    }

    /// Prints the lines and returns the exit code.
    pub(crate) fn print(&self) -> ExitCode {
        // Nothing is left to do when standard error is gone too.
        let _ = std::io::stderr().write_all(self.lines().as_bytes());
        ExitCode::from(self.exit_code())
    }

    /// The same with the exit code that ssh has for everything but the remote command's own.
    pub(crate) fn print_like_ssh(&self) -> ExitCode {
        let _ = self.print();
        ExitCode::from(255)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Refused { .. } => Kind::Refused,
            ClientError::Unusable(_) => Kind::Usage,
            ClientError::SocketUnreachable { .. }
            | ClientError::SocketForbidden { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Untrusted { .. } => Kind::Unreachable,
            ClientError::TooSlow { .. }
            | ClientError::Broken(_)
            | ClientError::Fault { .. }
            | ClientError::NotUnderstood(_) => Kind::Failed,
        };
        let (message, hint) = match &error {
            ClientError::Unreachable { address, source } => (
                format!("the proxy at {address} cannot be reached: {}", chain(source)),
                Some("check the address and your network; the port is usually 3080".to_owned()),
            ),
            ClientError::Untrusted { address, source } if is_alert(source) => (
                format!("{address} does not take your certificate: {}", chain(source)),
                Some(DISOWNED.to_owned()),
            ),
            ClientError::Untrusted { address, source } => (
                format!("no trusted connection to {address}: {}", chain(source)),
                Some(not_recognised(address)),
            ),
            ClientError::TooSlow { .. } | ClientError::Broken(_) => (
                chain(&error),
                Some("try again; if it stays so, tell the operator of the cluster".to_owned()),
            ),
            ClientError::SocketUnreachable { .. }
            | ClientError::SocketForbidden { .. }
            | ClientError::Refused { .. }
            | ClientError::Fault { .. }
            | ClientError::NotUnderstood(_)
            | ClientError::Unusable(_) => (chain(&error), error.hint()),
        };
        Self {
            kind,
            message,
            hint,
            is_passing: false,
        }
    }
}

/// An error and what caused it, once each.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(&format!(": {words}"));
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_act_is_in_the_exit_code() {
        let refused = Failure::from(ClientError::Refused {
            status: 401,
            code: "invalid_credentials".to_owned(),
            message: "invalid credentials".to_owned(),
            hint: None,
            request_id: "r".to_owned(),
            retry_after: None,
        });
        assert_eq!(refused.exit_code(), 3);
        assert_eq!(refused.lines(), "error: invalid credentials\n");
        let absent = Failure::from(ClientError::Unreachable {
            address: "proxy.example.com:3080".to_owned(),
            source: std::io::Error::from(std::io::ErrorKind::ConnectionRefused),
        });
        assert_eq!(absent.exit_code(), 4);
        assert!(absent.lines().contains("the proxy at proxy.example.com:3080"));
        assert_eq!(Failure::usage("a", "b").exit_code(), 2);
        assert_eq!(Failure::not_logged_in().exit_code(), 1);
    }

    #[test]
    fn what_a_server_says_cannot_drive_the_terminal() {
        assert_eq!(Failure::failed("a\x1b[2Jb").lines(), "error: a\\u{1b}[2Jb\n");
    }
}
